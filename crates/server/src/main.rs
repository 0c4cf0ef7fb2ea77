//! The `undertone-server` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    undertone_server::cli::main()
}
