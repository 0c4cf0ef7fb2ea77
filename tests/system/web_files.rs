//! What a browser may do with the addresses of the page's host, over raw sockets: what is shown is never a page, and what is over is over.

use std::{
    fs,
    io::{Cursor, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use serde_json::json;
use undertone_tests::{Outcome, Person, ServerProcess, eventually};

use crate::{
    web_host::has_interface,
    web_page::{Host, PATIENCE, Page},
};

/// How long the token of the redirect file is good.
const LAUNCH_LIFE: Duration = Duration::from_secs(30);

/// What Fetch Metadata calls the places where an answer would be a page, or run.
const PLACES: &[&str] = &[
    "document",
    "iframe",
    "frame",
    "embed",
    "object",
    "script",
    "style",
    "worker",
    "serviceworker",
    "xslt",
    "",
];

/// Sends a file into the home, and in a message to oneself; gives the address under which the page has it.
async fn shown(host: &Host, page: &mut Page, name: &str, bytes: &[u8]) -> String {
    let notes = page.call("chats.find", json!({"selector": "notes"})).await["result"]["id"].clone();
    let asked = page
        .call("host.upload", json!({"name": name, "size": bytes.len()}))
        .await;
    let url = asked["result"]["url"].as_str().expect("an address");
    let mut stream = TcpStream::connect(host.address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let head = format!(
        "PUT {url} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nContent-Length: {1}\r\nConnection: close\r\n\r\n",
        host.address,
        bytes.len()
    );
    stream.write_all(head.as_bytes()).expect("written");
    stream.write_all(bytes).expect("written");
    let _ = stream.read_to_end(&mut Vec::new());
    let sent = page
        .call(
            "host.send",
            json!({"chat": notes, "uploads": [asked["result"]["upload"]]}),
        )
        .await;
    let granted = page
        .call(
            "host.media",
            json!({"chat": notes, "message": sent["result"]["message"], "index": 0}),
        )
        .await;
    granted["result"]["url"]
        .as_str()
        .expect("an address")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_shown_inside_the_page_and_nowhere_as_a_page() -> Outcome {
    assert!(has_interface());
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let passphrase = ada.passphrase_file().display().to_string();
    let host = Host::start(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &passphrase],
    )?;
    let (_, mut page) = host.page(json!({"code": host.code})).await?;
    let mut png = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 8, image::Rgb([200, 0, 0]))
        .write_to(&mut png, image::ImageFormat::Png)
        .expect("a picture");
    let picture = shown(&host, &mut page, "red.png", png.get_ref()).await;
    let html = b"<!doctype html><script>parent.hacked = 1</script>";
    let document = shown(&host, &mut page, "page.html", html).await;
    let own_host = format!("Host: {}", host.address);
    let get = |url: &str, headers: &[&str]| {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let answer = host.raw(&format!(
            "GET {url} HTTP/1.1\r\n{own_host}\r\nSec-Fetch-Site: same-origin\r\n{lines}Connection: close\r\n\r\n"
        ));
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        head.to_ascii_lowercase()
    };

    for place in ["image", "empty"] {
        let head = get(&picture, &[&format!("Sec-Fetch-Dest: {place}")]);
        assert!(head.starts_with("http/1.1 200"), "{place}: {head}");
        assert!(head.contains("content-type: image/"), "{place}: {head}");
        assert!(head.contains("sandbox"), "{place}: {head}");
    }
    for place in PLACES {
        let head = get(&picture, &[&format!("Sec-Fetch-Dest: {place}")]);
        assert!(head.starts_with("http/1.1 403"), "{place}: {head}");
    }
    // Said twice it counts for neither.
    let head = get(
        &picture,
        &["Sec-Fetch-Dest: image", "Sec-Fetch-Dest: image"],
    );
    assert!(head.starts_with("http/1.1 403"), "{head}");

    // What could run is bytes to be saved, whoever asks and for what.
    for place in PLACES.iter().chain(&["image", "empty", "video"]) {
        let head = get(&document, &[&format!("Sec-Fetch-Dest: {place}")]);
        for expected in [
            "content-type: application/octet-stream",
            "content-disposition: attachment",
            "x-content-type-options: nosniff",
            "sandbox",
        ] {
            assert!(head.contains(expected), "{place}: no {expected} in {head}");
        }
        assert!(!head.contains("text/html"), "{place}: {head}");
    }
    Ok(())
}

#[test]
fn a_socket_is_opened_by_the_page_itself_only() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &["--no-browser"])?;
    let own = format!("Origin: {}", host.origin());
    let upgrade = |more: &[&str]| {
        let host_line = format!("Host: {}", host.address);
        let mut headers = vec![
            host_line.as_str(),
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        headers.extend(more);
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let mut stream = TcpStream::connect(host.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!("GET /rpc HTTP/1.1\r\n{lines}Connection: Upgrade\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("written");
        let mut first = [0; 12];
        stream.read_exact(&mut first).expect("an answer");
        String::from_utf8_lossy(&first).into_owned()
    };
    assert_eq!(upgrade(&[&own]), "HTTP/1.1 101");
    for (what, headers) in [
        ("no Origin", vec![]),
        ("another Origin", vec!["Origin: http://127.0.0.1:1"]),
        ("no origin at all", vec!["Origin: null"]),
        ("two Origins", vec![own.as_str(), own.as_str()]),
        (
            "another site",
            vec![own.as_str(), "Sec-Fetch-Site: same-site"],
        ),
    ] {
        assert_eq!(upgrade(&headers), "HTTP/1.1 403", "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_took_is_over_after_half_a_minute_and_so_is_its_file() -> Outcome {
    assert!(has_interface());
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(&folder.path().join("home"), &[])?;
    let noted = host.folder.path().join("opened");
    let file = eventually(PATIENCE, "the browser being opened", || {
        Ok(fs::read_to_string(&noted)
            .ok()
            .filter(|path| path.ends_with('\n')))
    })?;
    let file = PathBuf::from(file.trim_end());
    let copy = fs::read_to_string(noted.with_extension("html")).expect("a copy");
    let token = copy
        .split('#')
        .nth(1)
        .and_then(|rest| rest.get(..64))
        .expect("a token");
    assert!(file.exists());
    tokio::time::sleep(LAUNCH_LIFE).await;
    eventually(PATIENCE, "the file being gone", || {
        Ok((!file.exists()).then_some(()))
    })?;
    let (answer, mut page) = host.page(json!({"launch": token})).await?;
    assert_ne!(answer["admitted"], true, "{answer}");
    assert!(
        page.call("host.state", json!({}))
            .await
            .get("result")
            .is_none()
    );
    Ok(())
}
