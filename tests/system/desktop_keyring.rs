//! The desktop's keyring as a second factor, with a real one.

use std::fs;

use serde_json::{Value, json};
use undertone_tests::{DesktopKeyring, Failed, Outcome, Person, ServerProcess};

use crate::bell::lock;
use crate::web_page::{Host, Page};

const PLAINLY: &str = "This home needs the desktop's keyring";

async fn unlock(page: &mut Page, person: &Person) -> Value {
    let passphrase = fs::read_to_string(person.passphrase_file()).expect("readable");
    page.call("host.unlock", json!({"passphrase": passphrase.trim_end()}))
        .await
}

/// What an unlock without the keyring says.
fn needs_keyring(answer: &Value) -> bool {
    let error = &answer["error"];
    error["data"]["code"] == "home.keyring"
        && error["message"]
            .as_str()
            .is_some_and(|said| said.starts_with(PLAINLY))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_keyring_is_asked_at_each_unlock_until_it_is_turned_off_or_the_home_is_wiped()
-> Outcome {
    let mut keyring = DesktopKeyring::start()?;
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?.at_desktop(&keyring);
    assert_eq!(ada.run(["protection", "--keyring", "on"])?["keyring"], true);
    assert_eq!(keyring.items()?, 1);

    // The app asks the keyring at each unlock.
    let file = ada.passphrase_file().display().to_string();
    let path = std::env::var("PATH").expect("a path");
    let bus = keyring.bus();
    let host = Host::start_in(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &file],
        &[
            ("DBUS_SESSION_BUS_ADDRESS", bus.as_str()),
            ("PATH", path.as_str()),
        ],
    )?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    let mut page = lock(&host, &mut page, &welcome["session"]).await;
    let opened = unlock(&mut page, &ada).await;
    assert!(opened["error"].is_null(), "{opened}");

    // A keyring that is locked, or where nobody is logged in, opens nothing, and that is no attempt.
    let mut page = lock(&host, &mut page, &welcome["session"]).await;
    keyring.lock()?;
    let refused = unlock(&mut page, &ada).await;
    assert!(needs_keyring(&refused), "{refused}");
    keyring.log_out();
    let refused = unlock(&mut page, &ada).await;
    assert!(needs_keyring(&refused), "{refused}");
    let Err(Failed { exit, code, .. }) = ada.run(["chats"]) else {
        panic!("it opened")
    };
    assert_eq!((exit, code.as_str()), (Some(17), "home.keyring"));
    let told = ada
        .command_for_people()
        .arg("chats")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(said.contains(PLAINLY), "{said}");

    keyring.log_in()?;
    let opened = unlock(&mut page, &ada).await;
    assert!(opened["error"].is_null(), "{opened}");
    let now = page.call("protection.get", json!({})).await;
    assert_eq!(now["result"]["wrong_attempts"], 0, "{now}");
    drop(host);

    // Off, it is needed no more, and keeps nothing.
    assert_eq!(
        ada.run(["protection", "--keyring", "off"])?["keyring"],
        false
    );
    assert_eq!(keyring.items()?, 0);
    keyring.log_out();
    ada.run(["chats"])?;
    let Err(Failed { code, .. }) = ada.run(["protection", "--keyring", "on"]) else {
        panic!("nobody keeps it")
    };
    assert_eq!(code, "home.no_keyring");

    // A wipe takes it along.
    keyring.log_in()?;
    ada.run(["protection", "--keyring", "on"])?;
    assert_eq!(keyring.items()?, 1);
    ada.run(["wipe", "--yes-wipe"])?;
    assert_eq!(keyring.items()?, 0);
    Ok(())
}
