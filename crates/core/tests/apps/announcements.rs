//! What the operator of a server tells everybody there, and what a hostile one can't do with it.

use crate::fake::{FakeServer, Person, eventually};
use undertone_core::{AnnouncementInfo, Event};
use undertone_wire::response::Announcement;

type Outcome = Result<(), undertone_core::Error>;

const DAY_S: i64 = 24 * 3600;

fn says(id: u8, text: &str, days: i64) -> Announcement {
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let today = i64::try_from(now_s).unwrap() / DAY_S;
    let until = today + days;
    Announcement {
        id: [id; 16],
        text: text.to_owned(),
        day: u32::try_from(today).unwrap(),
        until_day: u32::try_from(until).unwrap(),
    }
}

async fn announced(person: &Person) -> Vec<AnnouncementInfo> {
    person.client().announcements().await.unwrap()
}

async fn sees(person: &Person, wanted: &[&str]) {
    eventually(&format!("{} sees {wanted:?}", person.name), || async {
        let mut texts: Vec<String> = announced(person)
            .await
            .into_iter()
            .map(|one| one.text)
            .collect();
        texts.sort();
        texts == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_says_is_shown_as_theirs_until_it_is_taken_back() -> Outcome {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    ada.settle().await;
    let mut events = ada.client().events();
    server.announce(&[says(1, "Maintenance on Sunday.", 7), says(2, "Welcome!", 7)]);
    sees(&ada, &["Maintenance on Sunday.", "Welcome!"]).await;
    while events.next().await != Some(Event::AnnouncementsChanged) {}
    let all = announced(&ada).await;
    let origin = ada.client().account().await?.server;
    assert!(all.iter().all(|one| one.server == origin && !one.dismissed));
    // It is nobody's message.
    let chats = ada.client().chats().await?;
    assert!(chats.iter().all(|chat| chat.last.is_none()));

    let read = all.iter().find(|one| one.text == "Welcome!").unwrap();
    ada.client().dismiss_announcement(&read.id).await?;
    ada.reopen().await;
    ada.settle().await;
    let all = announced(&ada).await;
    assert_eq!(all.len(), 2);
    assert!(
        all.iter()
            .all(|one| one.dismissed == (one.text == "Welcome!"))
    );
    server.announce(&[says(2, "Welcome!", 7)]);
    sees(&ada, &["Welcome!"]).await;
    // Its time is over by itself.
    ada.clock().pass_ms(9 * DAY_S * 1000);
    sees(&ada, &[]).await;
    let gone = "00".repeat(16).parse()?;
    let unknown = ada.client().dismiss_announcement(&gone).await;
    assert_eq!(unknown.unwrap_err().code(), "announcement.unknown");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_on_one_device_is_dismissed_on_all() -> Outcome {
    let server = FakeServer::new();
    let laptop = Person::new("Ada", &server).await;
    laptop.settle().await;
    let both = [says(1, "Maintenance on Sunday.", 7), says(2, "Welcome!", 7)];
    server.announce(&both);
    sees(&laptop, &["Maintenance on Sunday.", "Welcome!"]).await;
    let dismissed = async |person: &Person| -> Vec<String> {
        let all = announced(person).await.into_iter();
        all.filter(|one| one.dismissed)
            .map(|one| one.text)
            .collect()
    };
    let dismiss = async |person: &Person, text: &str| {
        let all = announced(person).await;
        let one = all.iter().find(|one| one.text == text).unwrap();
        person.client().dismiss_announcement(&one.id).await
    };
    dismiss(&laptop, "Welcome!").await?;
    // A device that comes later knows of it, and what is dismissed there is dismissed here.
    let tablet = Person::links(&laptop, "Ada's tablet", &server).await;
    tablet.settle().await;
    server.announce(&both);
    eventually("the tablet knows", || async {
        announced(&tablet).await.len() == 2 && dismissed(&tablet).await == ["Welcome!"]
    })
    .await;
    let mut events = laptop.client().events();
    dismiss(&tablet, "Maintenance on Sunday.").await?;
    while events.next().await != Some(Event::AnnouncementsChanged) {}
    assert_eq!(dismissed(&laptop).await.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_operator_shows_little_and_nothing_but_text() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    ada.settle().await;
    server.announce(&[
        says(1, "Ada\u{202e}neB\u{7}", 7),
        says(2, "\u{202e}\u{0}", 7),
    ]);
    sees(&ada, &["AdaneB"]).await;
    // However often it changes them, a few new ones are shown within a day.
    for id in 10..40 {
        server.announce(&[says(id, &format!("New {id}"), 7)]);
    }
    server.announce(&[says(16, "New 16", 7), says(39, "New 39", 7)]);
    sees(&ada, &["New 16"]).await;
    Ok(())
}
