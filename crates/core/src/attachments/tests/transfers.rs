//! Up, down, cut anywhere, and against a server that cheats.

#![allow(clippy::unwrap_used)]

use std::fs;

use sha2::{Digest, Sha256};
use undertone_wire::{Code, padding};

use super::server::Server;
use super::{Person, content, flipped, on};
use crate::attachments::{
    AttachmentError, CHUNK, CHUNK_PLAINTEXT, Direction, Progress, Reference, State, StreamKey,
};

#[tokio::test]
async fn ada_sends_files_of_every_awkward_size_and_ben_has_them() {
    let (ada, ben, server) = (Person::new(), Person::new(), Server::default());
    for size in [
        0,
        1,
        4079,
        4080,
        4081,
        CHUNK_PLAINTEXT - 1,
        CHUNK_PLAINTEXT,
        CHUNK_PLAINTEXT + 1,
        CHUNK,
        2 * CHUNK_PLAINTEXT,
        8 * CHUNK_PLAINTEXT + 1,
        1_000_000,
    ] {
        let sent = content(size);
        let id = ada.takes_in(&sent);
        assert!(ada.attachments.status(&id).unwrap().is_here());
        assert_eq!(ada.reads(&id), sent, "{size}: her own copy");
        ada.attachments.upload(&server, &id, on).await.unwrap();
        assert_eq!(ada.state(&id), State::Done);

        let reference = ada.attachments.reference(&id).unwrap();
        let blob = server.blob(&reference.blob_id);
        assert!(padding::is_blob_size(blob.len() as u64), "{size}");
        assert_eq!(
            reference.content_hash,
            <[u8; 32]>::from(Sha256::digest(&blob))
        );

        let told = ben.is_told(&reference);
        assert_eq!(
            ben.attachments.open(&told).err(),
            Some(AttachmentError::NotHere)
        );
        let mut seen = Vec::new();
        let watch = |progress: Progress| {
            seen.push((progress.done, progress.total));
            true
        };
        ben.attachments
            .download(&server, &told, watch)
            .await
            .unwrap();
        assert_eq!(
            *seen.last().unwrap(),
            (blob.len() as u64, blob.len() as u64)
        );
        assert_eq!(ben.reads(&told), sent, "{size}");
        let status = ben.attachments.status(&told).unwrap();
        assert_eq!(
            (status.size, status.direction),
            (size as u64, Direction::Download)
        );
        // Again is nothing to do.
        ben.attachments.download(&server, &told, on).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_goes_on_from_every_place_where_it_was_cut() {
    let sent = content(9 * CHUNK_PLAINTEXT + 77);
    let (ada, server) = (Person::new(), Server::default());
    let whole = ada.takes_in(&sent);
    ada.attachments.upload(&server, &whole, on).await.unwrap();
    let blob = server.blob(&ada.attachments.reference(&whole).unwrap().blob_id);

    let mut cuts: Vec<usize> = (0..=blob.len()).step_by(CHUNK).collect();
    cuts.extend([1, 1000, CHUNK - 1, CHUNK + 1, blob.len() - 1, blob.len()]);
    for cut in cuts {
        let server = Server::default();
        ada.forgets_that_it_is_done(&whole);
        server.inner.lock().unwrap().cut_after = Some(cut);
        let lost = ada.attachments.upload(&server, &whole, on).await;
        assert_eq!(
            lost,
            Err(AttachmentError::Transport(Code::ConnectionLost.into()))
        );
        assert_eq!(ada.state(&whole), State::Waiting);

        let again = ada.starts_again();
        assert!(again.waiting().unwrap() == [whole]);
        again.upload(&server, &whole, on).await.unwrap();
        let id = again.reference(&whole).unwrap().blob_id;
        assert!(server.blob(&id) == blob, "cut at {cut}: the same bytes");
        let appends = server.inner.lock().unwrap().appends_at.clone();
        let expected = if cut == blob.len() {
            vec![0]
        } else {
            vec![0, cut as u64]
        };
        assert_eq!(appends, expected);
    }
}

#[tokio::test]
async fn lost_answers_expired_halves_and_stubborn_servers_end_well_or_end() {
    let sent = content(5 * CHUNK);
    let (ada, server) = (Person::new(), Server::default());
    let id = ada.takes_in(&sent);
    server.inner.lock().unwrap().lose_answer = true;
    assert!(ada.attachments.upload(&server, &id, on).await.is_err());
    ada.attachments.upload(&server, &id, on).await.unwrap();
    assert_eq!(
        server.inner.lock().unwrap().appends_at,
        [0],
        "nothing was sent twice"
    );

    let id = ada.takes_in(&sent);
    let stubborn = Server::default();
    stubborn.inner.lock().unwrap().stubborn = true;
    let ended = ada.attachments.upload(&stubborn, &id, on).await;
    assert_eq!(
        ended,
        Err(AttachmentError::Transport(Code::BlobOffset.into()))
    );
    assert_eq!(ada.state(&id), State::Waiting);

    // The id is taken with another length: this can't become right by waiting.
    let blob_id = ada.attachments.reference(&id).unwrap().blob_id;
    let taken = Server::default();
    taken
        .inner
        .lock()
        .unwrap()
        .blobs
        .insert(blob_id, (4096, Vec::new()));
    assert!(ada.attachments.upload(&taken, &id, on).await.is_err());
    let status = ada.attachments.status(&id).unwrap();
    assert_eq!(
        (status.state, status.failure.as_str()),
        (State::Failed, "blob.exists")
    );
    assert_eq!(
        ada.attachments.upload(&server, &id, on).await,
        Err(AttachmentError::Failed)
    );
    ada.attachments.retry(&id).unwrap();
    ada.attachments.upload(&server, &id, on).await.unwrap();
}

#[tokio::test]
async fn a_download_goes_on_from_every_place_where_it_was_cut() {
    let sent = content(9 * CHUNK_PLAINTEXT + 77);
    let (ada, ben, server) = (Person::new(), Person::new(), Server::default());
    let id = ada.takes_in(&sent);
    ada.attachments.upload(&server, &id, on).await.unwrap();
    let told = ben.is_told(&ada.attachments.reference(&id).unwrap());
    ben.attachments.download(&server, &told, on).await.unwrap();
    let complete = fs::read(ben.file()).unwrap();
    let last_chunk = (complete.len() - 1) / CHUNK * CHUNK;

    let mut cuts: Vec<usize> = (0..=complete.len()).step_by(CHUNK).collect();
    cuts.extend([1, CHUNK - 1, CHUNK + 1, complete.len() - 1, complete.len()]);
    for cut in cuts {
        ben.forgets_that_it_is_done(&told);
        fs::write(ben.file(), &complete[..cut]).unwrap();
        server.inner.lock().unwrap().reads_from.clear();
        let again = ben.starts_again();
        again.download(&server, &told, on).await.unwrap();
        assert_eq!(ben.reads(&told), sent);
        assert!(fs::read(ben.file()).unwrap() == complete);
        let from = (cut / CHUNK * CHUNK).min(last_chunk) as u64;
        assert_eq!(server.inner.lock().unwrap().reads_from, [from]);
    }

    // A torn write left rubbish in the third chunk: all from there comes again.
    ben.forgets_that_it_is_done(&told);
    let mut torn = complete[..5 * CHUNK].to_vec();
    torn[2 * CHUNK + 9] ^= 1;
    fs::write(ben.file(), &torn).unwrap();
    ben.attachments.download(&server, &told, on).await.unwrap();
    assert_eq!(
        server.inner.lock().unwrap().reads_from.last(),
        Some(&(2 * CHUNK as u64))
    );
    assert_eq!(ben.reads(&told), sent);
}

#[tokio::test]
async fn a_server_that_changes_the_blob_is_found_out() {
    let sent = content(4 * CHUNK_PLAINTEXT + 5000);
    let (ada, server) = (Person::new(), Server::default());
    let id = ada.takes_in(&sent);
    ada.attachments.upload(&server, &id, on).await.unwrap();
    let reference = ada.attachments.reference(&id).unwrap();
    let good = server.blob(&reference.blob_id);

    let ben = Person::new();
    let told = ben.is_told(&reference);
    let tricks: Vec<(&str, Vec<u8>)> = vec![
        ("a flipped bit in the first chunk", flipped(&good, 3)),
        ("a flipped bit in a tag", flipped(&good, 2 * CHUNK - 1)),
        (
            "a flipped bit in the padding",
            flipped(&good, good.len() - 20),
        ),
        (
            "a flipped bit in the last tag",
            flipped(&good, good.len() - 1),
        ),
        ("two chunks change places", {
            let (first, rest) = good.split_at(CHUNK);
            let (second, rest) = rest.split_at(CHUNK);
            [second, first, rest].concat()
        }),
        ("a chunk comes twice", {
            let mut blob = good.clone();
            blob.copy_within(..CHUNK, CHUNK);
            blob
        }),
        ("zeros", vec![0; good.len()]),
    ];
    for (trick, blob) in tricks {
        server.tamper(|bytes| *bytes = blob);
        let refused = ben.attachments.download(&server, &told, on).await;
        assert_eq!(refused, Err(AttachmentError::Damaged), "{trick}");
        assert_eq!(ben.state(&told), State::Failed);
        assert_eq!(
            ben.attachments.open(&told).err(),
            Some(AttachmentError::NotHere)
        );
        assert!(ben.files().is_empty(), "{trick}: nothing is kept");
        ben.attachments.retry(&told).unwrap();
    }
    // Cut at a chunk boundary; the server then says it holds less than the whole.
    server.tamper(|bytes| *bytes = good[..2 * CHUNK].to_vec());
    let refused = ben.attachments.download(&server, &told, on).await;
    assert_eq!(
        refused,
        Err(AttachmentError::Transport(Code::BlobIncomplete.into()))
    );
    assert_eq!(ben.state(&told), State::Waiting);
    server.tamper(|bytes| *bytes = good.clone());
    ben.attachments.download(&server, &told, on).await.unwrap();
    assert_eq!(ben.reads(&told), sent);

    // A sender whose hash is not the blob's, or whose size is not.
    for (size, content_hash) in [
        (reference.size, [1; 32]),
        (reference.size - 1, reference.content_hash),
    ] {
        let lie = Reference {
            blob_id: reference.blob_id,
            key: StreamKey::from_slices(reference.key.key(), reference.key.nonce()).unwrap(),
            size,
            content_hash,
        };
        let told = ben.is_told(&lie);
        let refused = ben.attachments.download(&server, &told, on).await;
        assert_eq!(refused, Err(AttachmentError::Damaged));
    }

    // The file has expired.
    server.inner.lock().unwrap().blobs.clear();
    let told = ben.is_told(&reference);
    assert!(ben.attachments.download(&server, &told, on).await.is_err());
    assert_eq!(
        ben.attachments.status(&told).unwrap().failure,
        "blob.unknown"
    );
}

#[tokio::test]
async fn a_transfer_can_be_cancelled_and_runs_only_once() {
    let (ada, server) = (Person::new(), Server::default());
    let id = ada.takes_in(&content(3 * CHUNK));
    let cancelled = ada.attachments.upload(&server, &id, |_| false).await;
    assert_eq!(cancelled, Err(AttachmentError::Cancelled));
    assert_eq!(ada.state(&id), State::Waiting);

    let occupied = ada.attachments.occupy(id).unwrap();
    let busy = ada.attachments.upload(&server, &id, on).await;
    assert_eq!(busy, Err(AttachmentError::Busy));
    drop(occupied);
    ada.attachments.upload(&server, &id, on).await.unwrap();

    // Removed while it is being sent.
    let id = ada.takes_in(&content(10));
    ada.attachments
        .upload(&server, &id, |_| {
            let tx = ada.attachments.database.begin().unwrap();
            ada.attachments.remove(&tx, &id).unwrap();
            tx.commit().unwrap();
            true
        })
        .await
        .unwrap();
    assert_eq!(
        ada.attachments.status(&id).err(),
        Some(AttachmentError::Unknown)
    );
    assert_eq!(ada.files().len(), 1);
}
