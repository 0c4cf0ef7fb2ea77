//! What MLS costs through the mls crate, in populated groups: processor time of one thread and bytes on the wire. Every step
//! loads the group from its (in-memory) database, works in one transaction and commits it, as the client does.

use std::time::Duration;

use undertone_mls::{
    Change, Result,
    bench_support::{BenchCommit, BenchDevice, populated_group},
};

use crate::{
    connection::Failure,
    stats::{median, thread_time},
    table::{self, Row, bytes, micros},
};

const SIZES: [usize; 4] = [2, 10, 100, 1000];
/// What Row-by-row figures are held against: a populated commit in a group of 1,000.
const LARGEST_COMMIT: f64 = 40_000.0;

/// Runs `step`, answers what it gave and the microseconds of processor time it took.
fn timed<T>(step: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let before = thread_time();
    let value = step()?;
    Ok((value, as_micros(thread_time().saturating_sub(before))))
}

fn as_micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[derive(Default)]
struct Costs {
    add: Vec<f64>,
    process_add: Vec<f64>,
    join: Vec<f64>,
    update: Vec<f64>,
    process_update: Vec<f64>,
    encrypt: Vec<f64>,
    decrypt: Vec<f64>,
    commit_bytes: Vec<f64>,
    welcome_bytes: Vec<f64>,
    message_bytes: Vec<f64>,
}

fn measure(size: usize, rounds: usize) -> Result<Costs> {
    let mut costs = Costs::default();
    let (mut ada, mut ben) = populated_group(size, |reached| {
        if reached.is_multiple_of(100) {
            eprintln!("  built {reached} of {size}");
        }
    })?;
    let text = vec![0x61; 200];
    for _ in 0..rounds * 10 {
        let ((epoch, payload), took) = timed(|| ada.encrypt(&text))?;
        costs.encrypt.push(took);
        costs.message_bytes.push(payload.len() as f64);
        costs
            .decrypt
            .push(timed(|| ben.decrypt(epoch, &payload))?.1);
    }
    for _ in 0..rounds {
        let (commit, took) = timed(|| ada.stage(Change::SelfUpdate))?;
        costs.update.push(took);
        costs.commit_bytes.push(ada.wire_bytes(&commit)? as f64);
        costs.process_update.push(timed(|| ben.process(&commit))?.1);
        ada.process(&commit)?;
    }
    // One joiner is enough: a second would meet the blank nodes that the first left.
    let mut cleo = BenchDevice::new()?;
    let package = cleo.key_package()?;
    let (commit, took): (BenchCommit, f64) = timed(|| ada.stage(Change::Add(vec![package])))?;
    costs.add.push(took);
    costs.process_add.push(timed(|| ben.process(&commit))?.1);
    if let Some(pending) = ada.process(&commit)? {
        let welcome = ada.welcome(&pending)?;
        costs
            .welcome_bytes
            .push((welcome.welcome.len() + welcome.table.len()) as f64);
        costs.join.push(timed(|| cleo.join(&welcome))?.1);
    }
    Ok(costs)
}

/// Measures and prints.
///
/// # Errors
/// What the mls crate says.
pub fn table() -> std::result::Result<(), Failure> {
    let mut rows = Vec::new();
    for size in SIZES {
        eprintln!("MLS in a populated group of {size}");
        let costs = measure(size, if size >= 1000 { 3 } else { 9 })?;
        let commit = median(costs.commit_bytes);
        let time = |figures: Vec<f64>| micros(median(figures));
        rows.push(Row::new(
            format!("{size}: add / process / join"),
            format!(
                "{} / {} / {}",
                time(costs.add),
                time(costs.process_add),
                time(costs.join)
            ),
        ));
        rows.push(Row::new(
            format!("{size}: update / process"),
            format!("{} / {}", time(costs.update), time(costs.process_update)),
        ));
        rows.push(Row::new(
            format!("{size}: encrypt / decrypt 200 bytes"),
            format!("{} / {}", time(costs.encrypt), time(costs.decrypt)),
        ));
        let row = Row::new(
            format!("{size}: commit / welcome / message on the wire"),
            format!(
                "{} / {} / {}",
                bytes(commit),
                bytes(median(costs.welcome_bytes)),
                bytes(median(costs.message_bytes))
            ),
        );
        rows.push(if size == 1000 {
            row.against("40 kB commit", commit / LARGEST_COMMIT)
                .note("padded; over 18 kB it goes as a blob; below 1 is good")
        } else {
            row
        });
    }
    table::print("MLS, suite 0x004E, processor time", &rows);
    Ok(())
}
