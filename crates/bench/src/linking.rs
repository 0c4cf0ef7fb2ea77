//! How long it takes until a second device is in a hundred chats, with what was said there: two real clients over TLS to the real server.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use undertone_core::{Client, ClientOptions, HistoryState, LinkServer, Linking};

use crate::{
    connection::Failure,
    local::{in_chats, passphrase},
    server::Server,
    stage::Stage,
    table::{self, Row},
};

const CHATS: usize = 100;
const TARGET: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// Measures and prints.
///
/// # Errors
/// What the clients or the server say.
pub fn table(disk: &Path) -> Result<(), Failure> {
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    eprintln!("Ada links a second device, which is to be in {CHATS} chats");
    let (in_all, with_past) = runtime.block_on(link(&server, folder.path()))?;
    let row = |name: &str, took: Duration| {
        Row::new(name, format!("{:.1} s", took.as_secs_f64()))
            .against("30 s", took.as_secs_f64() / TARGET.as_secs_f64())
            .note("from the yes on both devices; below 1 is good")
    };
    table::print(
        "Devices",
        &[
            row("a second device is in 100 chats", in_all),
            row("and has what was said there", with_past),
        ],
    );
    Ok(())
}

async fn link(server: &Server, folder: &Path) -> Result<(Duration, Duration), Failure> {
    let (ada, ben) = in_chats(server, folder, CHATS).await?;
    let place: LinkServer = server.invitation.server.to_string().parse()?;
    let linking = Linking::begin(
        &folder.join("second"),
        &passphrase()?,
        &place,
        "Second",
        ClientOptions::default(),
    )
    .await?;
    ada.begin_linking(&linking.code().await?, true).await?;
    let words = linking.words().await?;
    until("the words are on both", async || {
        let info = ada.linking().await?;
        Ok(info.is_some_and(|info| info.words.as_ref() == Some(&words)))
    })
    .await?;
    let began = Instant::now();
    ada.confirm_linking().await?;
    let second = linking.confirm().await?;
    second.start().await?;
    until("the second device is in all chats", async || {
        Ok(second.chats().await?.len() >= CHATS)
    })
    .await?;
    let in_all = began.elapsed();
    until("it has what was said", async || has_all(&second).await).await?;
    let with_past = began.elapsed();
    for client in [second, ada, ben] {
        client.close().await?;
    }
    Ok((in_all, with_past))
}

async fn has_all(second: &Client) -> Result<bool, Failure> {
    let histories = second.histories().await?;
    Ok(histories
        .iter()
        .any(|history| history.state == HistoryState::Done))
}

async fn until(
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await? {
        if Instant::now() >= deadline {
            return Err(format!("never: {what}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
