//! `install` and `uninstall`: a hardened systemd unit around `run`.
//!
//! Either every step is done or the ones done so far are undone. The server folder and its user are never removed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{InstallArgs, UninstallArgs, answer};
use crate::config::Config;
use crate::error::ServerError;
use crate::folder;

const UNIT: &str = "/etc/systemd/system/undertone-server.service";
const NAME: &str = "undertone-server.service";

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
    let steps = [
        format!("create the system user {} if it is missing", args.user),
        format!("give {} to that user", dir.display()),
        format!("write {UNIT}"),
        format!("systemctl daemon-reload, then systemctl enable --now {NAME}"),
    ];
    if args.dry_run {
        let value =
            serde_json::json!({ "dry_run": true, "path": UNIT, "unit": text, "steps": steps });
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
    if Path::new(UNIT).exists() {
        return Err(ServerError::Install(format!(
            "{UNIT} exists already; run undertone-server uninstall first."
        )));
    }
    if !succeeds("id", &["-u", &args.user]) {
        step(
            "useradd",
            &[
                "--system",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                &args.user,
            ],
        )?;
    }
    let owner_before = owner(&dir)?;
    let dir_text = dir.display().to_string();
    let undo = |unit_written: bool| {
        if unit_written {
            let _ = Command::new("systemctl")
                .args(["disable", "--now", NAME])
                .output();
            let _ = std::fs::remove_file(UNIT);
            let _ = Command::new("systemctl").arg("daemon-reload").output();
        }
        let _ = Command::new("chown")
            .args(["-R", "-h", &owner_before, &dir_text])
            .output();
    };
    step(
        "chown",
        &["-R", "-h", &format!("{}:", args.user), &dir_text],
    )
    .and_then(|()| folder::write_new(Path::new(UNIT), text.as_bytes(), 0o644))
    .inspect_err(|_| undo(false))?;
    step("systemctl", &["daemon-reload"])
        .and_then(|()| step("systemctl", &["enable", "--now", NAME]))
        .inspect_err(|_| undo(true))?;
    let value = serde_json::json!({ "installed": true, "path": UNIT });
    answer(
        args.json,
        &value,
        &format!("Running, and started at boot: systemctl status {NAME}"),
    );
    Ok(())
}

pub(super) fn uninstall(args: &UninstallArgs) -> Result<(), ServerError> {
    let steps = [
        format!("systemctl disable --now {NAME}"),
        format!("remove {UNIT}"),
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
    if !PathBuf::from(UNIT).exists() {
        return Err(ServerError::Install(format!(
            "{UNIT} does not exist, so there is nothing to undo."
        )));
    }
    need_root()?;
    need_systemd()?;
    step("systemctl", &["disable", "--now", NAME])?;
    std::fs::remove_file(UNIT).map_err(|e| ServerError::io("remove", Path::new(UNIT), &e))?;
    step("systemctl", &["daemon-reload"])?;
    let value = serde_json::json!({ "installed": false });
    answer(
        args.json,
        &value,
        "Stopped, and no longer started at boot. The server folder is untouched.",
    );
    Ok(())
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

fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .output()
        .is_ok_and(|o| o.status.success())
}

fn step(program: &str, args: &[&str]) -> Result<(), ServerError> {
    let failed = |why: &str| {
        ServerError::Install(format!(
            "`{program} {}` failed{why}; everything done so far was undone.",
            args.join(" ")
        ))
    };
    match Command::new(program).args(args).output() {
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

#[cfg(test)]
mod tests {
    use super::*;

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
