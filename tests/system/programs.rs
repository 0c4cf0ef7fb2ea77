//! The two programs that show a stranger what the project promises end as they say.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use undertone_tests::{Failed, Outcome, binary, eventually};

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

/// A demo that runs on, with a folder of its own for what it leaves about.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    told: Vec<String>,
    temporary: tempfile::TempDir,
}

impl Demo {
    fn start() -> Outcome<Self> {
        let failed = |error: std::io::Error| Failed::harness("starting the demo", error);
        let temporary = tempfile::tempdir().map_err(failed)?;
        let mut child = Command::new(binary("undertone-demo")?)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().expect("its output");
        let (say, lines) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines
                .take_while(|line| say.send(line.clone()).is_ok())
                .count()
        });
        Ok(Self {
            child,
            lines,
            told: Vec::new(),
            temporary,
        })
    }

    /// Waits for a line with these words.
    fn tells(&mut self, words: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(120));
            let line = line.unwrap_or_else(|_| panic!("{words}: {:#?}", self.told));
            self.told.push(line);
            if self.told.last().is_some_and(|line| line.contains(words)) {
                return;
            }
        }
    }

    /// Ctrl-C; it ends well and leaves nothing behind.
    fn ends_with_ctrl_c(mut self) -> Outcome {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
        let ended = eventually(Duration::from_secs(60), "the demo's end", || {
            self.child
                .try_wait()
                .map_err(|error| Failed::harness("waiting", error))
        })?;
        assert!(ended.success(), "{ended}");
        let left = std::fs::read_dir(self.temporary.path()).expect("a folder");
        assert_eq!(left.count(), 0, "nothing is left");
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_runs_on_and_the_lines_that_it_prints_work() -> Outcome {
    let mut demo = Demo::start()?;
    demo.tells("Your turn");
    let before = demo.told.join("\n");
    // Each side's chat as the app shows it, and what somebody learns who takes the disk.
    for shown in [
        "undertone read Ben",
        "undertone read Ada",
        "Hello Ada! Then let us talk here from now on.",
        "[voice memo",
        "Nothing found of",
        "items waiting, by queue",
        "What can be learned is this",
    ] {
        assert!(before.contains(shown), "{shown}: {before}");
    }
    let begun = demo.told.len();
    demo.tells("goes with Ctrl-C");
    let lines: Vec<&str> = demo.told[begun..]
        .iter()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    assert!(lines.len() >= 9, "{lines:?}");
    let (functions, commands): (Vec<&str>, Vec<&str>) =
        lines.iter().partition(|line| line.contains("() {"));
    let mut answers = String::new();
    for command in commands {
        // The one that stays connected until it is ended.
        if command.contains(" watch ") {
            continue;
        }
        let script = format!("{}\n{command}", functions.join("\n"));
        let output = Command::new("bash")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::harness(command, error))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        answers.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    for answer in [
        "Ben, are you there?",
        "undertone:i:",
        "Undelivered",
        "For other servers  0 waiting",
    ] {
        assert!(answers.contains(answer), "{answer}: {answers}");
    }
    demo.ends_with_ctrl_c()
}

#[test]
fn the_demo_can_be_ended_in_its_middle() -> Outcome {
    let mut demo = Demo::start()?;
    demo.tells("Ada joins with an invitation");
    demo.ends_with_ctrl_c()
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
