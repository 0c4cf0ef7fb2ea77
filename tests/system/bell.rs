//! What a locked app still hears: that something came.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use undertone_tests::{Outcome, Person, ServerProcess};

use crate::web_page::{Host, Page};

const WORDS: &str = "Come to the cold store at seven";
const MORE_WORDS: &str = "Make it eight";
/// A connection of its own is made within seconds, on a machine that has time.
const LIMIT: Duration = Duration::from_secs(60);

fn arguments(host: &Host) -> String {
    let arguments = fs::read(format!("/proc/{}/cmdline", host.child.id())).expect("readable");
    String::from_utf8_lossy(&arguments).replace('\0', " ")
}

/// Locks, and comes back to the fresh process.
pub async fn lock(host: &Host, page: &mut Page, session: &Value) -> Page {
    page.call("host.lock", json!({})).await;
    loop {
        // Until the new image listens, the connection waits or is cut.
        if let Ok((answer, mut page)) = host.page(json!({"session": session})).await
            && answer["admitted"] == true
            && page.call("host.state", json!({})).await["result"]["state"] == "locked"
        {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn unlock(page: &mut Page, person: &Person) {
    let passphrase = fs::read_to_string(person.passphrase_file()).expect("readable");
    let opened = page
        .call("host.unlock", json!({"passphrase": passphrase.trim_end()}))
        .await;
    assert!(opened["error"].is_null(), "{opened}");
}

/// Waits until the open app has everything, and the server has been told of its bell.
async fn settled(page: &mut Page) {
    let settled = page.call("sync.settle", json!({"limit_ms": 20_000})).await;
    assert!(settled["error"].is_null(), "{settled}");
}

/// Waits until it has been rung so often. Answers the state that says so.
async fn rung(page: &mut Page, times: u64) -> Value {
    let began = std::time::Instant::now();
    loop {
        let state = page.call("host.state", json!({})).await["result"].clone();
        if state["rings"] == times {
            return state;
        }
        assert!(began.elapsed() < LIMIT, "not heard {times} times: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_app_hears_that_something_came_and_nothing_else() -> Outcome {
    let mut server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join_hurried("Ada", &invitation)?;
    let ben = Person::join_hurried("Ben", &invitation)?;
    ada.meet(&ben)?;
    let passphrase = ben.passphrase_file().display().to_string();
    let options = ["--no-browser", "--passphrase-file", &passphrase];
    // Or else the test could not look at what it holds.
    let host = Host::start_in(&ben.home(), &options, &[("UNDERTONE_TEST_READABLE", "1")])?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    settled(&mut page).await;

    // Whoever has notifications turned off is not told while locked either.
    let mut page = lock(&host, &mut page, &welcome["session"]).await;
    assert!(!arguments(&host).contains("--bell"), "{}", arguments(&host));

    unlock(&mut page, &ben).await;
    let on = json!({"name": "notifications", "value": 1});
    page.call("settings.set_preference", on).await;
    settled(&mut page).await;
    let mut page = lock(&host, &mut page, &welcome["session"]).await;
    assert_eq!(
        page.call("host.state", json!({})).await["result"]["rings"],
        0
    );
    ada.send("Ben", WORDS)?;
    let state = rung(&mut page, 1).await;
    assert_eq!(state["state"], "locked");
    assert!(!state.to_string().contains("Ada"), "{state}");

    // A server that dies and comes back rings for what came since, without an unlock in between.
    server.restart_after_kill9()?;
    ada.send("Ben", MORE_WORDS)?;
    let state = rung(&mut page, 2).await;
    assert_eq!(state["state"], "locked");

    // Nothing was taken from the queue, and what was handed over lies nowhere any more.
    assert!(server.status()?["items"].as_u64() > Some(0));
    let said = arguments(&host);
    let number = said
        .split("--bell ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let number = number.expect("handed over by its number");
    let left = format!("/proc/{}/fd/{number}", host.child.id());
    assert_eq!(fs::metadata(left).expect("still there").len(), 0);

    unlock(&mut page, &ben).await;
    settled(&mut page).await;
    assert_eq!(
        page.call("host.state", json!({})).await["result"]["rings"],
        0
    );
    let chats = page.call("chats.list", json!({})).await;
    assert!(chats.to_string().contains(MORE_WORDS), "{chats}");
    Ok(())
}
