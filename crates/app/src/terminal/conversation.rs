//! A chat as one reads it: days, senders, text, files, and how far one's own messages have got.

use undertone_core::{
    AttachmentInfo, CardInfo, ChatInfo, ChatKind, Location, MemberInfo, MessageId, MessageInfo,
    MessageKind, MessageState, TransferState, Version, rich_text,
};

use super::{
    names::{ME, Names},
    sanitize::{multi_line, single_line},
    style::Screen,
    time::{self, Clock},
    waveform,
    width::{self, columns, truncate, wrap},
};

/// Messages of one person within this time stand under one name.
const TOGETHER_MS: i64 = 5 * 60_000;
const INDENT: &str = "  ";

/// How to draw a chat.
pub struct View<'a> {
    /// The chat.
    pub chat: &'a ChatInfo,
    /// Who is in it.
    pub members: &'a [MemberInfo],
    /// Its messages, oldest first.
    pub messages: &'a [MessageInfo],
    /// Whether to show every message's id.
    pub ids: bool,
}

/// Draws a chat, header first.
#[must_use]
pub fn draw(view: &View<'_>, screen: Screen, clock: &Clock) -> Vec<String> {
    let mut names = Names::default();
    for member in view.members.iter().filter(|member| !member.is_me) {
        names.learn(member.id.as_str(), &member.name);
    }
    for message in view.messages.iter().filter(|message| !message.mine) {
        if let Some(sender) = &message.sender {
            names.learn(sender.as_str(), &message.sender_name);
        }
    }
    let mut drawing = Drawing {
        view,
        screen,
        clock,
        names,
        lines: header(view, screen),
    };
    let mut previous: Option<&MessageInfo> = None;
    for message in view.messages {
        if previous.is_none_or(|previous| !clock.same_day(previous.sent_ms, message.sent_ms)) {
            drawing.day(message.sent_ms);
            previous = None;
        }
        drawing.message(message, previous);
        previous = Some(message);
    }
    if view.messages.is_empty() {
        drawing.lines.push(String::new());
        drawing.lines.push(screen.style.dim("No messages yet."));
    }
    drawing.lines
}

fn header(view: &View<'_>, screen: Screen) -> Vec<String> {
    let style = screen.style;
    let name = truncate(&title(view.chat), screen.width);
    let detail = match view.chat.kind {
        ChatKind::Notes => "only you".to_owned(),
        ChatKind::Direct => match view.members.iter().find(|member| !member.is_me) {
            Some(other) if other.verified => "verified".to_owned(),
            Some(_) => "not verified yet".to_owned(),
            None => String::new(),
        },
        ChatKind::Group => {
            let others = view
                .members
                .iter()
                .filter(|member| !member.is_me)
                .map(|member| single_line(&member.name));
            let listed: Vec<_> = view
                .members
                .iter()
                .filter(|member| member.is_me)
                .map(|_| ME.to_owned())
                .chain(others)
                .collect();
            listed.join(", ")
        }
    };
    let mut lines = vec![style.bold(&name)];
    if !detail.is_empty() {
        lines.push(style.dim(&truncate(&detail, screen.width)));
    }
    lines
}

/// A chat's name as printed.
#[must_use]
pub fn title(chat: &ChatInfo) -> String {
    if chat.kind == ChatKind::Notes {
        "Notes to self".to_owned()
    } else {
        single_line(&chat.name)
    }
}

/// The part of a message id that tells messages apart to the eye, as `save` and `--reply-to` take it.
#[must_use]
pub fn short_id(id: &MessageId) -> &str {
    id.as_str().get(..10).unwrap_or(id.as_str())
}

/// `52.3702, 4.8952 (within 30 m)`
#[must_use]
pub fn place_words(place: &Location) -> String {
    let near = match place.accuracy_m {
        Some(metres) => format!(" (within {metres:.0} m)"),
        None => String::new(),
    };
    format!("{}, {}{near}", place.latitude, place.longitude)
}

/// `photo 640x480, 45 kB`, `voice memo 0:03`, `video 0:10, 2.1 MB`, `file notes.pdf, 45 kB`.
#[must_use]
pub fn attachment_summary(file: &AttachmentInfo) -> String {
    let size = width::bytes(file.size);
    let length = file.duration_ms.map(time::duration);
    match (
        file.content_type.split('/').next().unwrap_or_default(),
        file.width.zip(file.height),
        length,
    ) {
        ("image", Some((wide, high)), _) => format!("photo {wide}x{high}, {size}"),
        ("image", None, _) => format!("photo, {size}"),
        ("audio", _, Some(length)) if !file.waveform.is_empty() => format!("voice memo {length}"),
        ("audio", _, Some(length)) => format!("audio {length}, {size}"),
        ("video", _, Some(length)) => format!("video {length}, {size}"),
        _ => format!("file {}, {size}", single_line(&file.name)),
    }
}

/// Draws the versions of a message, the first one first.
#[must_use]
pub fn versions(versions: &[Version], screen: Screen, clock: &Clock) -> Vec<String> {
    if versions.is_empty() {
        return vec![screen.style.dim("Nothing is left of this message.")];
    }
    let mut lines = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let name = if index == 0 { "Written" } else { "Edited" };
        let when = format!(
            "{name} {} {}",
            clock.day(version.sent_ms),
            clock.time_of_day(version.sent_ms)
        );
        lines.push(screen.style.dim(&when));
        for line in multi_line(&version.text) {
            let room = screen.width.saturating_sub(INDENT.len());
            lines.extend(
                wrap(&line, room)
                    .iter()
                    .map(|line| format!("{INDENT}{line}")),
            );
        }
    }
    lines
}

/// Draws messages that were found, a line each: when, in which chat, by whom, what.
#[must_use]
pub fn found(
    messages: &[MessageInfo],
    chats: &[ChatInfo],
    screen: Screen,
    clock: &Clock,
) -> Vec<String> {
    if messages.is_empty() {
        return vec![screen.style.dim("Nothing found.")];
    }
    messages
        .iter()
        .map(|message| {
            let chat = chats.iter().find(|chat| chat.id == message.chat);
            let place = chat.map(title).unwrap_or_default();
            let who = if message.mine {
                ME.to_owned()
            } else {
                single_line(&message.sender_name)
            };
            let what = if message.text.is_empty() {
                message
                    .attachments
                    .first()
                    .map(attachment_summary)
                    .unwrap_or_default()
            } else {
                single_line(&message.text)
            };
            let from = if place == who {
                place
            } else {
                format!("{place}, {who}")
            };
            let head = format!("{}  {from}: ", clock.short(message.sent_ms));
            let tail = format!("  {}", short_id(&message.id));
            let room = screen.width.saturating_sub(columns(&head) + columns(&tail));
            format!(
                "{head}{}{}",
                truncate(&what, room.max(10)),
                screen.style.dim(&tail)
            )
        })
        .collect()
}

struct Drawing<'a> {
    view: &'a View<'a>,
    screen: Screen,
    clock: &'a Clock,
    names: Names,
    lines: Vec<String>,
}

impl Drawing<'_> {
    fn day(&mut self, at_ms: i64) {
        let day = format!(" {} ", self.clock.day(at_ms));
        let free = self.screen.width.saturating_sub(columns(&day));
        let left = free / 2;
        let line = format!("{}{day}{}", "─".repeat(left), "─".repeat(free - left));
        self.lines.push(String::new());
        self.lines.push(self.screen.style.dim(&line));
    }

    fn message(&mut self, message: &MessageInfo, previous: Option<&MessageInfo>) {
        match message.kind {
            MessageKind::Notice => self.aside(&single_line(&message.text), previous, false),
            MessageKind::Gap => {
                let text = if message.text.is_empty() {
                    "A message is missing here.".to_owned()
                } else {
                    single_line(&message.text)
                };
                self.aside(&text, previous, true);
            }
            MessageKind::Message => self.written(message, previous),
        }
    }

    fn aside(&mut self, text: &str, previous: Option<&MessageInfo>, is_warning: bool) {
        let style = self.screen.style;
        if previous.is_none_or(|previous| previous.kind == MessageKind::Message) {
            self.lines.push(String::new());
        }
        for line in wrap(text, self.screen.width.saturating_sub(4)) {
            let line = format!("{INDENT}* {line}");
            self.lines.push(if is_warning {
                style.warning(&line)
            } else {
                style.dim(&line)
            });
        }
    }

    fn written(&mut self, message: &MessageInfo, previous: Option<&MessageInfo>) {
        let style = self.screen.style;
        let goes_on = previous.is_some_and(|previous| {
            previous.kind == MessageKind::Message
                && previous.sender == message.sender
                && previous.mine == message.mine
                && message.sent_ms.abs_diff(previous.sent_ms) < TOGETHER_MS.unsigned_abs()
        });
        if !goes_on {
            let time = style.dim(&self.clock.time_of_day(message.sent_ms));
            let name = self.sender(message);
            self.lines.push(String::new());
            self.lines.push(format!("{name}  {time}"));
        }
        let mut body = Vec::new();
        self.quote(message, &mut body);
        let text = match &message.rich {
            Some(blocks) => rich_text::as_letters(blocks),
            None => message.text.clone(),
        };
        if let Some(card) = &message.card {
            body.extend(self.card(card));
        } else if let Some(place) = &message.location {
            body.push(format!("[place {}]", place_words(place)));
        } else if !text.is_empty() {
            for line in multi_line(&text) {
                body.extend(wrap(&line, self.screen.width.saturating_sub(INDENT.len())));
            }
        }
        for file in &message.attachments {
            body.push(self.attachment(message, file));
        }
        if message.opened {
            body.push(style.dim("[opened once]"));
        }
        if message.deleted {
            body = vec![style.dim("This message was deleted.")];
        }
        self.reactions(message, &mut body);
        let tail = self.tail(message);
        let last = body.len().saturating_sub(1);
        for (index, line) in body.into_iter().enumerate() {
            let mut line = format!("{INDENT}{line}");
            if index == last && !tail.is_empty() {
                if columns(&line) + columns(&tail) + 2 > self.screen.width {
                    self.lines
                        .push(std::mem::replace(&mut line, INDENT.to_owned()));
                } else {
                    line.push_str("  ");
                }
                line += &self.paint_tail(message, &tail);
            }
            self.lines.push(line);
        }
    }

    /// A contact card: who it is as the sender says, who that is here, and how to write to them, if that is told.
    fn card(&self, card: &CardInfo) -> Vec<String> {
        let room = self.screen.width.saturating_sub(INDENT.len());
        let known = match (&card.known_as, card.is_me) {
            (_, true) => "this is you".to_owned(),
            (Some(name), _) => format!("your contact {}", single_line(name)),
            (None, _) if card.link.is_some() => "no contact of yours".to_owned(),
            (None, _) => "no contact of yours; ask them for a contact link".to_owned(),
        };
        let mut lines = wrap(&format!("[contact card] {}", single_line(&card.name)), room);
        let account = format!("account {}, {known}", card.account);
        lines.extend(
            wrap(&account, room)
                .iter()
                .map(|line| self.screen.style.dim(line)),
        );
        if let Some(link) = &card.link {
            // Not wrapped: it is copied whole.
            lines.push(format!("undertone add {link}"));
        }
        lines
    }

    fn sender(&self, message: &MessageInfo) -> String {
        let style = self.screen.style;
        match &message.sender {
            _ if message.mine => style.bold(ME),
            Some(sender) => style.person(
                sender.as_str(),
                &truncate(
                    &self.names.print(sender.as_str(), &message.sender_name),
                    self.screen.width / 2,
                ),
            ),
            None => style.bold(&single_line(&message.sender_name)),
        }
    }

    /// `👍 2  ❤ Ben`: a reaction and who gave it, or how many did.
    fn reactions(&self, message: &MessageInfo, body: &mut Vec<String>) {
        let shown: Vec<String> = message
            .reactions
            .iter()
            .map(|reaction| {
                let text = single_line(&reaction.text);
                match reaction.names.as_slice() {
                    [_] if reaction.mine => format!("{text} {ME}"),
                    [name] => format!("{text} {}", single_line(name)),
                    names => format!("{text} {}", names.len()),
                }
            })
            .collect();
        if !shown.is_empty() {
            let room = self.screen.width.saturating_sub(INDENT.len());
            let lines = wrap(&shown.join("  "), room);
            body.extend(lines.iter().map(|line| self.screen.style.dim(line)));
        }
    }

    fn quote(&self, message: &MessageInfo, body: &mut Vec<String>) {
        let Some(quote) = &message.quote else {
            return;
        };
        let quoted = match (quote.local_id, quote.deleted) {
            (None, _) => "│ an earlier message".to_owned(),
            (Some(_), true) => "│ a deleted message".to_owned(),
            (Some(_), false) => {
                let what = match (quote.text.is_empty(), quote.files) {
                    (false, _) => single_line(&quote.text),
                    (true, 1) => "a file".to_owned(),
                    (true, files) => format!("{files} files"),
                };
                format!("│ {}: {what}", single_line(&quote.sender_name))
            }
        };
        body.push(self.screen.style.dim(&truncate(
            &quoted,
            self.screen.width.saturating_sub(INDENT.len()),
        )));
    }

    fn attachment(&self, message: &MessageInfo, file: &AttachmentInfo) -> String {
        let style = self.screen.style;
        let mut line = format!("[{}]", attachment_summary(file));
        if !file.waveform.is_empty() {
            line = format!("{line} {}", waveform::bars(&file.waveform, 24));
        } else if !line.starts_with("[file ") && !file.name.is_empty() {
            let free = self.screen.width.saturating_sub(columns(&line) + 20);
            if free >= 8 {
                line = format!("{line} {}", truncate(&single_line(&file.name), free));
            }
        }
        let line = match file.transfer {
            None | Some(TransferState::Waiting) => line,
            Some(TransferState::Paused) => format!("{line} paused"),
            Some(TransferState::Cancelled) => format!("{line} cancelled"),
            Some(TransferState::Failed) => format!("{line} failed"),
        };
        let number = if message.attachments.len() > 1 {
            format!(" --number {}", file.index + 1)
        } else {
            String::new()
        };
        let hint = if self.view.ids {
            number
        } else {
            format!("  {}{number}", short_id(&message.id))
        };
        format!("{line}{}", style.dim(&hint))
    }

    /// State and id, as plain text.
    fn tail(&self, message: &MessageInfo) -> String {
        let state = match message.state {
            MessageState::Received => "",
            // Encrypted or not, the server doesn't have it, as far as is known here.
            MessageState::Queued | MessageState::Sending => "waiting",
            MessageState::Uploading => "uploading",
            MessageState::Accepted | MessageState::Sent => match self.view.chat.kind {
                ChatKind::Direct if message.read_by > 0 => "read",
                ChatKind::Direct if message.delivered_to > 0 => "✓✓",
                _ => "✓",
            },
            MessageState::Failed => "NOT SENT",
        };
        let edited = if message.edits > 0 { "edited" } else { "" };
        let id = if self.view.ids {
            short_id(&message.id)
        } else {
            ""
        };
        let timer = message
            .timer_s
            .or(message.expires_ms.map(|_| 0))
            .map_or("", |_| "⏱");
        let marks = [
            (message.pinned, "pinned"),
            (message.forwarded, "forwarded"),
            (message.view_once && !message.opened, "to open once"),
        ];
        let marks = marks
            .into_iter()
            .map(|(is, mark)| if is { mark } else { "" });
        let parts = marks.chain([edited, timer, state, id]);
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    fn paint_tail(&self, message: &MessageInfo, tail: &str) -> String {
        if message.state == MessageState::Failed {
            self.screen.style.warning(tail)
        } else {
            self.screen.style.dim(tail)
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
