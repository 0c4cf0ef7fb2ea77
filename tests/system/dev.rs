//! `./dev` on a machine that lacks something: what it says is what is lacking.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Programs of a made-up machine.
struct Machine(tempfile::TempDir);

impl Machine {
    /// With these programs of this machine.
    fn with(programs: &[&str]) -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        let path = std::env::var_os("PATH").expect("a path");
        for program in programs {
            let found = std::env::split_paths(&path).map(|folder| folder.join(program));
            let found = found.into_iter().find(|place| place.exists());
            let place = found.unwrap_or_else(|| panic!("{program} is here"));
            symlink(place, machine.0.path().join(program)).expect("a link");
        }
        machine
    }

    /// With a script in the place of a program.
    fn stand_in(&self, program: &str, script: &str) {
        let place = self.0.path().join(program);
        fs::write(&place, format!("#!/bin/bash\n{script}\n")).expect("a script");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("a script");
    }

    /// What `./dev` said, which did not go on.
    fn dev(&self, command: &str) -> String {
        let output = Command::new("/bin/bash")
            .arg(Path::new(ROOT).join("dev"))
            .arg(command)
            .env("PATH", self.0.path())
            .output()
            .expect("bash");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

/// What the script itself calls.
const TOOLS: [&str; 5] = ["bash", "dirname", "id", "sed", "grep"];

#[test]
fn who_may_not_install_is_told_what_is_missing_and_nothing_else() {
    let machine = Machine::with(&["dirname", "sed", "grep"]);
    machine.stand_in("id", "echo 1000");
    machine.stand_in("sudo", "exit 1");
    machine.stand_in(
        "dpkg-query",
        r#"case "${!#}" in gnome-keyring|systemd) exit 1 ;; *) echo "install ok installed" ;; esac"#,
    );
    let said = machine.dev("setup");
    let line = said.lines().last().unwrap_or_default();
    assert_eq!(
        line,
        "Missing Debian packages. As root, run: apt-get install -y --no-install-recommends gnome-keyring systemd"
    );
}

#[test]
fn without_debians_packages_the_tools_themselves_are_looked_for() {
    let machine = Machine::with(&TOOLS);
    let all = ["cc", "make", "perl", "cargo", "secret-tool", "dbus-daemon"];
    for tool in all {
        machine.stand_in(tool, "exit 0");
    }
    machine.stand_in("pkg-config", "exit 1");
    let said = machine.dev("setup");
    assert_eq!(
        said.trim_end(),
        "Missing: libssl-dev gnome-keyring desktop-file-utils systemd, as Debian calls it. Install what your system has for it."
    );
    // The one that builds the page is not asked for its version where there is none.
    machine.stand_in("pkg-config", "exit 0");
    let said = machine.dev("ui");
    assert!(said.starts_with("Missing: nodejs npm,"), "{said}");
}

#[test]
fn rust_is_named_with_its_version() {
    let machine = Machine::with(&TOOLS);
    for tool in ["cc", "make", "perl", "pkg-config"] {
        machine.stand_in(tool, "exit 0");
    }
    let said = machine.dev("seizure");
    let wanted = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("a file");
    let wanted = wanted
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    let wanted = wanted.expect("a version").trim_end_matches('"');
    assert!(
        said.starts_with(&format!("Missing cargo. Install Rust {wanted} or newer")),
        "{said}"
    );
}
