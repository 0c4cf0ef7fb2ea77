//! Two members change the group at the same moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use undertone_core::{ChatId, Role};
use undertone_tests::fault_proxy::{Fate, FaultProxy, Script};
use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess, eventually, is_soak};
use undertone_wire::ids::sha256;
use undertone_wire::request::Request;

use super::residents::{LIMIT, Resident, group, same_epoch, until};

/// Of each channel and epoch: the changes that were to end it, by their hash.
type Changes = BTreeMap<(Vec<u8>, u64), BTreeSet<[u8; 32]>>;

/// Looks on while changes of groups go by.
#[derive(Default)]
struct Onlooker {
    changes: Mutex<Changes>,
}

impl Onlooker {
    /// Epochs that more than one change was to end: of those one was refused.
    fn races(&self) -> usize {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.values().filter(|all| all.len() > 1).count()
    }
}

impl Script for Onlooker {
    fn request(&self, _home: &str, request: &Request, _bytes: &[u8]) -> Fate {
        if let Request::ChannelCommit(commit) = request {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes
                .entry((commit.channel_id.as_bytes().to_vec(), commit.epoch))
                .or_default()
                .insert(sha256(&commit.payload));
        }
        Fate::Pass
    }
}

async fn shown(one: &Resident, chat: &ChatId, name: &str, role: Role) -> bool {
    let found = one.client().chat(chat).await.expect("a chat");
    let members = one.client().members(chat).await.expect("members");
    let cleo = members.iter().find(|member| member.name == "Cleo");
    found.name == name && cleo.is_some_and(|member| member.role == role)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_times_two_members_commit_at_the_same_moment() -> Outcome {
    let onlooker = Arc::new(Onlooker::default());
    let (server, _proxy) = FaultProxy::before_a_server(ServerOptions::default(), onlooker.clone())?;
    let invitation = server.invitation(3)?;
    let ada = Resident::join("Ada", &invitation).await;
    let ben = Resident::join("Ben", &invitation).await;
    let cleo = Resident::join("Cleo", &invitation).await;
    let all = [&ada, &ben, &cleo];
    let desk = group("Desk", &all).await;
    let (of_ben, of_cleo) = (ben.id().await, cleo.id().await);
    ada.client()
        .group_role(&desk, &of_ben, Role::Owner)
        .await
        .expect("done");
    until("Ben owns it too", || async {
        ben.client()
            .chat(&desk)
            .await
            .is_ok_and(|chat| chat.my_role == Role::Owner)
    })
    .await;
    let mut before = same_epoch(&desk, &all).await;
    for round in 0..50 {
        let role = if round % 2 == 0 {
            Role::Admin
        } else {
            Role::Member
        };
        let name = format!("Desk {round}");
        let (one, other) = tokio::join!(
            ada.client().group_role(&desk, &of_cleo, role),
            ben.client().group_rename(&desk, &name)
        );
        one.expect("Ada's change");
        other.expect("Ben's change");
        for resident in all {
            until("both changes hold for all", || {
                shown(resident, &desk, &name, role)
            })
            .await;
        }
        let after = same_epoch(&desk, &all).await;
        // One commit for each change, and at times an update of somebody's own leaf.
        assert!(after >= before + 2, "round {round}: {before} to {after}");
        before = after;
    }
    cleo.says(&desk, "Are you done?").await;
    ada.reads(&desk, &["Cleo: Are you done?"]).await;
    ben.reads(&desk, &["Cleo: Are you done?"]).await;
    let races = onlooker.races();
    assert!(races >= 25, "it was the same moment {races} times only");
    Ok(())
}

/// The same through the programs.
#[test]
fn two_apps_commit_at_the_same_moment() -> Outcome {
    let onlooker = Arc::new(Onlooker::default());
    let (server, _proxy) = FaultProxy::before_a_server(ServerOptions::default(), onlooker.clone())?;
    two_apps_race(&server, |person| person)?;
    assert!(onlooker.races() > 0, "never at the same moment");
    Ok(())
}

/// The same with changes that are too large for an item, as those of large groups are: each is a blob that all must find.
#[test]
fn two_apps_commit_large_changes_at_the_same_moment() -> Outcome {
    let server = ServerProcess::start()?;
    two_apps_race(&server, Person::with_all_by_reference)?;
    let blobs = server.data().join("blobs");
    let shards = std::fs::read_dir(blobs).expect("blobs were uploaded");
    assert!(shards.count() > 10, "each change went as a blob");
    Ok(())
}

fn two_apps_race(server: &ServerProcess, made: fn(Person) -> Person) -> Outcome {
    let invitation = server.invitation(3)?;
    let people = ["Ada", "Ben", "Cleo"].map(|name| Person::join_hurried(name, &invitation));
    let [ada, ben, cleo] = people.map(|person| person.map(made));
    let (ada, ben, cleo) = (ada?, ben?, cleo?);
    ada.meet(&ben)?;
    ada.meet(&cleo)?;
    let (mut ada, mut ben, mut cleo) = (ada.rpc()?, ben.rpc()?, cleo.rpc()?);
    let mut ids = Vec::new();
    for name in ["Ben", "Cleo"] {
        ids.push(ada.call("contacts.find", &json!({"selector": name}))?["id"].clone());
    }
    ada.call("groups.create", &json!({"name": "Desk", "members": ids}))?;
    let desk = ada.chat("Desk")?;
    ben.chat("Desk")?;
    cleo.chat("Desk")?;
    let role = json!({"chat": desk, "member": ids[0], "role": "owner"});
    ada.call("groups.set_role", &role)?;
    eventually(LIMIT, "Ben owning it too", || {
        let chat = ben.call("chats.get", &json!({"chat": desk}))?;
        Ok((chat["my_role"] == "owner").then_some(()))
    })?;
    for round in 0..if is_soak() { 50 } else { 8 } {
        let role = if round % 2 == 0 { "admin" } else { "member" };
        let name = format!("Desk {round}");
        let of_cleo = json!({"chat": desk, "member": ids[1], "role": role});
        let renamed = json!({"chat": desk, "name": name});
        std::thread::scope(|scope| {
            let one = scope.spawn(|| ada.call("groups.set_role", &of_cleo));
            let other = scope.spawn(|| ben.call("groups.rename", &renamed));
            let one = one.join().expect("no panic");
            one.and(other.join().expect("no panic"))
        })?;
        eventually(LIMIT, "both changes in one epoch", || {
            let mut chats = Vec::new();
            for session in [&mut ada, &mut ben, &mut cleo] {
                chats.push(session.call("chats.get", &json!({"chat": desk}))?);
            }
            let same = chats
                .iter()
                .all(|chat| chat["epoch"] == chats[0]["epoch"] && chat["name"] == name.as_str());
            Ok((same && chats[2]["my_role"] == role).then_some(()))
        })?;
    }
    Ok(())
}
