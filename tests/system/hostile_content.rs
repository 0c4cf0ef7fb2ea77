//! A member says what no app says: about messages that are not theirs or nobody's, under other names, too deep, too much. Every other app
//! ignores it, says so in one line of the log that tells nothing of it, and goes on.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use undertone_content::{
    Disposition, MessageId, MimiContent, NestedPart, Origin, PartSemantics, Salt, uri,
};
use undertone_core::{MessageInfo, MessageKind};
use undertone_tests::Outcome;
use undertone_wire::Code;
use undertone_wire::ids::random_bytes;
use undertone_wire::request::{ChannelSend, Request, SendEphemeral};

use super::hostile_member::Desk;
use super::insider::{Accomplice, Inside};
use super::residents::Resident;

/// What the apps of this process log.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn begin() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_env_filter("undertone_core=info")
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines have this code.
    pub(super) fn count(&self, code: &str) -> usize {
        let text = String::from_utf8_lossy(&self.bytes()).into_owned();
        let wanted = format!("code=\"{code}\"");
        text.lines().filter(|line| line.contains(&wanted)).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where a content of Cleo's says that it comes from.
struct From {
    sender: String,
    room: String,
}

impl From {
    fn cleo(inside: &Inside<'_>) -> Self {
        Self {
            sender: uri::account(inside.keys.account_id().as_bytes()),
            room: uri::room(inside.group.id().as_bytes()),
        }
    }

    fn origin(&self, counter: u64) -> Origin<'_> {
        Origin {
            salt: Salt::from_random(random_bytes()),
            sender: &self.sender,
            room: &self.room,
            sent_at_ms: 1_700_000_000_000,
            device_counter: counter,
        }
    }
}

impl Desk {
    /// Cleo says these, one after the other; the server takes them all.
    async fn cleo_says(&self, make: impl FnOnce(&Inside<'_>) -> Vec<Vec<u8>>) {
        let sends: Vec<ChannelSend> = self.cleo.inside(true, |inside| {
            let contents = make(inside);
            contents.iter().map(|one| inside.say(one)).collect()
        });
        for send in sends {
            let taken = self.accomplice.send(send).await;
            taken.expect("the server takes it");
        }
    }

    /// Both honest members go on, and nothing is missing or new.
    async fn nothing_happened(&self) {
        self.ada.says(&self.chat, "Go on.").await;
        for one in [&self.ada, &self.ben] {
            one.reads(&self.chat, &["Ada: Welcome.", "Ada: Go on."])
                .await;
            let welcome = welcome(one, self).await;
            assert!(welcome.reactions.is_empty() && welcome.edits == 0 && !welcome.deleted);
            let notices = one.notices(&self.chat).await;
            assert!(!notices.iter().any(|line| line.contains("missing")));
        }
    }
}

async fn welcome(one: &Resident, desk: &Desk) -> MessageInfo {
    let lines = one.all(&desk.chat).await;
    let found = lines
        .into_iter()
        .find(|line| line.kind == MessageKind::Message);
    found.expect("a message")
}

async fn welcome_id(desk: &Desk) -> MessageId {
    let id = welcome(&desk.ada, desk).await.id.to_string();
    MessageId::from_hex(&id).expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_theirs_is_not_touched() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    let welcome = welcome_id(&desk).await;
    let unseen = MessageId::from_bytes([1; 32]).expect("an id");
    desk.cleo_says(|inside| {
        let from = From::cleo(inside);
        let contents = [
            MimiContent::text(&from.origin(1), "Resign.").replacing(welcome),
            MimiContent::delete(&from.origin(2), welcome),
            MimiContent::reaction(&from.origin(3), unseen, "👍"),
            MimiContent::delete(&from.origin(4), unseen),
            MimiContent::text(&from.origin(5), "Instead.").replacing(unseen),
            MimiContent::reaction(&from.origin(6), welcome, &"👍".repeat(100)),
            MimiContent::reaction(&from.origin(7), welcome, "line\nbreak"),
        ];
        contents
            .iter()
            .map(|one| one.encode().expect("encoded"))
            .collect()
    })
    .await;
    desk.nothing_happened().await;
    assert_eq!(log.count("reaction.malformed"), 4, "two apps, two acts");
    assert_eq!(log.count("action.not_the_author"), 4, "two apps, two acts");
    assert_eq!(
        log.count("action.unknown_target"),
        6,
        "two apps, three acts"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_and_rooms_are_not_believed() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    desk.cleo_says(|inside| {
        let members = inside.group.members().expect("members");
        let ada = members.iter().find(|member| member.name == "Ada");
        let of_ada = uri::account(ada.expect("Ada").account.as_bytes());
        let right = From::cleo(inside);
        let wrong = [
            (of_ada, right.room.clone()),
            (right.sender.clone(), uri::room(&[7; 16])),
            (
                "mimi://elsewhere.example/u/cleo".to_owned(),
                right.room.clone(),
            ),
            (String::new(), right.room.clone()),
        ];
        let contents = wrong.into_iter().map(|(sender, room)| {
            let from = From { sender, room };
            let content = MimiContent::text(&from.origin(1), "I am somebody else.");
            content.encode().expect("encoded")
        });
        contents.collect()
    })
    .await;
    desk.nothing_happened().await;
    assert_eq!(log.count("content.claims"), 8);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_twice_is_once_and_an_id_is_its_authors() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    desk.cleo_says(|inside| {
        let from = From::cleo(inside);
        let one = MimiContent::text(&from.origin(1), "Once.");
        let one = one.encode().expect("encoded");
        // The same bytes, and a reply to what there will never be.
        let nowhere = MessageId::from_bytes([1; 32]).expect("an id");
        let reply = MimiContent::text(&from.origin(2), "Twice?").answering(nowhere);
        vec![
            one.clone(),
            one.clone(),
            reply.encode().expect("encoded"),
            one,
        ]
    })
    .await;
    for one in [&desk.ada, &desk.ben] {
        // Where it stood last: an honest author sends again only what never came back.
        one.reads(
            &desk.chat,
            &["Ada: Welcome.", "Cleo: Twice?", "Cleo: Once."],
        )
        .await;
        let lines = one.all(&desk.chat).await;
        let reply = lines.iter().find(|line| line.text == "Twice?");
        let reply = reply.expect("the reply");
        assert!(reply.in_reply_to.is_some());
    }
    assert_eq!(log.count("message.repeated"), 4, "two apps, two copies");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_in_a_long_row_cost_nobody_anything() -> Outcome {
    let desk = Desk::open().await?;
    let first = welcome_id(&desk).await;
    desk.cleo_says(|inside| {
        let from = From::cleo(inside);
        let mut target = first;
        let mut all = Vec::new();
        for counter in 1..=100 {
            let reply = MimiContent::text(&from.origin(counter), "So?").answering(target);
            target = reply.id(&from.sender, &from.room).expect("an id");
            all.push(reply.encode().expect("encoded"));
        }
        all
    })
    .await;
    desk.ada.says(&desk.chat, "Enough.").await;
    for one in [&desk.ada, &desk.ben] {
        let mut wanted = vec!["Ada: Welcome."];
        wanted.extend(std::iter::repeat_n("Cleo: So?", 100));
        wanted.push("Ada: Enough.");
        one.reads(&desk.chat, &wanted).await;
        // Each shows what it answers, and nothing of what that answers.
        let lines = one.all(&desk.chat).await;
        let quotes = lines.iter().filter_map(|line| line.quote.as_ref());
        assert_eq!(quotes.count(), 100);
    }
    Ok(())
}

/// CBOR arrays in arrays.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x81; depth];
    bytes.push(0x80);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_deep_too_large_or_too_many_stops_nobody() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    // Ten megabytes do not even pass the server, nor does a message that names a thousand people; as much as does pass is refused by its
    // depth.
    let refused = desk.cleo.inside(true, |inside| {
        let epoch = inside.group.epoch();
        let thousand = mentions(&From::cleo(inside), 1, 1000);
        let thousand = inside.encrypt(&thousand).body;
        [vec![0x81; 10 << 20], thousand].map(|large| inside.send(epoch, large.into()))
    });
    for refused in refused {
        let another = Accomplice::at(&desk.server.origin_and_pin()).await;
        let refused = another.send(refused).await;
        assert!(matches!(
            refused,
            Err(Code::LimitPayload
                | Code::FrameTooLarge
                | Code::ConnectionLost
                | Code::TokenRequired)
        ));
    }
    desk.cleo_says(|inside| {
        let from = From::cleo(inside);
        let mut part = text();
        for _ in 0..6 {
            part = NestedPart::multi(
                Disposition::Render,
                PartSemantics::ProcessAll,
                vec![text(), part],
            );
        }
        let deep = MimiContent::new(&from.origin(1), part).encode();
        assert!(deep.is_err(), "this library makes nothing so deep");
        let mut all = vec![nested(50_000), nested(5_000)];
        all.push(mentions(&from, 2, 150));
        // As many as fit are too long a text: none of them counts.
        all.push(mentions(&from, 3, 650));
        all
    })
    .await;
    desk.ada.says(&desk.chat, "Go on.").await;
    for one in [&desk.ada, &desk.ben] {
        super::residents::until("Ada is heard", || async {
            let lines = one.lines(&desk.chat).await;
            lines.last().map(String::as_str) == Some("Ada: Go on.")
        })
        .await;
        let lines = one.all(&desk.chat).await;
        let most = lines.iter().map(|line| line.mentions.len()).max();
        assert_eq!(most, Some(100), "of 150");
        let told = lines
            .iter()
            .filter(|line| line.text.contains("could not be understood"));
        assert_eq!(told.count(), 1, "said once, however often");
    }
    assert_eq!(log.count("content.malformed"), 4, "two apps, two messages");
    assert_eq!(log.count("message.mentions"), 4, "two apps, two messages");
    Ok(())
}

/// A text that names so many people.
fn mentions(from: &From, counter: u64, count: u32) -> Vec<u8> {
    let text: String = (0..count)
        .map(|n| {
            let mut account = [0; 32];
            account[..4].copy_from_slice(&n.to_be_bytes());
            format!("[@{n}]({})\n", uri::account(&account))
        })
        .collect();
    let content = MimiContent::markdown(&from.origin(counter), &text);
    content.encode().expect("encoded")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_for_a_moment_is_looked_at_as_well() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    let welcome = welcome_id(&desk).await;
    let sends = desk.cleo.inside(true, |inside| {
        let from = From::cleo(inside);
        let another = From {
            sender: uri::account(&[7; 32]),
            room: from.room.clone(),
        };
        let contents = [
            MimiContent::text(&from.origin(1), "Resign.").replacing(welcome),
            MimiContent::delete(&from.origin(2), welcome),
            MimiContent::reaction(&from.origin(3), welcome, "👍"),
            MimiContent::text(&from.origin(4), "Not for good."),
            MimiContent::text(&another.origin(5), "I am somebody else."),
        ];
        let mut all: Vec<Vec<u8>> = contents
            .iter()
            .map(|one| one.encode().expect("encoded"))
            .collect();
        all.push(nested(1000));
        all.into_iter()
            .map(|content| {
                let sealed = inside
                    .group
                    .seal_ephemeral(&inside.provider, inside.keys, &content);
                let (epoch, payload) = sealed.expect("sealed");
                Request::SendEphemeral(SendEphemeral {
                    epoch,
                    payload: payload.into(),
                    addresses: inside.group.addresses(),
                })
            })
            .collect::<Vec<_>>()
    });
    for send in sends {
        let taken = desk.accomplice.ask(send).await;
        taken.expect("the server takes it");
    }
    super::residents::until("both have looked", || async {
        log.count("content.malformed") == 2 && log.count("content.claims") == 2
    })
    .await;
    desk.nothing_happened().await;
    assert_eq!(log.count("content.unexpected"), 8, "two apps, four");
    Ok(())
}

fn text() -> NestedPart {
    NestedPart::single(
        Disposition::Render,
        "text/plain;charset=utf-8",
        b"deep".to_vec(),
    )
}
