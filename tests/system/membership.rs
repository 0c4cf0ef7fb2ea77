//! Who is in and who is out: removed members, and members whose device was put back to an earlier day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use undertone_core::ChatState;
use undertone_mls::{EnvelopeKind, OpenError};
use undertone_tests::disk::copy_folder;
use undertone_tests::fault_proxy::{Fate, FaultProxy, Script};
use undertone_tests::{
    Failed, Outcome, Person, ServerOptions, ServerProcess, Session, eventually, written,
};
use undertone_wire::Code;
use undertone_wire::request::Request;

use super::insider::{Accomplice, Crime, Insider};
use super::residents::{Resident, calm, group, same_epoch, until};

/// Keeps what goes through channels: a server that works for somebody.
#[derive(Default)]
struct Listener(Mutex<Vec<(u64, Bytes)>>);

impl Script for Listener {
    fn request(&self, _: &str, request: &Request, _: &[u8]) -> Fate {
        if let Request::ChannelSend(send) = request {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((send.epoch, send.payload.clone()));
        }
        Fate::Pass
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_reads_and_commits_nothing() -> Outcome {
    let listener = Arc::new(Listener::default());
    let options = ServerOptions {
        open: true,
        ..ServerOptions::default()
    };
    let (server, proxy) = FaultProxy::before_a_server(options, listener.clone())?;
    let at = format!("{}+{}", proxy.address, server.pin());
    let ada = Resident::join("Ada", &at).await;
    let ben = Resident::join("Ben", &at).await;
    let mut cleo = Resident::join("Cleo", &at).await;
    let desk = group("Desk", &[&ada, &ben, &cleo]).await;
    same_epoch(&desk, &[&ada, &ben, &cleo]).await;
    ada.says(&desk, "All of us.").await;
    cleo.reads(&desk, &["Ada: All of us."]).await;
    ben.reads(&desk, &["Ada: All of us."]).await;
    let of_cleo = cleo.id().await;
    calm(&[&ada, &ben, &cleo]).await;
    cleo.leave().await;

    ada.client()
        .group_remove(&desk, &of_cleo)
        .await
        .expect("removed");
    until("Ben knows", || async {
        ben.client()
            .chat(&desk)
            .await
            .is_ok_and(|chat| chat.members == 2)
    })
    .await;
    ada.says(&desk, "Without Cleo.").await;
    ben.reads(&desk, &["Ada: All of us.", "Ada: Without Cleo."])
        .await;

    // Cleo's home still has all it had. The server gives her the very item, and takes whatever it may take from her.
    let (epoch, secret) = {
        let kept = listener.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last().cloned().expect("Ada's message")
    };
    let insider = Insider::open(&cleo, "Desk");
    insider.inside(false, |inside| {
        assert!(epoch > inside.group.epoch());
        let open = |epoch| {
            let provider = &inside.provider;
            inside
                .group
                .open(provider, EnvelopeKind::Application, epoch, &secret)
        };
        assert!(matches!(open(epoch), Err(OpenError::Ahead)));
        let own = inside.group.epoch();
        assert!(matches!(open(own), Err(OpenError::Malformed)));
    });
    let accomplice = Accomplice::at(&server.origin_and_pin()).await;
    let commit = insider.commit(Crime::default(), |_| {});
    assert_eq!(
        accomplice.commit(commit).await.err(),
        Some(Code::ChannelEpoch)
    );
    let mut later = insider.commit(Crime::default(), |_| {});
    later.epoch = epoch;
    assert_eq!(
        accomplice.commit(later).await.err(),
        Some(Code::ChannelLock)
    );
    let (stale, mut ahead) = insider.inside(true, |inside| {
        (inside.text(1, "Let me in."), inside.text(2, "Hello?"))
    });
    assert_eq!(accomplice.send(stale).await.err(), Some(Code::ChannelStale));
    ahead.epoch = epoch;
    // Said to be of the new epoch, it passes the channel, and opens for nobody; most addresses have new names by then.
    let _ = accomplice.send(ahead).await;
    drop(insider);

    cleo.come().await;
    until("Cleo is told", || async {
        cleo.client()
            .chat(&desk)
            .await
            .is_ok_and(|chat| chat.state == ChatState::Removed)
    })
    .await;
    cleo.settle().await;
    assert_eq!(cleo.lines(&desk).await, ["Ada: All of us."]);
    let refused = cleo.client().group_rename(&desk, "Mine").await;
    assert_eq!(refused.err().map(|error| error.code()), Some("chat.closed"));
    let draft = undertone_core::Draft::text("Please.");
    let refused = cleo.client().send(&desk, draft).await;
    assert_eq!(refused.err().map(|error| error.code()), Some("chat.closed"));

    ben.says(&desk, "She can't.").await;
    ada.reads(
        &desk,
        &["Ada: All of us.", "Ada: Without Cleo.", "Ben: She can't."],
    )
    .await;
    let wanted = ["Ada: All of us.", "Ada: Without Cleo.", "Ben: She can't."];
    ben.reads(&desk, &wanted).await;
    assert_eq!(ada.client().members(&desk).await.expect("members").len(), 2);
    Ok(())
}

fn ready(session: &mut Session, chat: &str) -> Outcome {
    eventually(Duration::from_secs(60), "the chat going on", || {
        let found = session.call("chats.get", &json!({"chat": chat}))?;
        Ok((found["state"] == "active").then_some(()))
    })
}

fn reads(session: &mut Session, chat: &str, expected: &[&str]) -> Outcome {
    let mut found = Vec::new();
    let read = eventually(Duration::from_secs(60), "reading", || {
        found = written(&session.lines(chat)?);
        Ok((found == expected).then_some(()))
    });
    let told = |_| {
        Failed::harness(
            "reading a chat",
            format!("{expected:#?} expected, {found:#?} found."),
        )
    };
    read.map_err(told)
}

#[test]
fn a_rolled_back_device_comes_back() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(3)?;
    let [ada, ben, cleo] =
        ["Ada", "Ben", "Cleo"].map(|name| Person::join_hurried(name, &invitation));
    let (ada, ben, cleo) = (ada?, ben?, cleo?);
    ada.meet(&ben)?;
    ada.meet(&cleo)?;
    let (mut for_ada, mut for_cleo) = (ada.rpc()?, cleo.rpc()?);
    let contacts = for_ada.call("contacts.list", &json!({}))?;
    let ids: Vec<Value> = contacts
        .as_array()
        .map(|all| all.iter().map(|contact| contact["id"].clone()).collect())
        .unwrap_or_default();
    for_ada.call("groups.create", &json!({"name": "Desk", "members": ids}))?;
    let mut for_ben = ben.rpc()?;
    let desks = [
        for_ada.chat("Desk")?,
        for_ben.chat("Desk")?,
        for_cleo.chat("Desk")?,
    ];
    for (session, desk) in [(&mut for_ada, &desks[0]), (&mut for_ben, &desks[1])] {
        ready(session, desk)?;
    }
    for_ada.send(&desks[0], "One.")?;
    reads(&mut for_ben, &desks[1], &["Ada: One."])?;
    reads(&mut for_cleo, &desks[2], &["Ada: One."])?;
    for_ben.call("sync.settle", &json!({}))?;
    for_ben.end()?;

    // A copy of Ben's home, as a backup tool makes it.
    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let backup = folder.path().join("home");
    let failed = |error: std::io::Error| Failed::harness("copying a home", error);
    copy_folder(&ben.home(), &backup).map_err(failed)?;

    // Life goes on, in later epochs.
    let mut for_ben = ben.rpc()?;
    for_ada.send(&desks[0], "Two.")?;
    for_ada.call(
        "groups.rename",
        &json!({"chat": desks[0], "name": "Newsroom"}),
    )?;
    for_ben.chat("Newsroom")?;
    for_ben.send(&desks[1], "Three.")?;
    let all = ["Ada: One.", "Ada: Two.", "Ben: Three."];
    reads(&mut for_ben, &desks[1], &all)?;
    reads(&mut for_ada, &desks[0], &all)?;
    for_ben.call("sync.settle", &json!({}))?;
    for_ben.end()?;

    // The disk dies; the copy is put in its place.
    std::fs::remove_dir_all(ben.home()).map_err(failed)?;
    copy_folder(&backup, &ben.home()).map_err(failed)?;
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(ben.home(), closed).map_err(failed)?;
    let mut for_ben = ben.rpc()?;
    for_ben.chat("Newsroom")?;
    ready(&mut for_ben, &desks[1])?;
    for_ada.send(&desks[0], "Four.")?;
    // What others wrote in the meantime comes again from them. His own words of that time are with the others only.
    let mut found = Vec::new();
    let read = eventually(
        Duration::from_secs(60),
        "Ben reading what he missed",
        || {
            found = written(&for_ben.lines(&desks[1])?);
            let theirs: Vec<_> = found
                .iter()
                .filter(|line| line.starts_with("Ada"))
                .collect();
            Ok((theirs == ["Ada: One.", "Ada: Two.", "Ada: Four."]).then_some(()))
        },
    );
    if read.is_err() {
        let all = for_ben.lines(&desks[1])?;
        let chat = for_ben.call("chats.get", &json!({"chat": desks[1]}))?;
        let sentence = format!("Ben reads {found:#?} in {chat:#}: {all:#?}.");
        return Err(Failed::harness("reading after coming back", sentence));
    }
    for_ben.send(&desks[1], "Here again.")?;
    let all = [&all[..], &["Ada: Four.", "Ben: Here again."]].concat();
    reads(&mut for_ada, &desks[0], &all)?;
    reads(&mut for_cleo, &desks[2], &all)?;

    // The direct chat is back too.
    let with_ada = for_ben.chat("Ada")?;
    ready(&mut for_ben, &with_ada)?;
    for_ben.send(&with_ada, "Sorry about that.")?;
    let with_ben = for_ada.chat("Ben")?;
    reads(&mut for_ada, &with_ben, &["Ben: Sorry about that."])
}
