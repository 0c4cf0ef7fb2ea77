//! Clocks that are wrong for a while, and are put right while the app runs.

use crate::fake::{FakeServer, Person, eventually};
use undertone_core::LinkOptions;

const DAY_MS: i64 = 24 * 3_600_000;

/// Ada gives a link, which is good for a week; her clock is off by so many days for a while; then Ben comes by the link.
async fn a_link_is_good_for_its_week_although_the_clock_was_off_by(days: i64) {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let link = ada.client().create_link(LinkOptions::default()).await;
    let link = link.unwrap();
    ada.settle().await;
    let ends = async || {
        let links = ada.client().links().await.unwrap();
        links[0].expires_ms.unwrap()
    };
    let said = ends().await;

    ada.clock().jump_ms(days * DAY_MS);
    // Her app does things meanwhile.
    ada.client()
        .create_link(LinkOptions::default())
        .await
        .unwrap();
    ada.settle().await;
    ada.clock().jump_ms(-days * DAY_MS);
    ada.client()
        .create_link(LinkOptions::default())
        .await
        .unwrap();
    ada.settle().await;
    let links = ada.client().links().await.unwrap();
    for link in &links {
        let off = link.expires_ms.unwrap() - said;
        assert!(off.abs() < DAY_MS, "{off} ms from when it was to end");
    }
    assert_eq!(links.len(), 3);

    ben.client().add_contact(&link.uri).await.unwrap();
    eventually("Ben is a contact", || async {
        ada.client().find_contact("Ben").await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_behind_and_is_put_right_ends_no_link() {
    a_link_is_good_for_its_week_although_the_clock_was_off_by(-30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_runs_ahead_for_a_while_ends_no_link() {
    a_link_is_good_for_its_week_although_the_clock_was_off_by(9).await;
}
