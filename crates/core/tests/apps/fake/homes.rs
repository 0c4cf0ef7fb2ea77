//! People whose home is not made anew: it was kept from before, or comes from a backup.

use std::sync::Arc;

use undertone_core::Client;

use super::{FakeServer, Person, TestClock, copy_folder, options, pace, passphrase};

impl Person {
    /// Somebody whose home was made elsewhere; the app is open, and not on-line.
    pub async fn moved_in(name: &'static str, server: &FakeServer, from: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join(name);
        copy_folder(from, &home);
        let (clock, ended) = (Arc::default(), Arc::default());
        let mut person = Self {
            name,
            home,
            client: None,
            linking: None,
            pace: pace(),
            server: server.by_way_of(&ended),
            clock,
            ended,
            end: Arc::default(),
            _folder: folder,
        };
        person.open().await;
        person
    }

    /// A device that was being linked and has ended is opened again where it stood: as what is still to be linked, or with its account.
    pub async fn comes_back_linked_or_not(&mut self) {
        self.linking = None;
        self.quit().await;
        self.ended = Arc::default();
        self.server = self.server.by_way_of(&self.ended);
        for _ in 0..200 {
            match Client::open(&self.home, &passphrase(), self.options()).await {
                Ok(client) => {
                    self.client = Some(client);
                    return;
                }
                Err(error) if error.code() == "linking.unfinished" => {
                    self.resumes_linking().await;
                    return;
                }
                // What is left of the old life still has it.
                Err(error) if error.code().starts_with("home.") => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the home does not open");
    }

    /// Somebody who lost every device and makes a home from a backup.
    pub async fn restored(
        name: &'static str,
        server: &FakeServer,
        backup: &std::path::Path,
        words: &str,
        clock: TestClock,
    ) -> (Self, undertone_core::RestoreReport) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join(name);
        let choice = server.choice().parse().expect("a server");
        let (clock, ended) = (Arc::new(clock), Arc::default());
        let server = server.by_way_of(&ended);
        let options = options(&server, &clock);
        let (client, report) = Client::restore(
            &home,
            &passphrase(),
            &choice,
            backup,
            words,
            options,
            |_, _| {},
        )
        .await
        .expect("restored");
        client.start().await.expect("started");
        let person = Self {
            name,
            home,
            client: Some(client),
            linking: None,
            pace: pace(),
            server,
            clock,
            ended,
            end: Arc::default(),
            _folder: folder,
        };
        (person, report)
    }
}
