//! What somebody waits for in the page: a home of many chats and one long chat, the app that serves it, and a real browser.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;
use undertone_core::{Draft, home::Owner};

use crate::{
    connection::Failure,
    local::{PASSPHRASE, PATIENCE, STORED, fill, in_chats, passphrase},
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
    /// From the home's being open, and from the passphrase's being given, to the list painted, milliseconds.
    list_ms: Vec<f64>,
    whole_ms: Vec<f64>,
    /// Frames while the long chat is scrolled, and those that were due and not painted.
    frames: u64,
    dropped: u64,
    /// The same, of an empty page.
    idle_frames: u64,
    idle_dropped: u64,
    /// The same, of a page that was made to take 30 ms for each frame: every other one is dropped.
    slow_frames: u64,
    slow_dropped: u64,
    /// Lines that came into the page while it was scrolled.
    lines: u64,
    /// What the app holds in memory afterwards, bytes.
    resident: u64,
}

/// Every so many lines of the long chat one has a photo, and one is a page of text.
const PHOTO_EVERY: i64 = 23;
const LONG_EVERY: i64 = 7;
/// What lines far apart say that no other says, so that the driver finds them.
const MARKERS: [&str; 4] = ["Kestrel", "Lantern", "Marigold", "Nutmeg"];
/// What somebody writes who has something to tell.
const PARAGRAPH: &str = "The committee met for three hours and agreed on little, but on this: what we have is enough to print, if the second source \
    says so in writing, and if we can show where each of the figures comes from. I have put the documents in order since. ";

/// Measures and prints. Gives what is over its target.
///
/// # Errors
/// What the client, the server, node or the browser says; and that the measure does not see a slow page.
pub fn table(disk: &Path) -> Result<Vec<String>, Failure> {
    let Stage {
        runtime,
        folder,
        server,
    } = Stage::set_up(disk)?;
    let home = folder.path().join("ada");
    eprintln!("A home with {CHATS} chats, one of them of {STORED} messages");
    runtime.block_on(async {
        let (ada, ben) = in_chats(&server, folder.path(), CHATS).await?;
        let photo = folder.path().join("photo.jpg");
        image::RgbImage::from_fn(1600, 1200, |x, y| {
            image::Rgb([(x / 7) as u8, (y / 5) as u8, ((x + y) / 11) as u8])
        })
        .save(&photo)?;
        let chat = ada.find_chat("Ben").await?.id;
        ada.enqueue(&chat, Draft::default().attach(photo)).await?;
        ada.settle(PATIENCE).await?;
        // The last one is what the others are copies of.
        ada.enqueue(
            &chat,
            Draft::text("What is said last, of no great length, as people say it."),
        )
        .await?;
        ada.settle(PATIENCE).await?;
        ada.close().await?;
        ben.close().await?;
        Ok::<_, Failure>(())
    })?;
    fill(&home)?;
    furnish(&home)?;

    eprintln!("A browser opens it");
    let binary = sibling_binary("undertone")?;
    let profile = binary.parent().ok_or("the app has no folder")?;
    let mut driver = Command::new("node")
        .arg(DRIVER)
        .arg(&home)
        .args(MARKERS)
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
    let slow = share(measured.slow_dropped, measured.slow_frames);
    if !(35.0..70.0).contains(&slow) {
        return Err(format!(
            "the measure says of a page that drops every other frame that it drops {slow:.1} %"
        )
        .into());
    }
    let (rows, over) = rows(measured);
    table::print("Page", &rows);
    Ok(over)
}

/// Photos, long texts and the markers among the lines of the long chat.
fn furnish(home: &Path) -> Result<(), Failure> {
    let home = Owner::acquire(home)?
        .unlock(&passphrase()?)
        .map_err(|(_, error)| error)?;
    home.database().transaction(|tx| {
        let tx = tx.connection();
        let copies = "SELECT id FROM messages WHERE kind = 1 AND conversation =
            (SELECT conversation FROM messages ORDER BY id DESC LIMIT 1)";
        tx.execute(
            &format!("UPDATE messages SET text = ?1 WHERE id % ?2 = 3 AND id IN ({copies})"),
            (PARAGRAPH.repeat(4), LONG_EVERY),
        )?;
        tx.execute(
            &format!(
                "INSERT OR IGNORE INTO message_files
                 SELECT line.id, file.position, file.attachment, file.name, file.content_type, file.size, file.width, file.height,
                     file.duration_ms, file.waveform, file.preview
                 FROM ({copies}) AS line, (SELECT * FROM message_files LIMIT 1) AS file WHERE line.id % ?1 = 5"
            ),
            [PHOTO_EVERY],
        )?;
        for (at, marker) in (1..).zip(MARKERS) {
            tx.execute(
                &format!(
                    "UPDATE messages SET text = ?1 WHERE id =
                     (SELECT id FROM messages WHERE id IN ({copies}) ORDER BY number LIMIT 1 OFFSET ?2)"
                ),
                (marker, STORED * at / (MARKERS.len() as i64 + 1)),
            )?;
        }
        Ok::<_, undertone_core::store::StoreError>(())
    })?;
    Ok(())
}

/// How many of a hundred frames were dropped.
fn share(dropped: u64, frames: u64) -> f64 {
    100.0 * dropped as f64 / (frames + dropped).max(1) as f64
}

/// The table, and the names of what is over its target.
fn rows(measured: Measured) -> (Vec<Row>, Vec<String>) {
    let list = median(measured.list_ms);
    let dropped = share(measured.dropped, measured.frames);
    let resident = measured.resident as f64;
    let mut over = Vec::new();
    let mut row = |name: String, figure: String, target: &str, ratio: f64, note: String| {
        if ratio.is_nan() || ratio > 1.0 {
            over.push(name.clone());
        }
        Row::new(name, figure).against(target, ratio).note(note)
    };
    let rows = vec![
        row(
            format!("first chat list painted after unlock, {CHATS} chats"),
            format!("{list:.0} ms"),
            "500 ms",
            list / 500.0,
            format!(
                "since the program said that it is open; {} since the passphrase was given, most of it Argon2id; below 1 is good",
                micros(median(measured.whole_ms) * 1000.0)
            ),
        ),
        row(
            format!("frames dropped while a chat of {STORED} messages is scrolled"),
            format!("{dropped:.1} %"),
            "5 %",
            dropped / 5.0,
            format!(
                "of {} frames at {} places, {} lines came by, photos and long texts among them; {:.1} % on an empty page; below 1 is good",
                measured.frames + measured.dropped,
                MARKERS.len() + 1,
                measured.lines,
                share(measured.idle_dropped, measured.idle_frames)
            ),
        ),
        row(
            "memory of the app with that home".to_owned(),
            bytes(resident),
            "120 MB",
            resident / 120e6,
            "resident, after all of that; below 1 is good".to_owned(),
        ),
    ];
    (rows, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            list_ms: vec![200.0, 210.0, 900.0],
            whole_ms: vec![1000.0],
            frames: 960,
            dropped: 40,
            idle_frames: 180,
            idle_dropped: 0,
            slow_frames: 90,
            slow_dropped: 90,
            lines: 2000,
            resident: 100_000_000,
        }
    }

    #[test]
    fn what_is_over_its_target_is_named() {
        assert!(rows(measured()).1.is_empty());
        for (change, name) in [
            (
                (|m| m.list_ms = vec![501.0]) as fn(&mut Measured),
                "first chat list",
            ),
            (|m| m.list_ms = vec![f64::NAN], "first chat list"),
            (|m| m.dropped = 60, "frames dropped"),
            (|m| m.resident = 120_000_001, "memory"),
        ] {
            let mut changed = measured();
            change(&mut changed);
            let over = rows(changed).1;
            assert!(over.len() == 1 && over[0].starts_with(name), "{over:?}");
        }
    }
}
