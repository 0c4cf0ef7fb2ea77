//! An application item that opened: a message, a wish to leave, or something automatic.

use undertone_content::{Meaning, MimiContent};
use undertone_mls::{AccountId, Application, ApplicationOutcome};

use super::{
    Work, action, again, alarm,
    automatic::{self, Automatic},
    conversation::{self, Conversation, State},
    departures, gaps, heard, ignored, intent, invite_told, link,
    message::{self, Place, Sender},
    parting,
    policy::{self, Way},
    profile, proof, receipt, request, resync, settings, shared,
};
use crate::{error::Result, view::Notice};

/// What became of an opened body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It was taken, or is not to be.
    Yes,
    /// It came too late: what would open it is gone.
    TooLate,
    /// This device says it sent it. The one copy that counts was another one.
    Own,
}

/// Takes an opened body.
pub(crate) fn process(
    work: &Work<'_>,
    row: &Conversation,
    epoch: u64,
    body: &[u8],
    place: Place,
) -> Result<Read> {
    let outcome = work.group(&row.group, |group| {
        Ok(group.process_application(&work.mls, epoch, body)?)
    })?;
    match outcome {
        ApplicationOutcome::Message(application) => {
            if !application.is_member && !departures::stood_before(work, row, &application, place)?
            {
                ignored::note("group.departed");
                return Ok(Read::Yes);
            }
            if proof::is_under_way(work, row.id)? {
                // What the helper says in a state that may be of the helper's own making is asked for once that is proven.
                let by = &application;
                if !proof::heard(work, row.id, &by.account, &by.device, &by.key)? {
                    gaps::number_missing(work, row.id, place)?;
                    return Ok(Read::Yes);
                }
                let row = &conversation::load(work.db, row.id)?;
                take(work, row, &application, place)?;
                return Ok(Read::Yes);
            }
            take(work, row, &application, place)?;
        }
        ApplicationOutcome::LeaveProposed { account, .. } => leave_proposed(work, row, &account)?,
        ApplicationOutcome::Ahead => resync::need(work, row)?,
        ApplicationOutcome::TooOld => return Ok(Read::TooLate),
        ApplicationOutcome::Own => return Ok(Read::Own),
        // The second copy of something.
        ApplicationOutcome::Duplicate => {}
        // What is not to be believed is nothing.
        ApplicationOutcome::Refused(refusal) => ignored::note(refusal.violation.code()),
    }
    Ok(Read::Yes)
}

fn take(
    work: &Work<'_>,
    row: &Conversation,
    application: &Application,
    place: Place,
) -> Result<()> {
    let sender = Sender {
        account: application.account,
        device: application.device,
    };
    let Ok(content) = MimiContent::decode(&application.plaintext) else {
        return malformed(work, row, &sender, place);
    };
    if let Some(Automatic::LinkProof(proof)) = automatic::read(&content) {
        return link::proof_came(work, row, application, &proof);
    }
    // Until the link is proven nobody here has agreed to talk with them.
    if row.link != 0 {
        return Ok(());
    }
    let bytes = &application.plaintext;
    content_came(work, row, &sender, bytes, &content, place, Way::Now)
}

/// Somebody said what nobody understands.
pub(super) fn malformed(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    place: Place,
) -> Result<()> {
    ignored::note("content.malformed");
    let who = conversation::person(work, row.id, &sender.account)?;
    policy::notice_once(work, row.id, &Notice::MessageMalformed { who }, place)
}

/// Takes a content from a member, whether it came by itself or was sent again.
pub(crate) fn content_came(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
    place: Place,
    way: Way,
) -> Result<()> {
    let (sender_uri, room) = message::uris(&sender.account, row);
    if content.check_claims(&sender_uri, &room).is_err() {
        ignored::note("content.claims");
        return Ok(());
    }
    match automatic::read(content) {
        Some(Automatic::Ask(ask)) => {
            if row.kind == conversation::Kind::Notes {
                // What was told there is not kept as it was told; what counts now is told again.
                shared::tell_all_again(work)?;
            }
            return again::asked(work, row, sender, &ask);
        }
        Some(Automatic::Sync(entries)) => {
            let own = row.kind == conversation::Kind::Notes && sender.account == work.me.account;
            return if own {
                shared::came(work, &entries)
            } else {
                Ok(())
            };
        }
        Some(Automatic::Again(again)) => return again::came_again(work, row, sender, &again),
        Some(Automatic::Heard(told)) => return heard::came(work, row, sender, &told, place),
        Some(Automatic::Status(statuses)) => return receipt::told(work, row, sender, &statuses),
        Some(Automatic::Alarm(agreement)) => return alarm::agreed(work, row, sender, &agreement),
        Some(Automatic::Profile(told)) => return profile::came(work, row, sender, &told),
        Some(Automatic::Links(links)) => {
            return invite_told::came(work, row, sender, &links, place, way);
        }
        Some(Automatic::Gone) => return parting::came(work, row, sender),
        Some(Automatic::LinkProof(_) | Automatic::Typing | Automatic::Unknown) => return Ok(()),
        None => {}
    }
    if let Some(counter) = content.device_counter() {
        gaps::counter_came(work, row, &sender.device, counter, place)?;
    }
    // What somebody who is blocked says in the direct chat is not wanted; in a group the others answer it.
    if row.kind == conversation::Kind::Direct && settings::is_blocked(work.db, &sender.account)? {
        return Ok(());
    }
    if matches!(content.meaning(), Meaning::Post) && !request::takes(work, row, place)? {
        return Ok(());
    }
    if !policy::counts(work, row, &sender.account, content, place, way)? {
        ignored::note("group.role");
        return Ok(());
    }
    match content.meaning() {
        Meaning::Post if action::is_pin(content) => {
            action::receive(work, row, sender, bytes, content, place)
        }
        Meaning::Post => {
            let is_new = message::receive(work, row, sender, bytes, content, place)?;
            // What was asked for may have come otherwise in the meantime.
            if !is_new && way == Way::Now {
                ignored::note("message.repeated");
            }
            Ok(())
        }
        Meaning::Edit(_) | Meaning::Delete(_) | Meaning::Reaction { .. } => {
            action::receive(work, row, sender, bytes, content, place)
        }
        Meaning::Nothing => Ok(()),
    }
}

fn leave_proposed(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO leave_wishes (conversation, account_id) VALUES (?1, ?2)",
        rusqlite::params![row.id, account.as_bytes()],
    )?;
    if row.leaving || row.state != State::Active {
        return Ok(());
    }
    if intent::waits(work, row.id, intent::Kind::AcceptLeaves)? {
        return Ok(());
    }
    // One member's commit is enough: the others wait a random while and find it done.
    let members = conversation::devices(work.db, row.id)?.len();
    let at = work.member_turn_at(members);
    intent::add(work, row.id, intent::Kind::AcceptLeaves, &[], 0, at)?;
    Ok(())
}

/// Whether this account had asked to leave, so that its going is no removal.
pub(crate) fn asked_to_leave(
    work: &Work<'_>,
    conversation: i64,
    account: &AccountId,
) -> Result<bool> {
    Ok(work.db.execute(
        "DELETE FROM leave_wishes WHERE conversation = ?1 AND account_id = ?2",
        rusqlite::params![conversation, account.as_bytes()],
    )? > 0)
}
