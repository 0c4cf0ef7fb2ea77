//! A group of many real clients over TLS to the real server, each with a home on the disk: how long the last ones take to come in by a link, a
//! message and a change to reach everybody, and what each app needs. All of them share this machine's cores, which people's apps do not: the
//! processor time per member is what one of them would spend.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use undertone_core::{
    ChatId, ChatState, Client, ClientOptions, Draft, InviteOptions, LinkOptions, ServerChoice,
};

use crate::{
    connection::Failure,
    local::passphrase,
    server::Server,
    stage::Stage,
    stats::{median, processor_time},
    table::{self, Row},
};

/// Who comes at the same time.
const WAVE: usize = 32;
/// What a person still waits for.
const TARGET: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(100);
/// Nothing changes in the group for so long when it is at rest: the last ones to come have put their own leaves in by then.
const REST: Duration = Duration::from_secs(20);

/// What was measured.
struct Figures {
    /// How long each of the last wave waited from asking to being in.
    joined: Vec<Duration>,
    /// All of them, from the first one's asking until nobody had anything left to do.
    gathered: Duration,
    message: Spread,
    change: Spread,
}

/// Something that goes from one to all.
struct Spread {
    /// Until the server had it.
    accepted: Duration,
    /// Until half of the members, and all, had it.
    half: Duration,
    all: Duration,
    /// Processor time of all apps together, with that of looking.
    spent: Duration,
}

/// Measures and prints.
///
/// # Errors
/// What the clients or the server say.
pub fn table(disk: &Path, members: usize) -> Result<(), Failure> {
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    eprintln!("A group of {members} apps");
    let figures = runtime.block_on(gather(&server, folder.path(), members))?;
    let seconds = |took: Duration| format!("{:.2} s", took.as_secs_f64());
    let each = |spread: &Spread| spread.spent.as_secs_f64() * 1000.0 / members as f64;
    let last = figures.joined.iter().max().copied().unwrap_or_default();
    let joined = figures.joined.iter().map(Duration::as_secs_f64).collect();
    let mut rows = vec![
        Row::new(
            format!("{members}: of the last {WAVE} who come by a link, half / all are in after"),
            format!("{:.2} s / {}", median(joined), seconds(last)),
        )
        .against("30 s", last.as_secs_f64() / TARGET.as_secs_f64())
        .note("below 1 is good"),
        Row::new(
            format!("{members}: until all had come and the group was at rest"),
            seconds(figures.gathered),
        ),
    ];
    for (what, spread) in [("message", &figures.message), ("change", &figures.change)] {
        rows.push(
            Row::new(
                format!("{members}: a {what}: accepted / half have it / all have it"),
                format!(
                    "{} / {} / {}",
                    seconds(spread.accepted),
                    seconds(spread.half),
                    seconds(spread.all)
                ),
            )
            .note(format!("{:.1} ms of processor time a member", each(spread))),
        );
    }
    table::print("Crowd", &rows);
    Ok(())
}

/// Somebody's app. What a passphrase costs is measured elsewhere.
async fn app(server: &Server, folder: &Path, number: usize) -> Result<Client, Failure> {
    let choice: ServerChoice = server.invitation.to_string().parse()?;
    let options = ClientOptions {
        cheap_kdf_for_tests: true,
        ..ClientOptions::default()
    };
    let (home, name) = (folder.join(number.to_string()), format!("Member {number}"));
    let (client, _) = Client::init(&home, &passphrase()?, &choice, &name, options).await?;
    client.start().await?;
    Ok(client)
}

async fn gather(server: &Server, folder: &Path, members: usize) -> Result<Figures, Failure> {
    let mut all = vec![app(server, folder, 0).await?, app(server, folder, 1).await?];
    let link = all[1].create_link(LinkOptions::default()).await?;
    all[0].add_contact(&link.uri).await?;
    for client in &all {
        client.settle(Duration::from_secs(60)).await?;
    }
    let first = all[0].find_contact("Member 1").await?.id;
    let group = all[0].create_group("Crowd", &[first]).await?.chat;
    let options = InviteOptions {
        expires_in_s: Some(0),
        uses: u32::try_from(members.clamp(1, 1000))?,
        approve: false,
    };
    let link = all[0].create_invite(&group, options).await?.uri;
    let began = Instant::now();
    let mut joined = Vec::new();
    while all.len() < members {
        let wave = WAVE.min(members - all.len());
        let mut new = Vec::new();
        for _ in 0..wave {
            new.push(app(server, folder, all.len() + new.len()).await?);
        }
        let asked = Instant::now();
        for client in &new {
            client.join_group(&link).await?;
        }
        let is_in = async |client: &Client| {
            let chat = client.chat(&group).await;
            Ok(chat.is_ok_and(|chat| chat.state == ChatState::Active))
        };
        joined = until_each(&new, asked, is_in).await?;
        all.append(&mut new);
        eprintln!(
            "  {} of {members} are in, after {:.0} s",
            all.len(),
            began.elapsed().as_secs_f64()
        );
    }
    at_rest(&all, &group).await?;
    let gathered = began.elapsed();
    let message = spread(
        &all,
        async |client: &Client| {
            client.send(&group, Draft::text("To all of you.")).await?;
            Ok(())
        },
        async |client: &Client| {
            let chat = client.chat(&group).await?;
            Ok(chat.last.is_some_and(|line| line.text == "To all of you."))
        },
    )
    .await?;
    let change = spread(
        &all,
        async |client: &Client| {
            client.group_rename(&group, "A large crowd").await?;
            Ok(())
        },
        async |client: &Client| Ok(client.chat(&group).await?.name == "A large crowd"),
    )
    .await?;
    for client in all {
        client.close().await?;
    }
    Ok(Figures {
        joined,
        gathered,
        message,
        change,
    })
}

/// The first one does something; it is looked when the others have it.
async fn spread(
    all: &[Client],
    act: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
    has: impl AsyncFn(&Client) -> Result<bool, Failure>,
) -> Result<Spread, Failure> {
    let (began, before) = (Instant::now(), processor_time(std::process::id()));
    act(&all[0]).await?;
    let accepted = began.elapsed();
    let mut took = until_each(all, began, has).await?;
    took.sort();
    let spent = processor_time(std::process::id()).saturating_sub(before);
    Ok(Spread {
        accepted,
        half: took.get(took.len() / 2).copied().unwrap_or_default(),
        all: took.last().copied().unwrap_or_default(),
        spent,
    })
}

/// How long after `began` each of these had it.
async fn until_each(
    clients: &[Client],
    began: Instant,
    has: impl AsyncFn(&Client) -> Result<bool, Failure>,
) -> Result<Vec<Duration>, Failure> {
    let mut left: Vec<&Client> = clients.iter().collect();
    let mut took = Vec::new();
    while !left.is_empty() {
        let mut still = Vec::new();
        for client in left {
            if has(client).await? {
                took.push(began.elapsed());
            } else {
                still.push(client);
            }
        }
        left = still;
        if began.elapsed() > PATIENCE {
            return Err(format!("{} of them never have it", left.len()).into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(took)
}

/// Waits until all are in one epoch and stay there.
async fn at_rest(all: &[Client], group: &ChatId) -> Result<(), Failure> {
    let (mut epoch, mut since, began) = (0, Instant::now(), Instant::now());
    while since.elapsed() < REST {
        for client in all {
            let shown = client.chat(group).await?.epoch;
            if shown != epoch {
                (epoch, since) = (shown, Instant::now());
            }
        }
        if began.elapsed() > PATIENCE {
            return Err("the group never comes to rest".into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
