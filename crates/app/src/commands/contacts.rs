//! `undertone add`, `contacts` and `verify`.

use serde_json::json;
use undertone_core::{ChatId, ContactInfo, ContactState, OtherAccount, SafetyNumber};

use super::{DELIVERY, NEWS, Visit, line_from_stdin, select, with};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            ContactsAcceptAccount, ContactsAdd, ContactsList, ContactsOtherAccounts,
            ContactsSafetyNumber, ContactsSetVerified,
        },
        params::{GivenLink, Nothing, OneContact, Verified},
    },
    terminal::{Screen, names::Names, qr, single_line, width},
};

pub(super) async fn add(options: &Global, output: &Output, link: &str) -> Result<Outcome, Failure> {
    let link = if link == "-" {
        line_from_stdin("A contact link")?
    } else {
        zeroize::Zeroizing::new(link.trim().to_owned())
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        visit.progress.say("Adding the contact");
        let mut added = visit
            .session
            .call::<ContactsAdd>(GivenLink {
                link: link.to_string(),
            })
            .await?;
        if added.contact.is_none() && visit.is_online() {
            // Queued a moment ago; the server may have answered by now.
            visit.session.settle(DELIVERY).await?;
            let again = visit.session.call::<ContactsList>(Nothing {}).await?;
            added.contact = again
                .into_iter()
                .find(|contact| Some(&contact.chat) == Some(&added.chat) && contact.chat.is_some());
        }
        let line = match &added.contact {
            Some(contact) => {
                let name = single_line(&contact.name);
                format!(
                    "{name} is a contact now, not verified yet. Compare safety numbers: undertone verify {}",
                    quoted(&name)
                )
            }
            None => "Queued: the link is used as soon as the server can be reached.".to_owned(),
        };
        Ok(Outcome::line(json!(added), line))
    })
}

pub(super) async fn list(options: &Global, output: &Output) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let contacts = visit.session.call::<ContactsList>(Nothing {}).await?;
        let lines = draw(&contacts, output.screen);
        Ok(Outcome::new(json!(contacts), lines).with_notes(visit.offline_note()))
    })
}

fn draw(contacts: &[ContactInfo], screen: Screen) -> Vec<String> {
    if contacts.is_empty() {
        return vec!["No contacts yet. Give somebody a contact link (undertone link), or add theirs (undertone add).".to_owned()];
    }
    let mut names = Names::default();
    for contact in contacts {
        names.learn(contact.id.as_str(), &contact.name);
    }
    let printed: Vec<_> = contacts
        .iter()
        .map(|contact| names.print(contact.id.as_str(), &contact.name))
        .collect();
    let name = printed
        .iter()
        .map(|name| width::columns(name))
        .max()
        .unwrap_or(0)
        .min(screen.width / 2);
    contacts
        .iter()
        .zip(&printed)
        .map(|(contact, printed)| {
            let state = match (contact.state, contact.verified) {
                (ContactState::Pending, _) => screen.style.dim("being set up"),
                (ContactState::Request, _) => screen.style.warning("waits to be accepted"),
                (ContactState::Ready, true) => screen.style.good("verified"),
                (ContactState::Ready, false) => screen.style.warning("not verified yet"),
            };
            format!(
                "{}  {state}",
                width::pad(&width::truncate(printed, name), name)
            )
        })
        .collect()
}

pub(super) async fn verify(
    options: &Global,
    output: &Output,
    selector: &str,
    accept: bool,
    withdraw: bool,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let contact = select::contact(&mut visit.session, selector).await?;
        if accept || withdraw {
            visit
                .session
                .call::<ContactsSetVerified>(Verified {
                    contact: contact.id.clone(),
                    verified: accept,
                })
                .await?;
        }
        let number = visit
            .session
            .call::<ContactsSafetyNumber>(OneContact {
                contact: contact.id.clone(),
            })
            .await?;
        let name = single_line(&contact.name);
        let json = json!({"contact": contact.id, "name": contact.name, "digits": number.digits, "qr": number.qr, "verified": number.verified});
        if accept || withdraw {
            let line = if number.verified {
                format!("{name} is verified.")
            } else {
                format!("{name} is not verified any more.")
            };
            return Ok(Outcome::line(json, line));
        }
        Ok(Outcome::new(
            json,
            safety_number(&name, &number, output.screen),
        ))
    })
}

pub(super) async fn accept_account(
    options: &Global,
    output: &Output,
    selector: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let all = visit
            .session
            .call::<ContactsOtherAccounts>(Nothing {})
            .await?;
        let lower = selector.trim().to_lowercase();
        let fits = |other: &&OtherAccount| {
            !lower.is_empty()
                && (other.account.as_str().starts_with(&lower)
                    || other.name.to_lowercase().starts_with(&lower))
        };
        let fitting: Vec<&OtherAccount> = all.iter().filter(fits).collect();
        let other = match fitting.as_slice() {
            [one] => *one,
            [] => {
                return Err(Failure::new(
                    "contact.unknown",
                    "There is no such account to be accepted.",
                ));
            }
            several => {
                return Err(Failure {
                    choices: several
                        .iter()
                        .map(|other| format!("{}  {}", other.account, single_line(&other.name)))
                        .collect(),
                    ..Failure::new(
                        "contact.ambiguous",
                        "More than one account fits; give the id.",
                    )
                });
            }
        };
        visit
            .session
            .call::<ContactsAcceptAccount>(OneContact {
                contact: other.account.clone(),
            })
            .await?;
        Ok(Outcome::line(
            json!({"account": other.account, "accepted": true}),
            format!(
                "{} is accepted; the safety number is still not compared.",
                single_line(&other.name)
            ),
        ))
    })
}

/// What is said in a chat with somebody who goes by a contact's name.
pub(super) fn other_account_notes(all: &[OtherAccount], chat: &ChatId) -> Vec<String> {
    all.iter()
        .filter(|other| other.chats.contains(chat))
        .map(|other| {
            let name = single_line(&other.name);
            let before = if other.known_verified {
                ", whose safety number you compared"
            } else {
                ""
            };
            let id = other.account.as_str().get(..8).unwrap_or_default();
            format!(
                "{name} has another account than your contact {}{before}. Compare the safety number: undertone verify {id}. If you know of it: undertone verify {id} --accept-account.",
                single_line(&other.known_name)
            )
        })
        .collect()
}

fn safety_number(name: &str, number: &SafetyNumber, screen: Screen) -> Vec<String> {
    let digits: Vec<char> = number.digits.chars().filter(char::is_ascii_digit).collect();
    let groups: Vec<String> = digits
        .chunks(5)
        .map(|group| group.iter().collect())
        .collect();
    let mut lines = vec![
        format!("Safety number with {}", screen.style.bold(name)),
        String::new(),
    ];
    lines.extend(groups.chunks(4).map(|row| format!("  {}", row.join("  "))));
    lines.push(String::new());
    if let Some(code) = qr::draw_bytes(&number.qr, screen) {
        lines.extend(code);
        lines.push(String::new());
    }
    lines.push(if number.verified {
        screen.style.good(&format!("{name} is verified."))
    } else {
        format!("Compare it with {name} in person or in a call. If both see the same: undertone verify {} --accept", quoted(name))
    });
    lines
}

/// A name as it can be pasted into a shell.
fn quoted(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with('-');
    if plain {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::conversation::samples;

    #[test]
    fn a_safety_number_is_twelve_groups_of_five() {
        let number = SafetyNumber {
            contact: samples::account("Ben"),
            digits: (0..60).map(|digit| char::from(b'0' + digit % 10)).collect(),
            qr: vec![1; 80],
            verified: false,
        };
        let lines = safety_number("Ben", &number, Screen::plain(80));
        assert_eq!(
            &lines[2..5],
            [
                "  01234  56789  01234  56789",
                "  01234  56789  01234  56789",
                "  01234  56789  01234  56789"
            ]
        );
        assert!(lines.iter().any(|line| line.contains('█')));
        assert!(
            lines
                .last()
                .is_some_and(|line| line.contains("verify Ben --accept"))
        );
    }

    #[test]
    fn a_name_is_safe_to_paste_into_a_shell() {
        assert_eq!(quoted("Ben"), "Ben");
        assert_eq!(quoted("Ben Ab"), "'Ben Ab'");
        assert_eq!(quoted("$(reboot)'"), "'$(reboot)'\\'''");
        assert_eq!(quoted("-x"), "'-x'");
    }

    #[test]
    fn contacts_say_who_is_verified() {
        let contact = |name: &str, verified, state| ContactInfo {
            id: samples::account(name),
            name: name.into(),
            verified,
            chat: None,
            added_ms: 0,
            state,
            blocked: false,
            read_receipts: undertone_core::Choice::Default,
        };
        let contacts = [
            contact("Ada", true, ContactState::Ready),
            contact("Benedict", false, ContactState::Ready),
            contact("Cleo", false, ContactState::Pending),
        ];
        assert_eq!(
            draw(&contacts, Screen::plain(60)),
            [
                "Ada       verified",
                "Benedict  not verified yet",
                "Cleo      being set up"
            ]
        );
    }
}
