//! The server as a service of systemd: the unit that `install` writes, and what the server tells its supervisor.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use undertone_tests::{Outcome, ServerOptions, ServerProcess, binary, not_tried};

const PATIENCE: Duration = Duration::from_secs(30);

/// What takes rights away from the service. Each is a promise of `docs/server.md`: a hole in the server is no hole in the machine.
const HARDENED: [(&str, &str); 22] = [
    ("LimitCORE", "0"),
    ("UMask", "0077"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "read-only"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectProc", "invisible"),
    ("NoNewPrivileges", "yes"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
];

#[test]
fn the_unit_is_hardened_and_systemd_reads_it() -> Outcome {
    let place = tempfile::tempdir().expect("a folder");
    let server = ServerProcess::prepare(ServerOptions {
        folder: Some(place.path().join("relay of 100% trust")),
        ..ServerOptions::default()
    })?;
    let unit_file = Path::new("/etc/systemd/system/undertone-server.service");
    let was_there = unit_file.exists();
    let before = fs::metadata(server.folder()).expect("a folder");
    let told = server.admin(&["install"], &["--dry-run"])?;
    assert_eq!(unit_file.exists(), was_there, "a dry run writes nothing");
    let after = fs::metadata(server.folder()).expect("a folder");
    assert_eq!(
        before.modified().expect("a time"),
        after.modified().expect("a time")
    );
    assert_eq!(told["path"], unit_file.to_str().expect("a path"));

    let unit = told["unit"].as_str().expect("a unit");
    let set: BTreeMap<_, _> = unit
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    for (directive, value) in HARDENED {
        assert_eq!(set.get(directive), Some(&value), "{directive}");
    }
    assert_eq!((set["Type"], set["User"]), ("notify", "undertone"));
    let folder = server.folder().canonicalize().expect("a folder");
    let folder = folder.to_str().expect("a path").replace('%', "%%");
    assert_eq!(set["ReadWritePaths"], format!("\"{folder}\""));
    let program = binary("undertone-server")?;
    let program = program.display();
    assert_eq!(set["ExecStart"], format!("{program} run \"{folder}\""));
    let steps = server.admin(&["install"], &["--dry-run"])?["steps"].clone();
    assert_eq!(steps.as_array().map(Vec::len), Some(4), "{steps}");

    // What systemd itself says to it. A directive that it does not know would protect from nothing.
    let copy = place.path().join("undertone-server.service");
    fs::write(&copy, unit).expect("written");
    match Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output()
    {
        Err(_) => not_tried("there is no systemd-analyze here"),
        Ok(said) => {
            let words = String::from_utf8_lossy(&said.stderr);
            let about_it: Vec<_> = words
                .lines()
                .filter(|line| line.contains("undertone-server.service"))
                .collect();
            assert!(said.status.success() && about_it.is_empty(), "{words}");
        }
    }
    Ok(())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A child that has ended already can't be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_supervisor_is_told_when_it_serves_and_when_it_stops() -> Outcome {
    let place = tempfile::tempdir().expect("a folder");
    let server = ServerProcess::prepare(ServerOptions::default())?;
    let socket = place.path().join("notify");
    let supervisor = UnixDatagram::bind(&socket).expect("a socket");
    supervisor
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    let hears = |wanted: &str| {
        let mut heard = String::new();
        while !heard.lines().any(|line| line == wanted) {
            let mut bytes = [0; 4096];
            let length = supervisor.recv(&mut bytes).expect(wanted);
            heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
            heard.push('\n');
        }
    };
    let listen = server.address().to_string();
    let child = Command::new(binary("undertone-server")?)
        .arg("run")
        .arg(server.folder())
        .args(["--listen", &listen])
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut running = Running(child.expect("a server"));
    hears("READY=1");
    assert!(
        std::net::TcpStream::connect(server.address()).is_ok(),
        "ready means that it serves"
    );
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
    hears("STOPPING=1");
    assert!(running.0.wait().expect("an end").success());
    Ok(())
}
