//! What files take on a device, by chat, and removing them; what can be had again is fetched again.

use crate::fake::{FakeServer, three};
use undertone_core::{CleanUp, Draft, Page};

type Outcome = Result<(), undertone_core::Error>;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_counted_by_chat_removed_and_fetched_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, size: usize| {
        let path = folder.path().join(name);
        std::fs::write(&path, vec![b'x'; size]).unwrap();
        path
    };
    let (large, small) = (write("large.bin", 300_000), write("small.bin", 1_000));
    let desk = ada.chat("Desk").await.id;
    let draft = Draft::text("Two files.").attach(&large).attach(&small);
    ada.client().send(&desk, draft).await?;
    let direct = ada.chat("Ben").await.id;
    ada.client()
        .send(&direct, Draft::text("One.").attach(&small))
        .await?;
    ben.reads("Desk", &["Ada: Two files."]).await;
    ada.settle().await;

    let all = ada.client().storage().await?;
    let shown: Vec<_> = all
        .iter()
        .map(|one| (one.name.as_str(), one.files, one.bytes))
        .collect();
    assert_eq!(shown, [("Desk", 2, 301_000), ("Ben", 1, 1_000)]);
    let names: Vec<_> = all[0]
        .largest
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["large.bin", "small.bin"]);
    // What was not fetched takes nothing.
    assert!(ben.client().storage().await?.is_empty());
    let lines = ben.client().messages(&desk, Page::default()).await?;
    let message = lines.iter().find(|line| line.text == "Two files.").unwrap();
    let to = folder.path().join("out.bin");
    ben.client().save(&desk, &message.id, 0, &to).await?;
    assert_eq!(ben.client().storage().await?[0].bytes, 300_000);

    let only_large = CleanUp {
        larger_than: Some(100_000),
        ..CleanUp::default()
    };
    for person in [&ada, &ben] {
        let done = person.client().clean_up(Some(&desk), only_large).await?;
        assert_eq!((done.files, done.bytes), (1, 300_000), "{}", person.name);
        let lines = person.lines("Desk").await;
        assert_eq!(lines, ["Ada: Two files."], "the message stays");
    }
    let old = CleanUp {
        older_than_ms: Some(1),
        ..CleanUp::default()
    };
    assert_eq!(ada.client().clean_up(None, old).await?.files, 0);
    // Both can have it again, its sender too.
    for (person, name) in [(&ada, "again-ada"), (&ben, "again-ben")] {
        let to = folder.path().join(name);
        person.client().save(&desk, &message.id, 0, &to).await?;
        assert_eq!(std::fs::read(&to).unwrap().len(), 300_000);
    }
    let done = ada.client().clean_up(None, CleanUp::default()).await?;
    assert_eq!(done.files, 3);
    assert!(ada.client().storage().await?.is_empty());
    Ok(())
}
