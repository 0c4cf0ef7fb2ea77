//! The list of chats: one line each.

use undertone_core::{ChatInfo, ChatKind, ChatState, MessageInfo, MessageKind};

use super::{
    conversation::attachment_summary,
    names::ME,
    sanitize::single_line,
    style::Screen,
    time::Clock,
    width::{columns, pad, truncate},
};

/// Draws the chats in the order given.
#[must_use]
pub fn draw(chats: &[ChatInfo], screen: Screen, clock: &Clock) -> Vec<String> {
    if chats.is_empty() {
        return vec!["No chats yet. Give somebody a contact link (undertone link), or add theirs (undertone add).".to_owned()];
    }
    let rows: Vec<Row> = chats.iter().map(|chat| Row::of(chat, clock)).collect();
    let widest =
        |cell: fn(&Row) -> &String| rows.iter().map(|row| columns(cell(row))).max().unwrap_or(0);
    let unread = widest(|row| &row.unread);
    let name = widest(|row| &row.name).min(screen.width / 3);
    let time = widest(|row| &row.time);
    let preview = screen
        .width
        .saturating_sub(unread + name + time + 2 + usize::from(unread > 0));
    let style = screen.style;
    rows.iter()
        .map(|row| {
            let shown_name = pad(&truncate(&row.name, name), name);
            let is_new = !row.unread.is_empty();
            let mut line = String::new();
            if unread > 0 {
                line += &style.bold(&format!("{:>unread$}", row.unread));
                line.push(' ');
            }
            line += &if is_new {
                style.bold(&shown_name)
            } else {
                shown_name
            };
            line.push(' ');
            let shown = pad(&truncate(&row.preview, preview), preview);
            line += &if is_new { shown } else { style.dim(&shown) };
            line.push(' ');
            line += &style.dim(&format!("{:>time$}", row.time));
            line.trim_end().to_owned()
        })
        .collect()
}

struct Row {
    unread: String,
    name: String,
    preview: String,
    time: String,
}

impl Row {
    fn of(chat: &ChatInfo, clock: &Clock) -> Self {
        let name = if chat.kind == ChatKind::Notes {
            "Notes to self".to_owned()
        } else {
            single_line(&chat.name)
        };
        let draft = chat.draft.as_ref().map(|draft| single_line(&draft.text));
        let preview = match (chat.state, &chat.last) {
            (ChatState::Active, _) if draft.is_some() => {
                format!("draft: {}", draft.unwrap_or_default())
            }
            (ChatState::Joining, _) => "being set up".to_owned(),
            (ChatState::Left, _) => "you left".to_owned(),
            (ChatState::Removed, _) => "you were removed".to_owned(),
            (ChatState::Resyncing, _) => "catching up".to_owned(),
            (ChatState::Active, Some(last)) => preview(chat, last),
            (ChatState::Active, None) => "no messages yet".to_owned(),
        };
        let marks = [
            (chat.pinned, "pinned"),
            (chat.muted_until_ms.is_some(), "muted"),
            (chat.archived, "archived"),
        ];
        let marks: Vec<&str> = marks
            .into_iter()
            .filter_map(|(is, mark)| is.then_some(mark))
            .collect();
        let preview = if marks.is_empty() {
            preview
        } else {
            format!("[{}] {preview}", marks.join(", "))
        };
        Self {
            unread: if chat.unread == 0 {
                String::new()
            } else {
                chat.unread.to_string()
            },
            name,
            preview,
            time: chat
                .last
                .as_ref()
                .map(|last| clock.short(last.sent_ms))
                .unwrap_or_default(),
        }
    }
}

fn preview(chat: &ChatInfo, last: &MessageInfo) -> String {
    let what = if last.deleted {
        "deleted message".to_owned()
    } else if last.text.is_empty() {
        last.attachments
            .first()
            .map(attachment_summary)
            .unwrap_or_default()
    } else {
        single_line(&last.text)
    };
    match last.kind {
        MessageKind::Message if last.mine && chat.kind != ChatKind::Notes => {
            format!("{ME}: {what}")
        }
        MessageKind::Message if chat.kind == ChatKind::Group => {
            format!("{}: {what}", single_line(&last.sender_name))
        }
        MessageKind::Message | MessageKind::Notice | MessageKind::Gap => what,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conversation::samples, *};

    #[test]
    fn a_list_fits_its_width_and_shows_what_is_new() {
        let clock = Clock::fixed(samples::NOON);
        let mut ben = samples::chat("Ben", ChatKind::Direct);
        ben.unread = 2;
        ben.last = Some(samples::text(
            "Ben",
            "see you at six, or a little later if the train is late again",
            samples::NOON,
        ));
        let mut group = samples::chat("Book club", ChatKind::Group);
        group.last = Some(samples::mine(
            "photos follow",
            samples::NOON - 2 * 86_400_000,
        ));
        let lines = draw(
            &[ben, group, samples::chat("", ChatKind::Notes)],
            Screen::plain(50),
            &clock,
        );
        assert_eq!(
            lines,
            [
                "2 Ben           see you at six, or a little… 12:00",
                "  Book club     You: photos follow             Fri",
                "  Notes to self no messages yet",
            ]
        );
        assert!(lines.iter().all(|line| columns(line) <= 50));
    }

    #[test]
    fn a_hostile_group_name_stays_on_its_line() {
        let chat = samples::chat("Club\n\u{1b}[31mAda  14:05", ChatKind::Group);
        let lines = draw(&[chat], Screen::plain(80), &Clock::fixed(0));
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains('\u{1b}'));
    }
}
