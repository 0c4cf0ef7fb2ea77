//! The duress passphrase alarms those whom the owner chose, and nothing that the decoy shows says so.

use crate::fake::{FakeServer, Person, at_rest, eventually, meet};
use undertone_core::{
    Client, ContactId, DecoyAccount, MessageKind, NewDuress, Notice, Page, Reason,
    home::{Owner, Passphrase},
    store::StoreError,
};
use zeroize::Zeroizing;

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn own() -> Passphrase {
    phrase("correct horse battery staple")
}

fn duress() -> Passphrase {
    phrase("four kettles on a quiet tram")
}

fn visit() -> Passphrase {
    phrase("the other side of the hedge")
}

async fn contact(of: &Person, name: &str) -> ContactId {
    let all = of.client().contacts().await.unwrap();
    let found = all.into_iter().find(|contact| contact.name == name);
    found.unwrap().id
}

/// Ada sets a duress passphrase that alarms these.
async fn prepares(ada: &Person, alarmed: &[&str]) {
    let mut alarm = Vec::new();
    for name in alarmed {
        alarm.push(contact(ada, name).await);
    }
    let new = NewDuress {
        current: own(),
        duress: duress(),
        visit: Some(visit()),
        account: DecoyAccount::default(),
        alarm: alarm.clone(),
    };
    ada.client().set_duress(new).await.unwrap();
    let mut told = ada.client().protection().await.unwrap().alarm;
    told.sort();
    alarm.sort();
    assert_eq!(told, alarm);
}

/// What the home opens with this.
async fn opens(ada: &mut Person, with: &Passphrase) -> Client {
    let options = ada.options();
    ada.quit().await;
    Client::open(&ada.home, with, options).await.unwrap()
}

/// Whom this device was told of.
async fn alarms(device: &Person) -> Vec<String> {
    let mut found = Vec::new();
    for chat in device.client().chats().await.unwrap() {
        let page = Page::default();
        for line in device.client().messages(&chat.id, page).await.unwrap() {
            if let (MessageKind::Notice, Some(Notice::DuressAlarm { who })) =
                (line.kind, line.notice)
            {
                found.push(who.name);
            }
        }
    }
    found
}

async fn is_alarmed(device: &Person) {
    eventually("the alarm is here", || async {
        alarms(device).await == ["Ada"]
    })
    .await;
}

/// How many alarms the store that this opens still has to send.
fn left(home: &std::path::Path, with: &Passphrase) -> i64 {
    let home = Owner::acquire(home).unwrap().unlock(with);
    let home = home.map_err(|(_, error)| error).unwrap();
    let count = home.database().read(|snapshot| {
        let count = "SELECT count(*) FROM alarms";
        Ok::<_, StoreError>(
            snapshot
                .connection()
                .query_row(count, [], |row| row.get(0))?,
        )
    });
    count.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_devices_of_those_who_were_chosen_are_told_once_and_the_decoy_shows_nothing() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    let cleo = Person::new("Cleo", &server).await;
    meet(&ada, &ben).await;
    meet(&ada, &cleo).await;
    prepares(&ada, &["Ben"]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // A device that comes later hears of it from Ben's first.
    let laptop = Person::links(&ben, "Ben's laptop", &server).await;
    at_rest(&server, &[&ada, &ben, &cleo, &laptop]).await;

    let decoy = opens(&mut ada, &duress()).await;
    decoy.start().await.unwrap();
    is_alarmed(&ben).await;
    is_alarmed(&laptop).await;
    at_rest(&server, &[&ben, &cleo, &laptop]).await;
    assert!(alarms(&cleo).await.is_empty());
    assert_eq!(alarms(&ben).await.len(), 1);

    eventually("nothing of it is left in the decoy", || async {
        let left = decoy.what_is_left_for_tests().await.unwrap();
        !left.iter().any(|kind| kind == "alarm")
    })
    .await;
    let shown = decoy.protection().await.unwrap();
    assert!(shown.alarm.is_empty() && !shown.duress && !shown.decoy);
    assert!(decoy.contacts().await.unwrap().is_empty());
    decoy.close().await.unwrap();
    assert_eq!(left(&ada.home, &duress()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_to_the_decoy_alarms_nobody_and_what_could_not_be_sent_goes_later() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ada, &ben).await;
    prepares(&ada, &["Ben"]).await;
    at_rest(&server, &[&ada, &ben]).await;

    let decoy = opens(&mut ada, &visit()).await;
    decoy.start().await.unwrap();
    decoy.settle(crate::fake::LIMIT).await.unwrap();
    decoy.close().await.unwrap();
    assert_eq!(left(&ada.home, &visit()), 1);

    // Given where there is no network; the alarm waits for one.
    let options = ada.options();
    let decoy = Client::open(&ada.home, &duress(), options.clone())
        .await
        .unwrap();
    decoy.close().await.unwrap();
    at_rest(&server, &[&ben]).await;
    assert!(alarms(&ben).await.is_empty());

    let decoy = Client::open(&ada.home, &duress(), options).await.unwrap();
    decoy.start().await.unwrap();
    is_alarmed(&ben).await;
    decoy.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_was_taken_back_is_known_by_nobody() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    let cleo = Person::new("Cleo", &server).await;
    meet(&ada, &ben).await;
    meet(&ada, &cleo).await;
    prepares(&ada, &["Ben", "Cleo"]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // Another duress passphrase takes the place of the first, and its alarm that of the first one's.
    prepares(&ada, &["Cleo"]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben.quit().await;
    assert_eq!(ben.looks_up("SELECT count(*) FROM alarms_of"), 0);
    ben.reopen().await;

    let decoy = opens(&mut ada, &duress()).await;
    decoy.start().await.unwrap();
    is_alarmed(&cleo).await;
    at_rest(&server, &[&ben, &cleo]).await;
    assert!(alarms(&ben).await.is_empty());
    decoy.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_alarmed_who_is_no_contact_and_taking_duress_away_ends_it() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    let stranger = Person::new("Cleo", &server).await;
    meet(&ada, &ben).await;
    let nobody = NewDuress {
        current: own(),
        duress: duress(),
        visit: None,
        account: DecoyAccount::default(),
        alarm: vec![stranger.client().account().await.unwrap().account_id],
    };
    let refused = ada
        .client()
        .set_duress(nobody)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.code(), Reason::ContactUnknown.code());
    assert!(!ada.client().protection().await.unwrap().duress);

    prepares(&ada, &["Ben"]).await;
    at_rest(&server, &[&ada, &ben]).await;
    ada.client().remove_duress(own()).await.unwrap();
    assert!(ada.client().protection().await.unwrap().alarm.is_empty());
    at_rest(&server, &[&ada, &ben]).await;
    ada.quit().await;
    ben.quit().await;
    assert_eq!(ben.looks_up("SELECT count(*) FROM alarms_of"), 0);
    assert_eq!(ada.looks_up("SELECT count(*) FROM alarm_contacts"), 0);
}
