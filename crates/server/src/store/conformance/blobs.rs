//! Blobs: rows in the store, bytes in files; uploads that break off anywhere.

use super::*;
use crate::store::blobs::Blobs;
use crate::store::sqlite::Options;

struct Folder {
    blobs: Arc<Blobs>,
    path: tempfile::TempDir,
}

fn folder(world: &World) -> Folder {
    let path = tempfile::tempdir().unwrap();
    Folder {
        blobs: open(world, path.path()),
        path,
    }
}

fn open(world: &World, path: &std::path::Path) -> Arc<Blobs> {
    let parts = &world.parts;
    let options = Options {
        limits: parts.limits.clone(),
        clock: parts.clock.clone(),
        free_space: parts.disk.clone(),
        ..Options::new(path, parts.hub.clone())
    };
    Blobs::open(path, Arc::clone(&world.store), &options).unwrap()
}

fn run<T>(script: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(script)
}

async fn append(
    blobs: &Arc<Blobs>,
    blob: BlobHash,
    offset: u64,
    bytes: &[u8],
) -> Result<BlobRecord, StoreError> {
    let mut append = blobs.append(blob, offset).await?;
    for chunk in bytes.chunks(1000) {
        append.write(Bytes::copy_from_slice(chunk)).await?;
    }
    append.finish().await
}

async fn read(
    blobs: &Blobs,
    blob: BlobHash,
    range: Option<std::ops::Range<u64>>,
) -> Result<Vec<u8>, StoreError> {
    let mut read = blobs.read(blob, range).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = read.next_chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn file_of(folder: &Folder, blob: BlobHash) -> std::path::PathBuf {
    let name = data_encoding::HEXLOWER.encode(blob.as_bytes());
    folder.path.path().join("blobs").join(&name[..2]).join(name)
}

pub(crate) fn a_blob_goes_up_in_pieces_and_comes_down_in_ranges(world: World) {
    run(async {
        let folder = folder(&world);
        let blobs = &folder.blobs;
        let blob = BlobHash::random();
        let bytes: Vec<u8> = (0..8192u32).map(|at| at as u8).collect();
        let record = blobs.create(blob, 8192).await.unwrap();
        assert_eq!((record.size, record.offset), (8192, 0));
        assert_eq!(blobs.create(blob, 8192).await.unwrap(), record);
        assert_eq!(blobs.create(blob, 4096).await, Err(StoreError::BlobTaken));
        assert_eq!(
            append(blobs, blob, 0, &bytes[..5000]).await.unwrap().offset,
            5000
        );
        assert_eq!(
            read(blobs, blob, None).await,
            Err(StoreError::BlobIncomplete)
        );
        assert_eq!(
            append(blobs, blob, 0, &bytes).await,
            Err(StoreError::BlobOffset { offset: 5000 })
        );
        assert!(
            append(blobs, blob, 5000, &bytes[5000..])
                .await
                .unwrap()
                .complete()
        );
        assert_eq!(read(blobs, blob, None).await.unwrap(), bytes);
        assert_eq!(
            read(blobs, blob, Some(100..4000)).await.unwrap(),
            bytes[100..4000]
        );
        assert_eq!(
            read(blobs, blob, Some(8000..u64::MAX)).await.unwrap(),
            bytes[8000..]
        );
        assert_eq!(
            read(blobs, blob, Some(8192..9000)).await,
            Err(StoreError::BlobRange)
        );
        assert_eq!(
            read(blobs, BlobHash::random(), None).await,
            Err(StoreError::UnknownBlob)
        );
        assert_eq!(world.counts().blob_bytes, 8192);
    });
}

pub(crate) fn an_upload_resumes_where_its_row_says(world: World) {
    run(async {
        let folder = folder(&world);
        let blob = BlobHash::random();
        folder.blobs.create(blob, 4096).await.unwrap();
        append(&folder.blobs, blob, 0, &[1; 1000]).await.unwrap();
        // The process dies after the next bytes are in the file, before the row says so.
        let mut broken = folder.blobs.append(blob, 1000).await.unwrap();
        broken.write(Bytes::from_static(&[9; 2000])).await.unwrap();
        let second = folder.blobs.append(blob, 1000).await.err();
        assert_eq!(second, Some(StoreError::Busy), "one upload at a time");
        drop(broken);
        assert_eq!(
            std::fs::metadata(file_of(&folder, blob)).unwrap().len(),
            3000
        );
        let blobs = open(&world, folder.path.path());
        assert_eq!(blobs.state(blob).await.unwrap().offset, 1000);
        append(&blobs, blob, 1000, &[2; 3096]).await.unwrap();
        let bytes = read(&blobs, blob, None).await.unwrap();
        assert_eq!(
            (&bytes[..1000], &bytes[1000..]),
            (&[1; 1000][..], &[2; 3096][..])
        );
    });
}

pub(crate) fn an_upload_keeps_to_its_size(world: World) {
    run(async {
        let folder = folder(&world);
        let blob = BlobHash::random();
        let nowhere = append(&folder.blobs, blob, 0, &[1]).await;
        assert_eq!(nowhere, Err(StoreError::UnknownBlob));
        folder.blobs.create(blob, 4096).await.unwrap();
        assert_eq!(
            append(&folder.blobs, blob, 0, &[1; 4097]).await,
            Err(StoreError::BlobTooLong)
        );
        // What had been written of it before did not count.
        assert_eq!(folder.blobs.state(blob).await.unwrap().offset, 0);
        assert_eq!(append(&folder.blobs, blob, 0, &[]).await.unwrap().offset, 0);
        assert!(
            append(&folder.blobs, blob, 0, &[1; 4096])
                .await
                .unwrap()
                .complete()
        );
    });
}

pub(crate) fn a_blob_expires(world: World) {
    run(async {
        let folder = folder(&world);
        let (old, young) = (BlobHash::random(), BlobHash::random());
        folder.blobs.create(old, 4096).await.unwrap();
        append(&folder.blobs, old, 0, &[1; 4096]).await.unwrap();
        world.pass_days(5);
        folder.blobs.create(young, 4096).await.unwrap();
        append(&folder.blobs, young, 0, &[1; 4096]).await.unwrap();
        world.pass_days(26);
        assert_eq!(folder.blobs.state(old).await, Err(StoreError::UnknownBlob));
        assert!(file_of(&folder, old).exists());
        assert_eq!(folder.blobs.sweep().await.unwrap(), 1);
        assert!(!file_of(&folder, old).exists());
        assert!(folder.blobs.state(young).await.is_ok());
        assert_eq!(world.counts().blobs, 1);
    });
}

pub(crate) fn a_full_disk_takes_no_blobs(world: World) {
    run(async {
        let folder = folder(&world);
        let blob = BlobHash::random();
        world.parts.disk.set(2 * RESERVE + 4000);
        assert_eq!(
            folder.blobs.create(blob, 4096).await,
            Err(StoreError::Full),
            "with its bytes what blobs leave alone is gone"
        );
        world.parts.disk.set(2 * RESERVE + 4096);
        folder.blobs.create(blob, 4096).await.unwrap();
        world.parts.disk.set(2 * RESERVE - 1);
        assert_eq!(
            append(&folder.blobs, blob, 0, &[1; 10]).await,
            Err(StoreError::Full)
        );
        world.parts.disk.set(2 * RESERVE);
        assert_eq!(
            append(&folder.blobs, blob, 0, &[1; 10])
                .await
                .unwrap()
                .offset,
            10
        );
    });
}

pub(crate) fn all_blobs_together_have_a_limit(mut world: World) {
    world.limit(|limits| limits.blob_bytes = 10_000);
    run(async {
        let mut folder = folder(&world);
        let (first, second, third) = (BlobHash::random(), BlobHash::random(), BlobHash::random());
        for blob in [first, second] {
            folder.blobs.create(blob, 8192).await.unwrap();
        }
        // What is announced takes no room from anybody; what is there does.
        append(&folder.blobs, first, 0, &[1; 8192]).await.unwrap();
        let full = Err(StoreError::Full);
        assert_eq!(folder.blobs.create(third, 4096).await, full);
        append(&folder.blobs, second, 0, &[1; 1808]).await.unwrap();
        assert_eq!(append(&folder.blobs, second, 1808, &[1; 1]).await, full);

        // The same after a restart, until some of it has expired.
        folder.blobs = open(&world, folder.path.path());
        assert_eq!(append(&folder.blobs, second, 1808, &[1; 1]).await, full);
        world.pass_days(31);
        assert_eq!(folder.blobs.sweep().await.unwrap(), 2);
        folder.blobs.create(third, 4096).await.unwrap();
        append(&folder.blobs, third, 0, &[1; 4096]).await.unwrap();
    });
}

/// A crash between deleting a row and deleting its file leaves a stray.
pub(crate) fn strays_are_swept(world: World) {
    run(async {
        let folder = folder(&world);
        let blob = BlobHash::random();
        folder.blobs.create(blob, 4096).await.unwrap();
        append(&folder.blobs, blob, 0, &[1; 4096]).await.unwrap();
        world.pass_days(31);
        world.store.expire_blobs(10).await.unwrap();
        assert!(file_of(&folder, blob).exists());
        let blobs = open(&world, folder.path.path());
        assert_eq!(blobs.sweep().await.unwrap(), 1);
        assert!(!file_of(&folder, blob).exists());
    });
}
