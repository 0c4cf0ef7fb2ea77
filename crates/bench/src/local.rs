//! What a message costs an app, and how fast a large home opens: the real client over TLS to the real server.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use undertone_core::{
    Client, ClientOptions, Draft, Event, LinkOptions, ServerChoice,
    home::{Owner, Passphrase},
};
use zeroize::Zeroizing;

use crate::{
    connection::Failure,
    large::large,
    server::Server,
    stage::{Stage, runtime},
    stats::{median, processor_time},
    table::{self, Row, micros},
};

pub(crate) const PASSPHRASE: &str = "a passphrase for a benchmark";
const MESSAGES: usize = 400;
pub(crate) const STORED: i64 = 100_000;
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn passphrase() -> Result<Passphrase, Failure> {
    Ok(Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()))?)
}

pub(crate) async fn init(server: &Server, dir: &Path, name: &str) -> Result<Client, Failure> {
    let choice: ServerChoice = server.invitation.to_string().parse()?;
    let (client, _) =
        Client::init(dir, &passphrase()?, &choice, name, ClientOptions::default()).await?;
    client.start().await?;
    Ok(client)
}

/// Two people, in the folders `ada` and `ben`, with so many chats, the direct one included, and something said in each.
pub(crate) async fn in_chats(
    server: &Server,
    folder: &Path,
    chats: usize,
) -> Result<(Client, Client), Failure> {
    let ada = init(server, &folder.join("ada"), "Ada").await?;
    let ben = init(server, &folder.join("ben"), "Ben").await?;
    let link = ben.create_link(LinkOptions::default()).await?;
    let added = ada.add_contact(&link.uri).await?;
    let chat = added.chat.ok_or("the contact was only queued")?;
    ben.settle(PATIENCE).await?;
    ada.settle(PATIENCE).await?;
    let contact = [ada.find_contact("Ben").await?.id];
    for n in 1..chats {
        let group = ada.create_group(&format!("Group {n}"), &contact).await?;
        ada.enqueue(&group.chat, Draft::text("What is said in a group."))
            .await?;
    }
    ada.enqueue(
        &chat,
        Draft::text("What is said last, of no great length, as people say it."),
    )
    .await?;
    ada.settle(PATIENCE).await?;
    ben.settle(PATIENCE).await?;
    Ok((ada, ben))
}

/// Measures and prints.
///
/// # Errors
/// What the client or the server says.
pub fn table(disk: &Path) -> Result<(), Failure> {
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    let (ada_home, ben_home) = (folder.path().join("ada"), folder.path().join("ben"));
    let mut rows = Vec::new();

    eprintln!("Ada sends Ben {MESSAGES} direct messages");
    let (sender, receiver) = runtime.block_on(async {
        let ada = init(&server, &ada_home, "Ada").await?;
        let ben = init(&server, &ben_home, "Ben").await?;
        let link = ben.create_link(LinkOptions::default()).await?;
        let added = ada.add_contact(&link.uri).await?;
        let chat = added.chat.ok_or("the contact was only queued")?;
        ben.settle(PATIENCE).await?;
        ada.settle(PATIENCE).await?;
        ben.settle(PATIENCE).await?;
        ben.close().await?;
        drop(ben);
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--receive")
            .arg(&ben_home)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        lines.next().ok_or("the receiver ended")??;
        let before = processor_time(std::process::id());
        let mut last = None;
        for n in 0..MESSAGES {
            last = Some(
                ada.enqueue(
                    &chat,
                    Draft::text(format!("message {n}: {}", "x".repeat(180))),
                )
                .await?,
            );
        }
        if let Some(sent) = last {
            ada.wait_sent(&chat, sent.local_id, PATIENCE).await?;
        }
        ada.settle(PATIENCE).await?;
        let sender = processor_time(std::process::id()).saturating_sub(before);
        let receiver: u64 = lines.next().ok_or("the receiver ended")??.trim().parse()?;
        child.wait()?;
        ada.close().await?;
        Ok::<_, Failure>((sender, Duration::from_millis(receiver)))
    })?;
    for (name, took) in [("sender", sender), ("receiver", receiver)] {
        let each = took.as_secs_f64() * 1e6 / MESSAGES as f64;
        rows.push(
            Row::new(
                format!("direct message, whole app, {name}, processor time"),
                micros(each),
            )
            .against("1,000 us", each / 1000.0)
            .note("content, MLS, store transaction, TLS; below 1 is good"),
        );
    }

    eprintln!("A home with {STORED} messages");
    fill(&ben_home)?;
    let key_derivation = key_derivation(&ben_home)?;
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(runtime.block_on(async {
            let begun = Instant::now();
            let client = Client::open(&ben_home, &passphrase()?, ClientOptions::default()).await?;
            let chats = client.chats().await?;
            let took = begun.elapsed().as_secs_f64() * 1e6;
            if chats.is_empty() {
                return Err("the home has no chats".into());
            }
            client.close().await?;
            Ok::<f64, Failure>(took)
        })?);
    }
    let rest = (median(opened) - key_derivation).max(0.0);
    rows.push(
        Row::new(
            "open a home with 100,000 messages and list its chats",
            micros(rest),
        )
        .against("300 ms", rest / 300_000.0)
        .note(format!(
            "after Argon2id, which took {}; below 1 is good",
            micros(key_derivation)
        )),
    );
    rows.extend(large(&runtime, &ben_home)?);
    table::print("App", &rows);
    Ok(())
}

/// The other side of the row above, in a process of its own: prints a line when it is ready, and its processor time in
/// milliseconds when it has read everything.
///
/// # Errors
/// What the client says.
pub fn receive(home: &Path) -> Result<(), Failure> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let client = Client::open(home, &passphrase()?, ClientOptions::default()).await?;
        let mut events = client.events();
        client.start().await?;
        client.settle(PATIENCE).await?;
        let before = processor_time(std::process::id());
        println!("ready");
        std::io::stdout().flush()?;
        let mut received = 0;
        while received < MESSAGES {
            match events.next().await.ok_or("no more events")? {
                Event::Message { message, .. } if !message.mine => received += 1,
                Event::Lagged => return Err("events were lost".into()),
                _ => {}
            }
        }
        let took = processor_time(std::process::id()).saturating_sub(before);
        println!("{}", took.as_millis());
        client.close().await?;
        Ok(())
    })
}

/// Copies the last message of the home's first conversation until it holds as many as wanted.
pub(crate) fn fill(home: &Path) -> Result<(), Failure> {
    let home = Owner::acquire(home)?
        .unlock(&passphrase()?)
        .map_err(|(_, error)| error)?;
    home.database().transaction(|tx| {
        tx.connection().execute(
            "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?1)
             INSERT INTO messages (conversation, message_id, sender, device, kind, state, generation, number, counter,
                 content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
             SELECT conversation, randomblob(32), sender, device, kind, state, generation, number + n, 0,
                 content, text, markdown, reply_to, sent_at_ms + n, received_at_ms + n, delivered_at_ms, seen_at_ms
             FROM copies, (SELECT * FROM messages WHERE kind = 1 ORDER BY id DESC LIMIT 1)",
            [STORED],
        )?;
        Ok::<_, undertone_core::store::StoreError>(())
    })?;
    Ok(())
}

/// What a home's key derivation takes, in microseconds: the median of three.
pub(crate) fn key_derivation(home: &Path) -> Result<f64, Failure> {
    let times = (0..3).map(|_| wrong_passphrase(home));
    Ok(median(times.collect::<Result<_, _>>()?))
}

/// The time that a wrong passphrase takes: key derivation and nothing else, in microseconds.
fn wrong_passphrase(home: &Path) -> Result<f64, Failure> {
    let owner = Owner::acquire(home)?;
    let wrong = Passphrase::new(Zeroizing::new("not the passphrase".to_owned()))?;
    let begun = Instant::now();
    match owner.unlock(&wrong) {
        Ok(_) => Err("a wrong passphrase opened the home".into()),
        Err(_) => Ok(begun.elapsed().as_secs_f64() * 1e6),
    }
}
