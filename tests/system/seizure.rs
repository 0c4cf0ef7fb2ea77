//! Somebody takes the server's disk. What that gives away stands in `docs/threat-model.md` section 1, and nothing else does.

use undertone_tests::seizure::{self, Evidence, admitted};
use undertone_tests::{Outcome, is_soak};

/// So many messages, half of them undelivered when the disk is taken, are what the project promises to try.
const ALL: usize = 300;

/// A run of the drill. Each test needs one of its own, so all but one are content with fewer messages.
fn town(messages: usize) -> Outcome<Evidence> {
    let messages = if is_soak() { ALL } else { messages };
    seizure::live(messages, &|step| eprintln!("{step}"))
}

#[test]
fn a_seized_disk_names_nobody_and_nothing() -> Outcome {
    let evidence = town(ALL)?;
    assert!(evidence.messages >= ALL && evidence.undelivered * 2 >= ALL);
    assert_eq!(evidence.copies.len(), 6);
    seizure::names_nobody(&evidence)?.hold()
}

#[test]
fn no_key_on_the_disk_opens_an_item() -> Outcome {
    let evidence = town(72)?;
    // The disk at the moment when it holds most; in a soak, of every moment.
    let copies = if is_soak() {
        &evidence.copies[..]
    } else {
        &evidence.copies[3..4]
    };
    seizure::opens_nothing(&evidence, copies, &|_| {})?.hold()
}

#[test]
fn no_sixteen_bytes_stand_in_two_queues() -> Outcome {
    seizure::shares_no_run(&town(72)?)?.hold()
}

#[test]
fn no_table_joins_a_channel_to_a_queue() -> Outcome {
    seizure::joins_nothing(&town(72)?)?.hold()
}

#[test]
fn rows_sizes_days_and_the_log_show_what_is_admitted_and_no_more() -> Outcome {
    seizure::shows_what_is_admitted(&town(72)?)?.hold()?;
    // And what is admitted there is what the documents say.
    let said = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/threat-model.md"
    ))
    .expect("the threat model");
    let (_, section) = said.split_once("\n## 1.").expect("section 1");
    let (section, _) = section.split_once("\n## 2.").expect("section 2");
    let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    for (table, _, words) in admitted::ADMITTED {
        assert!(section.contains(words), "{table}: {words}");
    }
    Ok(())
}

#[test]
fn logs_name_nobody() -> Outcome {
    seizure::logs_name_nobody(&town(72)?)?.hold()
}
