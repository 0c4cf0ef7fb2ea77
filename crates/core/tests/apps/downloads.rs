//! Files that come by themselves, up to what the owner has set; videos that show something before they are here; and what is too large.

use std::{fs::File, path::PathBuf};

use crate::fake::{FakeServer, Person, cheat::Cheat, eventually, three};
use undertone_core::{
    AttachmentInfo, Draft, DraftAttachment, DraftFilm, MessageInfo, MessageKind, SettingsChange,
    attachments::LARGEST,
};

type Outcome = Result<(), undertone_core::Error>;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, size: usize) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, vec![b'x'; size]).unwrap();
        path
    }
}

/// The files of everything in a chat, oldest first.
async fn files(person: &Person, chat: &str) -> Vec<AttachmentInfo> {
    let chat = person.chat(chat).await;
    let lines = person.client().messages(&chat.id, Default::default()).await;
    lines
        .unwrap()
        .into_iter()
        .flat_map(|line| line.attachments)
        .collect()
}

/// By name, whether each is here.
async fn here(person: &Person, chat: &str) -> Vec<(String, bool)> {
    let files = files(person, chat).await.into_iter();
    files.map(|file| (file.name, file.here)).collect()
}

async fn see(person: &Person, chat: &str, wanted: &[(&str, bool)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(name, is)| ((*name).to_owned(), *is))
        .collect();
    eventually(&format!("{} sees {wanted:?}", person.name), || async {
        here(person, chat).await == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_the_limit_of_the_network_comes_by_itself() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let chat = ada.chat("Ben").await.id;
    let send = async |name: &str, size: usize| {
        let draft = Draft::default().attach(folder.file(name, size));
        ada.client().send(&chat, draft).await
    };

    // Nothing does, unless its owner says so.
    send("first", 1_000).await?;
    see(&ben, "Ada", &[("first", false)]).await;
    let limits = SettingsChange {
        download_bytes: Some(200_000),
        download_metered_bytes: Some(5_000),
        ..SettingsChange::default()
    };
    ben.client().set_settings(limits).await?;
    send("small", 2_000).await?;
    send("larger", 100_000).await?;
    send("largest", 300_000).await?;
    let now = [
        ("first", false),
        ("small", true),
        ("larger", true),
        ("largest", false),
    ];
    see(&ben, "Ada", &now).await;
    // What is asked for comes, whatever its size.
    let line = ben.chat("Ada").await.last.unwrap();
    let to = folder.0.path().join("out");
    let bens = ben.chat("Ada").await.id;
    ben.client().save(&bens, &line.id, 0, &to).await?;
    assert_eq!(std::fs::metadata(&to).unwrap().len(), 300_000);

    // Where the network costs, less does; the rest waits for a better one, also over a restart.
    let metered = |on| SettingsChange {
        metered: Some(on),
        ..SettingsChange::default()
    };
    ben.client().set_settings(metered(true)).await?;
    let before = server.blob_traffic().1;
    send("waits", 100_000).await?;
    send("cheap", 3_000).await?;
    let tail = async |person: &Person| here(person, "Ada").await.split_off(4);
    eventually("the cheap one is here", || async {
        tail(&ben).await == [("waits".to_owned(), false), ("cheap".to_owned(), true)]
    })
    .await;
    assert_eq!(
        server.blob_traffic().1 - before,
        1,
        "only that one was read"
    );
    ben.reopen().await;
    ben.client().set_settings(metered(false)).await?;
    eventually("the other one came", || async {
        tail(&ben).await.iter().all(|(_, here)| *here)
    })
    .await;

    // These are matters of one device.
    assert_eq!(ada.client().settings().await?.download_bytes, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_opened_once_and_what_is_deleted_does_not_come() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let limits = SettingsChange {
        download_bytes: Some(0),
        download_metered_bytes: Some(1_000_000),
        ..SettingsChange::default()
    };
    ben.client().set_settings(limits).await?;
    let chat = ada.chat("Ben").await.id;
    let once = Draft {
        view_once: true,
        ..Draft::default().attach(folder.file("once", 1_000))
    };
    ada.client().send(&chat, once).await?;
    let gone = Draft::default().attach(folder.file("gone", 1_000));
    let gone = ada.client().send(&chat, gone).await?;
    eventually("both are there", || async {
        here(&ben, "Ada").await.len() == 2
    })
    .await;
    ada.client()
        .delete_for_everyone(&chat, &gone.message)
        .await?;
    see(&ben, "Ada", &[("once", false)]).await;
    let metered = SettingsChange {
        metered: Some(true),
        ..SettingsChange::default()
    };
    ben.client().set_settings(metered).await?;
    let last = Draft::default().attach(folder.file("last", 1_000));
    ada.client().send(&chat, last).await?;
    see(&ben, "Ada", &[("once", false), ("last", true)]).await;
    ben.quit().await;
    let noted = "SELECT count(*) FROM downloads d JOIN messages m ON m.id = d.message WHERE m.view_once <> 0 OR m.gone <> 0";
    assert_eq!(ben.looks_up(noted), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_brings_so_many_files_by_itself_and_each_once() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let limits = SettingsChange {
        download_bytes: Some(200_000),
        ..SettingsChange::default()
    };
    ben.client().set_settings(limits).await?;
    let chat = ada.chat("Desk").await.id;
    let first = Draft::default().attach(folder.file("page", 100));
    ada.client().send(&chat, first).await?;
    see(&ben, "Desk", &[("page", true)]).await;
    // They are noted, and wait for another network.
    let metered = SettingsChange {
        metered: Some(true),
        ..SettingsChange::default()
    };
    ben.client().set_settings(metered).await?;
    ada.settle().await;
    ada.quit().await;
    let cheat = Cheat::of(&ada, "Desk");
    cheat.is_to_say(&[cheat.files(50, 40, true), cheat.files(51, 200, false)]);
    drop(cheat);
    ada.reopen().await;
    eventually("both came", || async {
        files(&ben, "Desk").await.len() == 1 + 40 + 200
    })
    .await;
    ben.settle().await;
    ben.quit().await;
    let noted = "SELECT count(*) FROM downloads";
    assert_eq!(ben.looks_up(noted), 32 + 1);
    Ok(())
}

/// The beginning of an MP4, which is told apart by it.
fn film(folder: &Folder) -> PathBuf {
    let path = folder.0.path().join("film.mp4");
    let mut bytes = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    bytes.resize(50_000, 7);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_shows_its_poster_and_its_length_before_it_is_fetched() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let poster = folder.0.path().join("poster.png");
    image::RgbImage::from_fn(320, 180, |x, y| image::Rgb([x as u8, y as u8, 9]))
        .save(&poster)
        .unwrap();
    let chat = ada.chat("Ben").await.id;
    let attach = |path, film| Draft {
        attachments: vec![DraftAttachment {
            path,
            name: None,
            keep_metadata: false,
            film: Some(film),
        }],
        ..Draft::default()
    };
    let known = DraftFilm {
        poster: Some(poster.clone()),
        duration_ms: Some(12_500),
    };
    ada.client()
        .send(&chat, attach(film(&folder), known.clone()))
        .await?;
    eventually("it is there", || async {
        files(&ben, "Ada").await.len() == 1
    })
    .await;
    let shown = files(&ben, "Ada").await.remove(0);
    assert!(shown.content_type.starts_with("video/"));
    assert_eq!((shown.width, shown.height), (Some(320), Some(180)));
    assert_eq!((shown.duration_ms, shown.here), (Some(12_500), false));
    assert!(shown.preview.is_some_and(|jpeg| !jpeg.is_empty()));

    // A poster makes no video of anything, and one that is no picture goes nowhere.
    let text = folder.file("notes", 100);
    let refused = ada.client().send(&chat, attach(text.clone(), known)).await;
    assert_eq!(refused.unwrap_err().code(), "attachment.not_video");
    let nonsense = DraftFilm {
        poster: Some(text),
        duration_ms: None,
    };
    let refused = ada
        .client()
        .send(&chat, attach(film(&folder), nonsense))
        .await;
    assert!(refused.unwrap_err().code().starts_with("media."));
    assert_eq!(files(&ada, "Ben").await.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_more_than_four_gibibytes_is_refused_before_anything_of_it_moves() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, _ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    // Without a byte on the disk: a hole of that size.
    let path = folder.0.path().join("huge");
    File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
    let small = folder.file("small", 1_000);
    let chat = ada.chat("Ben").await.id;
    let sent = server.blob_traffic();
    let refused = ada
        .client()
        .send(&chat, Draft::default().attach(small).attach(&path))
        .await;
    assert_eq!(refused.unwrap_err().code(), "attachment.too_large");
    assert!(files(&ada, "Ben").await.is_empty());
    assert_eq!(server.blob_traffic(), sent);
    assert!(ada.client().check_size(LARGEST).is_ok());
    assert!(ada.client().check_size(LARGEST + 1).is_err());
    ada.quit().await;
    assert_eq!(
        ada.looks_up("SELECT count(*) FROM attachments"),
        0,
        "nor the one beside it"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_opened_at_a_date() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let mut moments = Vec::new();
    for text in ["one", "two", "three", "four"] {
        ada.clock().pass_ms(3_600_000);
        ada.says("Ben", text).await;
        let line = ada.chat("Ben").await.last.unwrap();
        moments.push(line.sent_ms);
    }
    ben.reads("Ada", &["Ada: one", "Ada: two", "Ada: three", "Ada: four"])
        .await;
    let chat = ben.chat("Ada").await.id;
    let from = async |at: i64, limit: u32| {
        let lines = ben.client().messages_from(&chat, at, limit).await.unwrap();
        let lines = lines.into_iter();
        lines.map(|line| line.text).collect::<Vec<_>>()
    };
    assert_eq!(from(moments[1], 2).await, ["two", "three"]);
    assert_eq!(from(moments[1] + 1, 50).await, ["three", "four"]);
    assert_eq!(from(moments[3] + 1, 50).await, Vec::<String>::new());
    // From there on both ways, and around a line.
    let texts = |lines: Vec<MessageInfo>| {
        let words = lines
            .into_iter()
            .filter(|line| line.kind == MessageKind::Message);
        words.map(|line| line.text).collect::<Vec<_>>()
    };
    let two = ben.client().messages_from(&chat, moments[1], 1).await?[0].local_id;
    let after = ben.client().messages_after(&chat, two, 1).await?;
    assert_eq!(texts(after), ["three"]);
    let after = ben.client().messages_after(&chat, two, 50).await?;
    assert_eq!(texts(after), ["three", "four"]);
    let around = async |limit| ben.client().messages_around(&chat, two, limit).await;
    assert_eq!(texts(around(1).await?), ["two"]);
    assert_eq!(texts(around(3).await?), ["one", "two", "three"]);
    assert_eq!(texts(around(50).await?), ["one", "two", "three", "four"]);
    let last = ben.client().messages_from(&chat, moments[3], 1).await?[0].local_id;
    assert!(
        ben.client()
            .messages_after(&chat, last, 50)
            .await?
            .is_empty()
    );
    // A line of another chat is none of this one.
    let desk = ben.chat("Desk").await.id;
    assert!(
        ben.client()
            .messages_around(&desk, two, 50)
            .await?
            .is_empty()
    );
    assert!(
        ben.client()
            .messages_after(&desk, two, 50)
            .await?
            .is_empty()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_without_a_server_uses_up_no_attempt() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, _cleo) = three(&server).await;
    let folder = Folder::new();
    let limits = SettingsChange {
        download_bytes: Some(10_000),
        ..SettingsChange::default()
    };
    ben.client().set_settings(limits).await?;
    let chat = ada.chat("Ben").await.id;
    // Up it goes; the way down is closed.
    server.hold_pieces_after(1);
    let draft = Draft::default().attach(folder.file("photo", 5_000));
    ada.client().send(&chat, draft).await?;
    see(&ben, "Ada", &[("photo", false)]).await;
    eventually("it is asked for", || async {
        server.pieces_asked_for() > 0
    })
    .await;
    server.set_online(false);
    server.let_pieces_go();

    // More often than it would be tried in vain where there is a server.
    for _ in 0..8 {
        ben.clock().pass_ms(3 * 3600 * 1000);
        ben.reopen().await;
        // It is tried, unless the app has seen before that the server is away; that it is away is known in the end.
        ben.settle_in_vain().await;
    }
    ben.quit().await;
    // The first one was under way before it could be known that the server is away.
    assert!(ben.looks_up("SELECT attempts FROM downloads") <= 1);
    ben.clock().pass_ms(3 * 3600 * 1000);
    server.set_online(true);
    ben.reopen().await;
    see(&ben, "Ada", &[("photo", true)]).await;
    Ok(())
}
