//! `undertone-fixtures DIR`: writes `photo.jpg`, a picture that says where it was taken, and `memo.opus`, a voice memo.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use undertone_tests::fixtures;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        eprintln!("Usage: undertone-fixtures DIR");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "The fixtures could not be written to {}: {error}",
                folder.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("photo.jpg"), fixtures::photo()?)?;
    std::fs::write(folder.join("memo.opus"), fixtures::memo()?)
}
