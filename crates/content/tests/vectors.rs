//! The draft's own examples: each decodes, gives the same bytes back, and has the message id that its comment says.

use std::fs;
use std::path::{Path, PathBuf};

use undertone_content::{
    ExtensionKey, Meaning, MessageId, MimiContent, PartBody, inspect, roundtrip,
};

fn vectors() -> Vec<(String, Vec<u8>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the vectors are in the repository")
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cbor"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let bytes = fs::read(&path).expect("a vector");
            let notation = fs::read_to_string(path.with_extension("edn")).expect("its annotation");
            (name, bytes, notation)
        })
        .collect()
}

/// The hexadecimal of `# message ID = h'...'`, which runs over two comment lines.
fn stated_id(notation: &str) -> String {
    let after = notation
        .split("message ID = h'")
        .nth(1)
        .expect("a stated id");
    let quoted = after.split('\'').next().expect("a closing quote");
    quoted.chars().filter(char::is_ascii_hexdigit).collect()
}

fn named(name: &str) -> MimiContent {
    let (_, bytes, _) = vectors()
        .into_iter()
        .find(|(found, ..)| found == name)
        .expect("the vector");
    MimiContent::decode(&bytes).expect("it decodes")
}

#[test]
fn every_vector_comes_back_byte_for_byte_with_its_id() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 9);
    for (name, bytes, notation) in vectors {
        let message = MimiContent::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(message.encode().as_deref(), Ok(&bytes[..]), "{name}");
        assert_eq!(roundtrip(&bytes).as_deref(), Ok(&bytes[..]), "{name}");

        let sender = message
            .extensions
            .get(&ExtensionKey::SENDER_URI)
            .and_then(|v| v.as_text())
            .expect("a sender");
        let room = message
            .extensions
            .get(&ExtensionKey::ROOM_URI)
            .and_then(|v| v.as_text())
            .expect("a room");
        let id = MessageId::of(&bytes, &message.salt, sender, room).expect("short URIs");
        assert_eq!(id.to_hex(), stated_id(&notation), "{name}");
        assert_eq!(message.id(sender, room), Ok(id), "{name}");
        assert_eq!(MessageId::from_hex(&stated_id(&notation)), Ok(id), "{name}");
        assert_eq!(message.check_claims(sender, room), Ok(()));
        assert!(
            message
                .check_claims(sender, "mimi://example.com/r/elsewhere")
                .is_err()
        );

        let json = inspect(&bytes, None, None).expect("it decodes");
        assert_eq!(json["message_id"], stated_id(&notation), "{name}");
        let json =
            inspect(&bytes, Some("mimi://example.com/u/somebody-else"), None).expect("it decodes");
        assert_ne!(json["message_id"], stated_id(&notation), "{name}");
    }
}

#[test]
fn every_vector_means_what_the_draft_says() {
    let original =
        MessageId::from_hex("017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4")
            .expect("an id");
    let reply =
        MessageId::from_hex("015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b27")
            .expect("an id");

    assert_eq!(named("original").meaning(), Meaning::Post);
    assert_eq!(named("reply").meaning(), Meaning::Post);
    assert_eq!(named("reply").in_reply_to, Some(original));
    assert_eq!(named("edit").meaning(), Meaning::Edit(reply));
    assert_eq!(named("delete").meaning(), Meaning::Delete(reply));
    assert_eq!(
        named("reaction").meaning(),
        Meaning::Reaction {
            target: original,
            replaces: None,
            reactions: vec!["\u{2764}"]
        }
    );
    // Three reactions to nothing: the example shows the form only.
    assert_eq!(named("multipart-2").meaning(), Meaning::Nothing);

    // Of markdown and a vendor's own format, the markdown is shown.
    let welcome = named("multipart-1");
    let shown = welcome.shown();
    assert_eq!(
        (
            shown.texts.len(),
            shown.texts[0].text,
            shown.texts[0].markdown
        ),
        (1, "# Welcome!", true)
    );

    let film = named("attachment");
    let shown = film.shown();
    assert_eq!(shown.files.len(), 1);
    assert_eq!(shown.files[0].external.filename, "bigfile.mp4");
    assert_eq!(shown.files[0].external.size, 708_234_961);
    assert!(matches!(film.body.body, PartBody::External(_)));
}
