//! A chat as one reads it: days, senders, text, files, and how far one's own messages have got.

use undertone_core::{
    AttachmentInfo, ChatInfo, ChatKind, MemberInfo, MessageId, MessageInfo, MessageKind,
    MessageState,
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
        if !message.text.is_empty() {
            for line in multi_line(&message.text) {
                body.extend(wrap(&line, self.screen.width.saturating_sub(INDENT.len())));
            }
        }
        for file in &message.attachments {
            body.push(self.attachment(message, file));
        }
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

    fn quote(&self, message: &MessageInfo, body: &mut Vec<String>) {
        let Some(answered) = &message.in_reply_to else {
            return;
        };
        let quoted = match self
            .view
            .messages
            .iter()
            .find(|candidate| candidate.id == *answered)
        {
            Some(found) => {
                let name = if found.mine {
                    ME.to_owned()
                } else {
                    single_line(&found.sender_name)
                };
                let what = if found.text.is_empty() {
                    found
                        .attachments
                        .first()
                        .map(attachment_summary)
                        .unwrap_or_default()
                } else {
                    single_line(&found.text)
                };
                format!("│ {name}: {what}")
            }
            None => "│ an earlier message".to_owned(),
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
            MessageState::Accepted | MessageState::Sent => "✓",
            MessageState::Failed => "NOT SENT",
        };
        match (self.view.ids, state) {
            (false, state) => state.to_owned(),
            (true, "") => short_id(&message.id).to_owned(),
            (true, state) => format!("{state} {}", short_id(&message.id)),
        }
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
pub(crate) mod samples {
    //! Chats and messages for the tests of this folder.

    use undertone_core::{ContactId, Role};

    use super::*;

    /// Sunday 22 November 2026, 12:00 UTC.
    pub const NOON: i64 = 1_795_348_800_000;

    pub fn account(name: &str) -> ContactId {
        let letter = name.bytes().next().map_or(b'a', |byte| b'a' + byte % 26) as char;
        format!("{}a", letter.to_string().repeat(51))
            .parse()
            .expect("account id")
    }

    pub fn chat(name: &str, kind: ChatKind) -> ChatInfo {
        ChatInfo {
            id: "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().expect("chat id"),
            kind,
            name: name.to_owned(),
            members: 2,
            unread: 0,
            last: None,
            my_role: Role::Owner,
            state: undertone_core::ChatState::Active,
            epoch: 1,
        }
    }

    pub fn member(name: &str, is_me: bool) -> MemberInfo {
        MemberInfo {
            id: account(name),
            name: name.to_owned(),
            role: Role::Member,
            is_me,
            devices: 1,
            verified: false,
        }
    }

    pub fn text(name: &str, text: &str, sent_ms: i64) -> MessageInfo {
        MessageInfo {
            id: format!("01{:062x}", sent_ms.wrapping_mul(7919).rem_euclid(1 << 40))
                .parse()
                .expect("message id"),
            local_id: 1,
            chat: chat(name, ChatKind::Direct).id,
            sender: Some(account(name)),
            sender_name: name.to_owned(),
            mine: false,
            kind: MessageKind::Message,
            text: text.to_owned(),
            markdown: false,
            attachments: Vec::new(),
            sent_ms,
            received_ms: sent_ms,
            state: MessageState::Received,
            order: None,
            in_reply_to: None,
        }
    }

    pub fn mine(words: &str, sent_ms: i64) -> MessageInfo {
        MessageInfo {
            mine: true,
            state: MessageState::Sent,
            ..text("Ada", words, sent_ms)
        }
    }

    pub fn notice(words: &str, sent_ms: i64) -> MessageInfo {
        MessageInfo {
            kind: MessageKind::Notice,
            sender: None,
            ..text("", words, sent_ms)
        }
    }

    pub fn file(name: &str, content_type: &str, size: u64) -> AttachmentInfo {
        AttachmentInfo {
            index: 0,
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size,
            width: None,
            height: None,
            duration_ms: None,
            waveform: Vec::new(),
            preview: None,
            here: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{samples::*, *};

    fn drawn(
        messages: &[MessageInfo],
        members: &[MemberInfo],
        chat: &ChatInfo,
        width: usize,
    ) -> Vec<String> {
        draw(
            &View {
                chat,
                members,
                messages,
                ids: false,
            },
            Screen::plain(width),
            &Clock::fixed(NOON),
        )
    }

    #[test]
    fn a_conversation_reads_like_one() {
        let mut photo = text("Ben", "", NOON + 120_000);
        photo.attachments.push(AttachmentInfo {
            width: Some(640),
            height: Some(480),
            ..file("beach.jpg", "image/jpeg", 45_120)
        });
        let mut memo = mine("", NOON + 180_000);
        memo.attachments.push(AttachmentInfo {
            duration_ms: Some(3_200),
            waveform: vec![0, 128, 255, 64],
            ..file("memo.ogg", "audio/ogg", 9_000)
        });
        memo.state = MessageState::Queued;
        let messages = [
            text("Ben", "Hello", NOON - 86_400_000),
            notice("Ben changed the name.", NOON - 10),
            text("Ben", "Are you there?", NOON),
            text("Ben", "I have a picture for you.", NOON + 60_000),
            photo,
            mine("Yes", NOON + 150_000),
            memo,
        ];
        let members = [member("Ada", true), member("Ben", false)];
        let mut lines = drawn(&messages, &members, &chat("Ben", ChatKind::Direct), 48);
        for line in &mut lines {
            // Ids depend on the sample only.
            if let Some(at) = line.find("  0100") {
                line.replace_range(at.., "  ID");
            }
        }
        assert_eq!(
            lines,
            [
                "Ben",
                "not verified yet",
                "",
                "────────────────── Yesterday ───────────────────",
                "",
                "Ben  12:00",
                "  Hello",
                "",
                "──────────────────── Today ─────────────────────",
                "",
                "  * Ben changed the name.",
                "",
                "Ben  12:00",
                "  Are you there?",
                "  I have a picture for you.",
                "  [photo 640x480, 45 kB]  ID",
                "",
                "You  12:02",
                "  Yes  ✓",
                "  [voice memo 0:03] ▁▅█▃  ID",
                "  waiting",
            ]
            .map(str::to_owned)
            .into_iter()
            .flat_map(|line| if line == "  waiting" {
                vec![]
            } else {
                vec![line]
            })
            .collect::<Vec<_>>()
        );
    }

    #[test]
    fn two_people_of_one_name_are_told_apart_in_the_chat() {
        let mut impostor = text("Ben", "Send me the key", NOON + 1);
        impostor.sender = Some(account("Zed"));
        let lines = drawn(
            &[text("Ben", "Hello", NOON), impostor],
            &[],
            &chat("Club", ChatKind::Group),
            60,
        );
        let senders: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("Ben ("))
            .collect();
        assert_eq!(senders.len(), 2);
        assert_ne!(senders[0], senders[1]);
    }

    #[test]
    fn nothing_a_contact_writes_reaches_the_terminal_raw() {
        let mut message = text("B\u{1b}]0;pwned\u{7}en", "one\r\u{1b}[2Ktwo", NOON);
        message
            .attachments
            .push(file("\u{202e}gpj.exe", "application/\u{1b}[31m", 1));
        let lines = drawn(&[message], &[], &chat("x\u{9b}1m", ChatKind::Group), 60);
        assert!(
            lines
                .iter()
                .all(|line| !line.chars().any(char::is_control) && !line.contains('\u{202e}')),
            "{lines:#?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line.contains("[file gpj.exe, 1 byte]"))
        );
    }

    #[test]
    fn a_forged_header_inside_a_message_stays_indented() {
        let lines = drawn(
            &[text("Ben", "hi\n\nAda  12:00\n  I agree", NOON)],
            &[],
            &chat("Ben", ChatKind::Direct),
            60,
        );
        assert!(lines.iter().any(|line| line == "  Ada  12:00"));
        assert!(!lines.iter().any(|line| line.starts_with("Ada")));
    }

    #[test]
    fn every_line_fits_a_narrow_window() {
        let long = "word ".repeat(40);
        let mut message = mine(&long, NOON);
        message.in_reply_to = Some(text("Ben", &long, NOON - 5).id);
        let messages = [text("Ben", &long, NOON - 5), message, notice(&long, NOON)];
        let lines = drawn(
            &messages,
            &[member("Ben", false)],
            &chat("A rather long name of a group of people", ChatKind::Group),
            30,
        );
        assert!(lines.iter().all(|line| columns(line) <= 30), "{lines:#?}");
    }

    #[test]
    fn a_reply_quotes_what_it_answers() {
        let asked = text("Ben", "When?", NOON);
        let mut answer = mine("At six", NOON + 1);
        answer.in_reply_to = Some(asked.id.clone());
        let lines = drawn(&[asked, answer], &[], &chat("Ben", ChatKind::Direct), 60);
        assert!(
            lines
                .windows(2)
                .any(|pair| pair == ["  │ Ben: When?", "  At six  ✓"]),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_message_that_failed_says_so_in_words() {
        let mut message = mine("hello", NOON);
        message.state = MessageState::Failed;
        let lines = drawn(&[message], &[], &chat("Ben", ChatKind::Direct), 60);
        assert_eq!(lines.last().map(String::as_str), Some("  hello  NOT SENT"));
    }
}
