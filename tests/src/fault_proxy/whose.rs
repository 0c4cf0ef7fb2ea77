//! Whose connection it is. The protocol says it nowhere, as it should; this machine knows which process is at the other end.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The `--home` of the program at that end of a connection on this machine; empty where there is none.
pub fn home_at(end: SocketAddr) -> String {
    inode(end)
        .and_then(|inode| home_with(&format!("socket:[{inode}]")))
        .unwrap_or_default()
}

/// The number of the socket that has this local address.
fn inode(end: SocketAddr) -> Option<String> {
    let SocketAddr::V4(end) = end else {
        return None;
    };
    // As the kernel writes it: the address in the machine's own byte order.
    let local = format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(end.ip().octets()),
        end.port()
    );
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields.get(1) == Some(&local.as_str()))
            .then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
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
