//! What a waiting person sees: one line on standard error that goes when the wait is over.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use undertone_core::{Client, Event};

use super::output::Output;
use crate::terminal::width;

/// A line of progress; gone when dropped. Nothing is shown where nobody looks.
pub struct Progress {
    bar: Option<ProgressBar>,
    transfers: Option<tokio::task::JoinHandle<()>>,
}

impl Progress {
    /// Starts with a sentence fragment such as `Connecting`.
    #[must_use]
    pub fn start(output: &Output, what: &str) -> Self {
        let bar = output.shows_progress().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
            }
            bar.set_message(format!("{what}…"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            transfers: None,
        }
    }

    /// Says what goes on now.
    pub fn say(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{what}…"));
        }
    }

    /// Shows how far files have got, as far as this process moves them.
    pub fn follow(&mut self, client: Option<Client>) {
        let (Some(bar), Some(client)) = (self.bar.clone(), client) else {
            return;
        };
        self.transfers = Some(tokio::spawn(async move {
            let mut events = client.events();
            // Only what the stream needs is kept, so that the client can be closed.
            drop(client);
            while let Some(event) = events.next().await {
                match event {
                    Event::Transfer { done, total, .. } => bar.set_message(format!(
                        "{} of {}…",
                        width::bytes(done),
                        width::bytes(total)
                    )),
                    Event::Backup { done, total } => {
                        bar.set_message(format!("Part {done} of {total}…"));
                    }
                    _ => {}
                }
            }
        }));
    }

    /// Shows how many parts of something are done, from whatever thread.
    pub fn teller(&self) -> impl Fn(u64, u64) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |done, total| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{done} of {total}…"));
            }
        }
    }

    /// Takes the line away, to print or ask something.
    pub fn end(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(transfers) = self.transfers.take() {
            transfers.abort();
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
