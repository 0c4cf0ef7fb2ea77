//! Waiting for what happens in another process.

use std::time::{Duration, Instant};

use crate::failed::{Failed, Outcome};

/// Asks again and again until there is an answer, for at most `limit`.
///
/// # Errors
/// When the time is over; the sentence says what did not come about.
pub fn eventually<T>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(Failed::harness(
                what,
                format!("did not happen within {limit:?}."),
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A test that this system does not let be tried fails: what passes was tried. `UNDERTONE_MAY_SKIP=1` lets it pass, with a line.
pub fn not_tried(what: &str) {
    let may = std::env::var_os("UNDERTONE_MAY_SKIP").is_some_and(|value| value == "1");
    assert!(
        may,
        "NOT TRIED: {what}. With UNDERTONE_MAY_SKIP=1 that is no failure."
    );
    eprintln!("NOT TRIED: {what}");
}

/// True in `./dev soak`, which tries everything as often as the project promises rather than a few times.
pub fn is_soak() -> bool {
    std::env::var_os("UNDERTONE_SOAK").is_some_and(|value| value == "1")
}
