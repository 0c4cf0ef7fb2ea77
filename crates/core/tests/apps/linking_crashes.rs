//! A device that is being linked loses power at any commit, and becomes an equal all the same.

use crate::fake::{End, FakeServer, LIMIT, Person, eventually, meet};
use undertone_core::LinkingState;

/// Shows the words, has them compared, and takes the account. None: the app has ended meanwhile.
async fn is_linked(new: &mut Person, old: &Person) -> Option<()> {
    if let Some(linking) = new.linking.take() {
        let agreed = new
            .unless_it_ends(async {
                let words = linking.words().await?;
                // The new device may have them first; and once both have agreed the old one shows them no more.
                eventually("the same words on both", || async {
                    let info = old.client().linking().await.expect("linking");
                    info.is_none_or(|info| match info.state {
                        LinkingState::Waiting => false,
                        _ => info.words.is_none_or(|shown| shown == words),
                    })
                })
                .await;
                let info = old.client().linking().await.expect("linking");
                if info.is_some_and(|info| info.state == LinkingState::Compare) {
                    old.client().confirm_linking().await.expect("said so");
                }
                linking.agree().await
            })
            .await?;
        agreed.expect("agreed");
        let finished = tokio::time::timeout(LIMIT, linking.finish());
        let opened = new.unless_it_ends(finished).await?;
        new.client = Some(
            opened
                .expect("given the account in time")
                .expect("an account"),
        );
    }
    let started = new.unless_it_ends(new.client().start()).await?;
    started.expect("started");
    let settled = new.unless_it_ends(new.client().settle(LIMIT)).await?;
    assert!(settled.expect("settled").online);
    Some(())
}

/// At every third commit of those that are about linking, from this one on; later ones are those of any conversation.
async fn the_new_device_ends(first: u64, end: End) {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.settle().await;
    let mut nth = first;
    loop {
        let mut laptop = Person::shows_a_code("Laptop", &server).await;
        laptop.ends_at(nth, end);
        let code = laptop.linking().code().await.unwrap();
        ada.client().begin_linking(&code, false).await.unwrap();
        let done = is_linked(&mut laptop, &ada).await.is_some();
        let ended = laptop.has_ended();
        if ended {
            laptop.comes_back_linked_or_not().await;
            is_linked(&mut laptop, &ada).await.expect("it ends no more");
        } else {
            assert!(done);
            laptop.ends_no_more();
        }
        // It is an equal: in the chat, with everything that devices have in common.
        eventually("the chat is there", || async {
            let ready = laptop.client().find_contact("Ben").await;
            ready.is_ok_and(|ben| ben.state == undertone_core::ContactState::Ready)
        })
        .await;
        let said = format!("after {nth}");
        laptop.says("Ben", &said).await;
        let line = format!("Ada: {said}");
        eventually("Ben and the first device read it", || async {
            ben.lines("Ada").await.contains(&line) && ada.lines("Ben").await.contains(&line)
        })
        .await;
        let devices = ada.client().devices().await.unwrap();
        let new = devices
            .iter()
            .find(|device| !device.this && device.state == undertone_core::DeviceState::InUse);
        ada.client()
            .remove_device(&new.expect("it is listed").id, None)
            .await
            .unwrap();
        eventually("it is out", || async {
            laptop.client().is_removed().await.unwrap()
        })
        .await;
        ada.settle().await;
        if !ended {
            return;
        }
        nth += if nth < 20 { 3 } else { 16 };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_device_ends_before_any_commit_and_is_linked_all_the_same() {
    the_new_device_ends(1, End::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_device_ends_after_any_commit_and_is_linked_all_the_same() {
    the_new_device_ends(2, End::AfterCommit).await;
}

/// The old device ends at its `nth` commit, and goes on. Whether it did end.
async fn linked_although_the_old_one_ends(nth: u64, end: End) -> bool {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.settle().await;
    ben.settle().await;
    let mut new = Person::shows_a_code("Laptop", &server).await;
    let code = new.linking().code().await.unwrap();
    ada.ends_at(nth, end);
    let _ = ada
        .unless_it_ends(ada.client().begin_linking(&code, false))
        .await;
    let mut ended = ada.comes_back_if_it_ended().await;
    if ada.client().linking().await.unwrap().is_none() {
        ada.client().begin_linking(&code, false).await.unwrap();
    }
    let linking = new.linking.take().unwrap();
    let words = tokio::spawn(async move {
        let words = linking.words().await.unwrap();
        (linking, words)
    });
    // Whoever looks at the words on this device sees them once it is back.
    let shown = loop {
        ended |= ada.comes_back_if_it_ended().await;
        let info = ada.client().linking().await.unwrap().unwrap();
        assert_ne!(info.state, LinkingState::Failed);
        if let Some(words) = info.words {
            break words;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let (linking, words) = words.await.unwrap();
    assert_eq!(shown, words);
    let _ = ada.unless_it_ends(ada.client().confirm_linking()).await;
    if ada.comes_back_if_it_ended().await {
        ended = true;
        ada.client().confirm_linking().await.unwrap();
    }
    let account = tokio::spawn(linking.confirm());
    while !account.is_finished() {
        ended |= ada.comes_back_if_it_ended().await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let client = account.await.unwrap().unwrap();
    client.start().await.unwrap();
    new.client = Some(client);
    let deadline = std::time::Instant::now() + LIMIT;
    while new.client().find_contact("Ben").await.is_err()
        || new.client().devices().await.unwrap().len() < 2
    {
        ended |= ada.comes_back_if_it_ended().await;
        assert!(
            std::time::Instant::now() < deadline,
            "never in: {nth} {end:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    new.says("Ben", "here").await;
    ben.reads("Ada", &["Ada: here"]).await;
    ended |= ada.comes_back_if_it_ended().await;
    ada.reads("Ben", &["Ada: here"]).await;
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_device_ends_at_any_commit_of_linking() {
    for end in [End::BeforeCommit, End::AfterCommit] {
        let mut nth = 1;
        while linked_although_the_old_one_ends(nth, end).await {
            // The first ones are where the words are agreed on; later ones are those of any conversation, and of each one alike.
            nth += if nth < 14 { 1 } else { 5 };
            assert!(nth < 120, "it never gets to the end");
        }
        println!("{end:?}: {nth} commits to link");
    }
}
