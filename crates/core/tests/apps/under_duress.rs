//! What somebody sees who stands beside the owner as the duress passphrase is typed, and what they find afterwards.

use std::{
    fs,
    future::pending,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::fake::{FakeServer, Person, at_rest, eventually, killing::with_code, meet, passphrase};
use bytes::Bytes;
use undertone_core::{
    Client, ClientOptions, DecoyAccount, Draft, NewDuress,
    home::{Owner, Passphrase},
    transport::{
        BlobState, BoxFuture, Connection, Origin, PinOfServer, Role, ServerAddress, Transport,
        TransportError,
    },
};
use undertone_wire::{forward::ServerKey, ids::BlobId, tokens::Token};
use zeroize::Zeroizing;

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn duress() -> Passphrase {
    phrase("four kettles on a quiet tram")
}

async fn sets_duress(client: &Client, current: Passphrase, duress: Passphrase) {
    let new = NewDuress {
        current,
        duress,
        visit: Some(phrase("the other side of the hedge")),
        account: DecoyAccount::default(),
        alarm: Vec::new(),
    };
    client.set_duress(new).await.unwrap();
}

/// Ada keeps a file that Ben was sent, and leaves.
async fn with_a_file(ada: &mut Person, ben: &Person, server: &FakeServer) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.bin");
    fs::write(&file, vec![b'x'; 300_000]).unwrap();
    let chat = ada.chat("Ben").await.id;
    let draft = Draft::text("The ledger.").attach(&file);
    ada.client().send(&chat, draft).await.unwrap();
    ben.reads("Ada", &["Ada: The ledger."]).await;
    at_rest(server, &[ada, ben]).await;
}

fn files(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join("attachments")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Whether one of the stores has not one page where it was in `before`.
fn is_noise(home: &Path, before: &[(PathBuf, Vec<u8>)]) -> bool {
    before.iter().any(|(path, old)| {
        let new = fs::read(home.join(path)).unwrap();
        let mut pages = old.chunks(4096).zip(new.chunks(4096));
        new.len() == old.len() && pages.all(|(old, new)| old != new)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_account_left_goes_also_if_the_power_failed_at_once() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ada, &ben).await;
    with_a_file(&mut ada, &ben, &server).await;
    sets_duress(ada.client(), passphrase(), duress()).await;
    let options = ada.options();
    ada.quit().await;
    let stores = ["store-a", "store-b"].map(PathBuf::from);
    let before = stores.map(|name| (name.clone(), fs::read(ada.home.join(name)).unwrap()));

    // The keys are destroyed, and then the power fails.
    let home = Owner::acquire(&ada.home).unwrap().unlock(&duress());
    drop(home.map_err(|(_, error)| error).unwrap());
    assert_eq!(files(&ada.home).len(), 1);
    assert!(!is_noise(&ada.home, &before));

    let decoy = Client::open(&ada.home, &duress(), options.clone())
        .await
        .unwrap();
    eventually("nothing of the first account lies about", || async {
        files(&ada.home).is_empty() && is_noise(&ada.home, &before)
    })
    .await;
    // A decoy that takes the place of the first account's store is not taken for its rest, then or later.
    let next = phrase("a seventh gate by the weir");
    sets_duress(&decoy, duress(), next).await;
    decoy.close().await.unwrap();
    drop(decoy);
    for _ in 0..2 {
        let decoy = Client::open(&ada.home, &duress(), options.clone())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        decoy.close().await.unwrap();
    }
    let visit = phrase("the other side of the hedge");
    let visited = Client::open(&ada.home, &visit, options).await.unwrap();
    assert!(visited.protection().await.unwrap().decoy);
}

/// A network that swallows everything.
struct Silent;

impl Transport for Silent {
    fn connect<'a>(
        &'a self,
        _: &'a ServerAddress,
        _: Role,
    ) -> BoxFuture<'a, Result<Arc<dyn Connection>, TransportError>> {
        Box::pin(pending())
    }

    fn look_up_pin<'a>(
        &'a self,
        _: &'a Origin,
    ) -> BoxFuture<'a, Result<PinOfServer, TransportError>> {
        Box::pin(pending())
    }

    fn server_key<'a>(
        &'a self,
        _: &'a ServerAddress,
    ) -> BoxFuture<'a, Result<ServerKey, TransportError>> {
        Box::pin(pending())
    }

    fn create_blob<'a>(
        &'a self,
        _: &'a ServerAddress,
        _: &'a BlobId,
        _: u64,
        _: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(pending())
    }

    fn append_blob<'a>(
        &'a self,
        _: &'a ServerAddress,
        _: &'a BlobId,
        _: u64,
        _: Bytes,
        _: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(pending())
    }

    fn blob_state<'a>(
        &'a self,
        _: &'a ServerAddress,
        _: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(pending())
    }

    fn read_blob<'a>(
        &'a self,
        _: &'a ServerAddress,
        _: &'a BlobId,
        _: u64,
        _: u64,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        Box::pin(pending())
    }
}

/// How long it takes from the passphrase to the account, on a network that swallows everything.
async fn takes(home: &Path, passphrase: &Passphrase, options: &ClientOptions) -> Duration {
    let options = ClientOptions {
        transport: Some(Arc::new(Silent)),
        ..options.clone()
    };
    let begun = Instant::now();
    let client = Client::open(home, passphrase, options).await.unwrap();
    client.start().await.unwrap();
    let taken = begun.elapsed();
    client.close().await.unwrap();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoy_without_a_kill_code_is_opened_no_sooner_than_the_account_with_one() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ada, &ben).await;
    with_code(&ada).await;
    sets_duress(ada.client(), passphrase(), duress()).await;
    at_rest(&server, &[&ada, &ben]).await;
    let options = ada.options();
    ada.quit().await;
    let folder = ada.home.join("attachments");
    for number in 0..2_000 {
        fs::write(folder.join(format!("{number:032x}")), b"ciphertext").unwrap();
    }
    let real = takes(&ada.home, &passphrase(), &options).await;
    let under_duress = takes(&ada.home, &duress(), &options).await;
    let apart = real.abs_diff(under_duress);
    assert!(
        apart < Duration::from_millis(700),
        "{real:?} {under_duress:?}"
    );
}
