//! What the key derivation of a new home is to cost: about a second on the machine that makes it.
//!
//! Memory grows first, since memory is what a guesser's special machine has least of; passes only when there is no more memory to be had.
//! Nothing ever goes below 64 MiB and 3 passes (RFC 9106 section 4, second choice), however slow or busy the machine is. All slots of a home
//! have the same parameters, so these say nothing of who opens what.

use std::time::Duration;

/// What a passphrase is to cost.
const AIM: Duration = Duration::from_secs(1);
/// The least memory, in KiB.
const LEAST_KIB: u32 = 64 * 1024;
/// The most, in KiB, whatever there is.
const MOST_KIB: u32 = 1024 * 1024;
/// Memory is a multiple of this, in KiB.
const STEP_KIB: u32 = 1024;
const LEAST_PASSES: u32 = 3;
const MOST_PASSES: u32 = 16;
/// Measurements; the quickest counts, for the others were disturbed.
const TRIES: u32 = 2;

/// Memory and passes of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
}

impl Cost {
    /// What no home goes below.
    pub(super) const LEAST: Self = Self {
        memory_kib: LEAST_KIB,
        passes: LEAST_PASSES,
    };
}

/// What costs about a second on this machine, with at most a quarter of its memory. `measure` says how long a cost takes; None: it can't
/// be had.
pub(super) fn fitting(
    memory_of_the_machine_kib: u64,
    mut measure: impl FnMut(Cost) -> Option<Duration>,
) -> Cost {
    let quickest = (0..TRIES).filter_map(|_| measure(Cost::LEAST)).min();
    let Some(taken) = quickest.filter(|taken| !taken.is_zero()) else {
        return Cost::LEAST;
    };
    let most = u32::try_from(memory_of_the_machine_kib / 4)
        .unwrap_or(MOST_KIB)
        .clamp(LEAST_KIB, MOST_KIB);
    // Time is in proportion to memory times passes.
    let times = AIM.as_secs_f64() / taken.as_secs_f64();
    let memory_kib = scaled(LEAST_KIB, times).clamp(LEAST_KIB, most) / STEP_KIB * STEP_KIB;
    let left = times * f64::from(LEAST_KIB) / f64::from(memory_kib);
    Cost {
        memory_kib,
        passes: scaled(LEAST_PASSES, left).clamp(LEAST_PASSES, MOST_PASSES),
    }
}

/// `number` times `times`, rounded down; what is too large for the type is its largest value.
fn scaled(number: u32, times: f64) -> u32 {
    (f64::from(number) * times) as u32
}

/// The memory of this machine in KiB; none that is known is little.
pub(super) fn memory_of_this_machine_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse_total(&text).unwrap_or(0)
}

fn parse_total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1024;
    const GIB: u64 = 1024 * 1024;

    /// A machine that takes so long for the least.
    fn machine(memory_gib: u64, least: Duration) -> Cost {
        fitting(memory_gib * GIB, |cost| {
            assert_eq!(cost, Cost::LEAST, "nothing dearer is tried");
            Some(least)
        })
    }

    fn of(memory_mib: u32, passes: u32) -> Cost {
        Cost {
            memory_kib: memory_mib * MIB,
            passes,
        }
    }

    #[test]
    fn a_usual_machine_takes_more_memory() {
        assert_eq!(machine(8, Duration::from_millis(250)), of(256, 3));
        assert_eq!(machine(8, Duration::from_millis(125)), of(512, 3));
    }

    #[test]
    fn a_slow_or_busy_machine_takes_the_least_and_no_less() {
        for slow in [1_000, 1_001, 60_000] {
            assert_eq!(machine(8, Duration::from_millis(slow)), Cost::LEAST);
        }
        // Nor one that can't even do that now, or measures nonsense.
        assert_eq!(fitting(8 * GIB, |_| None), Cost::LEAST);
        assert_eq!(machine(8, Duration::ZERO), Cost::LEAST);
    }

    #[test]
    fn a_machine_with_little_memory_takes_a_quarter_of_it_and_more_passes() {
        assert_eq!(machine(1, Duration::from_millis(125)), of(256, 6));
        assert_eq!(machine(0, Duration::from_millis(500)), of(64, 6));
    }

    #[test]
    fn however_quick_a_machine_is_there_is_an_end() {
        assert_eq!(machine(512, Duration::from_millis(25)), of(1024, 7));
        assert_eq!(machine(512, Duration::from_nanos(1)), of(1024, 16));
    }

    #[test]
    fn the_quickest_of_the_measurements_counts() {
        let mut times = [400, 250].into_iter();
        let cost = fitting(8 * GIB, |_| times.next().map(Duration::from_millis));
        assert_eq!(cost, of(256, 3));
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        let text = "MemFree:  1 kB\nMemTotal:       16318072 kB\nMemAvailable: 3 kB\n";
        assert_eq!(parse_total(text), Some(16_318_072));
        assert_eq!(parse_total("MemTotal: much"), None);
        assert!(memory_of_this_machine_kib() > 0);
    }
}
