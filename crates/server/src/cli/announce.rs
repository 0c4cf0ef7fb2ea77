//! `announce`: tells everybody on the server something, lists what is told, takes it back.

use std::io::Read as _;

use undertone_wire::limits::ANNOUNCEMENT_BYTES;

use super::{AnnounceArgs, answer, days};
use crate::admin::{Answer, Command, reach};
use crate::announcements::Announcement;
use crate::error::ServerError;

pub(super) fn run(args: &AnnounceArgs) -> Result<(), ServerError> {
    let command = match (&args.remove, args.list) {
        (Some(id), _) => Command::RemoveAnnouncement { id: id.clone() },
        (None, true) => Command::Announcements,
        (None, false) => Command::Announce {
            text: text(args)?,
            days: days(&args.expires)?,
        },
    };
    let Answer::Announcements { announcements } = reach::ask(&args.dir, &command)? else {
        return Err(ServerError::NotAnswering(args.dir.clone()));
    };
    let lines: Vec<String> = announcements.iter().map(line).collect();
    let said = match command {
        Command::RemoveAnnouncement { .. } => "Removed.".to_owned(),
        Command::Announcements if lines.is_empty() => "Nothing is announced.".to_owned(),
        Command::Announcements => lines.join("\n\n"),
        _ => format!(
            "Announced to everybody whose device registers here:\n\n{}",
            lines.join("\n\n")
        ),
    };
    answer(
        args.json,
        &serde_json::json!({ "announcements": announcements }),
        &said,
    );
    Ok(())
}

/// As given, or from standard input.
fn text(args: &AnnounceArgs) -> Result<String, ServerError> {
    match args.text.as_deref() {
        Some("-") | None => {
            let mut text = String::new();
            std::io::stdin()
                .take(ANNOUNCEMENT_BYTES as u64 * 2)
                .read_to_string(&mut text)
                .map_err(|_| ServerError::Usage("an announcement is UTF-8 text".to_owned()))?;
            Ok(text)
        }
        Some(text) => Ok(text.to_owned()),
    }
}

fn line(one: &Announcement) -> String {
    let left = one.until_day.saturating_sub(one.day) + 1;
    let unit = if left == 1 { "day" } else { "days" };
    format!("{} (for {left} {unit})\n{}", one.id, one.text)
}
