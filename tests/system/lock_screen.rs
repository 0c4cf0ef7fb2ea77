//! Whoever stands before the locked app in the browser, and types.

use serde_json::{Value, json};
use tokio::task::block_in_place;
use undertone_core::home::Sentinel;
use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::{Failed, Outcome, Person, ServerProcess, eventually};

use crate::coercion::{
    PATIENCE, WORDS, ada_and_ben, beside, data_key, passphrase_of, refusal, secret_file, wiped,
};
use crate::web_page::{Host, Page};

const DURESS: &str = "all right all right";

/// The app, locked, and the page that shows its lock screen.
async fn lock_screen(person: &Person) -> Outcome<(Host, Value, Page)> {
    let host = Host::start(&person.home(), &["--no-browser"])?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    let state = page.call("host.state", json!({})).await;
    assert_eq!(state["result"]["state"], "locked", "{state}");
    Ok((host, json!({"session": welcome["session"]}), page))
}

async fn typed(page: &mut Page, passphrase: &str) -> Value {
    page.call("host.unlock", json!({"passphrase": passphrase}))
        .await
}

fn code(answer: &Value) -> &str {
    answer["error"]["data"]["code"].as_str().unwrap_or_default()
}

/// Locks, and comes back to the lock screen by the same session.
async fn locked_again(host: &Host, session: &Value, mut page: Page) -> Page {
    page.call("host.lock", json!({})).await;
    loop {
        if let Ok((answer, mut page)) = host.page(session.clone()).await
            && answer["admitted"] == true
        {
            let state = page.call("host.state", json!({})).await;
            if state["result"]["state"] == "locked" {
                return page;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_duress_passphrase_typed_there_opens_the_decoy_and_destroys_the_rest() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = block_in_place(|| ada_and_ben(&server))?;
    let key = data_key(&ada);
    let right = passphrase_of(&ada);
    let duress = secret_file(&ada, "duress.txt", DURESS);
    block_in_place(|| {
        let set = ["--offline", "duress", "set", "--name", "Ada B."];
        let words = beside(&ada, "decoy.txt");
        let files = ["--duress-file", &duress, "--recovery-file", &words];
        ada.run(set.into_iter().chain(files))
    })?;
    let (host, session, mut page) = lock_screen(&ada).await?;
    assert_eq!(
        code(&typed(&mut page, "not this one").await),
        "home.wrong_passphrase"
    );
    let by_the_owner = typed(&mut page, &right).await;
    let shown = page.call("chats.list", json!({})).await;
    assert!(shown.to_string().contains("Benjamin"), "{shown}");

    let mut page = locked_again(&host, &session, page).await;
    let under_duress = typed(&mut page, DURESS).await;
    assert_eq!(under_duress, by_the_owner, "the answers are the same");
    let account = page.call("account.get", json!({})).await;
    assert_eq!(account["result"]["name"], "Ada B.", "{account}");
    let shown = page.call("chats.list", json!({})).await;
    assert!(!shown.to_string().contains("Benjamin"), "{shown}");
    let protection = page.call("protection.get", json!({})).await;
    let now = &protection["result"];
    assert_eq!(
        (&now["duress"], &now["decoy"]),
        (&json!(false), &json!(false))
    );

    let mut needles = Needle::bytes("data key", &key);
    needles.extend(Needle::text("message", WORDS));
    assert_eq!(scan_for(&ada.home(), &needles).expect("readable"), []);
    let mut page = locked_again(&host, &session, page).await;
    assert_eq!(
        code(&typed(&mut page, &right).await),
        "home.wrong_passphrase"
    );
    assert_eq!(typed(&mut page, DURESS).await, by_the_owner);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_typed_there_wait_longer_and_longer_also_over_restarts() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let right = passphrase_of(&ada);
    let failed = || {
        let sentinel = Sentinel::load(&ada.home()).expect("a sentinel");
        sentinel.attempts.failed
    };
    let (host, _, mut page) = lock_screen(&ada).await?;
    for count in 1..=3 {
        assert_eq!(
            code(&typed(&mut page, "a guess").await),
            "home.wrong_passphrase"
        );
        assert_eq!(failed(), count);
    }
    drop(host);
    let (_host, _, mut page) = lock_screen(&ada).await?;
    for count in 4..=6 {
        assert_eq!(
            code(&typed(&mut page, "a guess").await),
            "home.wrong_passphrase"
        );
        assert_eq!(failed(), count);
    }
    // So many that the next one has to wait a minute, however slow this machine is.
    Sentinel::update(&ada.home(), |sentinel| sentinel.attempts.failed = 12).expect("written");
    for guess in ["a guess", &right] {
        assert_eq!(code(&typed(&mut page, guess).await), "home.too_soon");
    }
    assert_eq!(failed(), 12, "what was not tried does not count");
    Sentinel::update(&ada.home(), |sentinel| sentinel.attempts.last -= 64).expect("written");
    let opened = typed(&mut page, &right).await;
    assert!(opened["error"].is_null(), "{opened}");
    assert_eq!(failed(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_limit_counts_what_is_typed_there_and_in_commands_together() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let right = passphrase_of(&ada);
    block_in_place(|| ada.run(["protection", "--wrong-attempts", "3"]))?;
    let (mut host, _, mut page) = lock_screen(&ada).await?;
    assert_eq!(
        code(&typed(&mut page, "a guess").await),
        "home.wrong_passphrase"
    );
    block_in_place(|| {
        crate::coercion::types(&ada, "a guess");
        assert_eq!(refusal(ada.run(["chats"])).1, "home.wrong_passphrase");
        crate::coercion::types(&ada, &right);
    });
    // The program may be gone before it has answered.
    let third = typed(&mut page, "a guess").await;
    assert!(
        third.is_null() || code(&third) == "home.wiped",
        "it was no verdict: {third}"
    );
    let ended = block_in_place(|| {
        eventually(PATIENCE, "the end of the host", || {
            let ended = host.child.try_wait();
            ended.map_err(|error| Failed::harness("waiting for the host", error))
        })
    })?;
    assert_eq!(ended.code(), Some(15));
    block_in_place(|| assert_eq!(refusal(ada.run(["chats"])), wiped()));
    Ok(())
}
