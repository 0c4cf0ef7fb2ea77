//! What somebody waits for in the page: a home of many chats and one long chat, the app that serves it, and a real browser.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{
    connection::Failure,
    local::{PASSPHRASE, STORED, fill, in_chats},
    server::sibling_binary,
    stage::Stage,
    stats::median,
    table::{self, Row, bytes, micros},
};

const CHATS: usize = 1000;
/// Drives the browser; from the project's folder.
const DRIVER: &str = "ui/tests/pace.js";

/// What the driver prints.
#[derive(Deserialize)]
struct Measured {
    /// From the passphrase given to the list painted, and from a wrong one to its being said, milliseconds.
    right_ms: Vec<f64>,
    wrong_ms: Vec<f64>,
    /// Frames while the long chat is scrolled, and those that were due and not painted.
    frames: u64,
    dropped: u64,
    /// The same, of an empty page.
    idle_frames: u64,
    idle_dropped: u64,
    /// Lines that came into the page while it was scrolled.
    lines: u64,
    /// What the app holds in memory afterwards, bytes.
    resident: u64,
}

/// Measures and prints.
///
/// # Errors
/// What the client, the server, node or the browser says.
pub fn table(disk: &Path) -> Result<(), Failure> {
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    let home = folder.path().join("ada");
    eprintln!("A home with {CHATS} chats, one of them of {STORED} messages");
    runtime.block_on(async {
        let (ada, ben) = in_chats(&server, folder.path(), CHATS).await?;
        ada.close().await?;
        ben.close().await?;
        Ok::<_, Failure>(())
    })?;
    fill(&home)?;

    eprintln!("A browser opens it");
    let binary = sibling_binary("undertone")?;
    let profile = binary.parent().ok_or("the app has no folder")?;
    let mut driver = Command::new("node")
        .arg(DRIVER)
        .arg(&home)
        .env("UI_TEST_PROFILE", profile.file_name().ok_or("no profile")?)
        .env(
            "CARGO_TARGET_DIR",
            profile.parent().ok_or("no target folder")?,
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(driver.stdin.take().ok_or("no pipe")?, "{PASSPHRASE}")?;
    let said = driver.wait_with_output()?;
    if !said.status.success() {
        return Err(format!("{DRIVER} ended with {}", said.status).into());
    }
    let measured: Measured = serde_json::from_slice(&said.stdout)?;
    table::print("Page", &rows(measured));
    Ok(())
}

fn rows(measured: Measured) -> Vec<Row> {
    let verdict = median(measured.wrong_ms);
    let list = (median(measured.right_ms) - verdict).max(0.0);
    let share =
        |dropped: u64, frames: u64| 100.0 * dropped as f64 / (frames + dropped).max(1) as f64;
    let dropped = share(measured.dropped, measured.frames);
    let resident = measured.resident as f64;
    vec![
        Row::new(
            format!("first chat list painted after unlock, {CHATS} chats"),
            format!("{list:.0} ms"),
        )
        .against("500 ms", list / 500.0)
        .note(format!(
            "after the verdict on the passphrase, which took {}; below 1 is good",
            micros(verdict * 1000.0)
        )),
        Row::new(
            format!("frames dropped while a chat of {STORED} messages is scrolled"),
            format!("{dropped:.1} %"),
        )
        .against("5 %", dropped / 5.0)
        .note(format!(
            "of {} frames, {} lines came by; {:.1} % on an empty page; below 1 is good",
            measured.frames + measured.dropped,
            measured.lines,
            share(measured.idle_dropped, measured.idle_frames)
        )),
        Row::new("memory of the app with that home", bytes(resident))
            .against("120 MB", resident / 120e6)
            .note("resident, after all of that; below 1 is good"),
    ]
}
