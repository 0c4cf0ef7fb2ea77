//! A chat is drawn as a person would want to read it, whatever stands in it.

use undertone_core::Quote;

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
    message.quote = Some(quote(&text("Ben", &long, NOON - 5)));
    message.reactions = vec![reaction("🎉", &["Ben"]), reaction(&long[..60], &["Cleo"])];
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
    answer.quote = Some(quote(&asked));
    let mut late = answer.clone();
    late.quote = late.quote.map(|quote| Quote {
        deleted: true,
        text: String::new(),
        ..quote
    });
    let lines = drawn(
        &[asked, answer, late],
        &[],
        &chat("Ben", ChatKind::Direct),
        60,
    );
    for quoted in ["  │ Ben: When?", "  │ a deleted message"] {
        assert!(
            lines.windows(2).any(|pair| pair == [quoted, "  At six  ✓"]),
            "{lines:#?}"
        );
    }
}

#[test]
fn what_was_done_to_a_message_stands_with_it() {
    let mut edited = mine("At seven", NOON);
    edited.edits = 1;
    edited.reactions = vec![reaction("👍", &["Ben", "Cleo"]), reaction("❤", &["Ben"])];
    let mut deleted = text("Ben", "", NOON + 1);
    deleted.deleted = true;
    let lines = drawn(&[edited, deleted], &[], &chat("Ben", ChatKind::Direct), 60);
    assert!(lines.contains(&"  At seven".to_owned()), "{lines:#?}");
    assert!(
        lines.contains(&"  👍 2  ❤ Ben  edited ✓".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"  This message was deleted.".to_owned()),
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
