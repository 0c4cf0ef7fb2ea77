//! A chat of a hundred thousand messages opened at any date, and a search over a million: the app's own queries, against what the store
//! takes to give as many messages when it is told which.

use std::{path::Path, time::Instant};

use tokio::runtime::Runtime;
use undertone_core::{
    ChatId, Client, ClientOptions, MessageInfo, Search, SearchKind,
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

/// Somebody who wrote [`RARE`] of the messages.
const RARELY_WRITES: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Messages of that person, and in the notes to self.
const RARE: i64 = 10;
/// One message in so many has a file.
const FILES: i64 = 10;
/// Between two messages: five years in all.
const APART_MS: i64 = 158_000;
const DAY_MS: i64 = 86_400_000;

/// Measures on a home that holds [`STORED`] messages in its first chat.
pub(crate) fn large(runtime: &Runtime, home: &Path) -> Result<Vec<Row>, Failure> {
    let floor = floor(home)?;
    let dates = runtime.block_on(dates(home))?;
    // The notes are made when they are first asked for.
    runtime.block_on(with_client(home, async |client| {
        client.find_chat("notes").await?;
        Ok(())
    }))?;
    eprintln!("{SEARCHED} messages are written, to be searched");
    fill(home)?;
    let by_words = runtime.block_on(by_words(home))?;
    let narrowed = runtime.block_on(narrowed(home))?;
    let row = |name: &str, (took, slowest): (f64, String), limit_ms: f64| {
        Row::new(name.to_owned(), micros(took))
            .against(format!("{limit_ms} ms"), took / (limit_ms * 1000.0))
            .note(format!(
                "the slowest of them{slowest}; {PAGE} rows by their numbers take {}; below 1 is good",
                micros(floor)
            ))
    };
    let named = |(took, name): (f64, String)| (took, format!(", {name}"));
    let files = SEARCHED / FILES;
    Ok(vec![
        row(
            "open a chat of 100,000 messages at any date",
            (dates, String::new()),
            50.0,
        ),
        row(
            "search in 1,000,000 messages by words",
            named(by_words),
            100.0,
        ),
        row(
            &format!("and by chat, person, date and sort, with {files} files"),
            named(narrowed),
            100.0,
        ),
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

/// The slowest of the searches, each with what is looked for, and with how many are found of a page: in microseconds, and its name.
async fn slowest(
    client: &Client,
    searches: impl IntoIterator<Item = (String, Search, usize)>,
) -> Result<(f64, String), Failure> {
    let mut slowest = (0.0_f64, String::new());
    for (name, search, expected) in searches {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let (took, found) = timed(async || client.search(search.clone()).await).await?;
            if found.len() < expected.min(1) || found.len() > expected {
                return Err(format!("a search for {name} finds {}", found.len()).into());
            }
            times.push(took);
        }
        let took = median(times);
        if took > slowest.0 {
            slowest = (took, name);
        }
    }
    Ok(slowest)
}

/// By words: everywhere, and in the chat that has nearly all messages.
async fn by_words(home: &Path) -> Result<(f64, String), Failure> {
    with_client(home, async |client| {
        let chat = fullest(client).await?;
        let searches = WANTED.into_iter().flat_map(|text| {
            [None, Some(chat.clone())].map(|chat| {
                let name = format!("{text:?}{}", if chat.is_some() { " in a chat" } else { "" });
                let search = Search {
                    text: text.to_owned(),
                    chat,
                    ..Search::default()
                };
                (
                    name,
                    search,
                    if text == "absent" { 0 } else { PAGE as usize },
                )
            })
        });
        slowest(client, searches).await
    })
    .await
}

/// A word of all messages, and none, where few messages are: in a chat, by a person, of some days, of a sort.
async fn narrowed(home: &Path) -> Result<(f64, String), Failure> {
    with_client(home, async |client| {
        let small = client.find_chat("notes").await?.id;
        let large = fullest(client).await?;
        let newest = client
            .messages(&large, undertone_core::Page::default())
            .await?
            .last()
            .ok_or("the chat is empty")?
            .sent_ms;
        let oldest = newest - SEARCHED * APART_MS;
        let any = Search::default;
        let page = PAGE as usize;
        let narrow = [
            (
                "in a small chat",
                Search {
                    chat: Some(small.clone()),
                    ..any()
                },
                RARE as usize,
            ),
            (
                "by a rare person",
                Search {
                    sender: Some(RARELY_WRITES.parse()?),
                    ..any()
                },
                RARE as usize,
            ),
            (
                "by a rare person in a chat without them",
                Search {
                    sender: Some(RARELY_WRITES.parse()?),
                    chat: Some(small),
                    ..any()
                },
                0,
            ),
            (
                "of the oldest days",
                Search {
                    to_ms: Some(oldest + 30 * DAY_MS),
                    ..any()
                },
                page,
            ),
            (
                "of some days",
                Search {
                    from_ms: Some(oldest + 900 * DAY_MS),
                    to_ms: Some(oldest + 903 * DAY_MS),
                    ..any()
                },
                page,
            ),
            (
                "of days to come",
                Search {
                    from_ms: Some(newest + 30 * DAY_MS),
                    ..any()
                },
                0,
            ),
            (
                "with a link",
                Search {
                    kind: Some(SearchKind::Link),
                    ..any()
                },
                0,
            ),
            (
                "with a photo",
                Search {
                    kind: Some(SearchKind::Photo),
                    ..any()
                },
                0,
            ),
            (
                "with a photo in the chat",
                Search {
                    kind: Some(SearchKind::Photo),
                    chat: Some(large),
                    ..any()
                },
                0,
            ),
            (
                "with a file",
                Search {
                    kind: Some(SearchKind::File),
                    ..any()
                },
                page,
            ),
        ];
        let searches = narrow.into_iter().flat_map(|(name, search, expected)| {
            ["", "common", "minutes"].map(|text| {
                // The names of files have that word, and no message.
                let expected = if text == "minutes" && expected > 0 {
                    page
                } else {
                    expected
                };
                let search = Search {
                    text: text.to_owned(),
                    ..search.clone()
                };
                (format!("{text:?} {name}"), search, expected)
            })
        });
        slowest(client, searches).await
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

/// Writes messages of words of three frequencies, until there are as many as are searched, all of them older than those that were there. One
/// in [`FILES`] has a file.
fn fill(home: &Path) -> Result<(), Failure> {
    let home = unlocked(home)?;
    let columns =
        "conversation, message_id, sender, device, kind, state, generation, number, counter,
        content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms";
    let text = "printf('rare%d usual%d common %d', abs(random()) % 20000, abs(random()) % 300, n)";
    for block in 0..(SEARCHED - STORED) / BLOCK {
        home.database().transaction(|tx| {
            let db = tx.connection();
            let newest: i64 = db.query_row("SELECT max(sent_at_ms) FROM messages", [], |row| row.get(0))?;
            let begins = newest - (SEARCHED - block * BLOCK) * APART_MS;
            db.execute(
                &format!(
                    "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?1)
                     INSERT INTO messages ({columns})
                     SELECT conversation, randomblob(32), sender, device, kind, state, generation, number + n, 0, content,
                         {text}, markdown, reply_to, ?2 + n * ?3, ?2 + n * ?3, delivered_at_ms, seen_at_ms
                     FROM copies, (SELECT * FROM messages WHERE kind = 1 ORDER BY id LIMIT 1)"
                ),
                [BLOCK, begins, APART_MS],
            )?;
            // In the middle of the first of them.
            if block == 0 {
                for (conversation, sender) in [
                    ("(SELECT id FROM conversations WHERE kind = 3)", "sender"),
                    ("conversation", "zeroblob(32)"),
                ] {
                    db.execute(
                        &format!(
                            "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?1)
                             INSERT INTO messages ({columns})
                             SELECT {conversation}, randomblob(32), {sender}, device, kind, state, generation, number + n, 0, content,
                                 {text}, markdown, reply_to, ?2, ?2, delivered_at_ms, seen_at_ms
                             FROM copies, (SELECT * FROM messages WHERE kind = 1 ORDER BY id LIMIT 1)"
                        ),
                        [RARE, begins],
                    )?;
                }
            }
            Ok::<_, undertone_core::store::StoreError>(())
        })?;
    }
    home.database().transaction(|tx| {
        tx.connection().execute(
            "INSERT INTO message_files (message, position, attachment, name, content_type, size, width, height, duration_ms, waveform, preview)
             SELECT id, 0, x'', printf('minutes %d.pdf', id), 'application/pdf', 1, 0, 0, 0, x'', x'' FROM messages WHERE kind = 1 AND id % ?1 = 0",
            [FILES],
        )?;
        Ok::<_, undertone_core::store::StoreError>(())
    })?;
    Ok(())
}
