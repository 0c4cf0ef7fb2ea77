//! `undertone link` and `undertone links`.

use serde_json::json;
use undertone_core::{LinkInfo, LinkLife};

use super::{NEWS, Visit, with};
use crate::{
    cli::{
        args::{Expiry, Global, LinksCommand},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{LinksCreate, LinksList, LinksRevoke},
        params::{NewLink, Nothing, OneLink},
    },
    terminal::{Screen, qr, time::Clock, width::wrap},
};

pub(super) async fn create(
    options: &Global,
    output: &Output,
    expires: Expiry,
    uses: u32,
    ask: Option<bool>,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::new(
            "net.offline",
            "A contact link needs the server, so that whoever uses it finds something there.",
        ));
    }
    let expires_in_s = match expires {
        Expiry::After(seconds) => seconds,
        Expiry::Never => 0,
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        visit.progress.say("Making the link");
        let link = visit
            .session
            .call::<LinksCreate>(NewLink {
                expires_in_s: Some(expires_in_s),
                uses: Some(uses),
                ask,
            })
            .await?;
        let lines = draw(&link, output.screen, &output.clock);
        Ok(Outcome::new(json!(link), lines))
    })
}

/// The link first, on a line of its own, so that a script can take it without looking further.
fn draw(link: &LinkInfo, screen: Screen, clock: &Clock) -> Vec<String> {
    let mut lines = vec![link.uri.clone(), String::new()];
    match qr::draw(&link.uri, screen) {
        Some(code) => lines.extend(code),
        None => lines.push("(The window is too narrow for the QR code.)".to_owned()),
    }
    let uses = if link.uses_left == 1 {
        "once".to_owned()
    } else {
        format!("by {} people", link.uses_left)
    };
    let until = link.expires_ms.map_or_else(
        || ", until you revoke it".to_owned(),
        |at| format!(", until {}", clock.day_and_time(at)),
    );
    let whom = if link.ask {
        "Whoever comes by it waits in `undertone requests` until you accept them."
    } else {
        "Give it to one person, in a way that you trust."
    };
    lines.push(String::new());
    lines.extend(wrap(
        &format!("{whom} It can be used {uses}{until}."),
        screen.width,
    ));
    lines.push(
        screen
            .style
            .dim(&format!("To revoke it: undertone links revoke {}", link.id)),
    );
    lines
}

pub(super) async fn links(
    options: &Global,
    output: &Output,
    command: Option<LinksCommand>,
) -> Result<Outcome, Failure> {
    match command.unwrap_or(LinksCommand::List) {
        LinksCommand::List => {
            let visit = Visit::begin(options, output, NEWS).await?;
            with!(visit, |visit| {
                let links = visit.session.call::<LinksList>(Nothing {}).await?;
                let lines = list(&links, output.screen, &output.clock);
                Ok(Outcome::new(json!(links), lines))
            })
        }
        LinksCommand::Revoke { link } => {
            let visit = Visit::begin(options, output, NEWS).await?;
            with!(visit, |visit| {
                let links = visit.session.call::<LinksList>(Nothing {}).await?;
                let wanted = link.to_ascii_lowercase();
                let fitting: Vec<_> = links
                    .iter()
                    .filter(|link| !wanted.is_empty() && link.id.as_str().starts_with(&wanted))
                    .collect();
                let found = match fitting.as_slice() {
                    [one] => (*one).clone(),
                    [] => {
                        return Err(Failure::new(
                            "link.unknown",
                            "There is no such contact link; `undertone links` lists them.",
                        ));
                    }
                    several => {
                        return Err(Failure {
                            choices: several.iter().map(|link| link.id.to_string()).collect(),
                            ..Failure::new(
                                "link.ambiguous",
                                "More than one link fits; give more of the id.",
                            )
                        });
                    }
                };
                visit
                    .session
                    .call::<LinksRevoke>(OneLink {
                        link: found.id.clone(),
                    })
                    .await?;
                Ok(Outcome::line(
                    json!({"link": found.id, "state": LinkLife::Revoked}),
                    "Revoked: nobody can use this link any more.",
                ))
            })
        }
    }
}

fn list(links: &[LinkInfo], screen: Screen, clock: &Clock) -> Vec<String> {
    if links.is_empty() {
        return vec!["No contact links. `undertone link` makes one.".to_owned()];
    }
    links
        .iter()
        .map(|link| {
            let state = match link.state {
                LinkLife::Open => {
                    let until = link.expires_ms.map_or_else(
                        || "until revoked".to_owned(),
                        |at| format!("until {}", clock.day_and_time(at)),
                    );
                    let uses = if link.uses_left == 1 {
                        "once".to_owned()
                    } else {
                        format!("{} times", link.uses_left)
                    };
                    format!("open, {uses}, {until}")
                }
                LinkLife::Used => screen.style.dim("used"),
                LinkLife::Expired => screen.style.dim("expired"),
                LinkLife::Revoked => screen.style.dim("revoked"),
            };
            format!(
                "{}  made {}  {state}",
                link.id,
                clock.short(link.created_ms)
            )
        })
        .collect()
}
