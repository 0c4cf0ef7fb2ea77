//! What the memory of a locked process holds.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use undertone_tests::disk::Needle;
use undertone_tests::{Outcome, ServerProcess};

use crate::coercion::{WORDS, ada_and_ben, data_key, passphrase_of};
use crate::web_page::Host;

/// What was found in the memory of a process.
#[derive(Debug, Default)]
struct Memory {
    /// Names of needles.
    found: Vec<String>,
    /// So much was looked at.
    bytes: u64,
    /// What could not be read.
    unread: Vec<String>,
}

/// Looks through all memory that a process may have written to, which this one started; it stands still meanwhile.
fn in_memory(process: &Child, needles: &[Needle]) -> std::io::Result<Memory> {
    let (id, pid) = (process.id(), Pid::from_child(process));
    kill_process(pid, Signal::STOP)?;
    let stands = |stat: String| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    };
    while !stands(fs::read_to_string(format!("/proc/{id}/stat"))?) {
        std::thread::yield_now();
    }
    let maps = fs::read_to_string(format!("/proc/{id}/maps"))?;
    let file = File::open(format!("/proc/{id}/mem"))?;
    let mut memory = Memory::default();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let range = fields.next().unwrap_or_default();
        if !fields.next().is_some_and(|rights| rights.starts_with("rw")) {
            continue;
        }
        let Some((from, to)) = range.split_once('-') else {
            continue;
        };
        let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
        let (from, to) = (number(from), number(to));
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
        if file.read_exact_at(&mut bytes, from).is_err() {
            memory.unread.push(line.to_owned());
            continue;
        }
        memory.bytes += to - from;
        for needle in needles {
            if memchr::memmem::find(&bytes, needle.content()).is_some() {
                memory.found.push(needle.name.clone());
            }
        }
    }
    kill_process(pid, Signal::CONT)?;
    Ok(memory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_process_holds_neither_key_nor_text() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = tokio::task::block_in_place(|| ada_and_ben(&server))?;
    // The store is given its key in hexadecimal digits.
    let mut needles = Needle::bytes("data key", &data_key(&ada));
    needles.extend(Needle::text("message", WORDS));
    needles.extend(Needle::text("passphrase", &passphrase_of(&ada)));
    let passphrase_file = ada.passphrase_file().display().to_string();
    // A debug build lets who started it read its memory; a process that really runs lets nobody but root.
    let host = Host::start_in(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &passphrase_file],
        &[("UNDERTONE_TEST_READABLE", "1")],
    )?;
    let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
    let chats = page.call("chats.list", json!({})).await;
    let chat = chats["result"][0]["id"].clone();
    let shown = page.call("messages.list", json!({"chat": chat})).await;
    assert!(shown.to_string().contains(WORDS));

    let open =
        in_memory(&host.child, &needles).expect("this machine lets a parent read its children");
    for name in ["data key", "message"] {
        assert!(
            open.found.iter().any(|found| found == name),
            "the search finds nothing: {open:?}"
        );
    }
    assert_eq!(open.unread, Vec::<String>::new());
    page.call("host.lock", json!({})).await;
    let session = json!({"session": welcome["session"]});
    loop {
        if let Ok((answer, mut page)) = host.page(session.clone()).await
            && answer["admitted"] == true
        {
            let state = page.call("host.state", json!({})).await;
            assert_eq!(state["result"]["state"], "locked");
            break;
        }
    }
    let locked = in_memory(&host.child, &needles).expect("as before");
    assert_eq!(
        (&locked.found, &locked.unread),
        (&Vec::<String>::new(), &Vec::<String>::new())
    );
    assert!(locked.bytes > 1 << 20, "a program has more than that");
    Ok(())
}

/// Whether a process has become the image of itself that is locked.
fn is_anew(process: &Child) -> bool {
    let said = fs::read(format!("/proc/{}/cmdline", process.id())).unwrap_or_default();
    said.split(|byte| *byte == 0)
        .any(|word| word == b"--resume")
}

/// A command of Ada's works through the open app, and the server, which it waits for, says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_waits_neither_for_commands_at_work_nor_for_a_server() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = tokio::task::block_in_place(|| ada_and_ben(&server))?;
    let needles = Needle::bytes("data key", &data_key(&ada));
    let passphrase_file = ada.passphrase_file().display().to_string();
    let options = ["--no-browser", "--passphrase-file", &passphrase_file];
    let frozen = Frozen(Pid::from_raw(server.pid().map_or(0, u32::cast_signed)));
    for by_command in [true, false] {
        let host = Host::start_in(&ada.home(), &options, &[("UNDERTONE_TEST_READABLE", "1")])?;
        let (_, mut page) = host.page(json!({"code": host.code})).await?;
        let mut command = tokio::task::block_in_place(|| ada.rpc())?;
        frozen.signal(Signal::STOP);
        let chat = tokio::task::block_in_place(|| command.chat("Benjamin"))?;
        tokio::task::block_in_place(|| command.queue(&chat, "Are you there?"))?;
        let waiting = std::thread::spawn(move || {
            // It is cut off by the lock.
            let _ = command.call("sync.settle", &json!({"limit_ms": 25_000}));
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!waiting.is_finished(), "nothing is at work");
        let begun = Instant::now();
        if by_command {
            let said = tokio::task::block_in_place(|| ada.run(["lock"]))?;
            assert_eq!(said["was_open"], true);
            assert!(is_anew(&host.child), "it said so before it was done");
        } else {
            page.call("host.lock", json!({})).await;
            while !is_anew(&host.child) {
                assert!(begun.elapsed() < Duration::from_secs(10), "it never locks");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let taken = begun.elapsed();
        assert!(taken < Duration::from_secs(5), "{taken:?}");
        let locked = in_memory(&host.child, &needles).expect("as before");
        assert_eq!(locked.found, Vec::<String>::new());
        frozen.signal(Signal::CONT);
        waiting.join().expect("ended");
    }
    Ok(())
}

/// A server that stands still for a while.
struct Frozen(Option<Pid>);

impl Frozen {
    fn signal(&self, signal: Signal) {
        let process = self.0.expect("the server runs");
        kill_process(process, signal).expect("it is there");
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}
