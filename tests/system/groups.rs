//! Groups with rules of their own, through the real programs.

use std::time::Duration;

use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_group_is_made_one_for_announcements_and_handed_over() -> Outcome {
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let ada = Person::join("Ada", &at)?;
    let ben = Person::join("Ben", &at)?;
    ada.meet(&ben)?;
    ada.run(["group", "create", "News", "Ben"])?;
    ada.send("News", "Welcome.")?;
    ben.reads_eventually("News", &["Welcome."], LIMIT)?;

    let set = ada.run(["group", "policy", "News", "--post", "admins"])?;
    assert_eq!(set["chat"]["policy"]["post"], "admin");
    ada.send("News", "From now on only we write.")?;
    let all = ["Welcome.", "From now on only we write."];
    ben.reads_eventually("News", &all, LIMIT)?;
    let refused = ben.send("News", "May I?").map_err(|failed| failed.code);
    assert_eq!(refused, Err("group.quiet".to_owned()));
    let shown = ben.run(["group", "policy", "News"])?;
    assert_eq!(shown["chat"]["policy"]["post"], "admin");
    assert_eq!(shown["chat"]["policy"]["add"], "admin");
    let refused = ben.run(["group", "policy", "News", "--post", "everybody"]);
    assert_eq!(
        refused.map_err(|failed| failed.code),
        Err("group.forbidden".to_owned())
    );

    // Ada can't just go; Ben takes over, and lets everybody write.
    let refused = ada.run(["group", "leave", "News"]);
    assert_eq!(
        refused.map_err(|failed| failed.code),
        Err("group.last_owner".to_owned())
    );
    ada.run(["group", "hand-over", "News", "Ben"])?;
    ben.reads_eventually("News", &all, LIMIT)?;
    let open = ben.run(["group", "policy", "News", "--post", "everybody"])?;
    assert_eq!(open["chat"]["my_role"], "owner");
    ben.send("News", "Thank you.")?;
    let all = [all[0], all[1], "Thank you."];
    ada.reads_eventually("News", &all, LIMIT)?;
    ada.run(["group", "leave", "News"])?;
    let lines = ben.read("News")?;
    let said: Vec<_> = lines
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    for line in [
        "Ada let only admins write.",
        "Ada made you owner.",
        "Ada stepped down to admin.",
        "You let everybody write.",
    ] {
        assert!(said.contains(&line), "{line}: {said:?}");
    }
    Ok(())
}
