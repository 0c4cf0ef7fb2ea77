//! `undertone status`.

use serde_json::json;
use undertone_core::{AccountInfo, AnnouncementInfo, LinkState, Status};

use super::{NEWS, Visit, with};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{AccountGet, AnnouncementsList, StatusGet},
        params::Nothing,
    },
    session::home_folder,
    terminal::{Screen, single_line, time::Clock, width::wrap},
};

pub(super) async fn status(options: &Global, output: &Output) -> Result<Outcome, Failure> {
    let home = home_folder(options)?;
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let account = visit.session.call::<AccountGet>(Nothing {}).await?;
        let status = visit.session.call::<StatusGet>(Nothing {}).await?;
        let announced = visit.session.call::<AnnouncementsList>(Nothing {}).await?;
        let served = !visit.session.is_own();
        let mut lines = draw(
            &account,
            &status,
            options.offline,
            output.screen,
            &output.clock,
        );
        let place = single_line(&home.display().to_string());
        lines.push(row(
            "home",
            &if served {
                format!("{place} (open in another process)")
            } else {
                place
            },
        ));
        for one in announced.iter().filter(|one| !one.dismissed) {
            lines.extend(announcement(one, output.screen));
        }
        Ok(Outcome::new(
            json!({"account": account, "status": status, "announcements": announced, "home": home, "served_by_other_process": served}),
            lines,
        ))
    })
}

/// Words of the operator, which nobody can take for a line of Undertone's.
fn announcement(one: &AnnouncementInfo, screen: Screen) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "The operator of {} announces to everybody there:",
            single_line(&one.server)
        ),
    ];
    for line in one.text.lines() {
        let words = wrap(&single_line(line), screen.width.saturating_sub(2));
        lines.extend(words.into_iter().map(|line| format!("> {line}")));
    }
    lines
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<12}{value}")
}

fn draw(
    account: &AccountInfo,
    status: &Status,
    offline: bool,
    screen: Screen,
    clock: &Clock,
) -> Vec<String> {
    let style = screen.style;
    let connection = match (status.inbox, status.outbox, &status.problem) {
        (LinkState::Online, _, _) => style.good("online"),
        _ if offline => "offline, as you asked".to_owned(),
        (_, _, Some(problem)) => style.warning(&format!("offline: {}", problem.sentence)),
        (LinkState::Connecting, _, None) => "connecting".to_owned(),
        (LinkState::Offline, _, None) => "offline".to_owned(),
    };
    let mut lines = vec![
        style.bold(&single_line(&account.name)),
        row("account", account.account_id.as_str()),
        row("device", account.device_id.as_str()),
        row("server", &account.server),
        row("server pin", &account.pin),
        row("connection", &connection),
    ];
    if let Some(proxy) = &status.proxy {
        lines.push(row("proxy", &single_line(proxy)));
    }
    if let Some(at) = status.last_sync_ms {
        lines.push(row("up to date", &clock.day_and_time(at)));
    }
    let waiting = match &status.problem {
        Some(problem) if status.inbox == LinkState::Online && status.outbox_waiting > 0 => {
            style.warning(&format!("{}: {}", status.outbox_waiting, problem.sentence))
        }
        _ => status.outbox_waiting.to_string(),
    };
    lines.push(row("to be sent", &waiting));
    if let Some(warning) = clock_warning(status) {
        lines.push(row("clock", &style.warning(&warning)));
    }
    lines
}

/// One sentence if this computer's clock and the server's are far apart.
pub(super) fn clock_warning(status: &Status) -> Option<String> {
    let off = status.clock_off_s.unsigned_abs();
    // Rounded, because the server tells its time in minutes.
    let apart = if off >= 172_000 {
        format!("{} days", (off + 43_200) / 86_400)
    } else {
        format!("{} hours", (off + 1800) / 3600)
    };
    status
        .clock_warning
        .then(|| format!("This computer's clock and the server's are {apart} apart."))
}
