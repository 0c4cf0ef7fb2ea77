//! What people do with files on their way: they see how far they are, pause, go on, cancel, and send again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::fake::{FakeServer, Person, eventually, three};
use undertone_core::{
    ChatId, Draft, Event, EventStream, MessageId, MessageInfo, MessageState, Sent, SettingsChange,
    TransferState,
};

type Outcome = Result<(), undertone_core::Error>;

const MINUTE: i64 = 60_000;
/// Three pieces on the way up, six on the way down.
const LARGE: usize = 21_000_000;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, size: usize) -> PathBuf {
        let path = self.0.path().join(name);
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn is_the_same(&self, saved: &Path, size: usize) -> bool {
        let saved = std::fs::read(saved).unwrap();
        saved.len() == size
            && saved
                .iter()
                .enumerate()
                .all(|(at, byte)| *byte == (at % 251) as u8)
    }
}

/// Waits until the newest line is one like this.
async fn sees_last(person: &Person, chat: &str, like: impl Fn(&MessageInfo) -> bool) {
    eventually("the newest line", || async {
        person.chat(chat).await.last.as_ref().is_some_and(&like)
    })
    .await;
}

async fn line(person: &Person, chat: &ChatId, message: &MessageId) -> MessageInfo {
    person
        .client()
        .message(chat, message.as_str())
        .await
        .unwrap()
}

async fn state(person: &Person, chat: &ChatId, message: &MessageId) -> Option<TransferState> {
    line(person, chat, message).await.attachments[0].transfer
}

/// How far the transfers are that are told of, up to and with the first that is this far: bytes done, and in all.
async fn progress_until(
    events: &mut EventStream,
    enough: impl Fn(u64, u64) -> bool,
) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    let wait = async {
        while let Some(event) = events.next().await {
            if let Event::Transfer { done, total, .. } = event {
                told.push((done, total));
                if enough(done, total) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait)
        .await
        .expect("progress is told");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_waits_while_it_is_paused_also_over_a_restart_and_goes_on_where_it_was() -> Outcome
{
    let server = FakeServer::new();
    let (mut ada, ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let chat = ada.chat("Ben").await.id;
    let mut events = ada.client().events();

    server.hold_pieces_after(1);
    let draft = Draft::default().attach(folder.file("large", LARGE));
    let sent = ada.client().enqueue(&chat, draft).await?.message;
    let told = progress_until(&mut events, |done, _| done > 0).await;
    let (done, total) = *told.last().unwrap();
    assert_eq!(told[0], (0, total), "from the beginning");
    assert!(total > LARGE as u64 && done < total, "{done} of {total}");
    assert_eq!(
        state(&ada, &chat, &sent).await,
        Some(TransferState::Waiting)
    );

    ada.client().pause_transfer(&chat, &sent, None).await?;
    assert_eq!(state(&ada, &chat, &sent).await, Some(TransferState::Paused));
    // Again is no mistake, and what comes after does not wait for it.
    ada.client().pause_transfer(&chat, &sent, Some(0)).await?;
    ada.says("Ben", "after").await;
    ben.reads("Ada", &["Ada: after"]).await;
    ada.reopen().await;
    server.let_pieces_go();
    ada.settle().await;
    assert_eq!(state(&ada, &chat, &sent).await, Some(TransferState::Paused));
    assert_eq!(
        line(&ada, &chat, &sent).await.state,
        MessageState::Uploading
    );
    assert_eq!(server.blob_bytes(), done, "nothing more went up");

    let mut events = ada.client().events();
    ada.client().resume_transfer(&chat, &sent, None).await?;
    let told = progress_until(&mut events, |done, total| done == total).await;
    assert_eq!(told[0], (done, total), "where it was");
    sees_last(&ben, "Ada", |line| line.attachments.len() == 1).await;
    assert_eq!(state(&ada, &chat, &sent).await, None);
    let (bens, to) = (ben.chat("Ada").await.id, folder.0.path().join("out"));
    ben.client().save(&bens, &sent, 0, &to).await?;
    assert!(folder.is_the_same(&to, LARGE));
    let over = ada.client().pause_transfer(&chat, &sent, None).await;
    assert_eq!(over.unwrap_err().code(), "attachment.not_moving");
    let none = ada.client().pause_transfer(&chat, &sent, Some(7)).await;
    assert_eq!(none.unwrap_err().code(), "attachment.unknown");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_upload_does_not_go_nobody_misses_it_and_it_can_be_sent_again() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let chat = ada.chat("Ben").await.id;
    let mut events = ada.client().events();

    ada.says("Ben", "before").await;
    server.hold_pieces_after(1);
    let draft = Draft {
        text: Some("a film".into()),
        ..Draft::default()
            .attach(folder.file("large", LARGE))
            .attach(folder.file("small", 9))
    };
    let Sent {
        message: sent,
        local_id,
        ..
    } = ada.client().enqueue(&chat, draft).await?;
    progress_until(&mut events, |done, _| done > 0).await;
    // Whoever waits for it to go is told that it does not.
    let (waiting, cancelling) = tokio::join!(
        ada.client()
            .wait_sent(&chat, local_id, Duration::from_secs(20)),
        ada.client().cancel_transfer(&chat, &sent, Some(0)),
    );
    cancelling?;
    assert_eq!(waiting.unwrap_err().code(), "message.not_sent");
    let cancelled = line(&ada, &chat, &sent).await;
    assert_eq!(cancelled.state, MessageState::Failed);
    for file in &cancelled.attachments {
        assert_eq!(
            file.transfer,
            Some(TransferState::Cancelled),
            "a message goes as a whole"
        );
        assert!(file.here);
    }
    server.let_pieces_go();
    ada.reopen().await;
    ada.says("Ben", "after").await;
    ben.reads("Ada", &["Ada: before", "Ada: after"]).await;
    ada.settle().await;
    // Nobody thinks that something is missing.
    ben.clock().pass_ms(10 * MINUTE);
    ben.settle().await;
    ben.reads("Ada", &["Ada: before", "Ada: after"]).await;

    // It does not go on; it goes as a new one, with all that it had.
    for refused in [
        ada.client().resume_transfer(&chat, &sent, None).await,
        ada.client().pause_transfer(&chat, &sent, None).await,
        ada.client().cancel_transfer(&chat, &sent, None).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), "attachment.not_moving");
    }
    let again = ada.client().send_again(&chat, &sent).await?.message;
    assert_ne!(again, sent);
    sees_last(&ben, "Ada", |line| {
        line.id == again && line.text == "a film" && line.attachments.len() == 2
    })
    .await;
    let gone = ada.client().message(&chat, sent.as_str()).await;
    assert_eq!(gone.unwrap_err().code(), "message.unknown");
    let bens = ben.chat("Ada").await.id;
    for (index, size) in [(0, LARGE), (1, 9)] {
        let to = folder.0.path().join(format!("out{index}"));
        ben.client().save(&bens, &again, index, &to).await?;
        assert!(folder.is_the_same(&to, size));
    }
    let twice = ada.client().send_again(&chat, &again).await;
    assert_eq!(twice.unwrap_err().code(), "message.not_failed");

    // Or it is removed, with its files.
    server.hold_pieces_after(0);
    let draft = Draft::default().attach(folder.file("unwanted", 70_000));
    let sent = ada.client().enqueue(&chat, draft).await?.message;
    ada.client().cancel_transfer(&chat, &sent, None).await?;
    ada.client().delete_for_me(&chat, &sent).await?;
    server.let_pieces_go();
    ada.says("Ben", "bye").await;
    sees_last(&ben, "Ada", |line| line.text == "bye").await;
    ada.quit().await;
    let left = ada.looks_up("SELECT count(*) FROM attachments");
    assert_eq!(left, 2, "those that went");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_can_be_paused_cancelled_and_begun_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let (chat, bens) = (ada.chat("Ben").await.id, ben.chat("Ada").await.id);
    let send = async |name: &str| {
        let draft = Draft::default().attach(folder.file(name, LARGE));
        ada.client()
            .send(&chat, draft)
            .await
            .map(|sent| sent.message)
    };

    // Asked for by hand, and stopped in the middle of a piece: whoever waits for it hears so.
    let sent = send("first").await?;
    sees_last(&ben, "Ada", |line| line.id == sent).await;
    assert_eq!(state(&ben, &bens, &sent).await, None, "nobody asked for it");
    server.hold_pieces_after(2);
    let mut events = ben.client().events();
    let (client, to) = (ben.client().clone(), folder.0.path().join("out"));
    let saving = tokio::spawn({
        let (bens, sent, to) = (bens.clone(), sent.clone(), to.clone());
        async move { client.save(&bens, &sent, 0, &to).await }
    });
    let told = progress_until(&mut events, |done, _| done > 5_000_000).await;
    let (done, total) = *told.last().unwrap();
    assert!(done < total);
    ben.client().pause_transfer(&bens, &sent, Some(0)).await?;
    let ended = saving.await.unwrap().unwrap_err();
    assert_eq!(ended.code(), "attachment.paused");
    assert_eq!(state(&ben, &bens, &sent).await, Some(TransferState::Paused));
    let read = server.blob_traffic().1;
    ben.reopen().await;
    server.let_pieces_go();
    let refused = ben.client().save(&bens, &sent, 0, &to).await.unwrap_err();
    assert_eq!(refused.code(), "attachment.paused");
    assert_eq!(state(&ben, &bens, &sent).await, Some(TransferState::Paused));
    assert_eq!(server.blob_traffic().1, read);

    // It comes now, although nothing comes by itself here.
    let mut events = ben.client().events();
    ben.client().resume_transfer(&bens, &sent, None).await?;
    let told = progress_until(&mut events, |done, total| done == total).await;
    assert_eq!(told[0], (done, total), "where it was");
    eventually("it is here", || async {
        let file = &line(&ben, &bens, &sent).await.attachments[0];
        file.here && file.transfer.is_none()
    })
    .await;
    ben.client().save(&bens, &sent, 0, &to).await?;
    assert!(folder.is_the_same(&to, LARGE));

    // One that comes by itself is cancelled half-way: what came of it goes, and it comes no more by itself.
    let limits = SettingsChange {
        download_bytes: Some(100_000_000),
        ..SettingsChange::default()
    };
    ben.client().set_settings(limits).await?;
    let mut events = ben.client().events();
    // Three up, two down.
    server.hold_pieces_after(5);
    let sent = send("second").await?;
    progress_until(&mut events, |done, _| done > 5_000_000).await;
    sees_last(&ben, "Ada", |line| line.id == sent).await;
    assert_eq!(
        state(&ben, &bens, &sent).await,
        Some(TransferState::Waiting)
    );
    ben.client().cancel_transfer(&bens, &sent, None).await?;
    assert_eq!(
        state(&ben, &bens, &sent).await,
        Some(TransferState::Cancelled)
    );
    let attachments = ben.home.join("attachments");
    eventually("what came is gone", || async {
        std::fs::read_dir(&attachments).unwrap().count() == 1
    })
    .await;
    server.let_pieces_go();
    let read = server.blob_traffic().1;
    ben.reopen().await;
    ben.settle().await;
    assert_eq!(
        state(&ben, &bens, &sent).await,
        Some(TransferState::Cancelled)
    );
    let refused = ben
        .client()
        .save(&bens, &sent, 0, &folder.0.path().join("no"))
        .await;
    assert_eq!(refused.unwrap_err().code(), "attachment.cancelled");
    assert_eq!(server.blob_traffic().1, read);
    ben.client().resume_transfer(&bens, &sent, Some(0)).await?;
    eventually("it is here", || async {
        line(&ben, &bens, &sent).await.attachments[0].here
    })
    .await;
    let to = folder.0.path().join("second out");
    ben.client().save(&bens, &sent, 0, &to).await?;
    assert!(folder.is_the_same(&to, LARGE));
    let over = ben.client().cancel_transfer(&bens, &sent, None).await;
    assert_eq!(over.unwrap_err().code(), "attachment.not_moving");
    Ok(())
}
