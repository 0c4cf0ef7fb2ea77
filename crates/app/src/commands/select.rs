//! Finds what a person means by a name, a beginning of a name, or an id, and lists the choices when it could be several.

use undertone_core::{ChatInfo, ChatKind, ChatPage, ContactInfo, MemberInfo, MessageInfo};

use crate::{
    failure::Failure,
    rpc::{
        methods::{ChatsFind, ChatsList, ContactsFind, ContactsList, MessagesGet},
        params::{Nothing, OneMessage, Selector},
    },
    session::Session,
    terminal::{conversation, single_line},
};

/// Most choices listed.
const CHOICES: usize = 12;

pub(super) async fn chat(session: &mut Session, selector: &str) -> Result<ChatInfo, Failure> {
    let found = session
        .call::<ChatsFind>(Selector {
            selector: selector.to_owned(),
        })
        .await;
    match found {
        Err(mut failure) if failure.code == "chat.ambiguous" => {
            let chats = session
                .call::<ChatsList>(ChatPage::default())
                .await
                .unwrap_or_default();
            let fitting = chats
                .iter()
                .filter(|chat| fits(selector, &chat.name, chat.id.as_str()));
            failure.choices = fitting
                .take(CHOICES)
                .map(|chat| {
                    let kind = match chat.kind {
                        ChatKind::Direct => "direct",
                        ChatKind::Group => "group",
                        ChatKind::Notes => "notes",
                    };
                    format!("{}  {} ({kind})", chat.id, conversation::title(chat))
                })
                .collect();
            Err(failure)
        }
        Err(mut failure) if failure.code == "chat.unknown" => {
            failure.sentence = "There is no such chat; `undertone chats` lists them.".to_owned();
            Err(failure)
        }
        other => other,
    }
}

pub(super) async fn contact(session: &mut Session, selector: &str) -> Result<ContactInfo, Failure> {
    let found = session
        .call::<ContactsFind>(Selector {
            selector: selector.to_owned(),
        })
        .await;
    match found {
        Err(mut failure) if failure.code == "contact.ambiguous" => {
            let contacts = session
                .call::<ContactsList>(Nothing {})
                .await
                .unwrap_or_default();
            let fitting = contacts
                .iter()
                .filter(|contact| fits(selector, &contact.name, contact.id.as_str()));
            failure.choices = fitting
                .take(CHOICES)
                .map(|contact| format!("{}  {}", contact.id, single_line(&contact.name)))
                .collect();
            Err(failure)
        }
        Err(mut failure) if failure.code == "contact.unknown" => {
            failure.sentence =
                "There is no such contact; `undertone contacts` lists them.".to_owned();
            Err(failure)
        }
        other => other,
    }
}

/// A message of a chat, by its id or a beginning of it, as `read` shows it.
pub(super) async fn message(
    session: &mut Session,
    chat: &ChatInfo,
    selector: &str,
) -> Result<MessageInfo, Failure> {
    let message = selector.trim_start_matches('#').to_ascii_lowercase();
    session
        .call::<MessagesGet>(OneMessage {
            chat: chat.id.clone(),
            message,
        })
        .await
}

/// A member of a group, who need not be a contact.
pub(super) fn member(members: &[MemberInfo], selector: &str) -> Result<MemberInfo, Failure> {
    let wanted = selector.trim().to_lowercase();
    let exact: Vec<_> = members
        .iter()
        .filter(|member| member.name.to_lowercase() == wanted || member.id.as_str() == wanted)
        .collect();
    let begins: Vec<_> = members
        .iter()
        .filter(|member| fits(selector, &member.name, member.id.as_str()))
        .collect();
    let fitting = if exact.is_empty() { begins } else { exact };
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::new(
            "contact.unknown",
            "There is no such member; `undertone group members` lists them.",
        )),
        several => Err(Failure {
            choices: several
                .iter()
                .take(CHOICES)
                .map(|member| format!("{}  {}", member.id, single_line(&member.name)))
                .collect(),
            ..Failure::new(
                "contact.ambiguous",
                "More than one member fits; say more of the name, or give the id.",
            )
        }),
    }
}

fn fits(selector: &str, name: &str, id: &str) -> bool {
    let wanted = selector.trim().to_lowercase();
    !wanted.is_empty()
        && (name.to_lowercase().starts_with(&wanted)
            || (wanted.len() >= 6 && id.starts_with(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::conversation::samples;

    #[test]
    fn a_member_is_found_by_name_beginning_or_id() {
        let members = [
            samples::member("Ben", false),
            samples::member("Benedict", false),
            samples::member("Cleo", false),
        ];
        let found = |selector: &str| {
            member(&members, selector)
                .map(|member| member.name)
                .map_err(|failure| failure.code)
        };
        assert_eq!(found("ben").as_deref(), Ok("Ben"));
        assert_eq!(found("bene").as_deref(), Ok("Benedict"));
        assert_eq!(found("C").as_deref(), Ok("Cleo"));
        assert_eq!(found("be"), Err("contact.ambiguous".to_owned()));
        assert_eq!(found("Dora"), Err("contact.unknown".to_owned()));
        assert_eq!(found(""), Err("contact.unknown".to_owned()));
        assert_eq!(found(&members[2].id.as_str()[..8]).as_deref(), Ok("Cleo"));
    }

    #[test]
    fn an_ambiguous_name_lists_its_choices() {
        let members = [
            samples::member("Ben A", false),
            samples::member("Ben B", false),
        ];
        let failure = member(&members, "ben").expect_err("ambiguous");
        assert_eq!(failure.choices.len(), 2);
        assert_eq!(failure.exit_code(), 6);
    }
}
