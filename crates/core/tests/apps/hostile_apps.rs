//! A member's or contact's app sends what no app sends, to stop the others' apps for good. They pass over it, and go on in every chat.

use std::time::Duration;

use crate::fake::{
    FakeServer, Person, at_rest,
    cheat::{Again, Cheat, Repeated},
    eventually, meet, on_line_again, three,
};
use undertone_core::{Page, Reason};

/// How an alarm is known.
#[derive(Clone, PartialEq, prost::Message)]
struct Agreement {
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    signer: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    generation: Vec<u8>,
}

/// Her app comes back, and everything that it was to send has been sent and taken.
async fn has_sent(cheat: &mut Person, server: &FakeServer) {
    let sent = || server.messages() + server.directs().len() as u64;
    let before = sent();
    cheat.reopen().await;
    eventually("the cheat has sent it", || async {
        sent() > before && server.items_on_their_way() == 0
    })
    .await;
    // Members take turns in letting somebody in.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_come_back_with_somebody_elses_key_stops_nobody() {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    cleo.quit().await;
    Cheat::of(&cleo, "Desk").is_to_ask_with_the_key_of("Ada");
    has_sent(&mut cleo, &server).await;

    ada.says("Desk", "Who is there?").await;
    ben.says("Desk", "I am.").await;
    ben.says("Ada", "Only we two.").await;
    for person in [&ada, &ben] {
        person
            .reads("Desk", &["Ada: Who is there?", "Ben: I am."])
            .await;
    }
    ada.reads("Ben", &["Ben: Only we two."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_made_owner_while_leaving_goes_on_writing() {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // Ben wants to leave, and nobody hears it yet.
    ben.quit().await;
    ben.tamper(
        "UPDATE conversations SET leaving = 1 WHERE name = 'Desk';
         INSERT INTO outbox (conversation, message, kind, content, state, not_before_ms, epoch, payload, payload_hash, send_id, channel_id, accepted_at_ms)
            SELECT id, 0, 2, x'', 1, 0, 0, x'', x'', x'', x'', 0 FROM conversations WHERE name = 'Desk';",
    );
    // Ada gives him the whole group meanwhile.
    let id = ada.client().find_contact("Ben").await.unwrap().id;
    ada.client().group_hand_over(&desk, &id).await.unwrap();
    ada.settle().await;
    ben.reopen().await;
    eventually("Ben stays", || async {
        let left = ben.client().group_leave(&desk, None).await;
        left.is_err_and(|error| error.is(Reason::GroupLastOwner))
    })
    .await;
    ben.says("Ada", "I am still here.").await;
    ada.reads("Ben", &["Ben: I am still here."]).await;
    ben.says("Desk", "And here.").await;
    cleo.reads("Desk", &["Ben: And here."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_chat_is_no_reason_for_the_others_to_wait() {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben.quit().await;
    // A wish that makes no sense, in a chat that is looked at before the other one.
    ben.tamper(
        "INSERT INTO intents (conversation, kind, subject, value, state, not_before_ms, attempts, created_at_ms)
            SELECT id, 2, x'0102', 0, 0, 0, 0, 0 FROM conversations WHERE name = 'Desk';",
    );
    ben.reopen().await;
    ben.says("Ada", "Here I am.").await;
    ada.reads("Ben", &["Ben: Here I am."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_agreed_on_twice_with_one_seed_stops_nobody_from_reading() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    let mut cleo = Person::new("Cleo", &server).await;
    meet(&ada, &ben).await;
    meet(&ada, &cleo).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    cleo.quit().await;
    {
        let cheat = Cheat::of(&cleo, "");
        let agreed = |generation: u8| {
            let agreement = Agreement {
                seed: vec![7; 32],
                signer: vec![8; 32],
                generation: vec![generation; 32],
            };
            cheat.tells("alarm", &agreement)
        };
        cheat.is_to_say(&[agreed(1), agreed(2), agreed(3), cheat.text(1, "Read this.")]);
    }
    has_sent(&mut cleo, &server).await;
    ada.reads("Cleo", &["Cleo: Read this."]).await;
    ben.says("Ada", "And this.").await;
    ada.reads("Ben", &["Ben: And this."]).await;
    at_rest(&server, &[&ada, &ben]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_there_can_not_be_stops_nobody_from_reading() {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    // All have been on another channel before.
    server.restore_from_backup();
    on_line_again(&[&ada, &ben, &cleo]).await;
    ada.says("Desk", "On we go.").await;
    cleo.reads("Desk", &["Ada: On we go."]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    cleo.quit().await;
    {
        let cheat = Cheat::of(&cleo, "Desk");
        let hidden = cheat.text(2, "From nowhere.");
        let again = Again {
            messages: vec![Repeated {
                generation: 0,
                number: u64::MAX,
                content: hidden,
            }],
        };
        cheat.is_to_say(&[
            cheat.text(1, "One."),
            cheat.text(3, "Three."),
            cheat.tells("again", &again),
        ]);
    }
    has_sent(&mut cleo, &server).await;
    ben.says("Desk", "Did you read that?").await;
    eventually("Ada reads what Ben said after it", || async {
        let lines = ada.lines("Desk").await;
        lines.iter().any(|line| line == "Ben: Did you read that?")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_no_parser_gets_through_and_a_day_that_never_comes_keep_nobody_from_their_chats()
 {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    cleo.quit().await;
    let texts = ["=\n=\n=\na\n=".to_owned(), ">".repeat(60_000)];
    {
        let cheat = Cheat::of(&cleo, "Desk");
        let moments = [u64::MAX, 1 << 60, 8_640_000_000_000_001];
        let said = texts.iter().cycle().zip(moments).enumerate();
        let said = said.map(|(counter, (text, at))| cheat.markdown(counter as u64 + 1, text, at));
        cheat.is_to_say(&said.collect::<Vec<_>>());
    }
    has_sent(&mut cleo, &server).await;
    ben.says("Desk", "Did you read that?").await;
    for person in [&ada, &ben] {
        let desk = person.chat("Desk").await.id;
        eventually("all of it is there", || async {
            let lines = person.client().messages(&desk, Page::default()).await;
            let lines = lines.expect("the chat opens");
            lines.iter().any(|line| line.text == "Did you read that?")
        })
        .await;
        let lines = person.client().messages(&desk, Page::default()).await;
        let lines = lines.unwrap();
        let hers: Vec<_> = lines.iter().filter(|line| line.rich.is_some()).collect();
        assert_eq!(hers.len(), 3);
        for line in hers {
            assert!(texts.contains(&line.text));
            assert!(line.sent_ms < 253_402_300_800_000, "a year of four digits");
        }
    }
}

const MISSING: &str = "A message is missing here.";

async fn missing(person: &Person, chat: &str) -> usize {
    let notices = person.notices(chat).await;
    notices.iter().filter(|line| *line == MISSING).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_out_thousands_of_messages_costs_the_others_a_line_each_time() {
    let server = FakeServer::new();
    let (mut ada, ben, mut cleo) = three(&server).await;
    cleo.quit().await;
    {
        let cheat = Cheat::of(&cleo, "Desk");
        let said = [
            (1, "One."),
            (502, "Two."),
            (1003, "Three."),
            (1504, "Four."),
        ];
        cheat.is_to_say(&said.map(|(counter, text)| cheat.text(counter, text)));
    }
    let before = server.messages();
    has_sent(&mut cleo, &server).await;
    eventually("Ada is told that something is missing", || async {
        missing(&ada, "Desk").await == 3
    })
    .await;
    // It is asked for once more, and not again within the hour.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for person in [&ada, &ben] {
        assert_eq!(missing(person, "Desk").await, 3, "one line for each leap");
    }
    let sent = server.messages() - before;
    assert!(sent < 30, "{sent} messages for four");
    // What an honest member says and is lost is noticed as before.
    server.lose_next_to(server.queue_numbered(0));
    ben.says("Desk", "Did you lose all that?").await;
    ben.says("Desk", "I did.").await;
    let all = [
        "Cleo: One.",
        "Cleo: Two.",
        "Cleo: Three.",
        "Cleo: Four.",
        "Ben: Did you lose all that?",
        "Ben: I did.",
    ];
    ada.reads("Desk", &all).await;
    ada.quit().await;
    let rows = ada.looks_up("SELECT count(*) FROM gaps");
    assert!(rows <= 500, "{rows} gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_an_old_group_stops_nobody_from_asking_for_what_is_missing() {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben.quit().await;
    // The group of Ben's notes is lost, with things to look after in it.
    ben.tamper(
        "INSERT INTO gaps (conversation, device, generation, number, place_generation, place_number, noticed_at_ms, asked_at_ms, message)
            SELECT id, x'', 0, 7, 0, 7, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 0, 0 FROM conversations WHERE kind = 3;
         -- An earlier version left such things behind.
         INSERT INTO gaps (conversation, device, generation, number, place_generation, place_number, noticed_at_ms, asked_at_ms, message)
            VALUES (99999, x'', 0, 7, 0, 7, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 0, 1);
         DELETE FROM openmls_group_data; DELETE FROM mls_conversation;",
    );
    ada.says("Desk", "Two.").await;
    ben.reopen().await;
    ben.reads("Desk", &["Ada: Two."]).await;
    ben.says("Desk", "Here again.").await;
    cleo.reads("Desk", &["Ada: Two.", "Ben: Here again."]).await;
    ben.says("notes", "Buy a new disk.").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    server.lose_next_to(server.queue_numbered(1));
    cleo.says("Desk", "Where were you?").await;
    cleo.says("Desk", "Ben?").await;
    ben.reads(
        "Desk",
        &[
            "Ada: Two.",
            "Ben: Here again.",
            "Cleo: Where were you?",
            "Cleo: Ben?",
        ],
    )
    .await;
    ben.quit().await;
    for table in ["gaps", "members", "resyncs", "automatic_sent"] {
        let left = ben.looks_up(&format!(
            "SELECT count(*) FROM {table} WHERE conversation NOT IN (SELECT id FROM conversations) AND conversation <> 99999"
        ));
        assert_eq!(left, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_not_said_again_to_who_had_asked_for_it() {
    const WAITS: &str = "SELECT count(*) FROM outbox WHERE message = 0 AND instr(content, CAST('The code is 4711' AS BLOB)) > 0";
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    // Ada does not ask before Ben's answers wait.
    ada.quit().await;
    ada.pace.gap = Duration::from_secs(3);
    ada.reopen().await;
    at_rest(&server, &[&ada, &ben]).await;
    server.lose_next_to(server.queue_numbered(0));
    ben.says("Ada", "The code is 4711.").await;
    ben.says("Ada", "Bring the keys.").await;
    ben.quit().await;
    ben.pace.automatic_from = Duration::from_secs(3600);
    ben.pace.automatic_to = ben.pace.automatic_from;
    ben.reopen().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    ben.quit().await;
    let waiting = ben.looks_up(WAITS);
    assert!(waiting >= 1, "Ada has asked, and Ben has not answered yet");
    ben.reopen().await;
    let chat = ben.chat("Ada").await.id;
    let page = Page::default();
    let lines = ben.client().messages(&chat, page).await.unwrap();
    let said = lines.iter().find(|line| line.text == "The code is 4711.");
    let id = said.unwrap().id.clone();
    ben.client().delete_for_me(&chat, &id).await.unwrap();
    ben.quit().await;
    assert_eq!(ben.looks_up(WAITS), 0);
    ben.tamper("UPDATE outbox SET not_before_ms = 0");
    ben.reopen().await;
    ben.says("Ada", "Well?").await;
    ada.reads("Ben", &["Ben: Bring the keys.", "Ben: Well?"])
        .await;
    // That there was something, she sees: for others it is still there.
    assert_eq!(missing(&ada, "Ben").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_many_versions_is_read_as_it_was_last() {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    cleo.quit().await;
    {
        let cheat = Cheat::of(&cleo, "Desk");
        let mut said = cheat.versions(520);
        said.push(cheat.text(522, "Enough."));
        cheat.is_to_say(&said);
    }
    has_sent(&mut cleo, &server).await;
    for person in [&ada, &ben] {
        person
            .reads("Desk", &["Cleo: Version 520.", "Cleo: Enough."])
            .await;
    }
    let chat = ada.chat("Desk").await.id;
    let page = Page::default();
    let lines = ada.client().messages(&chat, page).await.unwrap();
    let changed = lines.iter().find(|line| line.edits > 0).unwrap();
    assert_eq!(changed.edits, 520);
    let versions = ada.client().history(&chat, &changed.id).await.unwrap();
    assert_eq!(versions.len(), 500);
    assert_eq!(versions.last().unwrap().text, "Version 520.");
}
