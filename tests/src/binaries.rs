//! Where the programs under test are.

use std::path::{Path, PathBuf};

use crate::failed::{Failed, Outcome};

/// A program of this workspace, built in the same profile as the caller.
///
/// Cargo tells a package's tests the path of that package's own programs only, so they are looked for beside the
/// caller: in `target/PROFILE`, whose `deps` folder the tests run from.
///
/// # Errors
/// If it has not been built; the sentence says how to.
pub fn binary(name: &str) -> Outcome<PathBuf> {
    let step = format!("finding {name}");
    let me = std::env::current_exe().map_err(|error| Failed::harness(&step, error))?;
    let folder = me.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        let sentence = format!(
            "{} is not built; `./dev test` builds it, or `cargo build --workspace`.",
            path.display()
        );
        Err(Failed::harness(step, sentence))
    }
}
