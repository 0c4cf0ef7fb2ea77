//! `undertone group invite` and what belongs to it: links to groups, and who asks to be let in.

use serde_json::json;
use undertone_core::{InviteInfo, JoinRequestInfo, JoinState, LinkLife};

use super::{NEWS, Visit, groups::group_chat, line_from_stdin, with};
use crate::{
    cli::{
        args::{Expiry, Global, GroupCommand},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            GroupsAnswerJoin, GroupsInvite, GroupsInvites, GroupsJoin, GroupsJoinRequests,
            GroupsRevokeInvite,
        },
        params::{AnswerJoin, GivenLink, NewInvite, OneChat, OneInvite},
    },
    session::Session,
    terminal::{Screen, conversation, qr, single_line, time::Clock},
};

/// Whether a command is one of these.
pub(super) fn concerns(command: &GroupCommand) -> bool {
    matches!(
        command,
        GroupCommand::Invite { .. }
            | GroupCommand::Invites { .. }
            | GroupCommand::RevokeInvite { .. }
            | GroupCommand::Requests { .. }
            | GroupCommand::Accept { .. }
            | GroupCommand::Refuse { .. }
            | GroupCommand::Join { .. }
    )
}

pub(super) async fn run(
    options: &Global,
    output: &Output,
    command: GroupCommand,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let session = &mut visit.session;
        match command {
            GroupCommand::Invite {
                group,
                expires,
                uses,
                approve,
            } => {
                let wanted = NewInvite {
                    chat: group_chat(session, &group).await?.id,
                    expires_in_s: Some(match expires {
                        Expiry::After(seconds) => seconds,
                        Expiry::Never => 0,
                    }),
                    uses: Some(uses),
                    approve,
                };
                let link = session.call::<GroupsInvite>(wanted).await?;
                let lines = draw(&link, output.screen, &output.clock);
                Ok(Outcome::new(json!(link), lines))
            }
            GroupCommand::Invites { group } => {
                let chat = group_chat(session, &group).await?.id;
                let all = session.call::<GroupsInvites>(OneChat { chat }).await?;
                let lines = if all.is_empty() {
                    vec![
                        "There are no links to this group that this device has heard of."
                            .to_owned(),
                    ]
                } else {
                    all.iter().map(|link| line(link, &output.clock)).collect()
                };
                Ok(Outcome::new(json!(all), lines))
            }
            GroupCommand::RevokeInvite { group, invite } => {
                let chat = group_chat(session, &group).await?.id;
                let all = session.call::<GroupsInvites>(OneChat { chat }).await?;
                let wanted = invite.trim().to_ascii_lowercase();
                let fits = |link: &&InviteInfo| {
                    !wanted.is_empty() && link.id.as_str().starts_with(&wanted)
                };
                let mut fitting = all.iter().filter(fits);
                let (Some(link), None) = (fitting.next(), fitting.next()) else {
                    return Err(Failure::new("link.unknown", "There is no such link."));
                };
                let invite = link.id.clone();
                let done = session
                    .call::<GroupsRevokeInvite>(OneInvite { invite })
                    .await?;
                let said = if link.is_here || link.state != LinkLife::Open {
                    "Nobody can ask by it any more."
                } else {
                    "Withdrawn. It ends as soon as the device that made it hears of that."
                };
                Ok(Outcome::line(json!(done), said.to_owned()))
            }
            GroupCommand::Requests { group } => {
                let chat = group_chat(session, &group).await?.id;
                let all = session.call::<GroupsJoinRequests>(OneChat { chat }).await?;
                let lines = if all.is_empty() {
                    vec!["Nobody asks to be let in.".to_owned()]
                } else {
                    all.iter().map(|one| asks(one, &output.clock)).collect()
                };
                Ok(Outcome::new(json!(all), lines))
            }
            GroupCommand::Accept { group, person } => answer(session, &group, &person, true).await,
            GroupCommand::Refuse { group, person } => answer(session, &group, &person, false).await,
            GroupCommand::Join { link } => {
                let link = if link == "-" {
                    line_from_stdin("A link to a group")?.to_string()
                } else {
                    link
                };
                let joined = session.call::<GroupsJoin>(GivenLink { link }).await?;
                let said = match joined.state {
                    JoinState::In => "You are in.",
                    JoinState::Asked => {
                        "Asked. You are in as soon as an admin's app, or an admin, lets you in."
                    }
                    JoinState::Queued => {
                        "Queued: it is asked as soon as the server can be reached."
                    }
                };
                Ok(Outcome::line(json!(joined), said.to_owned()))
            }
            _ => Err(Failure::usage("This is no command about links.")),
        }
    })
}

async fn answer(
    session: &mut Session,
    group: &str,
    person: &str,
    accept: bool,
) -> Result<Outcome, Failure> {
    let chat = group_chat(session, group).await?;
    let wanted = OneChat {
        chat: chat.id.clone(),
    };
    let all = session.call::<GroupsJoinRequests>(wanted).await?;
    let lower = person.trim().to_lowercase();
    let fits = |one: &&JoinRequestInfo| {
        !lower.is_empty()
            && (one.id.as_str().starts_with(&lower) || one.name.to_lowercase().starts_with(&lower))
    };
    let mut fitting = all.iter().filter(fits);
    let (Some(one), None) = (fitting.next(), fitting.next()) else {
        return Err(Failure::new("request.unknown", "There is no such request."));
    };
    let contact = one.id.clone();
    session
        .call::<GroupsAnswerJoin>(AnswerJoin {
            chat: chat.id.clone(),
            contact,
            accept,
        })
        .await?;
    let name = single_line(&one.name);
    let title = conversation::title(&chat);
    let line = if accept {
        format!("{name} is let in to {title}.")
    } else {
        format!("{name} is not let in to {title}; they are not told.")
    };
    Ok(Outcome::line(json!(one), line))
}

/// The link first, on a line of its own, so that a script can take it without looking further.
fn draw(link: &InviteInfo, screen: Screen, clock: &Clock) -> Vec<String> {
    let mut lines = vec![link.uri.clone(), String::new()];
    match qr::draw(&link.uri, screen) {
        Some(code) => lines.extend(code),
        None => lines.push("(The window is too narrow for the QR code.)".to_owned()),
    }
    lines.push(String::new());
    lines.push(line(link, clock));
    lines
}

fn line(link: &InviteInfo, clock: &Clock) -> String {
    let state = match link.state {
        LinkLife::Open => "open",
        LinkLife::Used => "used",
        LinkLife::Expired => "expired",
        LinkLife::Revoked => "withdrawn",
    };
    let until = link.expires_ms.map_or_else(
        || "until you withdraw it".to_owned(),
        |at| format!("until {}", clock.day_and_time(at)),
    );
    let asks = match (link.approve, link.is_here) {
        (false, _) => "",
        (true, true) => ", each needs your yes",
        (true, false) => ", each needs a yes",
    };
    let by = match (link.is_here, link.is_mine) {
        (true, _) => String::new(),
        (false, true) => ", made on another device of yours".to_owned(),
        (false, false) => format!(", made by {}", single_line(&link.maker_name)),
    };
    format!(
        "{}  {state}, for {} more, {until}{asks}{by}",
        link.id, link.uses_left
    )
}

fn asks(one: &JoinRequestInfo, clock: &Clock) -> String {
    let id: String = one.id.as_str().chars().take(8).collect();
    let known = if one.is_contact { ", a contact" } else { "" };
    let name = single_line(&one.name);
    format!("{name} ({id}{known}), {}", clock.day_and_time(one.asked_ms))
}
