//! What a process that locks hands to the fresh image of itself beside the listening socket: the pass to hear the bell with, and what its pages
//! know it by.
//!
//! Each goes through a file that exists in memory only, whose number stands among the arguments. What must stay true: it is on no disk and in no
//! argument or environment, and the file is empty once it was read, so that no program that is started later inherits it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::fs::MemfdFlags;
use zeroize::Zeroizing;

/// More than any of it has.
const MOST: u64 = 4096;

/// A file in memory that holds `bytes`, which the next image of this process inherits under the number of this one.
pub(super) fn write(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    // Not closed by executing; nothing else is started between this and that.
    let file = rustix::fs::memfd_create("undertone", MemfdFlags::empty())?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// Puts `bytes` into the file that the image before this one left under `number`, and that [`take`] has emptied.
pub(super) fn write_again(number: i32, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = open(number)?;
    if file.metadata()?.len() > 0 {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    file.write_all(bytes)
}

/// The number by which the next image finds it.
pub(super) fn number(file: &OwnedFd) -> i32 {
    file.as_raw_fd()
}

fn open(number: i32) -> std::io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/self/fd/{number}"))
}

/// Takes what the image before this one left under `number`, and empties the file. None: it is not there, or `read` can't make anything of it.
pub(super) fn take<T>(number: i32, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let mut file = open(number).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    (&mut file).take(MOST).read_to_end(&mut bytes).ok()?;
    let taken = read(&bytes)?;
    // Only what was left for it is emptied.
    file.set_len(0).ok()?;
    Some(taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use undertone_core::bell::BellPass;

    use super::*;
    use crate::web::proof::Proofs;

    #[test]
    fn what_is_neither_is_left_alone() {
        let file = rustix::fs::memfd_create("undertone", MemfdFlags::CLOEXEC).unwrap();
        let mut file = File::from(file);
        file.write_all(b"something else").unwrap();
        let pass = |number| take(number, |bytes| BellPass::from_bytes(bytes).ok());
        assert!(pass(file.as_raw_fd()).is_none());
        assert!(take(file.as_raw_fd(), Proofs::from_bytes).is_none());
        assert_eq!(file.metadata().unwrap().len(), 14);
        assert!(pass(-1).is_none() && pass(i32::MAX).is_none());
    }

    #[test]
    fn a_file_is_empty_once_it_was_taken_and_is_used_again() {
        let proofs = Proofs::new().unwrap_or_else(|_| panic!("random"));
        let file = write(&proofs.to_bytes()).unwrap();
        let number = number(&file);
        assert!(write_again(number, b"x").is_err());
        assert!(take(number, Proofs::from_bytes).is_some());
        assert!(take(number, Proofs::from_bytes).is_none());
        write_again(number, &proofs.to_bytes()).unwrap();
        assert!(take(number, Proofs::from_bytes).is_some());
    }
}
