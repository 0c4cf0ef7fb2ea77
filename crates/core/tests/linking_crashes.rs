//! A device that is being linked loses power at any commit, and becomes an equal all the same.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod fake;

use fake::{End, FakeServer, LIMIT, Person, eventually, meet};

/// Shows the words, has them compared, and takes the account. None: the app has ended meanwhile.
async fn is_linked(new: &mut Person, old: &Person) -> Option<()> {
    if let Some(linking) = new.linking.take() {
        let agreed = new
            .unless_it_ends(async {
                let words = linking.words().await?;
                eventually("the same words on both", || async {
                    // Once they have agreed the old device shows them no more.
                    let info = old.client().linking().await.expect("linking");
                    info.is_none_or(|info| info.words.is_none_or(|shown| shown == words))
                })
                .await;
                // Perhaps they have said so already.
                let _ = old.client().confirm_linking().await;
                linking.agree().await
            })
            .await?;
        agreed.expect("agreed");
        let opened = new.unless_it_ends(linking.finish()).await?;
        new.client = Some(opened.expect("an account"));
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
