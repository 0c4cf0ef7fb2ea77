//! Pages that come back, and pages that don't: how they know the program, and what becomes of the files that they had sent.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use undertone_tests::{Outcome, Person, ServerProcess, eventually};

use crate::web_page::{Host, PATIENCE, Page};

const NONCE: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// The name and the key in the page.
fn told(host: &Host) -> (String, String) {
    let page = host.raw(&format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host.address
    ));
    let (_, rest) = page
        .split_once("<meta name=\"proof\" content=\"")
        .expect("a key");
    let (told, _) = rest.split_once('"').expect("an end");
    let (name, key) = told.split_once('.').expect("a name and a key");
    (name.to_owned(), key.to_owned())
}

async fn proof(host: &Host, name: &str) -> Outcome<(Value, Page)> {
    host.page(json!({"page": name, "nonce": NONCE})).await
}

fn opened(ada: &Person) -> Outcome<Host> {
    let passphrase = ada.passphrase_file().display().to_string();
    Host::start(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &passphrase],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_knows_the_program_that_it_came_from_over_locks_and_no_other() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let host = opened(&ada)?;
    let (name, key) = told(&host);
    assert!(name.len() == 64 && key.len() == 64);
    assert_ne!(told(&host), (name.clone(), key.clone()));
    let (first, mut page) = proof(&host, &name).await?;
    assert_eq!(first["proof"].as_str().map(str::len), Some(64), "{first}");
    // Only after that it says who it is.
    let welcome = page.say(json!({"code": host.code})).await;
    assert_eq!(welcome["admitted"], true);
    for _ in 0..2 {
        page.call("host.lock", json!({})).await;
        let until = Instant::now() + PATIENCE;
        page = loop {
            // Until the new image listens, the connection waits or is cut.
            if let Ok((again, mut page)) = proof(&host, &name).await
                && !again.is_null()
            {
                assert_eq!(again, first);
                let back = page.say(json!({"session": welcome["session"]})).await;
                if back["admitted"] == true {
                    break page;
                }
            }
            assert!(Instant::now() < until, "it never came back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let passphrase = fs::read_to_string(ada.passphrase_file()).expect("readable");
        let given = json!({"passphrase": passphrase.trim_end()});
        page.call("host.unlock", given).await;
    }
    // One file serves all locks, and is empty.
    let files = || {
        let all = fs::read_dir(format!("/proc/{}/fd", host.child.id())).expect("readable");
        all.flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .filter(|file| file.to_string_lossy().contains("memfd:undertone"))
            .count()
    };
    assert_eq!(files(), 1);
    let arguments = fs::read(format!("/proc/{}/cmdline", host.child.id())).expect("readable");
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    let number = arguments.split("--pages ").nth(1).expect("handed over");
    let number = number.split(' ').next().unwrap_or_default();
    let left = format!("/proc/{}/fd/{number}", host.child.id());
    assert_eq!(fs::metadata(left).expect("there").len(), 0);

    // Another process, with the same home, is another one.
    drop(host);
    let host = opened(&ada)?;
    let (other, _) = proof(&host, &name).await?;
    assert!(other["proof"].is_string());
    assert_ne!(other, first);
    // What is no question gets no answer.
    let (none, _) = host.page(json!({"page": name, "nonce": "07"})).await?;
    assert_eq!(none, Value::Null);
    Ok(())
}

/// Sends a file of four bytes, or only the first two of them.
async fn upload(host: &Host, page: &mut Page, is_whole: bool) -> Result<(), Value> {
    let asked = page
        .call("host.upload", json!({"name": "x.txt", "size": 4}))
        .await;
    let Some(url) = asked["result"]["url"].as_str() else {
        return Err(asked["error"]["data"]["code"].clone());
    };
    let request = format!(
        "PUT {url} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n",
        host.address
    );
    if is_whole {
        assert!(
            host.raw(&format!("{request}four"))
                .starts_with("HTTP/1.1 200")
        );
    } else {
        let mut stream = TcpStream::connect(host.address).expect("connects");
        stream
            .write_all(format!("{request}fo").as_bytes())
            .expect("written");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_pages_that_are_gone_and_files_that_came_by_half_are_not_kept() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let host = opened(&ada)?;
    let kept = || {
        let files = fs::read_dir(ada.home().join("attachments")).expect("readable");
        files.flatten().count()
    };
    let none = || Ok((kept() == 0).then_some(()));
    let (name, _) = told(&host);
    let (_, mut page) = proof(&host, &name).await?;
    let welcome = page.say(json!({"code": host.code})).await;
    assert_eq!(welcome["admitted"], true);
    upload(&host, &mut page, false).await.expect("begun");
    eventually(PATIENCE, "the half of a file being removed", none)?;

    for _ in 0..64 {
        upload(&host, &mut page, true).await.expect("taken");
    }
    assert_eq!(kept(), 64);
    let refused = upload(&host, &mut page, true).await;
    assert_eq!(refused, Err(json!("host.too_many_uploads")));
    // The same page finds them again when its connection was lost for a moment.
    drop(page);
    let (_, mut page) = proof(&host, &name).await?;
    page.say(json!({"session": welcome["session"]})).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(kept(), 64);
    // Loaded again it is another one, that knows nothing of them.
    drop(page);
    let (_, mut page) = proof(&host, &told(&host).0).await?;
    page.say(json!({"session": welcome["session"]})).await;
    eventually(PATIENCE, "the files of the old page being removed", none)?;
    upload(&host, &mut page, true).await.expect("taken");
    Ok(())
}
