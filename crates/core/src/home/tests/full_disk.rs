//! A disk that is full: nothing is changed, nothing is lost, and one plain sentence says so.
//!
//! The disk is a small tmpfs in a mount namespace of its own, which needs unprivileged user namespaces. Where
//! the system forbids those this says so and does nothing.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use super::processes::{child, told_place};
use super::{PASSPHRASE, SECRET_TEXT, make, names, passphrase, secret_of, unlock};
use crate::attachments::{AttachmentError, Attachments};
use crate::home::HomeError;
use crate::store::{StoreError, StoreResult};

fn resize(disk: &Path, kib: u32) {
    let status = Command::new("mount")
        .args(["-o", &format!("remount,size={kib}k")])
        .arg(disk)
        .status()
        .unwrap();
    assert!(status.success());
}

fn free(disk: &Path) -> u64 {
    let disk = rustix::fs::statvfs(disk).unwrap();
    disk.f_bavail * disk.f_frsize
}

#[test]
fn child_on_a_small_disk() {
    let Some(disk) = told_place() else { return };
    let place = disk.join("home");

    // A home is made whole or not at all, wherever the space runs out.
    let mut refused = 0;
    let mut size = 8;
    let home = loop {
        resize(&disk, size);
        match make(&place) {
            Ok(home) => break home,
            Err(error) => {
                assert_eq!(error, HomeError::DiskFull, "{size} KiB");
                assert!(names(&disk).is_empty(), "{size} KiB: {:?}", names(&disk));
                refused += 1;
            }
        }
        size += size / 5 + 4;
    };
    assert!(refused > 5);

    // A store that can't grow refuses whole transactions and goes on.
    let mut written = 0;
    let full = loop {
        let outcome = home.database().transaction(|tx| -> StoreResult<()> {
            let mut insert = tx
                .connection()
                .prepare_cached("INSERT INTO note VALUES (?1)")?;
            insert.execute(["x".repeat(9000)])?;
            insert.execute(["y".repeat(9000)])?;
            Ok(())
        });
        match outcome {
            Ok(()) => written += 2,
            Err(error) => break error,
        }
    };
    assert_eq!(full, StoreError::DiskFull);
    assert_eq!(secret_of(&home), SECRET_TEXT);

    // So does the passphrase, and so do attachments.
    let left = usize::try_from(free(&disk)).unwrap();
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; left]).unwrap();
    assert_eq!(
        home.change_passphrase(&passphrase(PASSPHRASE), &passphrase("new")),
        Err(HomeError::DiskFull)
    );
    fs::remove_file(&ballast).unwrap();
    resize(&disk, size + 400);
    let attachments = Attachments::new(home.database().clone(), home.attachments());
    let mut large = std::io::repeat(1).take(4 << 20);
    let import = attachments.import(&mut large, 0, &mut |_| true);
    assert_eq!(import.err(), Some(AttachmentError::DiskFull));
    assert!(names(&home.attachments()).is_empty());
    drop((attachments, home));

    // With space again, everything that was accepted is there, under the old passphrase.
    resize(&disk, 64 * 1024);
    let home = unlock(&place, PASSPHRASE).unwrap();
    let rows: i64 = home
        .database()
        .read(|view| -> StoreResult<i64> {
            let sql = "SELECT count(*) FROM note";
            Ok(view.connection().query_row(sql, [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(rows, 1 + written);
    println!("refused {refused} times, wrote {written} rows, done");
}

#[test]
fn a_full_disk_refuses_and_harms_nothing() {
    let possible = Command::new("unshare").args(["-rm", "true"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        let may = std::env::var_os("UNDERTONE_MAY_SKIP").is_some_and(|value| value == "1");
        assert!(
            may,
            "NOT TRIED: this system allows no mount namespace, so there is no disk to fill. With UNDERTONE_MAY_SKIP=1 that is no failure."
        );
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let inner = child("full_disk::child_on_a_small_disk", disk.path());
    let mut outer = Command::new("unshare");
    outer.args([
        "-rm",
        "sh",
        "-c",
        "mount -t tmpfs -o size=8k tmpfs \"$UNDERTONE_TEST_HOME\" && exec \"$@\"",
        "sh",
    ]);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    let output = outer.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("done"), "{text}{errors}");
    println!("{text}");
}
