//! Contact cards: somebody's account, passed on by somebody else.
//!
//! What must stay true: a card carries no address, key or secret of the person but a link that its sender was given to pass on, and that
//! link leads to the account on the card; what a card says becomes nobody's name and nobody's contact here. It is read from the content
//! whenever it is shown, so it is gone with the message.

use rusqlite::Connection;
use undertone_content::{CONTACT_CARD, ContactCard, MimiContent};
use undertone_wire::strings::ContactLink;

use super::{Work, account::Me};
use crate::{
    error::{Reason, Result},
    ids::ContactId,
    query,
    view::{CardInfo, ContactState, SharedContact},
};

/// The card of a contact, to be sent.
pub(crate) fn of_contact(work: &Work<'_>, shared: &SharedContact) -> Result<ContactCard> {
    let account = shared.contact.bytes()?;
    let known = query::contact(work.db, &account)?.ok_or(Reason::ContactUnknown)?;
    if known.state == ContactState::Request {
        return Err(Reason::RequestOpen.into());
    }
    let link = shared
        .link
        .as_deref()
        .map(|text| checked(work, text, &account))
        .transpose()?;
    Ok(ContactCard {
        account,
        name: known.name,
        link,
    })
}

/// A link of this account, written anew: nothing else that the text may have held goes along.
fn checked(work: &Work<'_>, text: &str, account: &[u8; 32]) -> Result<String> {
    let link: ContactLink = text.trim().parse()?;
    if link.account.as_bytes() != account {
        return Err(Reason::CardOtherLink.into());
    }
    if link.expires_s.is_some_and(|at| at <= work.now_s()) {
        return Err(Reason::LinkExpired.into());
    }
    Ok(link.to_string())
}

fn read(content: &[u8]) -> Option<ContactCard> {
    // Most messages are none: they are not decoded for this.
    let named = content
        .windows(CONTACT_CARD.len())
        .any(|bytes| bytes == CONTACT_CARD.as_bytes());
    if !named {
        return None;
    }
    MimiContent::decode(content).ok()?.shown().card
}

/// Whether a message's content is a card.
pub(crate) fn is_in(content: &[u8]) -> bool {
    read(content).is_some()
}

/// The card in a message's content, for whoever reads the message. `is_stranger`: the sender was not accepted yet.
pub(crate) fn shown(
    db: &Connection,
    me: &Me,
    content: &[u8],
    is_stranger: bool,
) -> Result<Option<CardInfo>> {
    let Some(card) = read(content) else {
        return Ok(None);
    };
    let is_me = card.account == *me.account.as_bytes();
    let known = query::contact(db, &card.account)?
        .filter(|known| known.state != ContactState::Request)
        .map(|known| known.name);
    let of_use = !is_stranger && !is_me && known.is_none();
    // A link of another account than the card shows would add somebody else under this person's name.
    let link = card.link.filter(|_| of_use);
    let link = link
        .and_then(|text| text.parse::<ContactLink>().ok())
        .filter(|link| *link.account.as_bytes() == card.account)
        .map(|link| link.to_string());
    Ok(Some(CardInfo {
        account: ContactId::from_bytes(&card.account),
        name: card.name,
        known_as: known,
        is_me,
        link,
    }))
}
