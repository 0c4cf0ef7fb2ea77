//! A file of 64 MiB goes through both sides with at most 32 MiB above idle. It stands alone in its
//! process, because it measures the process.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::Mutex;

use bytes::Bytes;
use undertone_core::attachments::{Attachments, BlobTransport};
use undertone_core::store::{DataKey, Database};
use undertone_core::transport::{BlobState, BoxFuture};
use undertone_wire::Error;
use undertone_wire::ids::BlobId;

/// A server whose blob is a file, so that it does not count as this process's memory.
struct Server {
    file: std::fs::File,
    state: Mutex<BlobState>,
}

fn ready<T: Send + 'static>(answer: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(answer))
}

impl BlobTransport for Server {
    fn create<'a>(&'a self, _: &'a BlobId, length: u64) -> BoxFuture<'a, Result<BlobState, Error>> {
        let mut state = self.state.lock().unwrap();
        state.length = length;
        ready(Ok(*state))
    }

    fn append<'a>(
        &'a self,
        _: &'a BlobId,
        offset: u64,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(&bytes, offset).unwrap();
        let mut state = self.state.lock().unwrap();
        state.offset = offset + bytes.len() as u64;
        ready(Ok(*state))
    }

    fn state<'a>(&'a self, _: &'a BlobId) -> BoxFuture<'a, Result<BlobState, Error>> {
        ready(Ok(*self.state.lock().unwrap()))
    }

    fn read<'a>(
        &'a self,
        _: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, Error>> {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.file.read_exact_at(&mut bytes, from).unwrap();
        ready(Ok(bytes.into()))
    }
}

/// Resident memory in KiB: now, and the most there ever was.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (value("VmRSS:"), value("VmHWM:"))
}

fn person(folder: &std::path::Path) -> (Database, Attachments) {
    let database = Database::create(&folder.join("store"), DataKey::random().unwrap()).unwrap();
    let files = folder.join("attachments");
    std::fs::create_dir(&files).unwrap();
    let attachments = Attachments::new(database.clone(), files);
    (database, attachments)
}

#[tokio::test]
async fn a_large_file_goes_through_with_flat_memory() {
    const SIZE: u64 = 64 << 20;
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ada_store, ada) = person(here.path());
    let (ben_store, ben) = person(there.path());
    let server = Server {
        file: tempfile::tempfile().unwrap(),
        state: Mutex::new(BlobState {
            offset: 0,
            length: 0,
        }),
    };
    let (idle, _) = memory();

    let mut source = std::io::repeat(0x61).take(SIZE);
    let id = ada.import(&mut source, 0, &mut |_| true).unwrap();
    let tx = ada_store.begin().unwrap();
    ada.accept(&tx, &id).unwrap();
    tx.commit().unwrap();
    ada.upload(&server, &id, |_| true).await.unwrap();

    let tx = ben_store.begin().unwrap();
    let told = ben.expect(&tx, &ada.reference(&id).unwrap(), 0).unwrap();
    tx.commit().unwrap();
    ben.download(&server, &told, |_| true).await.unwrap();
    let mut read = 0;
    let mut reader = ben.open(&told).unwrap();
    let mut buffer = vec![0; 100_000];
    loop {
        let length = reader.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        assert!(buffer[..length].iter().all(|byte| *byte == 0x61));
        read += length as u64;
    }
    assert_eq!(read, SIZE);

    let (_, most) = memory();
    let above = most.saturating_sub(idle);
    println!("{above} KiB above idle for both sides together");
    assert!(above < 32 * 1024, "{above} KiB above idle");
}
