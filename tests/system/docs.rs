//! What the pages say is so: the tests, commands and files that they name exist, and the house rules hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use undertone_tests::{Failed, Outcome, binary};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// Every file of the project, by its path from the root; what is built or is Git's own is left out.
fn project() -> Vec<PathBuf> {
    let (root, mut found) = (root(), Vec::new());
    let mut waiting = vec![root.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if path.is_symlink()
                || name == ".git"
                || name == "node_modules"
                || path == root.join("target")
                || path == root.join("ui/dist")
                || path == root.join("ui/shots")
            {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(&root).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let bytes = fs::read(root().join(path.as_ref())).expect("readable");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ends_with(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .is_some_and(|own| extensions.iter().any(|extension| own == *extension))
}

fn pages() -> Vec<PathBuf> {
    let in_docs = |path: &PathBuf| {
        ends_with(path, &["md"])
            && (path.starts_with("docs") || path.as_path() == Path::new("README.md"))
    };
    project().into_iter().filter(in_docs).collect()
}

/// What stands between single backticks.
fn quoted(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// `file::test`, if that is what it is.
fn test_name(text: &str) -> Option<(&str, &str)> {
    let (file, test) = text.split_once("::")?;
    let plain = |word: &str| {
        !word.is_empty()
            && word.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
            })
    };
    (plain(file) && plain(test) && test.contains('_')).then_some((file, test))
}

#[test]
fn every_test_that_a_page_names_exists() {
    let sources: Vec<_> = project()
        .into_iter()
        .filter(|path| ends_with(path, &["rs"]))
        .collect();
    // Tests that are one program: a file that is not listed is not run.
    let programs = ["tests/system", "crates/core/tests/apps"]
        .map(|folder| (Path::new(folder), read(Path::new(folder).join("main.rs"))));
    let (mut named, mut missing) = (0, Vec::new());
    for page in pages() {
        for text in quoted(&read(&page)) {
            let Some((file, test)) = test_name(&text) else {
                continue;
            };
            named += 1;
            let is_test = |path: &Path| read(path).contains(&format!("fn {test}("));
            let is_run = |path: &Path| {
                let lists = |main: &str| main.lines().any(|line| line == format!("mod {file};"));
                programs
                    .iter()
                    .all(|(folder, main)| path.parent() != Some(*folder) || lists(main))
            };
            let exists = sources.iter().any(|path| {
                path.file_stem().is_some_and(|stem| stem == file) && is_test(path) && is_run(path)
            });
            if !exists {
                missing.push(format!("{}: {text}", page.display()));
            }
        }
    }
    assert!(named > 20, "the pages name tests: {named}");
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}

#[test]
fn every_cannot_of_the_threat_model_names_its_test() {
    let page = read("docs/threat-model.md");
    let (mut is_cannot, mut items) = (false, Vec::<String>::new());
    for line in page.lines() {
        if line.starts_with("Cannot") {
            is_cannot = true;
        } else if line.starts_with('#') || line.starts_with("Can") {
            is_cannot = false;
        } else if is_cannot && line.starts_with("- ") {
            items.push(line.to_owned());
        } else if is_cannot && line.starts_with("  ") {
            let last = items.last_mut().expect("a list");
            last.push_str(line);
        }
    }
    assert!(items.len() > 12, "{}", items.len());
    for item in items {
        assert!(
            quoted(&item).iter().any(|text| test_name(text).is_some()),
            "no test is named: {item}"
        );
    }
}

#[test]
fn every_command_that_a_page_names_exists() {
    let dev = read("dev");
    let usage: BTreeSet<_> = dev
        .lines()
        .filter_map(|line| line.strip_prefix("./dev ")?.split_whitespace().next())
        .collect();
    assert!(
        usage.contains("demo") && usage.contains("test"),
        "{usage:?}"
    );
    for command in &usage {
        assert!(
            dev.lines()
                .any(|line| line.trim_start().starts_with(&format!("{command})"))),
            "./dev {command} is not done"
        );
    }
    for page in pages() {
        let text = read(&page);
        for rest in text.split("./dev ").skip(1) {
            let command: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(
                usage.contains(command.as_str()),
                "{}: ./dev {command}",
                page.display()
            );
        }
    }
    // Programs that ./dev starts are there.
    for rest in dev.split("$target/").skip(1) {
        let path: String = rest
            .chars()
            .take_while(|letter| !matches!(letter, '"' | ' '))
            .collect();
        let program = path.rsplit('/').next().expect("a name").to_owned();
        let places = [
            format!("tests/src/bin/{program}.rs"),
            format!(
                "crates/{}/src/main.rs",
                program.trim_start_matches("undertone-")
            ),
        ];
        assert!(
            places.iter().any(|place| root().join(place).exists()),
            "no program {program}"
        );
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        let text = read(&page);
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !target.contains("://") {
                assert!(folder.join(path).exists(), "{}: {target}", page.display());
            }
        }
    }
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let long: Vec<_> = project()
        .into_iter()
        .filter(|path| {
            ends_with(path, &["rs", "sql", "proto", "md", "toml", "sh"])
                || path.as_path() == Path::new("dev")
        })
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > 600)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_source_file_says_what_lives_there_and_leaves_nothing_open() {
    // Written in halves, so that this file does not find itself.
    let open = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("DES", "IGN sec"),
    ];
    let vague = [
        "util", "utils", "helper", "helpers", "common", "manager", "misc",
    ];
    let mut wrong = Vec::new();
    let sources: Vec<_> = project()
        .into_iter()
        .filter(|path| ends_with(path, &["rs"]))
        .collect();
    assert!(sources.len() > 200, "{}", sources.len());
    for path in sources {
        let text = read(&path);
        let begins = text
            .lines()
            .find(|line| !line.starts_with("#![") && !line.is_empty());
        if !begins.is_some_and(|line| line.starts_with("//!")) {
            wrong.push(format!("{} does not say what lives there", path.display()));
        }
        for word in open {
            if text.contains(word) {
                wrong.push(format!("{} has {word}", path.display()));
            }
        }
        if path
            .file_stem()
            .is_some_and(|stem| vague.iter().any(|word| stem == *word))
        {
            wrong.push(format!("{} is no name", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_names_a_place_outside_of_the_project() {
    // Written in halves, so that this file does not find itself.
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp/", "notes"),
        concat!("/ho", "me/user"),
    ];
    let mut found = Vec::new();
    for path in project() {
        if !ends_with(
            &path,
            &[
                "rs", "sql", "proto", "md", "toml", "sh", "ts", "json", "snap", "txt",
            ],
        ) && path.extension().is_some()
        {
            continue;
        }
        let text = read(&path);
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The lines of a page's blocks of commands that start one of the two programs, without their comments.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced
            && (line.starts_with("undertone ") || line.starts_with("undertone-server "))
        {
            found.push(
                line.split(" #")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            );
        }
    }
    found
}

/// What a program says of itself or of one of its commands.
fn help(program: &str, path: &[&str]) -> Outcome<String> {
    let output = Command::new(binary(program)?)
        .args(path)
        .arg("--help")
        .output()
        .map_err(|error| Failed::harness("asking for help", error))?;
    assert!(output.status.success(), "{program} {path:?} --help");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The commands that a help lists.
fn listed(help: &str) -> BTreeSet<&str> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn every_command_line_of_the_pages_is_one_that_the_programs_know() -> Outcome {
    let mut checked = 0;
    for page in pages() {
        for line in commands(&read(&page)) {
            let words: Vec<_> = line.split_whitespace().collect();
            let (program, words) = words.split_first().expect("a program");
            let (mut path, mut said) = (Vec::new(), help(program, &[])?);
            for word in words {
                if listed(&said).contains(word) {
                    path.push(*word);
                    said = help(program, &path)?;
                }
            }
            let place = format!("{}: {line}", page.display());
            // The app without a command is the app in the browser.
            let is_app = *program == "undertone" && words.iter().all(|word| word.starts_with('-'));
            assert!(
                is_app || (!path.is_empty() && listed(&said).is_empty()),
                "no such command: {place}"
            );
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let is_known = said.split_whitespace().any(|known| known == *option);
                assert!(is_known, "no option {option}: {place}");
            }
            checked += 1;
        }
    }
    assert!(checked > 15, "the pages show commands: {checked}");
    Ok(())
}

#[test]
fn the_exit_codes_of_both_programs_are_written_down() -> Outcome {
    let page = read("docs/server.md");
    let said = page.split("Exit codes: ").nth(1).expect("exit codes");
    let said = said
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    let numbers: Vec<_> = said
        .split(", ")
        .map(|part| {
            part.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7"], "{said}");

    assert!(read("README.md").contains("undertone help exit-codes"));
    let output = Command::new(binary("undertone")?)
        .args(["help", "exit-codes"])
        .output()
        .map_err(|error| Failed::harness("asking for the exit codes", error))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for number in 0..=14 {
        let begins =
            |line: &str| line.split_whitespace().next() == Some(number.to_string().as_str());
        assert!(said.lines().any(begins), "exit code {number} in {said}");
    }
    Ok(())
}
