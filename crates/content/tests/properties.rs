//! What holds for any message and for any bytes.

use proptest::prelude::*;
use undertone_content::{
    Disposition, Expiration, ExtensionKey, ExtensionValue, Extensions, ExternalPart, MessageId,
    MimiContent, MultiPart, NestedPart, PartBody, PartSemantics, Salt, SinglePart,
    fuzzing::fuzz_content,
};

fn message_id() -> impl Strategy<Value = MessageId> {
    any::<[u8; 32]>().prop_map(|mut bytes| {
        bytes[0] = 1;
        MessageId::from_bytes(bytes).expect("SHA-256's number")
    })
}

fn extension() -> impl Strategy<Value = (ExtensionKey, ExtensionValue)> {
    let key = prop_oneof![
        (3u64..).prop_map(ExtensionKey::Assigned),
        any::<u64>().prop_map(ExtensionKey::Private),
        "\\PC{1,40}".prop_map(ExtensionKey::Text),
    ];
    let value = prop_oneof![
        any::<u64>().prop_map(ExtensionValue::unsigned),
        ".{0,40}".prop_map(|text| ExtensionValue::text(&text)),
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| ExtensionValue::bytes(&bytes)),
        // {"a": [1, -1, 1.5, null]}
        Just(
            ExtensionValue::from_cbor(b"\xa1\x61\x61\x84\x01\x20\xf9\x3e\x00\xf6")
                .expect("deterministic")
        ),
    ];
    (key, value)
}

fn external() -> impl Strategy<Value = ExternalPart> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..=64);
    let numbers = (any::<u32>(), any::<u64>(), any::<u16>(), any::<u8>());
    (
        numbers,
        bytes(),
        bytes(),
        bytes(),
        bytes(),
        ".{0,20}",
        ".{0,20}",
        ".{0,20}",
    )
        .prop_map(
            |(
                (expires, size, encryption, hash_algorithm),
                key,
                nonce,
                aad,
                content_hash,
                url,
                description,
                filename,
            )| {
                ExternalPart {
                    content_type: "video/mp4".to_owned(),
                    url,
                    expires,
                    size,
                    encryption,
                    key: key.into(),
                    nonce,
                    aad,
                    hash_algorithm,
                    content_hash,
                    description,
                    filename,
                }
            },
        )
}

fn body() -> impl Strategy<Value = NestedPart> {
    let leaf = prop_oneof![
        Just(PartBody::Null),
        (".{0,30}", prop::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(content_type, content)| PartBody::Single(SinglePart {
                content_type,
                content
            })
        ),
        external().prop_map(|external| PartBody::External(Box::new(external))),
    ];
    let part = |body: BoxedStrategy<PartBody>| {
        (any::<u8>(), "[a-z,]{0,12}", body).prop_map(|(disposition, language, body)| NestedPart {
            disposition: Disposition::from_number(disposition),
            language,
            body,
        })
    };
    part(leaf.boxed()).prop_recursive(3, 24, 5, move |inner| {
        let multi = (0u8..3, prop::collection::vec(inner, 2..5)).prop_map(|(semantics, parts)| {
            let semantics = PartSemantics::from_number(semantics).expect("0 to 2");
            PartBody::Multi(MultiPart { semantics, parts })
        });
        part(multi.boxed())
    })
}

fn message() -> impl Strategy<Value = MimiContent> {
    (
        any::<[u8; 16]>(),
        prop::option::of(message_id()),
        prop::collection::vec(any::<u8>(), 0..40),
        prop::option::of((any::<bool>(), any::<u32>())),
        prop::option::of(message_id()),
        prop::collection::vec(extension(), 0..8),
        body(),
    )
        .prop_map(
            |(salt, replaces, topic_id, expires, in_reply_to, extensions, body)| MimiContent {
                salt: Salt::from_random(salt),
                replaces,
                topic_id,
                expires: expires.map(|(relative, seconds)| Expiration { relative, seconds }),
                in_reply_to,
                extensions: extensions.into_iter().collect::<Extensions>(),
                body,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_message_comes_back(message in message()) {
        let bytes = message.encode().expect("within the limits");
        let back = MimiContent::decode(&bytes).expect("what is written is accepted");
        prop_assert!(back == message);
        prop_assert_eq!(back.encode().expect("as before"), bytes);
    }

    #[test]
    fn any_bytes_are_refused_or_are_the_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz_content(&bytes);
    }

    #[test]
    fn a_changed_message_is_refused_or_is_another_message(
        message in message(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let original = message.encode().expect("within the limits");
        let mut bytes = original.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        fuzz_content(&bytes);
        // Two different byte strings never decode to the same message.
        if bytes != original && let Ok(changed) = MimiContent::decode(&bytes) {
            prop_assert!(changed != message);
        }
    }

    #[test]
    fn the_id_depends_on_every_input(message in message(), other in message()) {
        let id = message.id("mimi://a", "mimi://b").expect("short URIs");
        prop_assert_eq!(id.as_bytes()[0], 1);
        prop_assert_ne!(id, message.id("mimi://a", "mimi://c").expect("short URIs"));
        // The lengths are hashed, so bytes cannot move from one URI to the next.
        prop_assert_ne!(id, message.id("mimi://am", "imi://b").expect("short URIs"));
        if other != message {
            prop_assert_ne!(id, other.id("mimi://a", "mimi://b").expect("short URIs"));
        }
    }
}
