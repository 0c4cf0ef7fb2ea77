//! `undertone group`.

use serde_json::json;
use undertone_core::{
    ChatId, ChatInfo, ChatKind, ContactId, ContactInfo, Delivery, MemberInfo, PolicyChange, Role,
};

use super::{DELIVERY, NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, GroupCommand, GroupRole, Who},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            ChatsGet, ChatsMembers, GroupsAdd, GroupsCreate, GroupsHandOver, GroupsLeave,
            GroupsRemove, GroupsRename, GroupsSetPolicy, GroupsSetRole,
        },
        params::{
            GroupMember, GroupMembers, GroupName, LeaveGroup, MemberRole, NewGroup, OneChat,
            SetPolicy,
        },
    },
    session::Session,
    terminal::{
        Screen, conversation,
        names::{ME, Names},
        single_line, width,
    },
};

pub(super) async fn run(
    options: &Global,
    output: &Output,
    command: GroupCommand,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        visit.progress.say("Changing the group");
        let Change {
            group,
            state,
            done,
            added,
        } = change(&mut visit.session, &command, output.screen).await?;
        let state = match state {
            Some(Delivery::Queued) if visit.is_online() => {
                // It may have been accepted meanwhile; a chat that is being changed says so itself.
                let settled = visit.session.settle(DELIVERY).await?;
                Some(if settled.is_some_and(|settled| settled.outbox_left == 0) {
                    Delivery::Accepted
                } else {
                    Delivery::Queued
                })
            }
            other => other,
        };
        let chat = visit
            .session
            .call::<ChatsGet>(OneChat {
                chat: group.clone(),
            })
            .await?;
        let mut lines = done;
        if state == Some(Delivery::Queued) {
            lines.push("Queued: the server will have it as soon as it can be reached.".to_owned());
        }
        let members = visit
            .session
            .call::<ChatsMembers>(OneChat { chat: group })
            .await?;
        let (came, waiting): (Vec<_>, Vec<_>) = added
            .iter()
            .partition(|contact| members.iter().any(|member| member.id == contact.id));
        if matches!(command, GroupCommand::Add { .. }) && !came.is_empty() {
            let group = conversation::title(&chat);
            lines.push(format!("Added {} to {group}.", names(&came)));
        }
        if let Some(line) = waiting_line(&waiting, state) {
            lines.push(line);
        }
        let waiting: Vec<_> = waiting.iter().map(|contact| &contact.id).collect();
        Ok(Outcome::new(
            json!({"chat": chat, "state": state, "members": members, "waiting": waiting}),
            lines,
        ))
    })
}

/// Says who is not in yet although the server has everything.
fn waiting_line(waiting: &[&ContactInfo], state: Option<Delivery>) -> Option<String> {
    if waiting.is_empty() || state == Some(Delivery::Queued) {
        return None;
    }
    Some(format!(
        "Not in yet: {}. That needs their app to have been online once since you became contacts; `undertone watch` or a later command adds them then.",
        names(waiting)
    ))
}

fn names(contacts: &[&ContactInfo]) -> String {
    let names: Vec<_> = contacts
        .iter()
        .map(|contact| single_line(&contact.name))
        .collect();
    names.join(", ")
}

/// What was changed.
struct Change {
    group: ChatId,
    state: Option<Delivery>,
    done: Vec<String>,
    /// Who was to be added.
    added: Vec<ContactInfo>,
}

async fn change(
    session: &mut Session,
    command: &GroupCommand,
    screen: Screen,
) -> Result<Change, Failure> {
    match command {
        GroupCommand::Create { name, members } => {
            let added = contacts(session, members).await?;
            let made = session
                .call::<GroupsCreate>(NewGroup {
                    name: name.clone(),
                    members: ids(&added),
                })
                .await?;
            Ok(Change {
                group: made.chat,
                state: Some(made.state),
                done: vec![format!("The group {} is there.", single_line(name))],
                added,
            })
        }
        GroupCommand::Add { group, members } => {
            let chat = group_chat(session, group).await?;
            let added = contacts(session, members).await?;
            let done = session
                .call::<GroupsAdd>(GroupMembers {
                    chat: chat.id.clone(),
                    members: ids(&added),
                })
                .await?;
            Ok(Change {
                group: chat.id,
                state: Some(done.state),
                done: Vec::new(),
                added,
            })
        }
        GroupCommand::Remove { group, member } => {
            let (chat, member) = group_member(session, group, member).await?;
            if member.is_me {
                return Err(Failure::usage(
                    "That is you; to go, use `undertone group leave`.",
                ));
            }
            let done = session
                .call::<GroupsRemove>(GroupMember {
                    chat: chat.id.clone(),
                    member: member.id,
                })
                .await?;
            Ok(said(
                &chat,
                done.state,
                format!(
                    "Removed {} from {}.",
                    single_line(&member.name),
                    conversation::title(&chat)
                ),
            ))
        }
        GroupCommand::Leave { group, successor } => {
            let (chat, successor) = match successor {
                Some(member) => {
                    let (chat, member) = group_member(session, group, member).await?;
                    (chat, Some(member.id))
                }
                None => (group_chat(session, group).await?, None),
            };
            let done = session
                .call::<GroupsLeave>(LeaveGroup {
                    chat: chat.id.clone(),
                    successor,
                })
                .await?;
            Ok(said(
                &chat,
                done.state,
                format!("You left {}.", conversation::title(&chat)),
            ))
        }
        GroupCommand::Role {
            group,
            member,
            role,
        } => {
            let (chat, member) = group_member(session, group, member).await?;
            let role = match role {
                GroupRole::Member => Role::Member,
                GroupRole::Admin => Role::Admin,
                GroupRole::Owner => Role::Owner,
            };
            let done = session
                .call::<GroupsSetRole>(MemberRole {
                    chat: chat.id.clone(),
                    member: member.id,
                    role,
                })
                .await?;
            Ok(said(
                &chat,
                done.state,
                format!(
                    "{} is {} of {} now.",
                    single_line(&member.name),
                    role_name(role),
                    conversation::title(&chat)
                ),
            ))
        }
        GroupCommand::Rename { group, name } => {
            let chat = group_chat(session, group).await?;
            let done = session
                .call::<GroupsRename>(GroupName {
                    chat: chat.id.clone(),
                    name: name.clone(),
                })
                .await?;
            Ok(said(
                &chat,
                done.state,
                format!(
                    "{} is called {} now.",
                    conversation::title(&chat),
                    single_line(name)
                ),
            ))
        }
        GroupCommand::HandOver { group, member } => {
            let (chat, member) = group_member(session, group, member).await?;
            let done = session
                .call::<GroupsHandOver>(GroupMember {
                    chat: chat.id.clone(),
                    member: member.id,
                })
                .await?;
            Ok(said(
                &chat,
                done.state,
                format!(
                    "{} is owner of {} now.",
                    single_line(&member.name),
                    conversation::title(&chat)
                ),
            ))
        }
        GroupCommand::Policy {
            group,
            add,
            rename,
            pin,
            timer,
            post,
        } => {
            let role = |who: &Option<Who>| {
                who.map(|who| match who {
                    Who::Everybody => Role::Member,
                    Who::Admins => Role::Admin,
                    Who::Owners => Role::Owner,
                })
            };
            let change = PolicyChange {
                add: role(add),
                rename: role(rename),
                pin: role(pin),
                set_timer: role(timer),
                post: role(post),
            };
            set_policy(session, group, change).await
        }
        // Those are in `invites`.
        GroupCommand::Invite { .. }
        | GroupCommand::Invites { .. }
        | GroupCommand::RevokeInvite { .. }
        | GroupCommand::Requests { .. }
        | GroupCommand::Accept { .. }
        | GroupCommand::Refuse { .. }
        | GroupCommand::Join { .. } => Err(Failure::usage("This is a command about links.")),
        GroupCommand::Members { group } => {
            let chat = group_chat(session, group).await?;
            let members = session
                .call::<ChatsMembers>(OneChat {
                    chat: chat.id.clone(),
                })
                .await?;
            Ok(Change {
                group: chat.id,
                state: None,
                done: draw(&members, screen),
                added: Vec::new(),
            })
        }
    }
}

/// Sets the policy, if anything is to change, and says who may do what then.
async fn set_policy(
    session: &mut Session,
    group: &str,
    change: PolicyChange,
) -> Result<Change, Failure> {
    let chat = group_chat(session, group).await?;
    let mut state = None;
    if change != PolicyChange::default() {
        let wanted = SetPolicy {
            chat: chat.id.clone(),
            change,
        };
        state = Some(session.call::<GroupsSetPolicy>(wanted).await?.state);
    }
    let now = session
        .call::<ChatsGet>(OneChat {
            chat: chat.id.clone(),
        })
        .await?;
    let line = |lowest: Role, what: &str| {
        let who = match lowest {
            Role::Member => "Everybody",
            Role::Admin => "Only admins",
            Role::Owner => "Only owners",
        };
        format!("{who} may {what}.")
    };
    let done = now.policy.map_or_else(Vec::new, |policy| {
        vec![
            line(policy.post, "write"),
            line(policy.add, "add members"),
            line(policy.rename, "rename the group"),
            line(policy.pin, "pin messages"),
            line(policy.set_timer, "set how long messages stay"),
        ]
    });
    Ok(Change {
        group: chat.id,
        state,
        done,
        added: Vec::new(),
    })
}

fn said(chat: &ChatInfo, state: Delivery, sentence: String) -> Change {
    Change {
        group: chat.id.clone(),
        state: Some(state),
        done: vec![sentence],
        added: Vec::new(),
    }
}

async fn contacts(
    session: &mut Session,
    selectors: &[String],
) -> Result<Vec<ContactInfo>, Failure> {
    let mut found = Vec::new();
    for selector in selectors {
        found.push(select::contact(session, selector).await?);
    }
    Ok(found)
}

fn ids(contacts: &[ContactInfo]) -> Vec<ContactId> {
    contacts.iter().map(|contact| contact.id.clone()).collect()
}

pub(super) async fn group_chat(session: &mut Session, selector: &str) -> Result<ChatInfo, Failure> {
    let chat = select::chat(session, selector).await?;
    if chat.kind == ChatKind::Group {
        Ok(chat)
    } else {
        Err(Failure::new("group.not_a_group", "This chat is no group."))
    }
}

async fn group_member(
    session: &mut Session,
    group: &str,
    member: &str,
) -> Result<(ChatInfo, MemberInfo), Failure> {
    let chat = group_chat(session, group).await?;
    let members = session
        .call::<ChatsMembers>(OneChat {
            chat: chat.id.clone(),
        })
        .await?;
    let member = select::member(&members, member)?;
    Ok((chat, member))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

fn draw(members: &[MemberInfo], screen: Screen) -> Vec<String> {
    let mut names = Names::default();
    for member in members.iter().filter(|member| !member.is_me) {
        names.learn(member.id.as_str(), &member.name);
    }
    let printed = |member: &MemberInfo| {
        if member.is_me {
            ME.to_owned()
        } else {
            names.print(member.id.as_str(), &member.name)
        }
    };
    let widest = members
        .iter()
        .map(|member| width::columns(&printed(member)))
        .max()
        .unwrap_or(0)
        .min(screen.width / 2);
    members
        .iter()
        .map(|member| {
            let name = width::pad(&width::truncate(&printed(member), widest), widest);
            let verified = match (member.is_me, member.verified) {
                (true, _) => String::new(),
                (false, true) => screen.style.good("verified"),
                (false, false) => screen.style.warning("not verified yet"),
            };
            format!("{name}  {:<6}  {verified}", role_name(member.role))
                .trim_end()
                .to_owned()
        })
        .collect()
}
