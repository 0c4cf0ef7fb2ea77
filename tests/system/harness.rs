//! The tools of the other tests do what they say.

use std::fs;
use std::time::Duration;

use undertone_tests::disk::{Needle, copy_folder, scan_for};
use undertone_tests::{Failed, Outcome, ServerProcess, eventually, fixtures};

#[test]
fn a_search_finds_what_is_there_in_any_form_and_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).expect("a folder");
    // Across the border between two steps of the search.
    let mut big = vec![b'.'; (1 << 20) - 4];
    big.extend_from_slice(b"swordfish");
    fs::write(inner.join("big"), &big).expect("a file");
    fs::write(
        inner.join("hex"),
        "id=53776f7264666973682053776f726466697368;",
    )
    .expect("a file");
    fs::write(
        inner.join("wide"),
        "swordfish"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>(),
    )
    .expect("a file");
    fs::write(inner.join("swordfish.txt"), "").expect("a file");

    let mut needles = Needle::text("word", "swordfish");
    needles.extend(Needle::bytes("id", b"Swordfish Swordfish"));
    needles.extend(Needle::text("absent", "herring"));
    let found = scan_for(folder.path(), &needles).expect("readable");
    let shown: Vec<_> = found
        .iter()
        .map(|found| {
            (
                found.name.as_str(),
                found
                    .path
                    .file_name()
                    .expect("a name")
                    .to_str()
                    .expect("a text"),
                found.offset,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("word", "big", (1 << 20) - 4),
            ("id (hex)", "hex", 3),
            ("word", "swordfish.txt", 0),
            ("word (UTF-16)", "wide", 0)
        ]
    );

    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(folder.path(), copy.path()).expect("copied");
    assert_eq!(
        scan_for(copy.path(), &needles).expect("readable").len(),
        found.len()
    );
}

#[test]
fn the_fixtures_are_what_they_are_said_to_be() {
    let photo = fixtures::photo().expect("a photo");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("photo.jpg"), &photo).expect("a file");
    let needles: Vec<_> = fixtures::PHOTO_SECRETS
        .iter()
        .flat_map(|secret| Needle::text(secret, secret))
        .collect();
    assert_eq!(
        scan_for(folder.path(), &needles).expect("readable").len(),
        fixtures::PHOTO_SECRETS.len()
    );
    assert!(fixtures::memo().expect("a memo").starts_with(b"OggS"));
}

#[test]
fn a_server_comes_back_on_its_port_after_a_kill() -> Outcome {
    let mut server = ServerProcess::start()?;
    let address = server.address();
    let invitation = server.invitation(2)?;
    assert!(invitation.starts_with("undertone:"), "{invitation}");
    server.restart_after_kill9()?;
    assert_eq!(server.address(), address);
    eventually(Duration::from_secs(5), "the server answering", || {
        Ok(std::net::TcpStream::connect(address).is_ok().then_some(()))
    })?;
    assert_eq!(server.status()?["running"], true);
    server.stop()?;
    assert!(std::net::TcpStream::connect(address).is_err());
    assert_eq!(server.status()?["running"], false);
    Ok(())
}

#[test]
fn what_a_program_says_reaches_the_test() -> Outcome {
    let server = ServerProcess::start()?;
    let Err(Failed {
        code,
        exit,
        sentence,
        ..
    }) = server.admin(&["init"], &[])
    else {
        panic!("a folder that is there can't be made again");
    };
    assert!(
        code == "not_empty" && exit.is_some_and(|exit| exit != 0) && sentence.ends_with('.'),
        "{code}: {sentence}"
    );
    Ok(())
}
