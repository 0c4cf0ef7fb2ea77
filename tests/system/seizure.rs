//! Somebody takes the server's disk. What that gives away stands in `docs/threat-model.md` section 1, and nothing else does.

use undertone_tests::seizure::{self, Evidence, admitted, learned};
use undertone_tests::{Outcome, is_soak};

/// So many messages, half of them undelivered when the disk is taken, are what the project promises to try.
const ALL: usize = 300;

/// A run of the drill. What is looked at in a copy of its own is content with fewer messages; the first test looks at all of it at once.
fn town(messages: usize) -> Outcome<Evidence> {
    let messages = if is_soak() { ALL } else { messages };
    seizure::live(messages, &|step| eprintln!("{step}"))
}

#[test]
fn a_seized_disk_names_nobody_and_nothing() -> Outcome {
    let evidence = town(ALL)?;
    assert!(evidence.messages >= ALL && evidence.undelivered * 2 >= ALL);
    // As the copied tables have it, and not only as the drill has it.
    for waiting in seizure::waiting(&evidence)? {
        assert!(
            waiting.items >= waiting.messages && waiting.messages > 0,
            "{waiting:?}"
        );
    }
    assert_eq!(evidence.copies.len(), 6);
    seizure::names_nobody(&evidence)?.hold()?;
    seizure::shares_no_run(&evidence)?.hold()?;
    seizure::joins_nothing(&evidence)?.hold()?;
    seizure::shows_what_is_admitted(&evidence)?.hold()?;
    seizure::logs_name_nobody(&evidence)?.hold()
}

#[test]
fn no_key_on_the_disk_opens_an_item() -> Outcome {
    let evidence = town(72)?;
    seizure::opens_nothing(&evidence, &evidence.copies, &|_| {})?.hold()
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
    seizure::shows_what_is_admitted(&town(72)?)?.hold()
}

/// What is admitted there, column by column, and what the drill prints, line by line.
#[test]
fn the_threat_model_says_all_that_a_copied_disk_shows() {
    let said = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/threat-model.md"
    ))
    .expect("the threat model");
    let (_, section) = said.split_once("\n## 1.").expect("section 1");
    let (section, _) = section
        .split_once("\nCannot\n")
        .expect("what can be learned");
    let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let columns = admitted::ADMITTED.iter().flat_map(|(_, columns)| *columns);
    let questions = learned::QUESTIONS.iter();
    let questions = questions.map(|question| (question.thing, question.admitted));
    let unsaid = admitted::unsaid(&section, columns.copied().chain(questions));
    assert!(unsaid.is_empty(), "{unsaid:#?}");
}

#[test]
fn logs_name_nobody() -> Outcome {
    seizure::logs_name_nobody(&town(72)?)?.hold()
}
