//! `./dev demo`: a server, three people, and somebody who takes the server's disk.

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use undertone_tests::demo::{self, Stage};

/// Starts a server on this machine, lets Ada, Ben and Cleo talk through it, and shows what its disk holds.
#[derive(Parser)]
#[command(name = "undertone-demo", version, max_term_width = 100)]
struct Arguments {
    /// End after the transcript instead of keeping the server running
    #[arg(long)]
    once: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = match tempfile::Builder::new().prefix("undertone-demo-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("There is no room for temporary files: {error}.");
            return ExitCode::FAILURE;
        }
    };
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        eprintln!("Ctrl-C could not be listened for.");
        return ExitCode::FAILURE;
    };
    let stage = Stage::default();
    let (place, shown) = (folder.path().to_owned(), stage.clone());
    // The script may stand in the middle of a command; it ends at the next step, and takes the server with it.
    let mut playing =
        tokio::task::spawn_blocking(move || demo::play(&place, &shown, arguments.once));
    let ended = tokio::select! {
        ended = &mut playing => ended,
        _ = interrupt.recv() => { stage.stop(); playing.await }
        _ = terminate.recv() => { stage.stop(); playing.await }
    };
    // Whatever came of it, nothing stays behind.
    let removed = folder.close();
    match ended {
        Ok(Ok(())) if removed.is_ok() => ExitCode::SUCCESS,
        Ok(Ok(())) => {
            eprintln!("The demo's temporary folder could not be removed.");
            ExitCode::FAILURE
        }
        // Ctrl-C in the middle is a way to end it, and what it cut off is no news.
        _ if stage.is_stopping() => ExitCode::SUCCESS,
        Ok(Err(failed)) => {
            eprintln!("\nThe demo stopped. {failed}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}
