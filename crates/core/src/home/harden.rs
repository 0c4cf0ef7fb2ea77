//! Keeping keys out of places where the process does not put them: core dumps, other processes of the
//! same user, and memory that outlives a lock.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Turns core dumps off and keeps debuggers of the same user away (`RLIMIT_CORE` 0,
/// `PR_SET_DUMPABLE` 0). To be called first thing in `main`.
///
/// In debug builds `UNDERTONE_TEST_READABLE=1` leaves the second out, for the test that looks through the memory of a locked
/// process: it is not always run by root.
///
/// # Errors
/// What the operating system says.
pub fn process() -> io::Result<()> {
    rustix::process::setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    if !stays_readable() {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

#[cfg(debug_assertions)]
fn stays_readable() -> bool {
    std::env::var_os("UNDERTONE_TEST_READABLE").is_some_and(|value| value == "1")
}

#[cfg(not(debug_assertions))]
const fn stays_readable() -> bool {
    false
}

/// Replaces this process by a fresh image of the same program with `arguments`: locking. Whatever an
/// allocator, a library or a register still held is gone with the old image. The home's lock is given
/// back, for the new image to take. A program whose file was replaced or removed meanwhile, as by an update, goes on
/// as the one that it was.
///
/// Returns only if it fails; the caller must then exit.
#[must_use]
pub fn execute_anew<I, A>(arguments: I) -> io::Error
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let arguments: Vec<A> = arguments.into_iter().collect();
    let error = Command::new(&program).args(&arguments).exec();
    if error.kind() != io::ErrorKind::NotFound {
        return error;
    }
    // The kernel still holds the file that has no name any more.
    Command::new("/proc/self/exe")
        .arg0(&program)
        .args(&arguments)
        .exec()
}
