//! What a process that locks hands to the fresh image of itself beside the listening socket: the pass to hear the bell with.
//!
//! It goes through a file that exists in memory only, whose number stands among the arguments. What must stay true: it is on no disk and in no
//! argument or environment, and the file is empty once it was read, so that no program that is started later inherits it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::fs::MemfdFlags;
use undertone_core::bell::BellPass;
use zeroize::Zeroizing;

/// More than any pass has.
const MOST: u64 = 4096;

/// A file in memory that holds `pass`, which the next image of this process inherits under the number of this one.
pub(super) fn write(pass: &BellPass) -> std::io::Result<OwnedFd> {
    // Not closed by executing; nothing else is started between this and that.
    let file = rustix::fs::memfd_create("undertone", MemfdFlags::empty())?;
    let mut file = File::from(file);
    file.write_all(&pass.to_bytes())?;
    Ok(file.into())
}

/// The number by which the next image finds it.
pub(super) fn number(file: &OwnedFd) -> i32 {
    file.as_raw_fd()
}

/// Takes what the image before this one left under `number`, and empties the file. None: it is not there, or not that.
pub(super) fn take(number: i32) -> Option<BellPass> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/self/fd/{number}"))
        .ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    (&mut file).take(MOST).read_to_end(&mut bytes).ok()?;
    let pass = BellPass::from_bytes(&bytes).ok()?;
    // Only what was a pass is emptied.
    file.set_len(0).ok()?;
    Some(pass)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_pass_is_left_alone() {
        let file = rustix::fs::memfd_create("undertone", MemfdFlags::CLOEXEC).unwrap();
        let mut file = File::from(file);
        file.write_all(b"something else").unwrap();
        assert!(take(file.as_raw_fd()).is_none());
        assert_eq!(file.metadata().unwrap().len(), 14);
        assert!(take(-1).is_none() && take(i32::MAX).is_none());
    }
}
