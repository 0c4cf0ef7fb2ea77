//! The two programs that show a stranger what the project promises end as they say.

use std::process::{Command, Output};

use undertone_tests::{Failed, Outcome, binary};

fn run(name: &str, arguments: &[&str]) -> Outcome<(Output, String)> {
    let output = Command::new(binary(name)?)
        .args(arguments)
        .output()
        .map_err(|error| Failed::harness(name, error))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok((output, told));
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failed::harness(name, format!("{told}\n{why}")))
}

#[test]
fn the_demo_lets_three_people_talk_shows_the_servers_disk_and_ends() -> Outcome {
    let (_, told) = run("undertone-demo", &["--once"])?;
    for step in [
        "Ben adds Ada by the link, and both are ready",
        "Ada reads the answer",
        "Three people talk in a group",
    ] {
        assert!(told.contains(step), "{step}: {told}");
    }
    Ok(())
}

#[test]
fn the_seizure_drill_says_what_holds_and_what_is_learned() -> Outcome {
    let (_, told) = run("undertone-seizure", &["--messages", "48"])?;
    let verdicts: Vec<_> = told
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(mark, _)| mark)
        .filter(|mark| ["holds", "FAILS"].contains(mark))
        .collect();
    assert_eq!(verdicts, ["holds"; 6], "{told}");
    assert!(told.contains("items waiting, by queue"), "{told}");
    Ok(())
}
