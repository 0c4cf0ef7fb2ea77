//! `install` and `uninstall`: a hardened systemd unit around `run`.
//!
//! Installing is done whole or undone; what can't be undone is said. `uninstall` leaves the server folder and its user alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{InstallArgs, UninstallArgs, answer};
use crate::config::Config;
use crate::error::ServerError;
use crate::folder;

const FOLDER: &str = "/etc/systemd/system";
const NAME: &str = "undertone-server.service";

/// The system that is changed: where units are, and the programs that change it.
struct System {
    unit: PathBuf,
    /// Where programs are looked for, if not where this program would.
    programs: Option<OsString>,
}

impl System {
    fn this() -> Self {
        Self {
            unit: Path::new(FOLDER).join(NAME),
            programs: None,
        }
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args);
        command.envs(self.programs.as_ref().map(|path| ("PATH", path)));
        command
    }

    fn succeeds(&self, program: &str, args: &[&str]) -> bool {
        self.command(program, args)
            .output()
            .is_ok_and(|o| o.status.success())
    }

    /// What went wrong, without a full stop.
    fn step(&self, program: &str, args: &[&str]) -> Result<(), String> {
        let failed = |why: &str| format!("`{program} {}` failed{why}", args.join(" "));
        match self.command(program, args).output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(failed(
                    &said
                        .lines()
                        .next()
                        .map(|l| format!(" ({l})"))
                        .unwrap_or_default(),
                ))
            }
            Err(_) => Err(failed(" to start")),
        }
    }
}

/// The unit file that runs `program` on `dir` as `user`.
fn unit(program: &Path, dir: &Path, user: &str, low_port: bool) -> String {
    let capability = if low_port { "CAP_NET_BIND_SERVICE" } else { "" };
    format!(
        "[Unit]
Description=Undertone server
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={program} run {dir}
User={user}
Restart=on-failure
RestartSec=2
TimeoutStopSec=30
LimitNOFILE=65536
LimitCORE=0
UMask=0077
ReadWritePaths={dir}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
CapabilityBoundingSet={capability}
AmbientCapabilities={capability}

[Install]
WantedBy=multi-user.target
",
        program = quoted(program),
        dir = quoted(dir),
    )
}

/// A path as one word of a unit file: specifiers and quotes escaped.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    if text.contains([' ', '"', '\\', '$', '\'', ';']) {
        let escaped = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('$', "$$");
        format!("\"{escaped}\"")
    } else {
        text
    }
}

pub(super) fn install(args: &InstallArgs) -> Result<(), ServerError> {
    if !args
        .user
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        || args.user.is_empty()
    {
        return Err(ServerError::Usage(
            "--user takes the name of a system user.".to_owned(),
        ));
    }
    let config = Config::read(&args.dir)?;
    let dir = args
        .dir
        .canonicalize()
        .map_err(|e| ServerError::io("open", &args.dir, &e))?;
    let program = std::env::current_exe()
        .map_err(|e| ServerError::io("find", Path::new("undertone-server"), &e))?;
    let text = unit(&program, &dir, &args.user, config.listen.port() < 1024);
    let system = System::this();
    let path = system.unit.display();
    let steps = [
        format!("create the system user {} if it is missing", args.user),
        format!("give {} to that user", dir.display()),
        format!("write {path}"),
        format!("systemctl daemon-reload, then systemctl enable --now {NAME}"),
    ];
    if args.dry_run {
        let value = serde_json::json!({ "dry_run": true, "path": system.unit, "unit": text, "steps": steps });
        answer(
            args.json,
            &value,
            &format!(
                "{text}\n# Would, in this order:\n#   {}",
                steps.join("\n#   ")
            ),
        );
        return Ok(());
    }
    need_root()?;
    need_systemd()?;
    install_on(&system, &dir, &args.user, &text)?;
    let value = serde_json::json!({ "installed": true, "path": system.unit });
    answer(
        args.json,
        &value,
        &format!("Running, and started at boot: systemctl status {NAME}"),
    );
    Ok(())
}

/// What was done, so that it can be undone.
#[derive(Default)]
struct Done<'a> {
    user: Option<&'a str>,
    owner: Option<String>,
    unit: bool,
}

fn install_on(system: &System, dir: &Path, user: &str, text: &str) -> Result<(), ServerError> {
    if system.unit.exists() {
        return Err(ServerError::Install(format!(
            "{} exists already; run undertone-server uninstall first.",
            system.unit.display()
        )));
    }
    let owner_before = owner(dir)?;
    let mut done = Done::default();
    all_steps(system, dir, user, text, owner_before, &mut done).map_err(|what| {
        let left = undo(system, dir, &done);
        ServerError::Install(if left.is_empty() {
            format!("{what}; everything done so far was undone.")
        } else {
            format!("{what}; this could not be undone: {}.", left.join(", "))
        })
    })
}

fn all_steps<'a>(
    system: &System,
    dir: &Path,
    user: &'a str,
    text: &str,
    owner_before: String,
    done: &mut Done<'a>,
) -> Result<(), String> {
    if !system.succeeds("id", &["-u", user]) {
        system.step(
            "useradd",
            &[
                "--system",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                user,
            ],
        )?;
        done.user = Some(user);
    }
    // It may have given away a part of the folder before it fails.
    done.owner = Some(owner_before);
    let dir_text = dir.display().to_string();
    system.step("chown", &["-R", "-h", &format!("{user}:"), &dir_text])?;
    folder::write_new(&system.unit, text.as_bytes(), 0o644).map_err(|error| {
        let error = error.to_string();
        error.trim_end_matches('.').to_owned()
    })?;
    done.unit = true;
    system.step("systemctl", &["daemon-reload"])?;
    system.step("systemctl", &["enable", "--now", NAME])
}

/// The last step first. Gives what would not be undone.
fn undo(system: &System, dir: &Path, done: &Done<'_>) -> Vec<String> {
    let mut left = Vec::new();
    if done.unit {
        // Where it was never enabled, that is no news.
        system.succeeds("systemctl", &["disable", "--now", NAME]);
        if std::fs::remove_file(&system.unit).is_err() {
            left.push(format!("{} is still there", system.unit.display()));
        }
        if !system.succeeds("systemctl", &["daemon-reload"]) {
            left.push("systemd still knows the unit".to_owned());
        }
    }
    if let Some(owner) = &done.owner {
        let dir = dir.display().to_string();
        if !system.succeeds("chown", &["-R", "-h", owner, &dir]) {
            left.push(format!("{dir} was not given back to {owner}"));
        }
    }
    if let Some(user) = done.user
        && !system.succeeds("userdel", &[user])
    {
        left.push(format!("the system user {user} stays"));
    }
    left
}

pub(super) fn uninstall(args: &UninstallArgs) -> Result<(), ServerError> {
    let system = System::this();
    let steps = [
        format!("systemctl disable --now {NAME}"),
        format!("remove {}", system.unit.display()),
        "systemctl daemon-reload".to_owned(),
    ];
    if args.dry_run {
        let value = serde_json::json!({ "dry_run": true, "steps": steps });
        answer(
            args.json,
            &value,
            &format!("Would, in this order:\n  {}", steps.join("\n  ")),
        );
        return Ok(());
    }
    need_unit(&system)?;
    need_root()?;
    need_systemd()?;
    uninstall_from(&system)?;
    let value = serde_json::json!({ "installed": false });
    answer(
        args.json,
        &value,
        "Stopped, and no longer started at boot. The server folder is untouched.",
    );
    Ok(())
}

fn need_unit(system: &System) -> Result<(), ServerError> {
    if system.unit.exists() {
        return Ok(());
    }
    Err(ServerError::Install(format!(
        "{} does not exist, so there is nothing to undo.",
        system.unit.display()
    )))
}

/// Nothing is put back when a step fails: who uninstalls wants the rest gone, too.
fn uninstall_from(system: &System) -> Result<(), ServerError> {
    need_unit(system)?;
    let path = system.unit.display();
    system
        .step("systemctl", &["disable", "--now", NAME])
        .map_err(|what| {
            ServerError::Install(format!(
                "{what}; {path} is still there, and the server may still run."
            ))
        })?;
    std::fs::remove_file(&system.unit).map_err(|e| ServerError::io("remove", &system.unit, &e))?;
    system
        .step("systemctl", &["daemon-reload"])
        .map_err(|what| {
            ServerError::Install(format!(
                "{what}; the server is stopped and {path} removed, but systemd still knows it until its next reload."
            ))
        })
}

fn need_root() -> Result<(), ServerError> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(ServerError::Install(
            "This changes the system, so it needs root: run it again with sudo, or look first with --dry-run."
                .to_owned(),
        ))
    }
}

fn need_systemd() -> Result<(), ServerError> {
    if sd_notify::booted().unwrap_or(false) {
        Ok(())
    } else {
        Err(ServerError::Install(
            "This machine does not run systemd; start `undertone-server run DIR` by other means."
                .to_owned(),
        ))
    }
}

fn owner(dir: &Path) -> Result<String, ServerError> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(dir).map_err(|e| ServerError::io("open", dir, &e))?;
    Ok(format!("{}:{}", meta.uid(), meta.gid()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A system of stand-ins, which note how they are called.
    struct StandIns {
        folder: tempfile::TempDir,
        system: System,
    }

    impl StandIns {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let programs = folder.path().join("programs");
            std::fs::create_dir(&programs).unwrap();
            std::fs::create_dir(folder.path().join("server")).unwrap();
            for program in ["id", "useradd", "userdel", "chown", "systemctl"] {
                let script = format!(
                    "#!/bin/sh\ncalled=\"{program} $*\"\necho \"$called\" >> {0}/calls\nif grep -qsxF \"$called\" {0}/failing; then echo 'no such luck' >&2; exit 1; fi\n",
                    folder.path().display()
                );
                let path = programs.join(program);
                std::fs::write(&path, script).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            }
            let path = std::env::var_os("PATH").unwrap();
            let path = std::iter::once(programs).chain(std::env::split_paths(&path));
            let system = System {
                unit: folder.path().join(NAME),
                programs: Some(std::env::join_paths(path).unwrap()),
            };
            Self { folder, system }
        }

        fn dir(&self) -> PathBuf {
            self.folder.path().join("server")
        }

        /// These calls fail from now on.
        fn fail(&self, calls: &[&str]) {
            std::fs::write(self.folder.path().join("failing"), calls.join("\n")).unwrap();
        }

        /// What was called since the last time.
        fn calls(&self) -> Vec<String> {
            let file = self.folder.path().join("calls");
            let calls = std::fs::read_to_string(&file).unwrap_or_default();
            let _ = std::fs::remove_file(file);
            calls.lines().map(str::to_owned).collect()
        }

        fn install(&self) -> Result<(), ServerError> {
            install_on(&self.system, &self.dir(), "relay", "[Unit]\n")
        }

        fn refusal(&self) -> String {
            let refused = self.install().unwrap_err().to_string();
            assert!(!self.system.unit.exists(), "{refused}");
            refused
        }
    }

    const MAKE_USER: &str = "useradd --system --no-create-home --shell /usr/sbin/nologin relay";
    const DISABLE: &str = "systemctl disable --now undertone-server.service";
    const ENABLE: &str = "systemctl enable --now undertone-server.service";

    #[test]
    fn what_is_installed_is_taken_away_again() {
        let there = StandIns::new();
        let dir = there.dir().display().to_string();
        there.fail(&["id -u relay"]);
        there.install().unwrap();
        assert_eq!(
            std::fs::read_to_string(&there.system.unit).unwrap(),
            "[Unit]\n"
        );
        let give = format!("chown -R -h relay: {dir}");
        assert_eq!(
            there.calls(),
            [
                "id -u relay",
                MAKE_USER,
                &give,
                "systemctl daemon-reload",
                ENABLE
            ]
        );
        let again = there.install().unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
        assert!(there.calls().is_empty() && there.system.unit.exists());

        uninstall_from(&there.system).unwrap();
        assert!(!there.system.unit.exists());
        assert_eq!(there.calls(), [DISABLE, "systemctl daemon-reload"]);
        let nothing = uninstall_from(&there.system).unwrap_err().to_string();
        assert!(nothing.contains("nothing to undo"), "{nothing}");
        // A user that is there is not made, and the folder stays.
        there.fail(&[]);
        there.install().unwrap();
        assert!(!there.calls().contains(&MAKE_USER.to_owned()));
        assert!(there.dir().exists());
    }

    #[test]
    fn a_step_that_fails_undoes_those_before_it() {
        let there = StandIns::new();
        let dir = there.dir().display().to_string();
        let give = format!("chown -R -h relay: {dir}");
        let back = format!("chown -R -h {} {dir}", owner(&there.dir()).unwrap());
        for (failing, undone) in [
            (MAKE_USER, &[][..]),
            (&give, &[back.as_str(), "userdel relay"]),
            (
                ENABLE,
                &[DISABLE, "systemctl daemon-reload", &back, "userdel relay"],
            ),
        ] {
            there.fail(&["id -u relay", failing]);
            let said = there.refusal();
            assert_eq!(
                said,
                format!("`{failing}` failed (no such luck); everything done so far was undone.")
            );
            let calls = there.calls();
            let after = calls.iter().position(|call| call == failing).unwrap() + 1;
            assert_eq!(calls[after..], *undone, "{failing}");
        }
        // A user who was there before stays.
        there.fail(&[ENABLE]);
        there.refusal();
        assert!(!there.calls().contains(&"userdel relay".to_owned()));
    }

    #[test]
    fn what_could_not_be_undone_is_said() {
        let there = StandIns::new();
        there.fail(&["id -u relay", ENABLE, "userdel relay"]);
        let said = there.refusal();
        assert!(
            said.ends_with("; this could not be undone: the system user relay stays."),
            "{said}"
        );
    }

    #[test]
    fn an_uninstall_that_fails_says_what_is_left() {
        let there = StandIns::new();
        there.install().unwrap();
        there.fail(&[DISABLE]);
        let said = uninstall_from(&there.system).unwrap_err().to_string();
        assert!(said.contains("may still run") && there.system.unit.exists());
        assert!(!said.contains("undone"), "{said}");
        there.fail(&["systemctl daemon-reload"]);
        let said = uninstall_from(&there.system).unwrap_err().to_string();
        assert!(said.contains("until its next reload") && !there.system.unit.exists());
        assert!(!said.contains("undone"), "{said}");
    }

    #[test]
    fn the_unit_quotes_paths_and_asks_for_the_low_port_right_only_when_needed() {
        let text = unit(
            Path::new("/opt/under tone/undertone-server"),
            Path::new("/srv/100%"),
            "undertone",
            false,
        );
        assert!(text.contains("ExecStart=\"/opt/under tone/undertone-server\" run /srv/100%%\n"));
        assert!(text.contains("CapabilityBoundingSet=\n"));
        let text = unit(Path::new("/bin/u"), Path::new("/srv/u"), "undertone", true);
        assert!(text.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE\n"));
    }
}
