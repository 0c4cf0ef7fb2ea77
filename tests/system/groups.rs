//! Groups with rules of their own, through the real programs.

use std::time::Duration;

use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn strangers_wait_in_the_requests() -> Outcome {
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let ada = Person::join("Ada", &at)?;
    let [mallory, ben] = [Person::join("Mallory", &at)?, Person::join("Ben", &at)?];
    let link = ada.run(["link", "--uses", "5"])?;
    assert_eq!(link["ask"], true);
    let uri = link["uri"].as_str().expect("a link").to_owned();
    for (stranger, text) in [(&mallory, "Cheap watches."), (&ben, "I have documents.")] {
        stranger.add(&uri)?;
        stranger.waits_for_contact("Ada")?;
        stranger.send("Ada", text)?;
        ada.reads_eventually(stranger.name(), &[text], LIMIT)?;
    }
    let waiting = ada.run(["requests"])?;
    assert_eq!(waiting.as_array().map(Vec::len), Some(2));
    assert_eq!(ada.run(["contacts"])?.as_array().map(Vec::len), Some(0));
    let refused = ada
        .send("Ben", "Who are you?")
        .map_err(|failed| failed.code);
    assert_eq!(refused, Err("request.open".to_owned()));

    ada.run(["requests", "accept", "Ben"])?;
    ada.send("Ben", "Tell me more.")?;
    let both = ["I have documents.", "Tell me more."];
    ben.reads_eventually("Ada", &both, LIMIT)?;

    let made = ada.run(["report", "make", "Mallory", "Advertising"])?;
    ada.run(["requests", "refuse", "Mallory", "--block"])?;
    assert_eq!(ada.run(["requests"])?.as_array().map(Vec::len), Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let id = made["id"].as_str().expect("an id").to_owned();
    ada.run(["report", "export", &id, &file.to_string_lossy()])?;
    let written = std::fs::read_to_string(&file).expect("a report");
    assert!(written.contains("Cheap watches.") && written.contains("Advertising"));
    let blocked = ada.run(["requests", "blocked"])?;
    assert_eq!(blocked[0]["name"], "Mallory");
    ada.run(["block", "Mallory", "--undo"])?;
    assert_eq!(
        ada.run(["requests", "blocked"])?.as_array().map(Vec::len),
        Some(0)
    );
    Ok(())
}

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

#[test]
fn people_come_in_by_a_link_and_by_a_yes() -> Outcome {
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let ada = Person::join("Ada", &at)?;
    let ben = Person::join("Ben", &at)?;
    let [dee, eve] = [Person::join("Dee", &at)?, Person::join("Eve", &at)?];
    ada.meet(&ben)?;
    ada.run(["group", "create", "Book club", "Ben"])?;
    ada.send("Book club", "Welcome.")?;
    ben.reads_eventually("Book club", &["Welcome."], LIMIT)?;

    let open = ada.run(["group", "invite", "Book club", "--uses", "1"])?;
    let uri = open["uri"].as_str().expect("a link").to_owned();
    assert!(!uri.contains("Book"), "the group is not named");
    {
        // Somebody's app has to be there.
        let _there = ada.watch()?;
        let joined = dee.run_with_input(["group", "join", "-"], &uri)?;
        assert_eq!(joined["state"], "in");
    }
    dee.send("Book club", "Hello, all.")?;
    ben.reads_eventually("Book club", &["Welcome.", "Hello, all."], LIMIT)?;
    assert_eq!(dee.run(["contacts"])?.as_array().map(Vec::len), Some(0));
    ada.reads_eventually("Book club", &["Welcome.", "Hello, all."], LIMIT)?;
    let used = eve.run_with_input(["group", "join", "-"], &uri);
    assert_eq!(
        used.map_err(|failed| failed.code),
        Err("link.used".to_owned())
    );

    let asking = ada.run(["group", "invite", "Book club", "--uses", "9", "--approve"])?;
    let uri = asking["uri"].as_str().expect("a link").to_owned();
    let asked = eve.run_with_input(["group", "join", "-"], &uri)?;
    assert_eq!(asked["state"], "asked");
    let shown = ada.read("Book club")?;
    let told = |line: &serde_json::Value| line["text"] == "Eve asks to be let in by a link.";
    assert!(shown.iter().any(told), "{shown:?}");
    let waiting = ada.run(["group", "requests", "Book club"])?;
    assert_eq!(waiting[0]["name"], "Eve");
    ada.run(["group", "accept", "Book club", "Eve"])?;
    ada.send("Book club", "Now we are four.")?;
    eve.reads_eventually("Book club", &["Now we are four."], LIMIT)?;
    // Ben's app knows of the links; he may not end one, and then he may.
    let id = asking["id"].as_str().expect("an id").to_owned();
    let seen = ben.run(["group", "invites", "Book club"])?;
    let of_ada = |link: &&serde_json::Value| link["id"] == asking["id"];
    let seen = seen.as_array().and_then(|all| all.iter().find(of_ada));
    let seen = seen.expect("the link that is open");
    assert_eq!(
        (&seen["maker_name"], &seen["state"], &seen["uri"]),
        (&"Ada".into(), &"open".into(), &"".into())
    );
    let refused = ben.run(["group", "revoke-invite", "Book club", &id]);
    assert_eq!(
        refused.map_err(|failed| failed.code),
        Err("group.forbidden".to_owned())
    );
    ada.run(["group", "role", "Book club", "Ben", "admin"])?;
    ben.read("Book club")?;
    ben.run(["group", "revoke-invite", "Book club", &id])?;
    ada.read("Book club")?;
    let all = ada.run(["group", "invites", "Book club"])?;
    assert_eq!(
        (&all[0]["state"], &all[1]["state"]),
        (&"used".into(), &"revoked".into())
    );
    Ok(())
}
