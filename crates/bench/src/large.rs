//! A chat of a hundred thousand messages opened at any date, and a search over a million: the app's own queries, against what the store
//! takes to give as many messages when it is told which.

use std::{path::Path, time::Instant};

use tokio::runtime::Runtime;
use undertone_core::{
    ChatId, Client, ClientOptions, MessageInfo, Search,
    home::{Home, Owner},
};

use crate::{
    connection::Failure,
    local::{STORED, passphrase},
    stats::median,
    table::{Row, micros},
};

/// Messages of a page.
const PAGE: u32 = 50;
/// Dates at which the chat is opened.
const DATES: i64 = 20;
/// Messages that are searched.
const SEARCHED: i64 = 1_000_000;
/// Written in one transaction.
const BLOCK: i64 = 50_000;
/// How often each search is made.
const TIMES: usize = 5;
/// What is looked for: a word of one in 20,000 messages, one of one in 300, one of all, the beginnings of many words, two words, and none.
const WANTED: [&str; 7] = [
    "rare1234",
    "usual77",
    "common",
    "r",
    "us",
    "usual5 common",
    "absent",
];

/// Measures on a home that holds [`STORED`] messages in its first chat.
pub(crate) fn large(runtime: &Runtime, home: &Path) -> Result<Vec<Row>, Failure> {
    let floor = floor(home)?;
    let dates = runtime.block_on(dates(home))?;
    eprintln!("{SEARCHED} messages are written, to be searched");
    fill(home)?;
    let searches = runtime.block_on(searches(home))?;
    let row = |name: &str, took: f64, limit_ms: f64| {
        Row::new(name.to_owned(), micros(took))
            .against(format!("{limit_ms} ms"), took / (limit_ms * 1000.0))
            .note(format!(
                "the slowest of them; {PAGE} rows by their numbers take {}; below 1 is good",
                micros(floor)
            ))
    };
    Ok(vec![
        row("open a chat of 100,000 messages at any date", dates, 50.0),
        row("search in 1,000,000 messages", searches, 100.0),
    ])
}

/// Opens the home, does something with its client, and closes it.
async fn with_client<T>(
    home: &Path,
    work: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let client = Client::open(home, &passphrase()?, ClientOptions::default()).await?;
    let outcome = work(&client).await;
    client.close().await?;
    outcome
}

/// The slowest date, in microseconds.
async fn dates(home: &Path) -> Result<f64, Failure> {
    with_client(home, async |client| {
        let chat = fullest(client).await?;
        let last = client
            .messages(&chat, undertone_core::Page::default())
            .await?;
        let newest = last.last().ok_or("the chat is empty")?.sent_ms;
        let mut slowest = 0.0_f64;
        for nth in 0..DATES {
            let at = newest - STORED * nth / DATES - i64::from(PAGE);
            let (took, found) = timed(async || client.messages_from(&chat, at, PAGE).await).await?;
            if found.len() != PAGE as usize {
                return Err("a page is not full".into());
            }
            slowest = slowest.max(took);
        }
        Ok(slowest)
    })
    .await
}

/// The slowest search, in microseconds.
async fn searches(home: &Path) -> Result<f64, Failure> {
    with_client(home, async |client| {
        let chat = fullest(client).await?;
        let mut slowest = 0.0_f64;
        for text in WANTED {
            for chat in [None, Some(chat.clone())] {
                let search = Search {
                    text: text.to_owned(),
                    chat,
                    ..Search::default()
                };
                let mut times = Vec::new();
                for _ in 0..TIMES {
                    let (took, found) = timed(async || client.search(search.clone()).await).await?;
                    if found.is_empty() != (text == "absent") {
                        return Err(format!("a search for {text} finds {}", found.len()).into());
                    }
                    times.push(took);
                }
                slowest = slowest.max(median(times));
            }
        }
        Ok(slowest)
    })
    .await
}

/// What it gives, and how long it takes in microseconds.
async fn timed(
    work: impl AsyncFnOnce() -> undertone_core::Result<Vec<MessageInfo>>,
) -> Result<(f64, Vec<MessageInfo>), Failure> {
    let begun = Instant::now();
    let found = work().await?;
    Ok((begun.elapsed().as_secs_f64() * 1e6, found))
}

/// The direct chat that was filled.
async fn fullest(client: &Client) -> Result<ChatId, Failure> {
    let mut chats = client.chats().await?;
    chats.retain(|chat| chat.kind == undertone_core::ChatKind::Direct);
    Ok(chats.pop().ok_or("the home has no direct chat")?.id)
}

fn unlocked(home: &Path) -> Result<Home, Failure> {
    Ok(Owner::acquire(home)?
        .unlock(&passphrase()?)
        .map_err(|(_, error)| error)?)
}

/// As many messages as a page has, by their numbers, all over the chat: in microseconds.
fn floor(home: &Path) -> Result<f64, Failure> {
    let home = unlocked(home)?;
    home.database().read(|snapshot| {
        let db = snapshot.connection();
        let last: i64 = db.query_row("SELECT max(id) FROM messages", [], |row| row.get(0))?;
        let mut statement = db.prepare("SELECT content, text FROM messages WHERE id = ?1")?;
        let begun = Instant::now();
        for nth in 0..i64::from(PAGE) {
            let id = last - STORED * nth / i64::from(PAGE);
            statement.query_row([id], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
            })?;
        }
        Ok::<_, Failure>(begun.elapsed().as_secs_f64() * 1e6)
    })
}

/// Writes messages of words of three frequencies, until there are as many as are searched.
fn fill(home: &Path) -> Result<(), Failure> {
    let home = unlocked(home)?;
    for _ in 0..(SEARCHED - STORED) / BLOCK {
        home.database().transaction(|tx| {
            tx.connection().execute(
                "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?1)
                 INSERT INTO messages (conversation, message_id, sender, device, kind, state, generation, number, counter,
                     content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
                 SELECT conversation, randomblob(32), sender, device, kind, state, generation, number + n, 0, content,
                     printf('rare%d usual%d common %d', abs(random()) % 20000, abs(random()) % 300, n),
                     markdown, reply_to, sent_at_ms + n, received_at_ms + n, delivered_at_ms, seen_at_ms
                 FROM copies, (SELECT * FROM messages WHERE kind = 1 ORDER BY id DESC LIMIT 1)",
                [BLOCK],
            )?;
            Ok::<_, undertone_core::store::StoreError>(())
        })?;
    }
    Ok(())
}
