//! `./dev bench`: prints every table, or those named.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use undertone_bench::{
    connection::{Failure, Target},
    crowd, floors, linking, load, local, mls_costs, page,
    server::Server,
    stage,
    stats::{Cores, median},
    table::{self, Row, bytes, count, micros},
};

/// Undertone's load generator and benchmarks.
#[derive(Parser)]
struct Options {
    /// Which tables to print; all when none is named.
    tables: Vec<Which>,
    /// Where the server keeps its data while it is measured: the disk decides the figures.
    #[arg(long, default_value = "target")]
    disk: PathBuf,
    /// Seconds that each load is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often each load is measured; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Members of the crowd, 1,000 at most; each is an app of its own, and all share this machine.
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// How many of the crowd stay there; the others are off once they are in.
    #[arg(long, default_value_t = 1000)]
    awake: usize,
    /// End with a failure when a figure of the page is over its target.
    #[arg(long)]
    strict: bool,
    /// Used by the client table: the receiving side, in a process of its own.
    #[arg(long, hide = true)]
    receive: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Floors, pairs, latency, fan-out, store-and-forward.
    Server,
    /// Server memory per idle connection.
    Idle,
    /// MLS costs through the mls crate.
    Mls,
    /// The client's own path and opening a large home.
    Client,
    /// The user interface in a browser, on a large home.
    Page,
    /// Linking a second device.
    Devices,
    /// A large group of real apps.
    Crowd,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The benchmark ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    if let Some(home) = &options.receive {
        return local::receive(home);
    }
    let mut unmeasured = Vec::new();
    let wanted = |which| options.tables.is_empty() || options.tables.contains(&which);
    let runtime = stage::runtime()?;
    if wanted(Which::Server) {
        unmeasured.extend(runtime.block_on(server_tables(options))?);
    }
    if wanted(Which::Idle) {
        unmeasured.extend(runtime.block_on(idle_table(options))?);
    }
    if wanted(Which::Mls) {
        mls_costs::table()?;
    }
    if wanted(Which::Client) {
        local::table(&options.disk)?;
    }
    if wanted(Which::Page) {
        let over = page::table(&options.disk)?;
        if options.strict && !over.is_empty() {
            return Err(format!("over its target: {}", over.join("; ")).into());
        }
    }
    if wanted(Which::Devices) {
        linking::table(&options.disk)?;
    }
    if wanted(Which::Crowd) {
        // Sockets and files of each home.
        raise_file_limit((options.awake.min(options.members) + 32) as u64 * 32 + 1000);
        crowd::table(&options.disk, options.members, options.awake)?;
    }
    if unmeasured.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "not everything could be measured: {}",
            unmeasured.join(", ")
        )
        .into())
    }
}

/// Gives the names of the rows without a figure.
async fn server_tables(options: &Options) -> Result<Vec<String>, Failure> {
    let time = Duration::from_secs(options.seconds);
    eprintln!("Measuring the floors: one fdatasync, bare WebSocket echo");
    let (_, single) = floors::fdatasync(&options.disk, 1536, 1, time)?;
    let echo = floors::echo(50, 1024, 32, time).await?;
    let single_p99 = single.value_at_quantile(0.99) as f64;
    let mut rows = vec![
        Row::new(
            "floor: one fdatasync, p50 / p99",
            format!(
                "{} / {}",
                micros(single.value_at_quantile(0.5) as f64),
                micros(single_p99)
            ),
        ),
        Row::new(
            "floor: WebSocket echo, 1 KiB, no TLS, 50 connections",
            format!("{}/s", count(echo)),
        ),
    ];

    eprintln!("50 pairs, 1 KiB, pipelined");
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let server = Server::start(&options.disk)?;
        let target = Target::new(server.address, &server.invitation)?;
        rounds.push(load::pairs(&server, &target, 50, time).await?);
    }
    let figure = |pick: fn(&load::Figures) -> f64, rounds: &[load::Figures]| {
        median(rounds.iter().map(pick).collect())
    };
    let delivered = figure(|f| f.delivered, &rounds);
    let cores = Cores {
        server: figure(|f| f.cores.server, &rounds),
        generator: figure(|f| f.cores.generator, &rounds),
    };
    // A floor of another batch would be one of another thing.
    let batch = (figure(|f| f.batch, &rounds).round() as usize).max(1);
    eprintln!("The floor: fdatasync of as many at once, {batch}");
    let (grouped, _) = floors::fdatasync(&options.disk, 1536, batch, time)?;
    rows.insert(
        0,
        Row::new(
            format!("floor: fdatasync of {batch} x 1.5 KiB"),
            format!("{}/s", count(grouped)),
        )
        .note("as many as one wait for the disk served with 50 pairs"),
    );
    let refused: u64 = rounds.iter().map(|f| f.refused).sum();
    rows.push(
        Row::new(
            "delivered, 50 pairs, 1 KiB, TLS, after fsync",
            format!("{}/s", count(delivered)),
        )
        .against("30,000/s", delivered / 30_000.0)
        .note(format!(
            "{:.2} of the fdatasync floor; {refused} refused",
            delivered / grouped
        )),
    );
    rows.push(
        Row::new(
            "server processor time per 1,000 messages",
            format!("{:.1} ms", cores.server / delivered * 1e6),
        )
        .note(cores.to_string()),
    );

    eprintln!("Latency at 1,000 messages a second");
    let server = Server::start(&options.disk)?;
    let target = Target::new(server.address, &server.invitation)?;
    let (mut middles, mut tails) = (Vec::new(), Vec::new());
    let mut used = Cores::default();
    for _ in 0..options.rounds {
        let (latencies, cores) = load::latency(&server, &target, 50, 1000, time * 2).await?;
        used = cores;
        middles.push(latencies.value_at_quantile(0.5) as f64);
        tails.push(latencies.value_at_quantile(0.99) as f64);
    }
    let (p50, p99) = (median(middles), median(tails));
    let allowed = 3.0 * single_p99 + 2000.0;
    rows.push(
        Row::new(
            "send to receive at 1,000/s, p50 / p99",
            format!("{} / {}", micros(p50), micros(p99)),
        )
        .against(
            format!("{} (3 x fdatasync p99 + 2 ms)", micros(allowed)),
            p99 / allowed,
        )
        .note(format!("below 1 is good; {used}")),
    );

    for (fan_out, queues) in [(100, 100), (1000, 1000), (100, 10_000)] {
        eprintln!("Fan-out to {fan_out} addresses over {queues} queues");
        if queues > 1000 && !raise_file_limit(queues as u64 + 1000) {
            rows.push(Row::not_measured(
                format!("fan-out to {fan_out} of {queues} queues"),
                "too few file descriptors",
            ));
            continue;
        }
        let server = Server::start(&options.disk)?;
        let target = Target::new(server.address, &server.invitation)?;
        let figures = load::throughput(
            &server,
            &target,
            load::Load {
                senders: 4,
                queues,
                fan_out,
                window: 8,
                payload: 1024,
            },
            time,
        )
        .await?;
        let row = Row::new(
            format!("fan-out to {fan_out} addresses of {queues} queues"),
            format!("{} deliveries/s", count(figures.delivered)),
        )
        .note(figures.cores.to_string());
        rows.push(if fan_out == 100 && queues == 100 {
            row.against("60,000/s", figures.delivered / 60_000.0)
        } else {
            row
        });
    }

    eprintln!("Store-and-forward of 20,000 messages");
    let server = Server::start(&options.disk)?;
    let target = Target::new(server.address, &server.invitation)?;
    let stored = load::store_and_forward(&server, &target, 50, 20_000).await?;
    rows.push(
        Row::new(
            "stored for absent owners",
            format!("{}/s", count(stored.accepted)),
        )
        .against("30,000/s", stored.accepted / 30_000.0)
        .note(stored.accepting.to_string()),
    );
    rows.push(
        Row::new(
            "drained when they come",
            format!("{}/s", count(stored.drained)),
        )
        .against("80,000/s", stored.drained / 80_000.0)
        .note(stored.draining.to_string()),
    );
    rows.push(Row::new(
        "disk per stored 1 KiB message",
        bytes(stored.bytes),
    ));
    Ok(table::print("Server", &rows))
}

/// Gives the names of the rows without a figure.
async fn idle_table(options: &Options) -> Result<Vec<String>, Failure> {
    let mut rows = Vec::new();
    for connections in [1000, 5000] {
        eprintln!("{connections} idle connections");
        if !raise_file_limit(connections as u64 + 200) {
            rows.push(Row::not_measured(
                format!("{connections} idle connections"),
                "too few file descriptors",
            ));
            continue;
        }
        let server = Server::start(&options.disk)?;
        let target = Target::new(server.address, &server.invitation)?;
        let each = load::idle(&server, &target, connections).await?;
        rows.push(
            Row::new(
                format!("server memory per idle connection, of {connections}"),
                bytes(each),
            )
            .against("16 KiB", each / 16_384.0)
            .note("TLS included; below 1 is good"),
        );
    }
    Ok(table::print("Idle connections", &rows))
}

/// Lifts this process's (and so the server's) limit of open files; false if it cannot.
fn raise_file_limit(wanted: u64) -> bool {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return true;
    }
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return false;
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit).is_ok()
}
