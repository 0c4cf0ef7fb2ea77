//! Medians, percentiles and processor time.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

/// The middle of some figures; 0 of none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        n if n % 2 == 1 => figures[n / 2],
        n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
    }
}

/// Microseconds, up to a minute, to three significant digits.
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are constants")
}

/// User and system time that a process has used so far. Zero if it is gone.
pub fn processor_time(pid: u32) -> Duration {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return Duration::ZERO;
    };
    // The command's name stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut ticks = || {
        fields
            .next()
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let total = ticks() + ticks();
    // Linux reports USER_HZ, which is 100 on every platform it runs on.
    Duration::from_millis(total * 10)
}

/// Processors that the server and this generator used, 1.0 being one core.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cores {
    /// The server.
    pub server: f64,
    /// This process.
    pub generator: f64,
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "server {:.2} cores, generator {:.2}",
            self.server, self.generator
        )
    }
}

/// Processor time of both from one moment on.
pub struct Meter {
    begun: Instant,
    server: (u32, Duration),
    generator: Duration,
}

impl Meter {
    /// Begins; the server is the process with this id.
    pub fn begin(server: u32) -> Self {
        Self {
            begun: Instant::now(),
            server: (server, processor_time(server)),
            generator: processor_time(std::process::id()),
        }
    }

    /// What was used since.
    pub fn read(&self) -> Cores {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (server, before) = self.server;
        let cores =
            |pid, before| processor_time(pid).saturating_sub(before).as_secs_f64() / seconds;
        Cores {
            server: cores(server, before),
            generator: cores(std::process::id(), self.generator),
        }
    }
}

/// Resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches(" kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0)
        * 1024
}

/// Processor time used by this thread, for costs of single-threaded work that do not depend on what else runs.
pub fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(vec![]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_process_has_memory_and_time() {
        assert!(resident_bytes(std::process::id()) > 100_000);
        assert_eq!(processor_time(u32::MAX), Duration::ZERO);
    }
}
