//! What a received message means to an app: what it does, and what of it is to be shown.

use crate::contact_card::{CONTACT_CARD, ContactCard};
use crate::id::MessageId;
use crate::media_info::{MEDIA_INFO, MediaInfo};
use crate::message::MimiContent;
use crate::part::{
    Disposition, ExternalPart, NestedPart, PartBody, PartSemantics, SinglePart, media_type,
};

/// What a message does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// It says something new. A reply has [`MimiContent::in_reply_to`].
    Post,
    /// It is the new version of an earlier message of the same sender.
    Edit(MessageId),
    /// It deletes an earlier message or reaction of the same sender.
    Delete(MessageId),
    /// It reacts to a message, once or more.
    Reaction {
        /// The message reacted to.
        target: MessageId,
        /// The sender's earlier reactions that these take the place of.
        replaces: Option<MessageId>,
        /// Each reaction's text.
        reactions: Vec<&'a str>,
    },
    /// Nothing that is shown: an empty body, or a reaction to nothing.
    Nothing,
}

/// A text to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownText<'a> {
    /// The text.
    pub text: &'a str,
    /// True if it is markdown.
    pub markdown: bool,
}

/// A file to show or fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFile<'a> {
    /// Index of the file's part in the message, counted depth first from 0.
    pub part_index: usize,
    /// The file.
    pub external: &'a ExternalPart,
    /// The part's disposition.
    pub disposition: Disposition,
    /// Tiny JPEG from the sender, unchecked.
    pub preview: Option<&'a [u8]>,
    /// Size on screen, length, waveform as the sender claims; empty if it says nothing.
    pub info: MediaInfo,
}

/// Everything of a message that is to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Texts in order.
    pub texts: Vec<ShownText<'a>>,
    /// Files in order.
    pub files: Vec<ShownFile<'a>>,
    /// Somebody's contact card: the first one that there is.
    pub card: Option<ContactCard>,
    /// Parts of a kind that this version does not know.
    pub unknown: usize,
}

impl MimiContent {
    /// What this message does.
    #[must_use]
    pub fn meaning(&self) -> Meaning<'_> {
        let is_reaction = self.body.disposition == Disposition::Reaction;
        match (&self.body.body, self.replaces, self.in_reply_to) {
            (PartBody::Null, Some(target), _) => Meaning::Delete(target),
            (PartBody::Null, None, _) => Meaning::Nothing,
            (_, replaces, Some(target)) if is_reaction => Meaning::Reaction {
                target,
                replaces,
                reactions: reactions(&self.body),
            },
            _ if is_reaction => Meaning::Nothing,
            (_, Some(target), _) => Meaning::Edit(target),
            (_, None, _) => Meaning::Post,
        }
    }

    /// What of this message is to be shown. Of alternatives (`chooseOne`) it is the first one understood.
    #[must_use]
    pub fn shown(&self) -> Shown<'_> {
        let mut shown = Shown::default();
        collect(&self.body, &mut 0, &mut shown);
        shown
    }
}

/// The texts of all reactions; each stands in its own part (section 5.3).
fn reactions(body: &NestedPart) -> Vec<&str> {
    body.walk()
        .filter_map(|part| match &part.body {
            PartBody::Single(single) => single.as_text(),
            _ => None,
        })
        .collect()
}

/// True if this version can show something of the part.
fn understood(part: &NestedPart) -> bool {
    part.walk().any(|part| match &part.body {
        PartBody::Single(single) => single.as_text().is_some() || card(single).is_some(),
        PartBody::External(_) => true,
        PartBody::Null | PartBody::Multi(_) => false,
    })
}

/// The contact card in a part, if it is one.
fn card(single: &SinglePart) -> Option<ContactCard> {
    (media_type(&single.content_type) == CONTACT_CARD)
        .then(|| ContactCard::decode(&single.content).ok())?
}

fn collect<'a>(part: &'a NestedPart, index: &mut usize, shown: &mut Shown<'a>) {
    let own_index = *index;
    *index += 1;
    match &part.body {
        PartBody::Null => {}
        PartBody::Single(single) => match single.as_text() {
            Some(text) if part.disposition != Disposition::Preview => {
                shown.texts.push(ShownText {
                    text,
                    markdown: single.is_markdown(),
                });
            }
            _ if part.disposition == Disposition::Preview => {}
            _ => match card(single) {
                Some(card) if shown.card.is_none() => shown.card = Some(card),
                _ => shown.unknown += 1,
            },
        },
        PartBody::External(external) => shown.files.push(ShownFile {
            part_index: own_index,
            external,
            disposition: part.disposition,
            preview: None,
            info: MediaInfo::default(),
        }),
        PartBody::Multi(multi) => {
            let chosen = match multi.semantics {
                PartSemantics::ChooseOne => {
                    Some(multi.parts.iter().position(understood).unwrap_or(0))
                }
                PartSemantics::SingleUnit | PartSemantics::ProcessAll => None,
            };
            let first_file = shown.files.len();
            for (position, nested) in multi.parts.iter().enumerate() {
                if chosen.is_some_and(|chosen| chosen != position) {
                    *index += nested.walk().count();
                    continue;
                }
                collect(nested, index, shown);
                // A preview belongs to the file before it in the same nesting part.
                if let Some(file) = shown
                    .files
                    .get_mut(first_file..)
                    .and_then(|files| files.last_mut())
                {
                    add_preview(nested, file);
                }
            }
        }
    }
}

fn add_preview<'a>(part: &'a NestedPart, file: &mut ShownFile<'a>) {
    let PartBody::Single(single) = &part.body else {
        return;
    };
    if part.disposition != Disposition::Preview {
        return;
    }
    match media_type(&single.content_type).as_str() {
        "image/jpeg" => file.preview = Some(&single.content),
        MEDIA_INFO => file.info = MediaInfo::decode(&single.content).unwrap_or_default(),
        _ => {}
    }
}
