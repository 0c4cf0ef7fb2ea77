//! `status`: counts and sizes, which is all that the server knows.

use super::{FolderArgs, answer};
use crate::admin::{Answer, Command, reach};
use crate::error::ServerError;

pub(super) fn run(args: &FolderArgs) -> Result<(), ServerError> {
    let Answer::Status(status) = reach::ask(&args.dir, &Command::Status)? else {
        return Err(ServerError::NotAnswering(args.dir.clone()));
    };
    let state = match (status.running, status.accepts_sends) {
        (true, true) => "running",
        (true, false) => "running, but accepts no messages: the disk is full",
        (false, _) => "not running",
    };
    let lines = [
        ("State", state.to_owned()),
        ("Origin", status.origin.clone()),
        ("Pin", status.pin.clone()),
        ("Registration", status.registration.clone()),
        (
            "Connections",
            format!("{} ({} devices online)", status.connections, status.inboxes),
        ),
        ("Devices", status.queues.to_string()),
        ("Addresses", status.addresses.to_string()),
        ("Undelivered", format!("{} items", status.items)),
        ("Channels", status.channels.to_string()),
        (
            "Attachments",
            format!("{} ({})", status.blobs, size(status.blob_bytes)),
        ),
        ("Invitations", format!("{} open", status.invitations)),
        ("For other servers", format!("{} waiting", status.parcels)),
        ("Database", size(status.database_bytes)),
        ("Free disk", size(status.free_bytes)),
    ];
    let text = lines
        .iter()
        .map(|(name, value)| format!("{name:<19}{value}"))
        .collect::<Vec<_>>()
        .join("\n");
    answer(args.json, &status, &text);
    Ok(())
}

/// Bytes in the largest unit that leaves at least 1.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = bytes;
    let mut rest = 0;
    while value >= 1024 && unit + 1 < UNITS.len() {
        rest = value % 1024;
        value /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{value} {}", UNITS[0]),
        _ => format!("{value}.{} {}", rest * 10 / 1024, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
    }
}
