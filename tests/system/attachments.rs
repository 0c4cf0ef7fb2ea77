//! Files go from Ada to Ben: without what they should not tell, whatever their size, and whoever is killed meanwhile.

use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::fault_proxy::{Fate, FaultProxy, HttpRequest, Script};
use undertone_tests::{
    Outcome, Person, ServerOptions, ServerProcess, eventually, fixtures, is_soak,
};

const PATIENCE: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;
/// At most so much above unlocked idle.
const ABOVE_IDLE_KIB: u64 = 32 * 1024;

#[test]
fn a_photo_arrives_without_its_place_and_a_memo_with_its_length() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let ben = Person::join("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;

    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("photo.jpg");
    let memo = folder.path().join("memo.opus");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    fs::write(&memo, fixtures::memo().expect("a memo")).expect("a file");
    ada.send_file("Ben", &photo)?;
    ada.send_file("Ben", &memo)?;
    ada.send("Ben", "From the harbour")?;
    ben.reads_eventually(
        "Ada",
        &["", "", "From the harbour"],
        std::time::Duration::from_secs(30),
    )?;

    let lines = ben.read("Ada")?;
    let with_file: Vec<_> = lines
        .iter()
        .filter(|line| line["attachments"][0].is_object())
        .collect();
    let [picture, voice] = &with_file[..] else {
        panic!("two files, not {}", with_file.len())
    };
    let (stored_width, stored_height) = fixtures::PHOTO_STORED;
    let shown = &picture["attachments"][0];
    assert_eq!(
        (&shown["content_type"], &shown["name"]),
        (&"image/jpeg".into(), &"photo.jpg".into())
    );
    assert_eq!(
        (&shown["width"], &shown["height"]),
        (&stored_height.into(), &stored_width.into()),
        "turned upright"
    );
    let heard = &voice["attachments"][0];
    let length = heard["duration_ms"].as_u64().expect("a length");
    assert!(length.abs_diff(fixtures::MEMO_MS) <= 20, "{length} ms");
    assert_eq!(heard["waveform"].as_array().map(Vec::len), Some(100));

    let arrived = tempfile::tempdir().expect("a folder");
    ben.save(
        "Ada",
        picture["id"].as_str().expect("an id"),
        &arrived.path().join("photo.jpg"),
    )?;
    ben.save(
        "Ada",
        voice["id"].as_str().expect("an id"),
        &arrived.path().join("memo.opus"),
    )?;
    let mut hidden = vec![Needle::exact("EXIF", b"Exif".to_vec())];
    for secret in fixtures::PHOTO_SECRETS {
        hidden.extend(Needle::text(secret, secret));
    }
    assert_eq!(scan_for(arrived.path(), &hidden).expect("readable"), []);
    assert_eq!(
        fs::read(arrived.path().join("memo.opus")).expect("a file"),
        fixtures::memo().expect("a memo")
    );
    Ok(())
}

/// Size of the large file in bytes, and how long it may take.
fn large(in_soak: u64) -> (u64, Duration) {
    if is_soak() {
        (in_soak, Duration::from_secs(1200))
    } else {
        (64 * MIB, Duration::from_secs(120))
    }
}

/// Bytes that no compression makes fewer, and in which no place looks like another.
fn write_large(path: &Path, size: u64) {
    let mut file = BufWriter::new(fs::File::create(path).expect("a file"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).expect("room");
    }
    file.flush().expect("room");
}

fn same(one: &Path, other: &Path) -> bool {
    let open =
        |path: &Path| BufReader::with_capacity(1 << 16, fs::File::open(path).expect("a file"));
    let (mut one, mut other) = (open(one), open(other));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left).expect("readable");
        if read == 0 {
            return other.read(&mut right).expect("readable") == 0;
        }
        if other.read_exact(&mut right[..read]).is_err() || left[..read] != right[..read] {
            return false;
        }
    }
}

/// A line of /proc/PID/status in KiB.
fn memory(pid: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let found = status.lines().find_map(|found| found.strip_prefix(line))?;
    found
        .trim_start_matches(':')
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The most memory that a process has from now on.
struct Peak {
    pid: u32,
    idle: u64,
    exact: bool,
    ended: Arc<AtomicBool>,
    sampled: JoinHandle<u64>,
}

impl Peak {
    fn of(pid: u32) -> Self {
        let idle = memory(pid, "VmRSS").expect("a running process");
        // Starts the kernel's own count of the most anew; where that is not allowed, sampling has to do.
        let exact = fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok();
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let sampled = std::thread::spawn(move || {
            let mut most = 0;
            while !told.load(Ordering::Relaxed) {
                most = most.max(memory(pid, "VmRSS").unwrap_or(0));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        Self {
            pid,
            idle,
            exact,
            ended,
            sampled,
        }
    }

    /// KiB above what it had in the beginning.
    fn above_idle(self, who: &str) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        let sampled = self.sampled.join().expect("the sampler");
        let most = if self.exact {
            memory(self.pid, "VmHWM").unwrap_or(0).max(sampled)
        } else {
            sampled
        };
        let above = most.saturating_sub(self.idle);
        println!(
            "{who}: {} KiB when idle, {above} KiB more at most",
            self.idle
        );
        above
    }
}

/// The id of the last message, once its file can be fetched.
fn file_came(person: &Person, chat: &str, limit: Duration) -> Outcome<String> {
    eventually(limit, "the message with the file", || {
        let lines = person.read(chat)?;
        let last = lines
            .iter()
            .rev()
            .find(|line| line["attachments"][0].is_object());
        Ok(last.and_then(|line| line["id"].as_str().map(str::to_owned)))
    })
}

#[test]
fn a_large_file_needs_no_more_memory_than_a_small_one() -> Outcome {
    // In the soak the largest that there can be: no number of its places fits into 32 bits.
    let (size, limit) = large(4096 * MIB);
    let mut server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    let folder = tempfile::tempdir().expect("a folder");
    let (sent, saved) = (
        folder.path().join("film.bin"),
        folder.path().join("saved.bin"),
    );
    write_large(&sent, size);

    // Both leave the app running; what they do goes through it.
    let (hers, his) = (ada.watch()?, ben.watch()?);
    for person in [&ada, &ben] {
        let socket = person.home().join("rpc.sock");
        eventually(PATIENCE, "the socket", || Ok(socket.exists().then_some(())))?;
    }
    ada.send("Ben", "A film")?;
    his.message("A film", PATIENCE)?;
    let server_pid = server.pid().expect("a running server");
    let peaks = [
        ("Ada's app", hers.pid()),
        ("Ben's app", his.pid()),
        ("the server", server_pid),
    ]
    .map(|(who, pid)| (who, Peak::of(pid)));
    let answer = ada.send_file("Ben", &sent)?;
    assert_eq!(answer["state"], "accepted", "{answer}");
    let id = file_came(&ben, "Ada", limit)?;
    ben.save("Ada", &id, &saved)?;
    let above = peaks.map(|(who, peak)| (who, peak.above_idle(who)));
    for (who, above) in above {
        assert!(above <= ABOVE_IDLE_KIB, "{who}: {above} KiB above idle");
    }
    assert!(same(&sent, &saved), "what was saved is what was sent");
    hers.stop()?;
    his.stop()?;
    server.stop()
}

/// Lets so many blob requests of a kind pass and then none, until it is opened.
#[derive(Default)]
struct Gate {
    passed: Mutex<Vec<HttpRequest>>,
    /// The method, and how many more of it.
    limit: Mutex<Option<(&'static str, usize)>>,
    reached: AtomicBool,
}

impl Gate {
    fn close_after(&self, method: &'static str, more: usize) {
        self.reached.store(false, Ordering::Relaxed);
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some((method, more));
    }

    fn open(&self) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn wait_until_reached(&self, limit: Duration) -> Outcome {
        eventually(limit, "the transfer being in its middle", || {
            Ok(self.reached.load(Ordering::Relaxed).then_some(()))
        })
    }

    /// From where on each request of this method was, in order.
    fn places(&self, method: &str) -> Vec<u64> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let of_method = passed
            .iter()
            .filter(|request| request.line.starts_with(method));
        of_method
            .map(|request| {
                let digits = request
                    .place
                    .trim_start_matches(|letter: char| !letter.is_ascii_digit());
                let end = digits
                    .find(|letter: char| !letter.is_ascii_digit())
                    .unwrap_or(digits.len());
                digits[..end].parse().expect("an offset")
            })
            .collect()
    }
}

impl Script for Gate {
    fn http(&self, request: &HttpRequest) -> Fate {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((method, more)) = limit.as_mut()
            && request.line.starts_with(*method)
        {
            if *more == 0 {
                self.reached.store(true, Ordering::Relaxed);
                return Fate::LoseRequest;
            }
            *more -= 1;
        }
        drop(limit);
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        Fate::Pass
    }
}

/// A command of this person, left running.
fn begin(person: &Person, arguments: &[&str]) -> Begun {
    let mut command = person.command();
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Begun(command.spawn().expect("the app starts"))
}

/// A command under way; it ends with this at the latest.
struct Begun(Child);

impl Begun {
    fn kill9(mut self) {
        self.0.kill().expect("still running");
        self.0.wait().expect("a child");
    }

    fn ends(mut self) {
        self.0.wait().expect("a child");
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each place once: nothing was transferred again.
#[track_caller]
fn each_place_once(what: &str, places: &[u64], kills: usize) {
    let rises = places.windows(2).filter(|pair| pair[0] < pair[1]).count();
    println!("{what}: {} requests, from {places:?}", places.len());
    assert!(places.len() > 3 && places[0] == 0, "{what}: {places:?}");
    assert!(
        places[1..].iter().all(|place| *place > 0),
        "{what} began anew: {places:?}"
    );
    // Where it was cut, at most that one piece comes again.
    assert!(places.len() - 1 - rises <= kills, "{what}: {places:?}");
}

#[test]
fn a_large_file_goes_on_after_a_kill_of_any_side() -> Outcome {
    let (size, limit) = large(1024 * MIB);
    let gate = Arc::new(Gate::default());
    let script: Arc<dyn Script> = Arc::<Gate>::clone(&gate);
    let (mut server, _proxy) = FaultProxy::before_a_server(ServerOptions::default(), script)?;
    let invitation = server.invitation(2)?;
    let ada = Person::join_hurried("Ada", &invitation)?;
    let ben = Person::join_hurried("Ben", &invitation)?;
    ada.meet(&ben)?;
    let folder = tempfile::tempdir().expect("a folder");
    let (sent, saved) = (
        folder.path().join("film.bin"),
        folder.path().join("saved.bin"),
    );
    write_large(&sent, size);

    // The sender in the middle.
    gate.close_after("PATCH", 3);
    let sending = begin(
        &ada,
        &[
            "send",
            "Ben",
            "--attach",
            sent.to_str().expect("a plain path"),
        ],
    );
    gate.wait_until_reached(limit)?;
    sending.kill9();
    // The server in the middle of what is left.
    gate.close_after("PATCH", 2);
    let watching = ada.watch()?;
    gate.wait_until_reached(limit)?;
    server.restart_after_kill9()?;
    gate.open();
    let id = file_came(&ben, "Ada", limit)?;
    watching.stop()?;
    each_place_once("upload", &gate.places("PATCH"), 2);

    // The receiver, and the server once more.
    gate.close_after("GET", 4);
    let path = saved.to_str().expect("a plain path").to_owned();
    let saving = begin(&ben, &["save", "Ada", &id, &path]);
    gate.wait_until_reached(limit)?;
    saving.kill9();
    assert!(!saved.exists(), "half a file is not shown as one");
    gate.close_after("GET", 4);
    let saving = begin(&ben, &["save", "Ada", &id, &path]);
    gate.wait_until_reached(limit)?;
    server.restart_after_kill9()?;
    gate.open();
    saving.ends();
    if !saved.exists() {
        ben.save("Ada", &id, &saved)?;
    }
    each_place_once("download", &gate.places("GET"), 2);
    assert!(same(&sent, &saved), "what was saved is what was sent");
    // The message came once.
    let files = ben
        .read("Ada")?
        .iter()
        .filter(|line| line["attachments"][0].is_object())
        .count();
    assert_eq!(files, 1);
    Ok(())
}

#[test]
fn a_file_that_waits_is_paused_resumed_cancelled_and_sent_again_by_commands() -> Outcome {
    let mut server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;
    let folder = tempfile::tempdir().expect("a folder");
    let film = folder.path().join("film.bin");
    fs::write(&film, vec![7; 300_000]).expect("a file");
    let film = film.to_str().expect("a name");

    server.stop()?;
    let sent = ada.run(["send", "Ben", "--attach", film])?;
    assert_eq!(sent["state"], "queued");
    let id = sent["message"].as_str().expect("an id").to_owned();
    let now = |verb: &str| -> Outcome<(String, String)> {
        let told = ada.run(["transfer", verb, "Ben", &id])?;
        let line = &told["message"];
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok((
            word(&line["state"]),
            word(&line["attachments"][0]["transfer"]),
        ))
    };
    let is = |state: &str, transfer: &str| (state.to_owned(), transfer.to_owned());
    assert_eq!(now("pause")?, is("uploading", "paused"));
    server.run()?;
    ada.send("Ben", "Meanwhile")?;
    ben.reads_eventually("Ada", &["Meanwhile"], PATIENCE)?;
    assert_eq!(now("cancel")?, is("failed", "cancelled"));
    let refused = ada.run(["transfer", "resume", "Ben", &id]);
    assert_eq!(
        refused.expect_err("nothing moves").code,
        "attachment.not_moving"
    );
    let again = ada.run(["send-again", "Ben", &id])?;
    assert_eq!(again["state"], "accepted");
    ben.reads_eventually("Ada", &["Meanwhile", ""], PATIENCE)?;
    Ok(())
}
