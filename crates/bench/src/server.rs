//! The real server, in a process of its own.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use undertone_wire::strings::Invitation;

/// A running `undertone-server` in a temporary folder.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its data folder.
    pub dir: PathBuf,
    metrics: SocketAddr,
    /// An invitation for as many queues as a benchmark wants.
    pub invitation: Invitation,
    _folder: tempfile::TempDir,
}

/// The binary that stands beside this one.
///
/// # Errors
/// A sentence naming the path when it is not there.
pub fn sibling_binary(name: &str) -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = me.parent().ok_or("this program has no folder")?;
    let path = dir.join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is not built; run ./dev bench", path.display()))
    }
}

impl Server {
    /// Initialises and starts a server with wide quotas, so that the benchmark meets the machine and not a limit.
    ///
    /// # Errors
    /// One sentence.
    pub fn start(base: &Path) -> Result<Self, String> {
        let binary = sibling_binary("undertone-server")?;
        let folder = tempfile::Builder::new()
            .prefix("undertone-bench-")
            .tempdir_in(base)
            .map_err(|error| error.to_string())?;
        let dir = folder.path().join("server");
        let port = free_port().map_err(|error| error.to_string())?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        run(Command::new(&binary)
            .args(["init", "--origin", &address.to_string()])
            .arg(&dir))?;
        let metrics = SocketAddr::from(([127, 0, 0, 1], free_port().map_err(|e| e.to_string())?));
        widen(&dir.join("undertone-server.toml"), metrics)?;
        let child = Command::new(&binary)
            .arg("run")
            .arg(&dir)
            .args(["--listen", &address.to_string()])
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut child = Ended(Some(child));
        wait_until_it_listens(address)?;
        let printed = run_until_answered(
            Command::new(&binary)
                .args(["invite", "create", "--uses", "100000", "--expires", "1d"])
                .arg(&dir),
        )?;
        let invitation = printed
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| c == '"' || c == ',' || c == '}'))
            .find_map(|word| {
                let start = word.find("undertone:i:")?;
                let text = word[start..].trim_end_matches(['"', '}', ',']);
                text.parse::<Invitation>().ok()
            })
            .ok_or("the server printed no invitation")?;
        let child = child.0.take().ok_or("the server is gone")?;
        Ok(Self {
            child,
            address,
            dir,
            metrics,
            invitation,
            _folder: folder,
        })
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What its store has done so far, as its own metrics say.
    ///
    /// # Errors
    /// One sentence.
    pub fn done(&self) -> Result<Done, String> {
        let mut stream = TcpStream::connect(self.metrics).map_err(|error| error.to_string())?;
        let mut page = String::new();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut page))
            .map_err(|error| error.to_string())?;
        Done::parse(&page).ok_or_else(|| "the server's metrics do not say what it did".to_owned())
    }

    /// Bytes of all files in the data folder.
    pub fn bytes_on_disk(&self) -> u64 {
        fn sum(dir: &Path) -> u64 {
            std::fs::read_dir(dir).map_or(0, |entries| {
                entries
                    .flatten()
                    .map(|entry| match entry.metadata() {
                        Ok(meta) if meta.is_dir() => sum(&entry.path()),
                        Ok(meta) => meta.len(),
                        Err(_) => 0,
                    })
                    .sum()
            })
        }
        sum(&self.dir)
    }
}

/// Counts of a server's store since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Sends accepted.
    pub sends: u64,
    /// Times that the disk was waited for.
    pub syncs: u64,
}

impl Done {
    fn parse(page: &str) -> Option<Self> {
        let count = |name: &str| {
            page.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .and_then(|count| count.trim().parse().ok())
        };
        Some(Self {
            sends: count("undertone_store_sends_total")?,
            syncs: count("undertone_store_syncs_total")?,
        })
    }

    /// Sends for each wait since then.
    pub fn batch_since(self, before: Self) -> f64 {
        (self.sends - before.sends) as f64 / ((self.syncs - before.syncs).max(1)) as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Kills the server if setting up ends early.
struct Ended(Option<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server that is just starting may not take administrators' commands yet.
fn run_until_answered(command: &mut Command) -> Result<String, String> {
    let started = Instant::now();
    loop {
        match run(command) {
            Err(_) if started.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(200));
            }
            answer => return answer,
        }
    }
}

fn wait_until_it_listens(address: SocketAddr) -> Result<(), String> {
    let started = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() > Duration::from_secs(20) => {
                return Err(error.to_string());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Sets the settings that would otherwise end a benchmark: daily tokens, quotas, connections. And where it tells what it did.
fn widen(path: &Path, metrics: SocketAddr) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut config: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.to_string())?;
    for (section, key, value) in [
        ("tokens", "per_day", 1_000_000),
        ("tokens", "requests", 100_000),
        ("tokens", "mib", 4096),
        ("quotas", "conversation_items", 1_000_000),
        ("quotas", "conversation_mib", 16_384),
        ("disk", "reserve_mib", 1),
    ] {
        config
            .entry(section)
            .or_insert_with(|| toml::Table::new().into())
            .as_table_mut()
            .ok_or("a section of the settings is no table")?
            .insert(key.to_owned(), toml::Value::Integer(value));
    }
    config.insert("metrics".to_owned(), metrics.to_string().into());
    let text = toml::to_string(&config).map_err(|error| error.to_string())?;
    std::fs::write(path, text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_what_one_wait_for_the_disk_served() {
        let page = |sends, syncs| {
            let page = format!(
                "# HELP undertone_store_sends Sends applied.\nundertone_store_sends_total {sends}\nundertone_store_syncs_total {syncs}\n# EOF\n"
            );
            Done::parse(&page).expect("both are there")
        };
        let batch = page(5200, 20).batch_since(page(200, 10));
        assert!((batch - 500.0).abs() < f64::EPSILON);
        assert_eq!(Done::parse("undertone_store_sends_total 5\n"), None);
    }
}
