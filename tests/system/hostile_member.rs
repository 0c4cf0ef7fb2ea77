//! A member cheats with all that their app knows, and the real server takes it. Every other client says no, and goes on.

use undertone_core::{ChatId, ChatState, PolicyChange};
use undertone_mls::EnvelopeKind;
use undertone_tests::{Outcome, ServerOptions, ServerProcess};

use super::insider::{Accomplice, Crime, Insider, stranger};
use super::residents::{Resident, calm, group, same_epoch, until};

/// Ada owns the desk, Ben and Cleo are plain members; Cleo's app is closed, and her home is in the wrong hands.
pub(super) struct Desk {
    pub(super) server: ServerProcess,
    pub(super) ada: Resident,
    pub(super) ben: Resident,
    pub(super) chat: ChatId,
    pub(super) cleo: Insider,
    _cleo_home: Resident,
    pub(super) accomplice: Accomplice,
}

impl Desk {
    pub(super) async fn open() -> Outcome<Self> {
        Self::open_with(PolicyChange::default()).await
    }

    /// The same where the members have agreed on something.
    pub(super) async fn open_with(policy: PolicyChange) -> Outcome<Self> {
        let server = ServerProcess::start_with(ServerOptions {
            open: true,
            ..ServerOptions::default()
        })?;
        let at = server.origin_and_pin();
        let ada = Resident::join("Ada", &at).await;
        let ben = Resident::join("Ben", &at).await;
        let mut cleo = Resident::join("Cleo", &at).await;
        let chat = group("Desk", &[&ada, &ben, &cleo]).await;
        same_epoch(&chat, &[&ada, &ben, &cleo]).await;
        ada.says(&chat, "Welcome.").await;
        cleo.reads(&chat, &["Ada: Welcome."]).await;
        ben.reads(&chat, &["Ada: Welcome."]).await;
        if policy != PolicyChange::default() {
            let agreed = ada.client().group_policy(&chat, policy).await;
            agreed.expect("agreed");
            same_epoch(&chat, &[&ada, &ben, &cleo]).await;
        }
        calm(&[&ada, &ben, &cleo]).await;
        cleo.leave().await;
        Ok(Self {
            accomplice: Accomplice::at(&at).await,
            cleo: Insider::open(&cleo, "Desk"),
            _cleo_home: cleo,
            server,
            ada,
            ben,
            chat,
        })
    }

    async fn generation(&self, of: &Resident) -> u32 {
        let last = of.all(&self.chat).await.into_iter().rev();
        let mut places = last.filter_map(|line| line.order);
        places.next().map_or(0, |order| order.generation)
    }

    /// Ada and Ben stay where they were, on a channel of their own, talk on, and change the group once more.
    pub(super) async fn goes_on(&self, epoch: u64, told: &str) -> Outcome {
        let both = [&self.ada, &self.ben];
        for one in both {
            until("the cheat is shown", || async {
                one.notices(&self.chat)
                    .await
                    .iter()
                    .any(|line| line.contains(told))
            })
            .await;
            let chat = one.client().chat(&self.chat).await.expect("a chat");
            // An update of somebody's own leaf may have come in between.
            assert_eq!((chat.members, chat.state), (3, ChatState::Active));
            assert!(chat.epoch >= epoch);
            let members = one.client().members(&self.chat).await.expect("members");
            assert!(members.iter().all(|member| member.name != "Mallory"));
        }
        self.ada.says(&self.chat, "We go on.").await;
        self.ben.says(&self.chat, "Of course.").await;
        for one in both {
            let wanted = ["Ada: Welcome.", "Ada: We go on.", "Ben: Of course."];
            one.reads(&self.chat, &wanted).await;
            assert_eq!(self.generation(one).await, 1, "on a fallback channel");
        }
        let renamed = self.ada.client().group_rename(&self.chat, "The desk").await;
        renamed.expect("renamed");
        for one in both {
            until("the change is everywhere", || async {
                one.client()
                    .chat(&self.chat)
                    .await
                    .is_ok_and(|chat| chat.name == "The desk")
            })
            .await;
        }
        assert!(same_epoch(&self.chat, &both).await > epoch);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheating_add_is_refused_by_everyone_also_when_the_server_helps() -> Outcome {
    let desk = Desk::open().await?;
    let crime = Crime {
        add: vec![stranger()],
        ..Crime::default()
    };
    let commit = desk.cleo.commit(crime, |_| {});
    let epoch = commit.epoch;
    desk.accomplice
        .commit(commit)
        .await
        .expect("the server takes it");
    desk.goes_on(epoch, "Cleo tried a change that their role does not allow")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheating_removal_is_refused_by_everyone_also_when_the_server_helps() -> Outcome {
    let desk = Desk::open().await?;
    let ben = desk.cleo.inside(false, |inside| inside.leaf("Ben"));
    let crime = Crime {
        remove: vec![ben],
        ..Crime::default()
    };
    let mut commit = desk.cleo.commit(crime, |_| {});
    commit.removes = true;
    let epoch = commit.epoch;
    desk.accomplice
        .commit(commit)
        .await
        .expect("the server takes it");
    desk.goes_on(epoch, "Cleo tried a change that their role does not allow")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonsense_commit_moves_the_group_to_its_fallback_channel() -> Outcome {
    let desk = Desk::open().await?;
    let commit = desk.cleo.commit(Crime::default(), |envelope| {
        envelope.commit = b"nothing that MLS knows".to_vec().into();
    });
    let epoch = commit.epoch;
    desk.accomplice
        .commit(commit)
        .await
        .expect("the server takes it");
    desk.goes_on(epoch, "A change by Cleo was not valid").await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another() -> Outcome {
    let desk = Desk::open().await?;
    let ada = desk
        .ada
        .client()
        .account()
        .await
        .expect("an account")
        .account_id;
    let ada = data_encoding::HEXLOWER.decode(ada.to_string().as_bytes());
    let ada: Option<[u8; 32]> = ada.ok().and_then(|id| id.try_into().ok());
    let sends = desk.cleo.inside(true, |inside| {
        let me = *inside.keys.account_id().as_bytes();
        let members = inside.group.members().expect("members");
        let found = members
            .iter()
            .find(|member| member.name == "Ada")
            .expect("Ada");
        let of_ada = *found.account.as_bytes();
        assert!(ada.is_none_or(|id| id == of_ada));
        // A content that says it is Ada's, and one that says nothing wrong.
        let forged = inside.content(&of_ada, 1, "Ada resigns.");
        let forged = inside.encrypt(&forged);
        let payload = inside.seal(forged.kind, forged.epoch, &forged.body);
        let forged = inside.send(forged.epoch, payload);
        let honest = inside.content(&me, 1, "It was me.");
        let honest = inside.encrypt(&honest);
        let payload = inside.seal(honest.kind, honest.epoch, &honest.body);
        [forged, inside.send(honest.epoch, payload)]
    });
    for send in sends {
        desk.accomplice
            .send(send)
            .await
            .expect("the server takes it");
    }
    for one in [&desk.ada, &desk.ben] {
        one.reads(&desk.chat, &["Ada: Welcome.", "Cleo: It was me."])
            .await;
    }

    // And a commit in Ada's name.
    let leaf = desk.cleo.inside(false, |inside| inside.leaf("Ada"));
    let commit = desk
        .cleo
        .commit(Crime::default(), |envelope| envelope.sender_leaf = leaf);
    let epoch = commit.epoch;
    desk.accomplice
        .commit(commit)
        .await
        .expect("the server takes it");
    for one in [&desk.ada, &desk.ben] {
        until("it is refused", || async {
            let notices = one.notices(&desk.chat).await;
            notices.iter().any(|line| line.contains("was not valid"))
        })
        .await;
        let chat = one.client().chat(&desk.chat).await.expect("a chat");
        assert!(chat.members == 3 && chat.epoch >= epoch);
    }
    desk.ben.says(&desk.chat, "Nice try.").await;
    desk.ada
        .reads(
            &desk.chat,
            &["Ada: Welcome.", "Cleo: It was me.", "Ben: Nice try."],
        )
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_a_member_costs_nobody_a_message() -> Outcome {
    let desk = Desk::open().await?;
    let garbage = desk.cleo.inside(true, |inside| {
        let epoch = inside.group.epoch();
        let mut all = Vec::new();
        for round in 0u8..20 {
            let bytes = vec![round; usize::from(round) * 40];
            // Not an envelope; an envelope of nothing; nothing that is MLS; no content in a right message.
            all.push(inside.send(epoch, bytes.clone().into()));
            let payload = inside.seal(EnvelopeKind::Application, epoch, &bytes);
            all.push(inside.send(epoch, payload));
            let outgoing = inside.encrypt(&bytes);
            let payload = inside.seal(outgoing.kind, outgoing.epoch, &outgoing.body);
            all.push(inside.send(outgoing.epoch, payload));
        }
        all.push(inside.text(1, "That was fun."));
        all
    });
    for send in garbage {
        // Whatever the server itself refuses, such as an empty payload, is as good.
        let _ = desk.accomplice.send(send).await;
    }
    desk.ada.says(&desk.chat, "Stop it.").await;
    for one in [&desk.ada, &desk.ben] {
        let wanted = ["Ada: Welcome.", "Cleo: That was fun.", "Ada: Stop it."];
        one.reads(&desk.chat, &wanted).await;
    }
    Ok(())
}
