//! The host of the user interface, spoken to over raw sockets: what it refuses, and what it never gives away.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use undertone_tests::{Failed, Outcome, Person, ServerProcess, binary, eventually};

use crate::web_page::{Host, PATIENCE, Page};

/// Tests without the user interface would say nothing: `./dev` builds it first.
pub fn has_interface() -> bool {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/dist/index.html");
    assert!(built.exists(), "ui/dist is not built: use ./dev test");
    true
}

#[test]
fn another_host_origin_or_method_is_refused() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    let own_host = format!("Host: {}", host.address);
    let own_origin = format!("Origin: {}", host.origin());
    let port = host.address.port();
    assert_eq!(host.status("GET /", &[&own_host]), 200);
    assert_eq!(host.status("GET /assets/app.js", &[&own_host]), 200);

    // Rebound DNS, another name of this computer, no name at all.
    for wrong in [
        format!("Host: evil.example:{port}"),
        format!("Host: localhost:{port}"),
        "Host: 127.0.0.1".to_owned(),
        format!("Host: 127.0.0.1:{}", port.wrapping_add(1)),
        "X-Host: none".to_owned(),
    ] {
        assert!(
            matches!(host.status("GET /", &[&wrong]), 400 | 421),
            "{wrong}"
        );
        assert!(
            matches!(host.status("GET /rpc", &[&wrong, &own_origin]), 400 | 421),
            "{wrong}"
        );
    }
    assert_eq!(
        host.status(&format!("GET http://127.0.0.1:{port}/"), &[&own_host]),
        421
    );
    // Pages of other ports and sites, by form, fetch, or an element that loads something.
    for wrong in [
        format!("Origin: http://127.0.0.1:{}", port.wrapping_add(1)),
        "Origin: http://evil.example".to_owned(),
        "Origin: null".to_owned(),
        format!("Origin: http://localhost:{port}"),
    ] {
        for first in ["GET /", "POST /rpc", "PUT /upload/x", "GET /rpc"] {
            assert_eq!(
                host.status(first, &[&own_host, &wrong]),
                403,
                "{first} {wrong}"
            );
        }
    }
    for site in ["cross-site", "same-site"] {
        let site = format!("Sec-Fetch-Site: {site}");
        let loads = [
            own_host.as_str(),
            &site,
            "Sec-Fetch-Mode: no-cors",
            "Sec-Fetch-Dest: script",
        ];
        assert_eq!(host.status("GET /assets/app.js", &loads), 403);
        let frames = [
            own_host.as_str(),
            &site,
            "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: iframe",
        ];
        assert_eq!(host.status("GET /", &frames), 403);
    }
    assert_eq!(
        host.status("PUT /upload/x", &[&own_host, "Content-Length: 0"]),
        403
    );
    for first in ["POST /", "OPTIONS /", "DELETE /assets/app.js", "PUT /"] {
        assert_eq!(
            host.status(first, &[&own_host, &own_origin]),
            405,
            "{first}"
        );
    }
    for nothing in [
        "GET /assets/../index.html",
        "GET /media/00",
        "GET //",
        "GET /rpc.sock",
    ] {
        assert_eq!(host.status(nothing, &[&own_host]), 404, "{nothing}");
    }
    Ok(())
}

#[test]
fn every_answer_tells_the_browser_to_keep_and_run_nothing_else() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    for path in ["/", "/assets/app.js", "/assets/style.css", "/nothing"] {
        let answer = host
            .raw(&format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                host.address
            ))
            .to_ascii_lowercase();
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap_or_default()
            .to_owned();
        for expected in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "permissions-policy: ",
            "default-src 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'; trusted-types 'none'",
        ] {
            assert!(head.contains(expected), "{path}: no {expected} in {head}");
        }
        // Where scripts of its own may run, none is left behind for a later page.
        assert!(path != "/" || head.contains("worker-src 'none'"), "{head}");
        for never in [
            "set-cookie",
            "access-control-allow",
            "unsafe-inline",
            "unsafe-eval",
            "server:",
        ] {
            assert!(!head.contains(never), "{path}: {never} in {head}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_or_code_gets_no_answer() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    // A wrong Origin: not even a WebSocket. (None at all: `web_files`.)
    for origin in ["http://evil.example", "null"] {
        assert!(
            Page::connect(host.address, origin, json!({"code": host.code}))
                .await
                .is_err(),
            "{origin}"
        );
    }
    for first in [
        json!({}),
        json!({"session": ""}),
        json!({"session": "0".repeat(64)}),
        json!({"launch": "0".repeat(64)}),
        json!({"session": "0".repeat(64), "code": host.code}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "host.state"}),
    ] {
        let (answer, mut page) = host.page(first.clone()).await?;
        assert_ne!(answer["admitted"], true, "{first}");
        assert_eq!(
            page.call("host.state", json!({})).await,
            Value::Null,
            "{first}"
        );
    }
    // The code is good once.
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    assert_eq!(welcome["admitted"], true);
    assert_eq!(
        page.call("host.state", json!({})).await["result"]["state"],
        "new"
    );
    assert_eq!(
        page.call("chats.list", json!({})).await["error"]["data"]["code"],
        "host.locked"
    );
    let (again, _) = host.page(json!({"code": host.code})).await?;
    assert_eq!(again["error"]["code"], "host.code_over");
    // The session comes back by its token.
    let (back, mut page) = host.page(json!({"session": welcome["session"]})).await?;
    assert_eq!(
        (&back["admitted"], &back["session"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        page.call("host.state", json!({})).await["result"]["state"],
        "new"
    );
    Ok(())
}

/// Another user of the computer, say, who can reach the port but has no token, and never goes by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_keeps_no_connection() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    let upgrade = format!(
        "GET /rpc HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host.address
    );
    let first = json!({"launch": "x"}).to_string();
    // One text frame under a mask of zeros (RFC 6455 section 5.2).
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(first.len()).expect("short"),
        0,
        0,
        0,
        0,
    ];
    frame.extend(first.as_bytes());
    let mut strangers = Vec::new();
    for _ in 0..300 {
        let Ok(mut stream) = std::net::TcpStream::connect(host.address) else {
            break;
        };
        let _ = stream.write_all(upgrade.as_bytes());
        let _ = stream.write_all(&frame);
        // An answer, of whatever kind: it has been looked at.
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.read(&mut [0; 12]);
        strangers.push(stream);
    }
    let open = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", host.child.id()));
        files.map_or(0, Iterator::count)
    };
    eventually(
        Duration::from_secs(90),
        "all of them being shut out",
        || Ok((open() < 64).then_some(())),
    )?;
    assert_eq!(strangers.len(), 300);
    // A page waits for its turn, and has it once those before it have had their seconds.
    let begun = Instant::now();
    let welcome = loop {
        match host.page(json!({"code": host.code})).await {
            Ok((welcome, _page)) => break welcome,
            Err(failed) if begun.elapsed() > PATIENCE => return Err(failed),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    assert_eq!(welcome["admitted"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_can_be_guessed_at_five_times() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    let wrong = if host.code == "000000" {
        "000001"
    } else {
        "000000"
    };
    for guess in 0..5 {
        let (answer, _) = host.page(json!({"code": wrong})).await?;
        let expected = if guess < 4 {
            "host.code_wrong"
        } else {
            "host.code_over"
        };
        assert_eq!(answer["error"]["code"], expected);
    }
    let (answer, _) = host.page(json!({"code": host.code})).await?;
    assert_eq!(answer["error"]["code"], "host.code_over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_given_a_file_that_works_once_and_no_argument_says_the_token() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &[])?;
    let noted = host.folder.path().join("opened");
    let path = eventually(PATIENCE, "the browser being opened", || {
        Ok(fs::read_to_string(&noted)
            .ok()
            .filter(|path| path.ends_with('\n')))
    })?;
    let path = PathBuf::from(path.trim_end());
    assert_eq!(
        fs::read_to_string(noted.with_extension("count"))
            .expect("noted")
            .trim(),
        "1"
    );
    let mode = path
        .metadata()
        .expect("there for 30 seconds")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let page = fs::read_to_string(noted.with_extension("html")).expect("a copy");
    let token = page
        .split('#')
        .nth(1)
        .and_then(|rest| rest.get(..64))
        .expect("a token")
        .to_owned();
    assert!(!path.to_string_lossy().contains(&token[..16]));
    let arguments = fs::read(format!("/proc/{}/cmdline", host.child.id())).expect("readable");
    assert!(!String::from_utf8_lossy(&arguments).contains(&token));

    let (welcome, _) = host.page(json!({"launch": token})).await?;
    assert_eq!(welcome["admitted"], true);
    assert_ne!(welcome["session"], json!(token));
    let (again, _) = host.page(json!({"launch": token})).await?;
    assert_eq!(again["error"]["code"], "host.refused");

    // A second start brings the first to the front, with a token of its own.
    fs::remove_file(&noted).expect("removed");
    let second = Host::command(host.folder.path(), &host.home)?
        .output()
        .map_err(|error| Failed::harness("starting a second time", error))?;
    assert!(second.status.success());
    let said: Value = serde_json::from_slice(&second.stdout).expect("JSON");
    assert_eq!(said["address"], json!(format!("{}/", host.origin())));
    eventually(PATIENCE, "the browser being opened again", || {
        Ok(noted.exists().then_some(()))
    })?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_up_and_down_by_addresses_that_work_for_nobody_else_and_end_with_the_lock()
-> Outcome {
    assert!(has_interface());
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let host = Host::start(
        &ada.home(),
        &[
            "--no-browser",
            "--passphrase-file",
            &ada.passphrase_file().display().to_string(),
        ],
    )?;
    let (_, mut page) = host.page(json!({"code": host.code})).await?;
    assert_eq!(
        page.call("host.state", json!({})).await["result"]["state"],
        "open"
    );
    let notes = page.call("chats.find", json!({"selector": "notes"})).await["result"]["id"].clone();

    let own_host = format!("Host: {}", host.address);
    let own_origin = format!("Origin: {}", host.origin());
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let asked = page
        .call(
            "host.upload",
            json!({"name": "../../x\u{202e}gpj.svg", "size": svg.len()}),
        )
        .await;
    let url = asked["result"]["url"]
        .as_str()
        .expect("an address")
        .to_owned();
    let put = |length: usize, body: &str| {
        host.raw(&format!(
            "PUT {url} HTTP/1.1\r\n{own_host}\r\n{own_origin}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    };
    assert!(put(svg.len(), svg).starts_with("HTTP/1.1 200"));
    assert!(put(svg.len(), svg).starts_with("HTTP/1.1 404"), "good once");

    // More than was announced: nothing comes of it.
    let asked = page
        .call("host.upload", json!({"name": "long", "size": 3}))
        .await;
    let long = asked["result"]["url"]
        .as_str()
        .expect("an address")
        .to_owned();
    let answer = host.raw(&format!(
        "PUT {long} HTTP/1.1\r\n{own_host}\r\n{own_origin}\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcdef"
    ));
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");

    let upload = asked_upload(&mut page, &host, &own_host, &own_origin, svg).await;
    let sent = page
        .call("host.send", json!({"chat": notes, "uploads": [upload]}))
        .await;
    let message = sent["result"]["message"].clone();
    let twice = page
        .call("host.send", json!({"chat": notes, "uploads": [upload]}))
        .await;
    assert_eq!(twice["error"]["data"]["code"], "host.upload_unknown");
    let granted = page
        .call(
            "host.media",
            json!({"chat": notes, "message": message, "index": 0}),
        )
        .await;
    let media = granted["result"]["url"]
        .as_str()
        .expect("an address")
        .to_owned();
    let got = host.raw(&format!(
        "GET {media} HTTP/1.1\r\n{own_host}\r\nConnection: close\r\n\r\n"
    ));
    let head = got.to_ascii_lowercase();
    assert!(got.ends_with(svg), "{got}");
    for expected in [
        "content-type: application/octet-stream",
        "content-disposition: attachment",
        "cache-control: no-store",
        "cross-origin-resource-policy: same-origin",
        "sandbox",
    ] {
        assert!(head.contains(expected), "{expected} in {head}");
    }
    let part = host.raw(&format!(
        "GET {media} HTTP/1.1\r\n{own_host}\r\nRange: bytes=1-3\r\nConnection: close\r\n\r\n"
    ));
    assert!(
        part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\nsvg"),
        "{part}"
    );
    assert_eq!(
        host.status(&format!("GET {media}"), &["Host: evil.example"]),
        421
    );
    assert_eq!(
        host.status(
            &format!("GET {media}"),
            &[&own_host, "Sec-Fetch-Site: same-site"]
        ),
        403
    );
    // Nothing of it lies about in the clear.
    let found = undertone_tests::disk::scan_for(
        ada.home().parent().expect("a folder"),
        &undertone_tests::disk::Needle::text("svg", "alert(1)</script>"),
    );
    assert!(found.expect("readable").is_empty());

    page.call("host.lock", json!({})).await;
    eventually(PATIENCE, "the address being over", || {
        let status = host.status(&format!("GET {media}"), &[&own_host]);
        Ok((status == 404).then_some(()))
    })?;
    Ok(())
}

async fn asked_upload(
    page: &mut Page,
    host: &Host,
    own_host: &str,
    own_origin: &str,
    body: &str,
) -> Value {
    let asked = page
        .call(
            "host.upload",
            json!({"name": "picture.svg", "size": body.len()}),
        )
        .await;
    let url = asked["result"]["url"]
        .as_str()
        .expect("an address")
        .to_owned();
    host.raw(&format!(
        "PUT {url} HTTP/1.1\r\n{own_host}\r\n{own_origin}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ));
    asked["result"]["upload"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_begins_the_process_anew_on_the_same_port_and_ends_the_homes_socket() -> Outcome {
    assert!(has_interface());
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let host = Host::start(
        &ada.home(),
        &[
            "--no-browser",
            "--passphrase-file",
            &ada.passphrase_file().display().to_string(),
        ],
    )?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    assert!(ada.home().join("rpc.sock").exists());
    page.call("host.lock", json!({})).await;
    let session = json!({"session": welcome["session"]});
    let mut page = locked_page(&host, &session).await;
    let arguments = fs::read(format!("/proc/{}/cmdline", host.child.id())).expect("readable");
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    assert!(
        arguments.contains("--resume"),
        "the same process, anew: {arguments}"
    );
    assert!(!arguments.contains(welcome["session"].as_str().expect("a token")));
    assert!(!arguments.contains("passphrase"), "{arguments}");
    assert!(!ada.home().join("rpc.sock").exists());
    assert_eq!(
        page.call("chats.list", json!({})).await["error"]["data"]["code"],
        "host.locked"
    );
    let wrong = page
        .call("host.unlock", json!({"passphrase": "wrong one"}))
        .await;
    assert_eq!(wrong["error"]["data"]["code"], "home.wrong_passphrase");
    let passphrase = fs::read_to_string(ada.passphrase_file()).expect("readable");
    page.call("host.unlock", json!({"passphrase": passphrase.trim_end()}))
        .await;
    assert!(page.call("chats.list", json!({})).await["result"].is_array());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_file_was_replaced_locks_all_the_same() -> Outcome {
    assert!(has_interface());
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("undertone");
    fs::copy(binary("undertone")?, &program).expect("copied");
    let host = Host::start_of(
        &program,
        &ada.home(),
        &[
            "--no-browser",
            "--passphrase-file",
            &ada.passphrase_file().display().to_string(),
        ],
        &[],
    )?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    let session = json!({"session": welcome["session"]});
    // As an update does it: the new one takes the name, the old one is a file without one.
    let update = folder.path().join("update");
    fs::write(&update, "#!/bin/sh\nexit 1\n").expect("written");
    fs::set_permissions(&update, fs::Permissions::from_mode(0o755)).expect("set");
    fs::rename(&update, &program).expect("replaced");
    for _ in 0..2 {
        page.call("host.lock", json!({})).await;
        page = locked_page(&host, &session).await;
        let passphrase = fs::read_to_string(ada.passphrase_file()).expect("readable");
        page.call("host.unlock", json!({"passphrase": passphrase.trim_end()}))
            .await;
        assert!(page.call("chats.list", json!({})).await["result"].is_array());
    }
    Ok(())
}

/// The page of a session, once the process has locked.
async fn locked_page(host: &Host, session: &Value) -> Page {
    let until = Instant::now() + PATIENCE;
    loop {
        // Until the new image listens, the connection waits or is cut.
        if let Ok((answer, mut page)) = host.page(session.clone()).await
            && answer["admitted"] == true
        {
            let now = page.call("host.state", json!({})).await;
            assert_eq!(now["result"]["state"], "locked");
            return page;
        }
        assert!(Instant::now() < until, "it never came back");
    }
}
