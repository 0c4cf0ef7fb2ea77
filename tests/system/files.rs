//! A photo and a voice memo go from Ada to Ben.

use std::fs;

use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::{Outcome, Person, ServerProcess, fixtures};

#[test]
fn a_photo_arrives_without_its_place_and_a_memo_with_its_length() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let ben = Person::join("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;

    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("photo.jpg");
    let memo = folder.path().join("memo.opus");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    fs::write(&memo, fixtures::memo().expect("a memo")).expect("a file");
    ada.send_file("Ben", &photo)?;
    ada.send_file("Ben", &memo)?;
    ada.send("Ben", "From the harbour")?;
    ben.reads_eventually(
        "Ada",
        &["", "", "From the harbour"],
        std::time::Duration::from_secs(30),
    )?;

    let lines = ben.read("Ada")?;
    let with_file: Vec<_> = lines
        .iter()
        .filter(|line| line["attachments"][0].is_object())
        .collect();
    let [picture, voice] = &with_file[..] else {
        panic!("two files, not {}", with_file.len())
    };
    let (stored_width, stored_height) = fixtures::PHOTO_STORED;
    let shown = &picture["attachments"][0];
    assert_eq!(
        (&shown["content_type"], &shown["name"]),
        (&"image/jpeg".into(), &"photo.jpg".into())
    );
    assert_eq!(
        (&shown["width"], &shown["height"]),
        (&stored_height.into(), &stored_width.into()),
        "turned upright"
    );
    let heard = &voice["attachments"][0];
    let length = heard["duration_ms"].as_u64().expect("a length");
    assert!(length.abs_diff(fixtures::MEMO_MS) <= 20, "{length} ms");
    assert_eq!(heard["waveform"].as_array().map(Vec::len), Some(100));

    let arrived = tempfile::tempdir().expect("a folder");
    ben.save(
        "Ada",
        picture["id"].as_str().expect("an id"),
        &arrived.path().join("photo.jpg"),
    )?;
    ben.save(
        "Ada",
        voice["id"].as_str().expect("an id"),
        &arrived.path().join("memo.opus"),
    )?;
    let mut hidden = vec![Needle::exact("EXIF", b"Exif".to_vec())];
    for secret in fixtures::PHOTO_SECRETS {
        hidden.extend(Needle::text(secret, secret));
    }
    assert_eq!(scan_for(arrived.path(), &hidden).expect("readable"), []);
    assert_eq!(
        fs::read(arrived.path().join("memo.opus")).expect("a file"),
        fixtures::memo().expect("a memo")
    );
    Ok(())
}
