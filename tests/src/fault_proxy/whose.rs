//! Whose connection it is. The protocol says it nowhere, as it should; this machine knows which process is at the other end.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// How often it is looked again, and after how long: what the kernel lists while it changes may leave something out.
const LOOKS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(3);

/// The `--home` of the program that is connected from `end` to `to` on this machine; empty where there is none.
pub async fn home_at(end: SocketAddr, to: SocketAddr) -> String {
    for _ in 0..LOOKS {
        let home = inode(end, to).and_then(|inode| home_with(&format!("socket:[{inode}]")));
        if let Some(home) = home {
            return home;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    String::new()
}

/// The number of the socket of this connection. Its own address is not enough: another one may go from there to somewhere else.
fn inode(end: SocketAddr, to: SocketAddr) -> Option<String> {
    let (local, remote) = (listed(end)?, listed(to)?);
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it =
            fields.get(1) == Some(&local.as_str()) && fields.get(2) == Some(&remote.as_str());
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}

/// As the kernel writes it: the address in the machine's own byte order.
fn listed(end: SocketAddr) -> Option<String> {
    let SocketAddr::V4(end) = end else {
        return None;
    };
    let address = u32::from_ne_bytes(end.ip().octets());
    Some(format!("{address:08X}:{:04X}", end.port()))
}

/// The home of the process that has this open.
fn home_with(socket: &str) -> Option<String> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let home = home_of(&process.path())?;
        let open = fs::read_dir(process.path().join("fd")).ok()?;
        open.flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket))
            .then_some(home)
    })
}

fn home_of(process: &Path) -> Option<String> {
    let words = fs::read(process.join("cmdline")).ok()?;
    let mut words = words.split(|byte| *byte == 0);
    words.find(|word| *word == b"--home")?;
    let home = OsStr::from_bytes(words.next()?);
    Some(home.to_string_lossy().into_owned())
}
