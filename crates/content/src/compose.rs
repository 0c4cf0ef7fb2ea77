//! The messages that Undertone writes: text, reply, edit, delete, reaction, files.

use crate::extension::{ExtensionKey, ExtensionValue, Extensions};
use crate::id::{MessageId, Salt};
use crate::media_info::{MEDIA_INFO, MediaInfo};
use crate::message::{Expiration, MimiContent};
use crate::part::{
    Disposition, ExternalPart, NestedPart, PartBody, PartSemantics, TEXT_MARKDOWN, TEXT_PLAIN,
};

/// Where a message comes from. The outbox fixes these once, so that a message's id survives re-encryption.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// 16 fresh random bytes.
    pub salt: Salt,
    /// The sender's URI, [`crate::uri::account`].
    pub sender: &'a str,
    /// The room's URI, [`crate::uri::room`].
    pub room: &'a str,
    /// Now, in milliseconds since 1970.
    pub sent_at_ms: u64,
    /// Which message of this device in this group this is, counted from 1.
    pub device_counter: u64,
}

/// A file to send: where its ciphertext is, and what to show before it is fetched.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The file.
    pub external: ExternalPart,
    /// A tiny JPEG, shown until the file is there.
    pub preview: Option<Vec<u8>>,
    /// Size on screen, length, waveform.
    pub info: Option<MediaInfo>,
}

impl Attachment {
    /// The file with its previews as one part.
    #[must_use]
    pub fn into_part(self) -> NestedPart {
        let preview = self
            .preview
            .map(|jpeg| NestedPart::single(Disposition::Preview, "image/jpeg", jpeg));
        let info = self
            .info
            .map(|info| NestedPart::single(Disposition::Preview, MEDIA_INFO, info.encode()));
        let file = NestedPart::external(Disposition::Attachment, self.external);
        let parts = std::iter::once(file).chain(preview).chain(info).collect();
        NestedPart::multi(Disposition::Attachment, PartSemantics::ProcessAll, parts)
    }
}

impl MimiContent {
    /// A message with any body.
    #[must_use]
    pub fn new(origin: &Origin<'_>, body: NestedPart) -> Self {
        let extensions = [
            (
                ExtensionKey::SENDER_URI,
                ExtensionValue::text(origin.sender),
            ),
            (ExtensionKey::ROOM_URI, ExtensionValue::text(origin.room)),
            (
                ExtensionKey::SENT_AT_MS,
                ExtensionValue::unsigned(origin.sent_at_ms),
            ),
            (
                ExtensionKey::DEVICE_COUNTER,
                ExtensionValue::unsigned(origin.device_counter),
            ),
        ];
        Self {
            salt: origin.salt,
            replaces: None,
            topic_id: Vec::new(),
            expires: None,
            in_reply_to: None,
            extensions: Extensions::from_iter(extensions),
            body,
        }
    }

    /// Plain text.
    #[must_use]
    pub fn text(origin: &Origin<'_>, text: &str) -> Self {
        Self::new(
            origin,
            NestedPart::single(Disposition::Render, TEXT_PLAIN, text),
        )
    }

    /// Markdown.
    #[must_use]
    pub fn markdown(origin: &Origin<'_>, markdown: &str) -> Self {
        Self::new(
            origin,
            NestedPart::single(Disposition::Render, TEXT_MARKDOWN, markdown),
        )
    }

    /// A reaction to a message: usually one emoji, in the draft's words "a single reaction".
    #[must_use]
    pub fn reaction(origin: &Origin<'_>, target: MessageId, emoji: &str) -> Self {
        Self::new(
            origin,
            NestedPart::single(Disposition::Reaction, TEXT_PLAIN, emoji),
        )
        .answering(target)
    }

    /// Takes an own reaction back: `reaction` is the reaction's id, `target` what it was a reaction to.
    #[must_use]
    pub fn unlike(origin: &Origin<'_>, reaction: MessageId, target: MessageId) -> Self {
        Self::new(origin, NestedPart::null(Disposition::Reaction))
            .replacing(reaction)
            .answering(target)
    }

    /// Deletes an own message.
    #[must_use]
    pub fn delete(origin: &Origin<'_>, target: MessageId) -> Self {
        Self::new(origin, NestedPart::null(Disposition::Render)).replacing(target)
    }

    /// Files, and what is said about them: plain text, or Markdown.
    #[must_use]
    pub fn files(
        origin: &Origin<'_>,
        caption: Option<&str>,
        markdown: bool,
        files: Vec<Attachment>,
    ) -> Self {
        let kind = if markdown { TEXT_MARKDOWN } else { TEXT_PLAIN };
        let caption = caption.map(|text| NestedPart::single(Disposition::Render, kind, text));
        let parts = caption
            .into_iter()
            .chain(files.into_iter().map(Attachment::into_part))
            .collect();
        Self::new(
            origin,
            NestedPart::multi(Disposition::Render, PartSemantics::ProcessAll, parts),
        )
    }

    /// A new version of this message: `text` in place of what it says, its files as they are.
    #[must_use]
    pub fn revised(&self, origin: &Origin<'_>, text: &str, markdown: bool) -> Self {
        let kind = if markdown { TEXT_MARKDOWN } else { TEXT_PLAIN };
        let words = NestedPart::single(Disposition::Render, kind, text);
        let body = match &self.body.body {
            PartBody::Multi(multi) => {
                let files = multi.parts.iter().filter(|part| !part.is_text()).cloned();
                let words = (!text.is_empty()).then_some(words);
                let parts = words.into_iter().chain(files).collect();
                NestedPart::multi(self.body.disposition, multi.semantics, parts)
            }
            PartBody::External(_) if text.is_empty() => self.body.clone(),
            PartBody::External(_) => {
                let parts = vec![words, self.body.clone()];
                NestedPart::multi(Disposition::Render, PartSemantics::ProcessAll, parts)
            }
            PartBody::Null | PartBody::Single(_) => words,
        };
        let mut revised = Self::new(origin, body);
        revised.in_reply_to = self.in_reply_to;
        // It goes with its message, also where that never came.
        revised.expires = self.expires;
        revised
    }

    /// What stands in the place of an own message that was deleted: nothing, under the same counter, so that nobody misses it.
    #[must_use]
    pub fn emptied(origin: &Origin<'_>) -> Self {
        Self::new(origin, NestedPart::null(Disposition::Unspecified))
    }

    /// Makes this the answer to a message.
    #[must_use]
    pub fn answering(mut self, target: MessageId) -> Self {
        self.in_reply_to = Some(target);
        self
    }

    /// Makes this the new version of an own message. An edited reply also keeps [`MimiContent::answering`].
    #[must_use]
    pub fn replacing(mut self, target: MessageId) -> Self {
        self.replaces = Some(target);
        self
    }

    /// Asks receivers to delete it that many seconds after they read it.
    #[must_use]
    pub fn expiring_after(mut self, seconds: u32) -> Self {
        self.expires = Some(Expiration {
            relative: true,
            seconds,
        });
        self
    }

    /// Sets a private extension that says yes, such as [`ExtensionKey::VIEW_ONCE`].
    #[must_use]
    pub fn marked(mut self, mark: ExtensionKey) -> Self {
        self.extensions.set(mark, ExtensionValue::unsigned(1));
        self
    }

    /// Adds the proof that the sender holds a contact link.
    #[must_use]
    pub fn with_link_proof(mut self, proof: &[u8; 32]) -> Self {
        self.extensions
            .set(ExtensionKey::LINK_PROOF, ExtensionValue::bytes(proof));
        self
    }
}
