//! The format is frozen: these messages have had these bytes since the first release, and every later one must
//! write and read them alike. Run with `UNDERTONE_BLESS=1` to write the file of a new case; never for an old one.

use std::fs;
use std::path::Path;

use serde_json::json;
use undertone_content::{
    Attachment, ENCRYPTION_STREAM, ExternalPart, HASH_SHA_256, MediaInfo, MessageId, MimiContent,
    Origin, Salt, inspect, uri,
};

fn assert_frozen(name: &str, message: &MimiContent) {
    let bytes = message
        .encode()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = json!({
        "cbor": data_encoding::HEXLOWER.encode(&bytes),
        "fields": inspect(&bytes, None, None).expect("it decodes"),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/frozen")
        .join(format!("{name}.json"));
    if !path.exists() && std::env::var_os("UNDERTONE_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(&path, format!("{found:#}\n")).expect("the case");
    }
    let frozen = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let frozen: serde_json::Value = serde_json::from_str(&frozen).expect("JSON");
    assert!(
        found == frozen,
        "{name} has other bytes or fields than it had:\n{found:#}"
    );
}

fn photo() -> Attachment {
    Attachment {
        external: ExternalPart {
            content_type: "image/jpeg".into(),
            url: uri::blob(&[0xB1; 32]),
            expires: 1_800_000_000,
            size: 123_456,
            encryption: ENCRYPTION_STREAM,
            key: vec![0x4B; 32].into(),
            nonce: vec![0x4E; 7],
            aad: Vec::new(),
            hash_algorithm: HASH_SHA_256,
            content_hash: vec![0xC4; 32],
            description: "The harbour".into(),
            filename: "harbour.jpg".into(),
        },
        preview: Some(vec![0xff, 0xd8, 0xff, 0xd9]),
        info: Some(MediaInfo {
            width: Some(4000),
            height: Some(3000),
            ..MediaInfo::default()
        }),
    }
}

fn memo() -> Attachment {
    let external = ExternalPart {
        content_type: "audio/ogg;codecs=opus".into(),
        filename: "memo.opus".into(),
        ..photo().external
    };
    let info = MediaInfo {
        duration_ms: Some(2_500),
        waveform: Some(vec![0, 64, 255, 8]),
        ..MediaInfo::default()
    };
    Attachment {
        external,
        preview: None,
        info: Some(info),
    }
}

#[test]
fn what_undertone_writes_keeps_its_bytes() {
    let (sender, room) = (uri::account(&[0xAC; 32]), uri::room(&[0x60; 16]));
    let origin = Origin {
        salt: Salt::from_random(*b"sixteen bytes ok"),
        sender: &sender,
        room: &room,
        sent_at_ms: 1_700_000_000_123,
        device_counter: 42,
    };
    let target = MessageId::from_bytes([1; 32]).expect("SHA-256's number");
    let reaction = MessageId::from_hex(&format!("01{}", "ee".repeat(31))).expect("an id");

    assert_frozen("text", &MimiContent::text(&origin, "Good morning, Ben."));
    assert_frozen(
        "markdown",
        &MimiContent::markdown(&origin, "**Good** morning"),
    );
    assert_frozen(
        "reply",
        &MimiContent::text(&origin, "And to you").answering(target),
    );
    assert_frozen(
        "edit",
        &MimiContent::text(&origin, "Good evening, Ben.").replacing(target),
    );
    assert_frozen("delete", &MimiContent::delete(&origin, target));
    assert_frozen(
        "reaction",
        &MimiContent::reaction(&origin, target, "\u{1F44D}"),
    );
    assert_frozen("unlike", &MimiContent::unlike(&origin, reaction, target));
    assert_frozen(
        "expiring",
        &MimiContent::text(&origin, "Read and forget").expiring_after(3_600),
    );
    assert_frozen(
        "link-proof",
        &MimiContent::text(&origin, "Hello").with_link_proof(&[0x4C; 32]),
    );
    assert_frozen(
        "photo",
        &MimiContent::files(&origin, None, false, vec![photo()]),
    );
    assert_frozen(
        "memo",
        &MimiContent::files(&origin, None, false, vec![memo()]),
    );
    assert_frozen(
        "album",
        &MimiContent::files(&origin, Some("Yesterday"), false, vec![photo(), memo()]),
    );
}

#[test]
fn an_album_is_shown_as_it_was_made() {
    let (sender, room) = (uri::account(&[1; 32]), uri::room(b"room"));
    let origin = Origin {
        salt: Salt::from_random([0; 16]),
        sender: &sender,
        room: &room,
        sent_at_ms: 5,
        device_counter: 1,
    };
    let sent = MimiContent::files(&origin, Some("**Yesterday**"), true, vec![photo(), memo()]);
    let message = MimiContent::decode(&sent.encode().expect("it fits")).expect("it decodes");
    assert_eq!(
        (
            message.sent_at_ms(),
            message.device_counter(),
            message.link_proof()
        ),
        (Some(5), Some(1), None)
    );

    let shown = message.shown();
    assert_eq!(
        shown
            .texts
            .iter()
            .map(|text| (text.text, text.markdown))
            .collect::<Vec<_>>(),
        [("**Yesterday**", true)]
    );
    let [picture, memo] = &shown.files[..] else {
        panic!("two files")
    };
    assert_eq!(uri::parse_blob(&picture.external.url), Some([0xB1; 32]));
    assert_eq!(picture.preview, Some(&[0xff, 0xd8, 0xff, 0xd9][..]));
    assert_eq!(
        (picture.info.width, picture.info.height),
        (Some(4000), Some(3000))
    );
    assert_eq!((memo.preview, memo.info.duration_ms), (None, Some(2_500)));
    // body 0, caption 1, photo 2 (its file 3, previews 4 and 5), memo 6 (its file 7)
    assert_eq!((picture.part_index, memo.part_index), (3, 7));
    assert_eq!(shown.unknown, 0);
}
