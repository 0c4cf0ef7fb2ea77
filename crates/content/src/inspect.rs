//! A message as JSON, for people who look into files (`undertone content inspect`).

use serde_json::{Value, json};

use crate::error::ContentError;
use crate::extension::{ExtensionKey, ExtensionValue};
use crate::id::MessageId;
use crate::message::MimiContent;
use crate::part::{ExternalPart, NestedPart, PartBody};

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// All fields of an encoded message and its id. Bytes are hexadecimal; content that is text stands as text beside them.
///
/// Sender and room default to the message's own claims (extensions 1 and 2); without either, the id is null.
///
/// # Errors
/// As [`MimiContent::decode`] and [`MessageId::of`].
pub fn inspect(
    bytes: &[u8],
    sender: Option<&str>,
    room: Option<&str>,
) -> Result<Value, ContentError> {
    let message = MimiContent::decode(bytes)?;
    let claimed = |key| {
        message
            .extensions
            .get(&key)
            .and_then(ExtensionValue::as_text)
    };
    let sender = sender.or_else(|| claimed(ExtensionKey::SENDER_URI));
    let room = room.or_else(|| claimed(ExtensionKey::ROOM_URI));
    let id = match (sender, room) {
        (Some(sender), Some(room)) => {
            Some(MessageId::of(bytes, &message.salt, sender, room)?.to_hex())
        }
        _ => None,
    };
    Ok(json!({
        "message_id": id,
        "bytes": bytes.len(),
        "sender": sender,
        "room": room,
        "salt": hex(message.salt.as_bytes()),
        "replaces": message.replaces.map(|id| id.to_hex()),
        "topic_id": hex(&message.topic_id),
        "expires": message.expires.map(|expires| json!({"relative": expires.relative, "seconds": expires.seconds})),
        "in_reply_to": message.in_reply_to.map(|id| id.to_hex()),
        "extensions": message.extensions.iter().map(|(key, value)| extension(key, value)).collect::<Vec<_>>(),
        "body": part(&message.body, &mut 0),
    }))
}

/// Decodes and encodes again. On success the bytes equal those given.
///
/// # Errors
/// As [`MimiContent::decode`].
pub fn roundtrip(bytes: &[u8]) -> Result<Vec<u8>, ContentError> {
    MimiContent::decode(bytes)?.encode()
}

fn extension(key: &ExtensionKey, value: &ExtensionValue) -> Value {
    let name = match key {
        ExtensionKey::Text(text) => json!(text),
        integer => integer
            .as_integer()
            .map_or(Value::Null, |n| match i64::try_from(n) {
                Ok(n) => json!(n),
                Err(_) => json!(n.to_string()),
            }),
    };
    let known = match *key {
        ExtensionKey::SENDER_URI => json!("sender"),
        ExtensionKey::ROOM_URI => json!("room"),
        ExtensionKey::SENT_AT_MS => json!("sent_at_ms"),
        ExtensionKey::DEVICE_COUNTER => json!("device_counter"),
        ExtensionKey::LINK_PROOF => json!("link_proof"),
        _ => Value::Null,
    };
    let value_json = (value.as_text().map(|text| json!(text)))
        .or_else(|| value.as_unsigned().map(|number| json!(number)))
        .or_else(|| value.as_bytes().map(|bytes| json!(hex(bytes))));
    json!({"key": name, "name": known, "value": value_json, "cbor": hex(value.as_cbor())})
}

fn part(nested: &NestedPart, index: &mut usize) -> Value {
    let mut fields = json!({
        "part_index": *index,
        "disposition": nested.disposition.name(),
        "disposition_number": nested.disposition.number(),
        "language": nested.language,
    });
    *index += 1;
    let more = match &nested.body {
        PartBody::Null => json!({"cardinality": "null"}),
        PartBody::Single(single) => json!({
            "cardinality": "single",
            "content_type": single.content_type,
            "content": hex(&single.content),
            "text": single.as_text(),
        }),
        PartBody::External(external) => external_fields(external),
        PartBody::Multi(multi) => json!({
            "cardinality": "multi",
            "part_semantics": multi.semantics.name(),
            "parts": multi.parts.iter().map(|nested| part(nested, index)).collect::<Vec<_>>(),
        }),
    };
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

fn external_fields(external: &ExternalPart) -> Value {
    json!({
        "cardinality": "external",
        "content_type": external.content_type,
        "url": external.url,
        "expires": external.expires,
        "size": external.size,
        "enc_alg": external.encryption,
        "key": hex(&external.key),
        "nonce": hex(&external.nonce),
        "aad": hex(&external.aad),
        "hash_alg": external.hash_algorithm,
        "content_hash": hex(&external.content_hash),
        "description": external.description,
        "filename": external.filename,
    })
}
