//! A contact card: somebody else's account, as the one who passes it on knows it.
//!
//! It travels as the first of two alternatives (`chooseOne`); the second is the name as plain text, for apps that don't know the type.
//! vCard (RFC 6350) says far more than this and nothing of an account's key, and every field that a card has is one that may say too much.

use crate::cbor::{Reader, Writer};
use crate::compose::Origin;
use crate::error::{ContentError, Refusal};
use crate::message::MimiContent;
use crate::part::{Disposition, NestedPart, PartSemantics, TEXT_PLAIN};

/// The media type of an encoded [`ContactCard`].
pub const CONTACT_CARD: &str = "application/vnd.undertone.contact";

/// Longest name, bytes.
const NAME_BYTES: usize = 256;
/// Longest contact link, bytes: one with 32 addresses has less.
const LINK_BYTES: usize = 8192;

/// Somebody's account. All of it is what the sender of the message claims; only a link proves anything, and only once it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// The account id.
    pub account: [u8; 32],
    /// The name that the sender knows the person by; 1 to 256 bytes.
    pub name: String,
    /// A contact link that the person gave to be passed on, as text.
    pub link: Option<String>,
}

impl std::fmt::Debug for ContactCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactCard(..)")
    }
}

impl ContactCard {
    /// A deterministic CBOR map: 1 account id, 2 name, 3 link; a link that there is not is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.map(2 + usize::from(self.link.is_some()));
        writer.unsigned(1);
        writer.bytes(&self.account);
        writer.unsigned(2);
        writer.text(&self.name);
        if let Some(link) = &self.link {
            writer.unsigned(3);
            writer.text(link);
        }
        writer.finish()
    }

    /// Reads an encoded map; keys it doesn't know are stepped over.
    ///
    /// # Errors
    /// Anything but deterministic CBOR of the expected types, an account id of another length than 32 bytes, a name that is missing, empty
    /// or longer than 256 bytes, a link of more than 8,192 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let (mut account, mut name, mut link) = (None, None, None);
        Reader::numbered(bytes, |reader, key| {
            match key {
                1 => {
                    let at = reader.offset();
                    let id: [u8; 32] = reader
                        .bytes_up_to(32)?
                        .try_into()
                        .map_err(|_| ContentError::new(Refusal::FieldLength, at))?;
                    account = Some(id);
                }
                2 => name = Some(reader.text_up_to(NAME_BYTES)?),
                3 => link = Some(reader.text_up_to(LINK_BYTES)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let missing = || ContentError::new(Refusal::FieldLength, bytes.len());
        Ok(Self {
            account: account.ok_or_else(missing)?,
            name: name.filter(|name| !name.is_empty()).ok_or_else(missing)?,
            link,
        })
    }
}

impl MimiContent {
    /// Somebody's contact card.
    #[must_use]
    pub fn contact(origin: &Origin<'_>, card: &ContactCard) -> Self {
        let parts = vec![
            NestedPart::single(Disposition::Render, CONTACT_CARD, card.encode()),
            NestedPart::single(Disposition::Render, TEXT_PLAIN, card.name.as_str()),
        ];
        Self::new(
            origin,
            NestedPart::multi(Disposition::Render, PartSemantics::ChooseOne, parts),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Salt;

    fn card(link: Option<&str>) -> ContactCard {
        ContactCard {
            account: [7; 32],
            name: "Cleo".to_owned(),
            link: link.map(str::to_owned),
        }
    }

    #[test]
    fn a_card_comes_back_as_it_was() {
        for card in [card(None), card(Some("undertone:c:something"))] {
            assert_eq!(ContactCard::decode(&card.encode()), Ok(card));
        }
    }

    #[test]
    fn a_card_is_shown_once_and_older_apps_show_its_name() {
        let origin = Origin {
            salt: Salt::from_random([1; 16]),
            sender: "mimi://undertone.invalid/u/a",
            room: "mimi://undertone.invalid/r/b",
            sent_at_ms: 1,
            device_counter: 1,
        };
        let message = MimiContent::contact(&origin, &card(None));
        let bytes = message.encode().expect("it is well formed");
        let read = MimiContent::decode(&bytes).expect("it is well formed");
        let shown = read.shown();
        assert_eq!(shown.card, Some(card(None)));
        assert!(shown.texts.is_empty() && shown.unknown == 0);
        // The alternative beside it is text that any app shows.
        assert_eq!(read.body.walk().filter(|part| part.is_text()).count(), 1);
    }

    #[test]
    fn what_is_no_card_is_refused() {
        let mut nameless = card(None);
        nameless.name.clear();
        assert!(ContactCard::decode(&nameless.encode()).is_err());
        let mut long = card(None);
        long.name = "x".repeat(NAME_BYTES + 1);
        assert!(ContactCard::decode(&long.encode()).is_err());
        // {1: h'07', 2: "C"}
        assert!(ContactCard::decode(&[0xa2, 1, 0x41, 7, 2, 0x61, b'C']).is_err());
        assert!(ContactCard::decode(&[0xa0]).is_err());
        assert!(ContactCard::decode(b"").is_err());
    }
}
