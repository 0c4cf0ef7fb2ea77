//! What is refused, why, and at which byte.

use undertone_content::{
    ContentError, Disposition, ExtensionKey, ExtensionValue, ExternalPart, MessageId, MimiContent,
    NestedPart, Origin, PartBody, PartSemantics, Refusal, Salt, SinglePart, limits,
};

const ORIGIN: Origin<'_> = Origin {
    salt: Salt::from_random([7; 16]),
    sender: "mimi://undertone.invalid/u/a",
    room: "mimi://undertone.invalid/r/b",
    sent_at_ms: 1_700_000_000_000,
    device_counter: 1,
};

fn hello() -> Vec<u8> {
    MimiContent::text(&ORIGIN, "Hello")
        .encode()
        .expect("a short text")
}

/// The message with the bytes from `at` taken out and others put in.
fn with(at: usize, taken: usize, put: &[u8]) -> Vec<u8> {
    let mut bytes = hello();
    bytes.splice(at..at + taken, put.iter().copied());
    bytes
}

fn refusal(bytes: &[u8]) -> (Refusal, usize) {
    let error = MimiContent::decode(bytes).expect_err("it must be refused");
    (error.refusal(), error.offset())
}

/// Where things stand in `hello()`: 0 array, 1 salt, 18 replaces, 19 topic, 20 expires, 21 reply, 22 extensions.
const REPLACES: usize = 18;
const TOPIC: usize = 19;
const EXPIRES: usize = 20;
const EXTENSIONS: usize = 22;

#[test]
fn the_same_message_in_another_encoding_is_refused() {
    assert_eq!(hello()[0], 0x87);
    assert_eq!(refusal(&with(0, 1, &[0x98, 7])), (Refusal::NotShortest, 0));
    assert_eq!(
        refusal(&with(0, 1, &[0x9f])),
        (Refusal::IndefiniteLength, 0)
    );
    assert_eq!(refusal(&with(1, 1, &[0x58, 16])), (Refusal::NotShortest, 1));
    assert_eq!(
        refusal(&with(TOPIC, 1, &[0x5f, 0xff])),
        (Refusal::IndefiniteLength, TOPIC)
    );
    assert_eq!(
        refusal(&with(EXPIRES, 1, &[0x82, 0xf5, 0x19, 0, 60])),
        (Refusal::NotShortest, EXPIRES + 2)
    );
    // "undefined" is not null.
    assert_eq!(
        refusal(&with(REPLACES, 1, &[0xf7])),
        (Refusal::WrongType, REPLACES)
    );
    // Extension 1 moved behind extension 2, and the same key twice.
    let one = [&[1u8][..], ExtensionValue::text("a").as_cbor()].concat();
    let two = [&[2u8][..], ExtensionValue::text("b").as_cbor()].concat();
    let map = |entries: &[&[u8]]| [&[0xa0 | entries.len() as u8][..], &entries.concat()].concat();
    let whole = |extensions: &[u8]| {
        let body = [0x83, 1, 0x60, 0];
        [&hello()[..EXTENSIONS], extensions, &body].concat()
    };
    assert!(MimiContent::decode(&whole(&map(&[&one, &two]))).is_ok());
    assert_eq!(refusal(&whole(&map(&[&two, &one]))).0, Refusal::MapOrder);
    assert_eq!(
        refusal(&whole(&map(&[&one, &one]))).0,
        Refusal::DuplicateKey
    );
    assert_eq!(refusal(&whole(&[0xa1, 0x18, 1, 0])).0, Refusal::NotShortest);
    assert_eq!(refusal(&whole(&[0xa1, 0, 0])).0, Refusal::OutOfRange);
    assert_eq!(refusal(&whole(&[0xa1, 0x60, 0])).0, Refusal::FieldLength);
    assert_eq!(refusal(&whole(&[0xa1, 0x40, 0])).0, Refusal::WrongType);
    assert_eq!(refusal(&whole(&[0xa1, 1, 0])).0, Refusal::WrongType);
    assert_eq!(refusal(&whole(&[0xa1, 3, 0x18, 5])).0, Refusal::NotShortest);
    assert_eq!(refusal(&whole(&[0xb8, 65])).0, Refusal::TooMany);
}

#[test]
fn too_little_and_too_much_is_refused() {
    let bytes = hello();
    for len in 0..bytes.len() {
        assert_eq!(refusal(&bytes[..len]).0, Refusal::Truncated, "{len} bytes");
    }
    assert_eq!(
        refusal(&[&bytes[..], &[0]].concat()),
        (Refusal::TrailingBytes, bytes.len())
    );
    assert_eq!(
        refusal(&vec![0; limits::MESSAGE_BYTES + 1]).0,
        Refusal::TooLarge
    );
    assert_eq!(refusal(&with(0, 1, &[0x86])).0, Refusal::ItemCount);
    assert_eq!(
        refusal(&with(
            1,
            17,
            &[0x4f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        )),
        (Refusal::FieldLength, 1)
    );
    let id = [&[0x58, 32, 2][..], &[9; 31]].concat();
    assert_eq!(
        refusal(&with(REPLACES, 1, &id)),
        (Refusal::UnknownHash, REPLACES)
    );
    assert_eq!(
        refusal(&with(EXPIRES, 1, &[0x83, 0xf5, 1, 1])),
        (Refusal::ItemCount, EXPIRES)
    );
    assert_eq!(
        refusal(&with(EXPIRES, 1, &[0x82, 1, 1])),
        (Refusal::WrongType, EXPIRES + 1)
    );
    assert_eq!(
        refusal(&with(
            EXPIRES,
            1,
            &[0x82, 0xf4, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0]
        )),
        (Refusal::OutOfRange, EXPIRES + 2)
    );
}

fn refused(message: &MimiContent) -> Option<Refusal> {
    message
        .encode()
        .err()
        .map(|error: ContentError| error.refusal())
}

fn text_part() -> NestedPart {
    NestedPart::single(Disposition::Render, "text/plain", "x")
}

fn pair(first: NestedPart) -> NestedPart {
    NestedPart::multi(
        Disposition::Render,
        PartSemantics::ProcessAll,
        vec![first, text_part()],
    )
}

#[test]
fn parts_nest_four_deep_and_no_deeper() {
    let four = pair(pair(pair(text_part())));
    assert_eq!(refused(&MimiContent::new(&ORIGIN, four.clone())), None);
    assert_eq!(
        refused(&MimiContent::new(&ORIGIN, pair(four))),
        Some(Refusal::TooDeep)
    );
}

#[test]
fn a_message_has_at_most_1024_parts_and_no_lonely_one() {
    let album = |parts: usize| {
        let parts = vec![text_part(); parts];
        let multi = NestedPart::multi(Disposition::Render, PartSemantics::ProcessAll, parts);
        MimiContent::new(&ORIGIN, multi)
    };
    assert_eq!(refused(&album(limits::PARTS - 1)), None);
    assert_eq!(refused(&album(limits::PARTS)), Some(Refusal::TooMany));
    let lonely = NestedPart {
        disposition: Disposition::Render,
        language: String::new(),
        body: PartBody::Multi(undertone_content::MultiPart {
            semantics: PartSemantics::ChooseOne,
            parts: vec![text_part()],
        }),
    };
    assert_eq!(
        refused(&MimiContent::new(&ORIGIN, lonely)),
        Some(Refusal::ItemCount)
    );
}

#[test]
fn fields_over_their_limit_are_refused_before_they_are_sent() {
    let topic = MimiContent {
        topic_id: vec![0; limits::TOPIC_BYTES + 1],
        ..MimiContent::text(&ORIGIN, "x")
    };
    assert_eq!(refused(&topic), Some(Refusal::FieldLength));
    let long = "x".repeat(limits::FILENAME_BYTES + 1);
    let file = ExternalPart {
        filename: long,
        ..ExternalPart::default()
    };
    let file = MimiContent::new(&ORIGIN, NestedPart::external(Disposition::Attachment, file));
    assert_eq!(refused(&file), Some(Refusal::FieldLength));
    let huge = MimiContent::new(
        &ORIGIN,
        NestedPart {
            disposition: Disposition::Render,
            language: String::new(),
            body: PartBody::Single(SinglePart {
                content_type: String::new(),
                content: vec![0; limits::MESSAGE_BYTES],
            }),
        },
    );
    assert_eq!(refused(&huge), Some(Refusal::TooLarge));
    let mut bulky = MimiContent::text(&ORIGIN, "x");
    bulky.extensions.set(
        ExtensionKey::Text("k".into()),
        ExtensionValue::bytes(&[0; 4096]),
    );
    assert_eq!(refused(&bulky), Some(Refusal::FieldLength));
    assert!(MessageId::of(b"", &ORIGIN.salt, &"x".repeat(65_536), "").is_err());
}

#[test]
fn a_bomb_costs_nothing() {
    // Arrays that claim to be endless inside each other, as an extension's value.
    let deep = [&hello()[..EXTENSIONS], &[0xa1, 3], &[0x81; 100_000][..]].concat();
    assert_eq!(refusal(&deep).0, Refusal::TooDeep);
    let long = [
        &hello()[..EXTENSIONS],
        &[
            0xa1, 3, 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
    ]
    .concat();
    assert_eq!(refusal(&long).0, Refusal::Truncated);
}

#[test]
fn an_error_says_where_but_not_what() {
    let secret = MimiContent::text(&ORIGIN, "the password is swordfish");
    let mut bytes = secret.encode().expect("a short text");
    bytes.push(0);
    let error = MimiContent::decode(&bytes).expect_err("trailing byte");
    assert_eq!(error.code(), "content.trailing_bytes");
    for shown in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{secret:?}"),
        format!("{:?}", secret.body),
    ] {
        assert!(
            !shown.contains("swordfish") && !shown.contains("password"),
            "{shown}"
        );
    }
}
