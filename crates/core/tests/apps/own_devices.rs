//! One person, several devices.

use crate::fake::{End, FakeServer, Person, at_rest, eventually, meet, three};
use undertone_core::{ChatChange, ContactState, DeviceState, LinkingState};

async fn linked(old: &Person, server: &FakeServer) -> Person {
    let new = Person::links(old, "Ada's laptop", server).await;
    eventually("linked", || async {
        old.client().devices().await.unwrap().len() == 2
            && new.client().devices().await.unwrap().len() == 2
    })
    .await;
    new
}

async fn both(one: &Person, other: &Person, chat: &str, wanted: &[&str]) {
    one.reads(chat, wanted).await;
    other.reads(chat, wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_of_one_person_talk_with_another_as_equals() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.says("Ben", "from before").await;
    ben.reads("Ada", &["Ada: from before"]).await;
    let number = ben.client().find_contact("Ada").await.unwrap().id;
    let before = ben.client().safety_number(&number).await.unwrap();

    let laptop = linked(&ada, &server).await;
    assert_eq!(
        ada.client().account().await.unwrap().account_id,
        laptop.client().account().await.unwrap().account_id
    );
    eventually("the chat is on the laptop", || async {
        laptop
            .client()
            .find_contact("Ben")
            .await
            .is_ok_and(|ben| ben.state == ContactState::Ready)
    })
    .await;

    laptop.says("Ben", "from the laptop").await;
    ben.reads("Ada", &["Ada: from before", "Ada: from the laptop"])
        .await;
    ada.reads("Ben", &["Ada: from before", "Ada: from the laptop"])
        .await;
    ben.says("Ada", "to both").await;
    ada.says("Ben", "from the first").await;
    laptop
        .reads(
            "Ben",
            &[
                "Ada: from the laptop",
                "Ben: to both",
                "Ada: from the first",
            ],
        )
        .await;
    assert!(
        ben.notices("Ada")
            .await
            .contains(&"Ada reads this on another device too now.".to_owned())
    );
    // The account's key is the same, and so is what they compare.
    let after = ben.client().safety_number(&number).await.unwrap();
    assert_eq!(before.digits, after.digits);
    at_rest(&server, &[&ada, &laptop, &ben]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_is_in_every_conversation_and_in_those_that_follow() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let laptop = linked(&ada, &server).await;
    for chat in ["Ben", "Cleo", "Desk"] {
        eventually("the chats are on the laptop", || async {
            laptop.client().find_chat(chat).await.is_ok()
        })
        .await;
    }
    laptop.says("Desk", "all three").await;
    for person in [&ada, &ben, &cleo] {
        person.reads("Desk", &["Ada: all three"]).await;
    }
    // Somebody new comes by a link of the laptop's, and is the first device's contact too.
    let dora = Person::new("Dora", &server).await;
    let link = laptop
        .client()
        .create_link(undertone_core::LinkOptions::default())
        .await
        .unwrap();
    dora.client().add_contact(&link.uri).await.unwrap();
    eventually("the first device has the contact", || async {
        ada.client()
            .find_contact("Dora")
            .await
            .is_ok_and(|dora| dora.state == ContactState::Ready)
    })
    .await;
    ada.says("Dora", "hello").await;
    dora.reads("Ada", &["Ada: hello"]).await;
    laptop.reads("Dora", &["Ada: hello"]).await;
    // And a group that Ben makes.
    let ids = [ben.client().find_contact("Ada").await.unwrap().id];
    ben.client().create_group("Plans", &ids).await.unwrap();
    for device in [&ada, &laptop] {
        eventually("in Ben's group", || async {
            device.client().find_chat("Plans").await.is_ok()
        })
        .await;
    }
    ben.says("Plans", "when?").await;
    laptop.says("Plans", "now").await;
    both(&ada, &laptop, "Plans", &["Ben: when?", "Ada: now"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_read_and_deleted_on_one_device_is_so_on_the_other() {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let id = ada.client().find_contact("Ben").await.unwrap().id;
    ada.client().set_verified(&id, true).await.unwrap();
    let laptop = linked(&ada, &server).await;
    for chat in ["Ben", "Cleo", "Desk"] {
        eventually("the chats are on the laptop", || async {
            laptop.client().find_chat(chat).await.is_ok()
        })
        .await;
    }
    eventually("verified there too", || async {
        laptop
            .client()
            .find_contact("Ben")
            .await
            .is_ok_and(|ben| ben.verified)
    })
    .await;
    ben.says("Ada", "read me").await;
    ben.says("Ada", "delete me").await;
    both(&ada, &laptop, "Ben", &["Ben: read me", "Ben: delete me"]).await;
    assert_eq!(laptop.chat("Ben").await.unread, 2);
    let chat = ada.chat("Ben").await.id;
    let page = undertone_core::Page {
        limit: 10,
        before: None,
    };
    let lines = ada.client().messages(&chat, page).await.unwrap();
    let last = lines.last().unwrap();
    ada.client().mark_read(&chat, last.local_id).await.unwrap();
    eventually("read on the laptop", || async {
        laptop.chat("Ben").await.unread == 0
    })
    .await;
    ada.client().delete_for_me(&chat, &last.id).await.unwrap();
    laptop.reads("Ben", &["Ben: read me"]).await;

    let desk = laptop.chat("Desk").await.id;
    laptop
        .client()
        .set_chat(
            &desk,
            ChatChange {
                archived: Some(true),
                ..ChatChange::default()
            },
        )
        .await
        .unwrap();
    laptop
        .client()
        .set_draft(&desk, "Half a thou", None)
        .await
        .unwrap();
    eventually("archived, with the draft", || async {
        let desk = ada.chat("Desk").await;
        desk.archived
            && desk
                .draft
                .as_ref()
                .is_some_and(|draft| draft.text == "Half a thou")
    })
    .await;
    laptop.client().set_draft(&desk, "", None).await.unwrap();
    eventually("the draft is gone", || async {
        ada.chat("Desk").await.draft.is_none()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_is_out_of_everything_and_stops() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let mut laptop = linked(&ada, &server).await;
    let mailbox = server.queue_numbered(server.registered() - 1);
    for chat in ["Ben", "Cleo", "Desk"] {
        eventually("the chats are on the laptop", || async {
            laptop.client().find_chat(chat).await.is_ok()
        })
        .await;
    }
    laptop.settle().await;
    laptop.quit().await;
    let id = ada
        .client()
        .devices()
        .await
        .unwrap()
        .into_iter()
        .find(|device| !device.this)
        .unwrap()
        .id;
    ada.client().remove_device(&id, None).await.unwrap();
    ada.settle().await;
    eventually("Ben sees it", || async {
        ben.notices("Ada")
            .await
            .contains(&"Ada removed one of their devices.".to_owned())
    })
    .await;
    // Nobody sends there any more, also if whoever has it keeps its mailbox.
    let all_are_done = || async {
        for (number, person) in [&ada, &ben, &cleo].into_iter().enumerate() {
            let left = person.client().what_is_left_for_tests().await.unwrap();
            if !left.is_empty() || server.items_of(server.queue_numbered(number)) != Some(0) {
                return false;
            }
        }
        true
    };
    eventually("all are done", all_are_done).await;
    let waits = server.items_of(mailbox);
    assert!(waits.is_some());
    ben.says("Ada", "after").await;
    ada.reads("Ben", &["Ben: after"]).await;
    cleo.says("Desk", "all of us").await;
    ada.reads("Desk", &["Cleo: all of us"]).await;
    eventually("all are done", all_are_done).await;
    assert_eq!(server.items_of(mailbox), waits);

    laptop.reopen().await;
    eventually("the laptop knows", || async {
        laptop.client().is_removed().await.unwrap()
    })
    .await;
    for chat in ["Ben", "Desk"] {
        let lines = laptop.lines(chat).await;
        assert!(lines.is_empty(), "{lines:?}");
    }
    eventually("its mailbox is gone, with all that was in it", || async {
        server.items_of(mailbox).is_none()
    })
    .await;
    assert!(laptop.client().status().await.unwrap().problem.is_some());
    let state = ada.client().devices().await.unwrap();
    assert_eq!(state[1].state, DeviceState::RemovedWithoutPhrase);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_words_or_a_refusal_leave_nothing() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    // Somebody photographed the code and is quicker: the new device shows other words than Ada's, and she refuses.
    let eve = Person::new("Eve", &server).await;
    let new = Person::shows_a_code("Laptop", &server).await;
    let code = new.linking().code().await.unwrap();
    eve.client().begin_linking(&code, false).await.unwrap();
    let words = new.linking().words().await.unwrap();
    ada.client().begin_linking(&code, false).await.unwrap();
    let info = ada.client().linking().await.unwrap().unwrap();
    assert_eq!((info.state, info.words), (LinkingState::Waiting, None));
    assert_eq!(
        ada.client().confirm_linking().await.unwrap_err().code(),
        "linking.early"
    );
    eventually("Eve sees the words too", || async {
        eve.client()
            .linking()
            .await
            .unwrap()
            .is_some_and(|info| info.words.as_deref() == Some(words.as_str()))
    })
    .await;
    let home = new.abandons().await;
    assert!(!home.exists());
    eventually("Eve has nothing", || async {
        eve.client()
            .linking()
            .await
            .unwrap()
            .is_some_and(|info| info.state == LinkingState::Failed)
    })
    .await;
    ada.client().cancel_linking().await.unwrap();
    assert!(ada.client().linking().await.unwrap().is_none());
    assert_eq!(ada.client().devices().await.unwrap().len(), 1);
    // A code is good once, and nobody is there any more.
    ada.client().begin_linking(&code, false).await.unwrap();
    ada.settle().await;
    let info = ada.client().linking().await.unwrap().unwrap();
    assert_eq!(info.words, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_server_is_refused_before_anything_is_sent() {
    let (server, other) = (FakeServer::new(), FakeServer::new());
    let ada = Person::new("Ada", &server).await;
    let new = Person::shows_a_code("Laptop", &other).await;
    let code = new.linking().code().await.unwrap();
    assert_eq!(
        ada.client()
            .begin_linking(&code, false)
            .await
            .unwrap_err()
            .code(),
        "linking.other_server"
    );
    assert_eq!(
        ada.client()
            .begin_linking("undertone:d:AAAA", false)
            .await
            .unwrap_err()
            .code(),
        "linking.invalid"
    );
    assert!(ada.client().linking().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_taken_before_its_mailbox_is_there_is_answered_all_the_same() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    ada.settle().await;
    let new = Person::shows_a_code("Laptop", &server).await;
    let code = new.linking().code().await.unwrap();
    let before = server.directs().len();
    ada.client().begin_linking(&code, false).await.unwrap();
    eventually("the offer reached nobody", || async {
        server.directs().len() > before
    })
    .await;
    let words = new.linking().words().await.unwrap();
    eventually("the same words on both", || async {
        let info = ada.client().linking().await.unwrap();
        info.is_some_and(|info| info.words.as_deref() == Some(words.as_str()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_device_tells_while_another_lets_a_third_in_reaches_that_one_too() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let mut laptop = linked(&ada, &server).await;
    at_rest(&server, &[&ada, &laptop]).await;
    let id = laptop.client().account().await.unwrap().device_id;
    // The laptop ends when what it has to tell is encrypted, and was not sent.
    let mut nth = 1;
    loop {
        laptop.ends_at(nth, End::AfterCommit);
        let name = format!("Kitchen {nth}");
        let renamed = laptop.client().rename_device(&id, &name);
        let _ = laptop.unless_it_ends(renamed).await;
        eventually("the laptop ends", || async { laptop.has_ended() }).await;
        laptop.quit().await;
        let encrypted = "SELECT count(*) FROM outbox o JOIN conversations c ON c.id = o.conversation WHERE o.state = 2 AND c.kind = 3";
        if laptop.looks_up(encrypted) > 0 {
            break;
        }
        assert!(nth < 20, "nothing was encrypted");
        laptop.comes_back_if_it_ended().await;
        laptop.settle().await;
        at_rest(&server, &[&ada, &laptop]).await;
        nth += 1;
    }
    let phone = Person::links(&ada, "Ada's phone", &server).await;
    eventually("the phone knows the laptop by its old name", || async {
        phone.client().devices().await.unwrap().len() == 3
    })
    .await;
    phone.settle().await;
    ada.settle().await;
    laptop.comes_back_if_it_ended().await;
    let name = format!("Kitchen {nth}");
    for device in [&ada, &laptop, &phone] {
        eventually("all have the new name", || async {
            let devices = device.client().devices().await.unwrap();
            devices.iter().any(|device| device.name == name)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_device_goes_on_wherever_it_was_closed() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let mut new = Person::shows_a_code("Laptop", &server).await;
    let code = new.linking().code().await.unwrap();
    new.resumes_linking().await;
    assert_eq!(new.linking().code().await.unwrap(), code);
    ada.client().begin_linking(&code, false).await.unwrap();
    let words = new.linking().words().await.unwrap();
    new.resumes_linking().await;
    assert_eq!(new.linking().words().await.unwrap(), words);
    // An account that is not here yet can't be opened.
    new.linking = None;
    new.fails_to_open("linking.unfinished").await;
    new.resumes_linking().await;
    eventually("words on both", || async {
        let info = ada.client().linking().await.unwrap();
        info.is_some_and(|info| info.words.as_deref() == Some(words.as_str()))
    })
    .await;
    ada.client().confirm_linking().await.unwrap();
    let client = new.linking.take().unwrap().confirm().await.unwrap();
    // It has the account, and is closed before it said so to anybody.
    client.close().await.unwrap();
    drop(client);
    new.reopen().await;
    eventually("linked", || async {
        ada.client().devices().await.unwrap().len() == 2
            && new.client().devices().await.unwrap().len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_phrase_what_a_removed_device_knows_is_worth_nothing() {
    let server = FakeServer::new();
    let (ada, phrase) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let contact = ben.client().find_contact("Ada").await.unwrap().id;
    let number = ben.client().safety_number(&contact).await.unwrap().digits;
    let (phone, mut laptop) = (
        linked(&ada, &server).await,
        Person::links(&ada, "Tablet", &server).await,
    );
    eventually("three devices know each other", || async {
        for device in [&ada, &phone, &laptop] {
            if device.client().devices().await.unwrap().len() != 3
                || device.client().find_contact("Ben").await.is_err()
            {
                return false;
            }
        }
        true
    })
    .await;
    let devices = ada.client().devices().await.unwrap();
    let tablet = devices
        .iter()
        .find(|device| device.name == "Tablet")
        .unwrap();
    let wrong = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    assert_eq!(
        ada.client()
            .remove_device(&tablet.id, Some(wrong))
            .await
            .unwrap_err()
            .code(),
        "account.phrase_wrong"
    );
    for device in [&ada, &phone, &laptop] {
        device.settle().await;
    }
    laptop.quit().await;
    ada.client()
        .remove_device(&tablet.id, Some(&phrase))
        .await
        .unwrap();
    // The remaining devices go on, certified anew, and the people they talk with compare the same number as ever.
    ada.says("Ben", "two of us").await;
    phone.reads("Ben", &["Ada: two of us"]).await;
    phone.says("Ben", "still here").await;
    ben.reads("Ada", &["Ada: two of us", "Ada: still here"])
        .await;
    for device in [&ada, &phone] {
        eventually("both say so", || async {
            let devices = device.client().devices().await.unwrap();
            devices
                .iter()
                .any(|device| device.name == "Tablet" && device.state == DeviceState::Removed)
        })
        .await;
        device.settle().await;
        assert_eq!(device.client().device_key_generation().await.unwrap(), 2);
    }
    assert_eq!(
        ben.client().safety_number(&contact).await.unwrap().digits,
        number
    );
    laptop.reopen().await;
    eventually("the tablet knows", || async {
        laptop.client().is_removed().await.unwrap()
    })
    .await;
    assert_eq!(laptop.client().device_key_generation().await.unwrap(), 1);
    // A further device is certified by the new key, and is let in everywhere.
    let desk = Person::links(&phone, "Desk", &server).await;
    eventually("the desk is in", || async {
        desk.client()
            .find_contact("Ben")
            .await
            .is_ok_and(|ben| ben.state == ContactState::Ready)
    })
    .await;
    desk.says("Ben", "and me").await;
    ben.reads("Ada", &["Ada: two of us", "Ada: still here", "Ada: and me"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_linking_or_a_draft_stays_behind() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let mut laptop = linked(&ada, &server).await;
    let chat = ada.chat("Ben").await.id;
    eventually("the chat is there", || async {
        laptop.client().find_chat("Ben").await.is_ok()
    })
    .await;
    let draft = "swordfish in a draft";
    ada.client().set_draft(&chat, draft, None).await.unwrap();
    eventually("the draft is there", || async {
        laptop.chat("Ben").await.draft.is_some()
    })
    .await;
    laptop.client().set_draft(&chat, "", None).await.unwrap();
    eventually("the draft is gone", || async {
        ada.chat("Ben").await.draft.is_none()
    })
    .await;
    ada.settle().await;
    laptop.settle().await;
    for device in [&mut ada, &mut laptop] {
        device.quit().await;
        assert_eq!(device.finds("swordfish"), Vec::<String>::new());
        assert_eq!(device.looks_up("SELECT count(*) FROM linking"), 0);
        assert_eq!(device.looks_up("SELECT count(*) FROM joining"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_group_leaves_with_all_devices() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let laptop = linked(&ben, &server).await;
    eventually("in the group", || async {
        laptop.client().find_chat("Desk").await.is_ok()
    })
    .await;
    let desk = laptop.chat("Desk").await.id;
    laptop.client().group_leave(&desk, None).await.unwrap();
    for device in [&ben, &laptop] {
        eventually("both devices are out", || async {
            matches!(
                device.chat("Desk").await.state,
                undertone_core::ChatState::Left | undertone_core::ChatState::Removed
            )
        })
        .await;
        device.settle().await;
    }
    for person in [&ada, &cleo] {
        eventually("Ben is no member", || async {
            let chat = person.chat("Desk").await.id;
            let members = person.client().members(&chat).await.unwrap();
            members.len() == 2
        })
        .await;
    }
    ada.says("Desk", "they are gone").await;
    cleo.reads("Desk", &["Ada: they are gone"]).await;
    for device in [&ben, &laptop] {
        device.settle().await;
        assert!(device.lines("Desk").await.is_empty());
    }
}
