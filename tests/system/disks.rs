//! Disks that are full or can't be written: one plain sentence, nothing damaged, and all is well once there is room.
//!
//! The disks are small ones in memory, in a mount namespace of their own. Where the system allows none, the tests fail unless they may be skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use undertone_core::home::Owner;
use undertone_tests::{Failed, Outcome, Person, ServerOptions, ServerProcess, binary, not_tried};

use crate::sentences::{Said, init_command, said, two_people};

const PATIENCE: Duration = Duration::from_secs(30);
const INSIDE: &str = "UNDERTONE_TEST_INSIDE";
const MIB: u64 = 1 << 20;

/// A folder for disks, if this is the test's second run, inside a mount namespace. The first run makes the second and says what
/// came of it.
fn inside(test: &str) -> Outcome<Option<PathBuf>> {
    if let Some(place) = std::env::var_os(INSIDE) {
        return Ok(Some(place.into()));
    }
    let failed = |error: std::io::Error| Failed::harness("running in a mount namespace", error);
    let possible = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        not_tried(&format!(
            "this system allows no mount namespace, so {test} has no disk to fill or to close"
        ));
        return Ok(None);
    }
    let place = tempfile::tempdir().map_err(failed)?;
    let output = Command::new("unshare")
        .arg("-rm")
        .arg(std::env::current_exe().map_err(failed)?)
        .args(["--exact", &format!("disks::{test}"), "--nocapture"])
        .env(INSIDE, place.path())
        .output()
        .map_err(failed)?;
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    Ok(None)
}

fn mount(options: &str, what: &Path, place: &Path) {
    let mut command = Command::new("mount");
    let status = command
        .args(options.split(' '))
        .arg(what)
        .arg(place)
        .status()
        .expect("mount runs");
    assert!(status.success(), "mount {options}");
}

/// A disk of that size.
fn disk(place: &Path, mib: u64) {
    fs::create_dir(place).expect("a folder");
    mount(
        &format!("-t tmpfs -o size={mib}m"),
        Path::new("tmpfs"),
        place,
    );
}

/// From now on nothing can be written there, but by who has it open already.
fn close(place: &Path) {
    mount("--bind", place, place);
    mount("-o remount,bind,ro", place, place);
}

/// Takes [`close`] back.
fn open(place: &Path) {
    let status = Command::new("umount").arg(place).status();
    assert!(status.expect("umount runs").success());
}

/// Fills the disk but for so many bytes; removing the file makes room again.
fn fill(place: &Path, but: u64) -> PathBuf {
    let disk = rustix::fs::statvfs(place).expect("a disk");
    let free = disk.f_bavail * disk.f_frsize;
    let ballast = place.join("ballast");
    let taken = usize::try_from(free.saturating_sub(but)).expect("a small disk");
    fs::write(&ballast, vec![1; taken]).expect("room for the ballast");
    ballast
}

#[test]
fn a_full_disk_refuses_what_is_new_and_keeps_what_is_there() -> Outcome {
    let Some(place) = inside("a_full_disk_refuses_what_is_new_and_keeps_what_is_there")? else {
        return Ok(());
    };
    let server = ServerProcess::start()?;
    let small = place.join("small");
    disk(&small, 24);
    let folder = small.join("ada");
    fs::create_dir(&folder).expect("a folder");
    let ada = Person::at("Ada", &folder)?.with_cheap_passphrase();

    // A home that has no room is not begun.
    let invitation = server.invitation(2)?;
    let ballast = fill(&small, 64 * 1024);
    Said::by(&mut init_command(&ada, &invitation))?.refused(11, "The disk is full");
    assert!(!ada.home().exists() && !ada.recovery_file().exists());
    fs::remove_file(&ballast).expect("removed");
    ada.init(&invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    ada.send("Ben", "While there was room")?;

    // A message, and a file, that have no room.
    let picture = place.join("large.bin");
    fs::write(&picture, vec![7; 4 << 20]).expect("a file");
    let ballast = fill(&small, MIB);
    let path = picture.to_str().expect("a plain path");
    said(&ada, &["send", "Ben", "--attach", path])?.refused(11, "The disk is full");
    fs::remove_file(&ballast).expect("removed");
    let ballast = fill(&small, 0);
    said(&ada, &["send", "Ben", "No room for this"])?.refused(11, "The disk is full");
    // What comes in has no room either: it stays on the server.
    ben.send("Ada", "Wait for me")?;
    let read = said(&ada, &["read", "Ben"])?;
    assert!(!read.err.contains("panicked"), "{}", read.err);
    fs::remove_file(&ballast).expect("removed");

    assert_eq!(
        said(&ada, &["send", "Ben", "There is room again"])?.exit,
        Some(0)
    );
    ada.reads_eventually(
        "Ben",
        &["While there was room", "Wait for me", "There is room again"],
        PATIENCE,
    )?;
    ben.reads_eventually(
        "Ada",
        &["While there was room", "Wait for me", "There is room again"],
        PATIENCE,
    )?;
    assert_eq!(
        said(&ada, &["send", "Ben", "--attach", path])?.exit,
        Some(0)
    );
    Ok(())
}

#[test]
fn a_backup_to_a_full_disk_is_refused_and_the_one_before_is_whole() -> Outcome {
    let test = "a_backup_to_a_full_disk_is_refused_and_the_one_before_is_whole";
    let Some(place) = inside(test)? else {
        return Ok(());
    };
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    ada.send("notes", "While there was room")?;
    let small = place.join("small");
    disk(&small, 8);
    let folder = small.join("backup");
    let words = ada.recovery_file();
    let make = || said(&ada, &["backup", "make", "--media", path(&folder)]);
    let verify = || {
        let words = path(&words);
        said(
            &ada,
            &["backup", "verify", path(&folder), "--phrase-file", words],
        )
    };

    // Where there was none there is none, and what was begun is not taken for one.
    let ballast = fill(&small, 0);
    make()?.refused(11, "The disk is full");
    assert_ne!(verify()?.exit, Some(0));
    fs::remove_file(&ballast).expect("removed");
    assert_eq!(make()?.exit, Some(0));
    let manifest = fs::read(folder.join("manifest")).expect("a manifest");

    let picture = place.join("large.bin");
    fs::write(&picture, vec![7; 4 << 20]).expect("a file");
    ada.send_file("notes", &picture)?;
    let ballast = fill(&small, MIB);
    make()?.refused(11, "The disk is full");
    assert_eq!(
        fs::read(folder.join("manifest")).expect("as before"),
        manifest
    );
    let files = fs::read_dir(folder.join("files")).expect("a folder");
    assert_eq!(files.count(), 0, "nothing half written");
    assert_eq!(verify()?.exit, Some(0));
    fs::remove_file(&ballast).expect("removed");
    assert_eq!(make()?.exit, Some(0));
    assert_eq!(verify()?.exit, Some(0));
    assert_ne!(
        fs::read(folder.join("manifest")).expect("a new one"),
        manifest
    );
    Ok(())
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_server_with_a_full_disk_takes_nothing_new_and_delivers_what_it_has() -> Outcome {
    let Some(place) =
        inside("a_server_with_a_full_disk_takes_nothing_new_and_delivers_what_it_has")?
    else {
        return Ok(());
    };
    let small = place.join("small");
    disk(&small, 64);
    let reserve = (
        "disk".to_owned(),
        "reserve_mib".to_owned(),
        toml::Value::from(16),
    );
    let mut server = ServerProcess::start_with(ServerOptions {
        folder: Some(small.join("server")),
        settings: vec![reserve],
        ..ServerOptions::default()
    })?;
    let (ada, ben) = two_people(&server)?;
    let invitation = server.invitation(1)?;
    ada.send("Ben", "Before it was full")?;

    // Into the reserve: sends and registrations wait, acknowledging goes on.
    let ballast = fill(&small, 8 * MIB);
    let sent = said(&ada, &["send", "Ben", "While it was full"])?;
    sent.noted("Not sent yet: The server's disk is full; its owner must make room.");
    assert!(sent.out.contains("Queued for Ben"), "{}", sent.out);
    assert_eq!(server.status()?["accepts_sends"], false);
    ben.reads_eventually("Ada", &["Before it was full"], PATIENCE)?;
    let folder = tempfile::tempdir().expect("a folder");
    let late = Person::at("Late", folder.path())?.with_cheap_passphrase();
    Said::by(&mut init_command(&late, &invitation))?
        .refused(8, "The server's disk is full; its owner must make room.");
    let status = Said::by(
        Command::new(binary("undertone-server")?)
            .arg("status")
            .arg(server.folder()),
    )?;
    assert!(
        status.out.contains("accepts no messages: the disk is full"),
        "{}",
        status.out
    );
    fs::remove_file(&ballast).expect("removed");
    said(&ada, &["status"])?;
    ben.reads_eventually(
        "Ada",
        &["Before it was full", "While it was full"],
        PATIENCE,
    )?;
    late.init(&invitation)?;

    // Not one byte left: a new folder is not begun, and the old one is whole afterwards.
    let ballast = fill(&small, 0);
    let mut command = Command::new(binary("undertone-server")?);
    Said::by(
        command
            .arg("init")
            .arg(small.join("second"))
            .args(["--origin", "example.org:1"]),
    )?
    .refused(7, "There is no space left on the disk");
    assert!(!small.join("second").exists());
    server.kill9();
    fs::remove_file(&ballast).expect("removed");
    server.run()?;
    ada.send("Ben", "And again")?;
    ben.reads_eventually(
        "Ada",
        &["Before it was full", "While it was full", "And again"],
        PATIENCE,
    )
}

#[test]
fn a_read_only_disk_is_named_and_nothing_is_changed() -> Outcome {
    let Some(place) = inside("a_read_only_disk_is_named_and_nothing_is_changed")? else {
        return Ok(());
    };
    let mut server = ServerProcess::start()?;
    let folder = place.join("ada");
    fs::create_dir(&folder).expect("a folder");
    let ada = Person::at("Ada", &folder)?.with_cheap_passphrase();
    let invitation = server.invitation(2)?;
    ada.init(&invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    ada.send("Ben", "Ink")?;

    close(&ada.home());
    for arguments in [
        &["chats"][..],
        &["read", "Ben"],
        &["send", "Ben", "Chalk"],
        &["status"],
    ] {
        said(&ada, arguments)?.refused(11, "can't be written to");
    }
    open(&ada.home());
    assert_eq!(ada.texts("Ben")?, ["Ink"]);

    // A home in a place that can't be written.
    let closed = place.join("closed");
    fs::create_dir(&closed).expect("a folder");
    close(&closed);
    let late = Person::at("Late", &place)?.with_cheap_passphrase();
    let mut command = init_command(&late, &server.invitation(1)?);
    Said::by(command.arg("--home").arg(closed.join("home")))?.refused(11, "can't be written to");

    server.stop()?;
    close(server.folder());
    let mut command = Command::new(binary("undertone-server")?);
    Said::by(command.arg("run").arg(server.folder()))?.refused(7, "cannot be written to");
    open(server.folder());
    server.run()?;
    ada.send("Ben", "Ink again")?;
    ben.reads_eventually("Ada", &["Ink", "Ink again"], PATIENCE)
}

/// A disk that fails is closed by the system, and what is open on it has its keys all the same.
#[test]
fn what_is_open_on_a_disk_that_can_not_be_written_is_locked() -> Outcome {
    let Some(place) = inside("what_is_open_on_a_disk_that_can_not_be_written_is_locked")? else {
        return Ok(());
    };
    let server = ServerProcess::start()?;
    let folder = place.join("ada");
    fs::create_dir(&folder).expect("a folder");
    let ada = Person::at("Ada", &folder)?.with_cheap_passphrase();
    ada.init(&server.invitation(1)?)?;
    for command in ["panic", "lock"] {
        let mut session = ada.rpc()?;
        session.call("status.get", &serde_json::json!({}))?;
        close(&ada.home());
        let answer = ada.run([command])?;
        assert_eq!(answer["was_open"], true, "{command}: {answer}");
        assert!(!Owner::is_taken(&ada.home()).expect("a home"), "{command}");
        session.ends()?;
        // There is nothing more to lock, and that is no reason to fail.
        assert_eq!(ada.run([command])?["was_open"], false);
        open(&ada.home());
    }
    assert_eq!(said(&ada, &["chats"])?.exit, Some(0), "nothing is lost");
    // A program that has it open and is told by RPC.
    let mut session = ada.rpc()?;
    session.call("status.get", &serde_json::json!({}))?;
    close(&ada.home());
    let answer = session.call("home.panic", &serde_json::json!({}))?;
    assert_eq!(answer["wiped"], false);
    session.ends()?;
    open(&ada.home());
    Ok(())
}
