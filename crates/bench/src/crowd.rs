//! A group of many real clients over TLS to the real server, each with a home on the disk: how long the last ones take to come in by a link, a
//! message and a change to reach everybody, and what each app needs. All of them share this machine's cores, which people's apps do not: the
//! processor time per member is what one of them would spend. Most members of a large group are off at any moment: only so many stay awake as
//! is asked for, and the others close once they are in.

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
    stats::{median, processor_time, resident_bytes},
    table::{self, Row, bytes},
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
    /// How long somebody needed who had been off since they came in, and how many changes of the group there were meanwhile.
    back: Option<(Duration, u64)>,
    /// Bytes of this process, with all the apps that are awake in it.
    memory: u64,
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
pub fn table(disk: &Path, members: usize, awake: usize) -> Result<(), Failure> {
    let awake = awake.clamp(2, members.max(2));
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    eprintln!("A group of {members} apps, {awake} of them awake");
    let figures = runtime.block_on(gather(&server, folder.path(), members, awake))?;
    let seconds = |took: Duration| format!("{:.2} s", took.as_secs_f64());
    let each = |spread: &Spread| spread.spent.as_secs_f64() * 1000.0 / awake as f64;
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
                format!("{members}: a {what}: accepted / half of {awake} have it / all"),
                format!(
                    "{} / {} / {}",
                    seconds(spread.accepted),
                    seconds(spread.half),
                    seconds(spread.all)
                ),
            )
            .against("30 s", spread.all.as_secs_f64() / TARGET.as_secs_f64())
            .note(format!(
                "{:.1} ms of processor time an app; below 1 is good",
                each(spread)
            )),
        );
    }
    if let Some((took, missed)) = figures.back {
        rows.push(
            Row::new(
                format!("{members}: until somebody has read all who was off"),
                seconds(took),
            )
            .note(format!("{missed} changes of the group were missed")),
        );
    }
    rows.push(Row::new(
        format!("{members}: memory of the {awake} apps together"),
        bytes(figures.memory as f64),
    ));
    table::print("Crowd", &rows);
    Ok(())
}

/// What a passphrase costs is measured elsewhere, and a crowd that fills the tree at the pace of people would take hours to gather.
fn options() -> ClientOptions {
    let mut options = ClientOptions {
        cheap_kdf_for_tests: true,
        ..ClientOptions::default()
    };
    options.sending.update = Duration::from_millis(20);
    options
}

/// Somebody's app.
async fn app(server: &Server, folder: &Path, number: usize) -> Result<Client, Failure> {
    let choice: ServerChoice = server.invitation.to_string().parse()?;
    let (home, name) = (folder.join(number.to_string()), format!("Member {number}"));
    let (client, _) = Client::init(&home, &passphrase()?, &choice, &name, options()).await?;
    client.start().await?;
    Ok(client)
}

async fn gather(
    server: &Server,
    folder: &Path,
    members: usize,
    awake: usize,
) -> Result<Figures, Failure> {
    let mut all = vec![app(server, folder, 0).await?, app(server, folder, 1).await?];
    let link = all[1].create_link(LinkOptions::default()).await?;
    all[0].add_contact(&link.uri).await?;
    for client in &all {
        client.settle(Duration::from_secs(60)).await?;
    }
    let first = all[0].find_contact("Member 1").await?.id;
    let group = all[0].create_group("Crowd", &[first]).await?.chat;
    let invite = InviteOptions {
        expires_in_s: Some(0),
        uses: u32::try_from(members.clamp(1, 1000))?,
        approve: false,
    };
    let link = all[0].create_invite(&group, invite).await?.uri;
    let began = Instant::now();
    let mut joined = Vec::new();
    let mut came = all.len();
    // Who went off first, and in which epoch the group was then.
    let mut off: Option<(usize, u64)> = None;
    while came < members {
        let wave = WAVE.min(members - came);
        let mut new = Vec::new();
        for number in came..came + wave {
            new.push(app(server, folder, number).await?);
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
        for client in &new {
            client.settle(PATIENCE).await?;
        }
        for (number, client) in (came..).zip(new) {
            if number < awake {
                all.push(client);
            } else {
                let epoch = client.chat(&group).await?.epoch;
                off.get_or_insert((number, epoch));
                client.close().await?;
            }
        }
        came += wave;
        eprintln!(
            "  {came} of {members} are in, after {:.0} s; the last of these waited {:.1} s",
            began.elapsed().as_secs_f64(),
            joined.last().copied().unwrap_or_default().as_secs_f64()
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
    let back = match off {
        None => None,
        Some((number, epoch)) => {
            let now = all[0].chat(&group).await?.epoch;
            let took = comes_back(&folder.join(number.to_string()), &group).await?;
            Some((took, now.saturating_sub(epoch)))
        }
    };
    let memory = resident_bytes(std::process::id());
    for client in all {
        client.close().await?;
    }
    Ok(Figures {
        joined,
        gathered,
        message,
        change,
        back,
        memory,
    })
}

/// Opens the home of somebody who was off, until they have read the last change.
async fn comes_back(home: &Path, group: &ChatId) -> Result<Duration, Failure> {
    let began = Instant::now();
    let client = Client::open(home, &passphrase()?, options()).await?;
    client.start().await?;
    let has = async |client: &Client| Ok(client.chat(group).await?.name == "A large crowd");
    let took = until_each(std::slice::from_ref(&client), began, has).await?;
    client.close().await?;
    Ok(took.last().copied().unwrap_or_default())
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
