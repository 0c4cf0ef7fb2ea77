//! A member does what the group agreed not to let members do, and the real server passes it on. Nobody else takes it.

use undertone_content::{Disposition, MessageId, MimiContent, NestedPart, Origin, Salt, uri};
use undertone_core::{MessageKind, PolicyChange, Role};
use undertone_tests::Outcome;
use undertone_wire::client_proto::{Allowed, GroupExtension};
use undertone_wire::ids::random_bytes;

use super::hostile_member::Desk;
use super::insider::Crime;
use super::residents::until;

fn quiet() -> PolicyChange {
    PolicyChange {
        post: Some(Role::Admin),
        ..PolicyChange::default()
    }
}

impl Desk {
    /// Both honest members are told, and see only what Ada says.
    async fn hears_only_ada(&self, told: &str) {
        self.ada.says(&self.chat, "Go on.").await;
        for one in [&self.ada, &self.ben] {
            one.reads(&self.chat, &["Ada: Welcome.", "Ada: Go on."])
                .await;
            until("the cheat is shown", || async {
                let notices = one.notices(&self.chat).await;
                notices.iter().filter(|line| line.contains(told)).count() == 1
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_is_heard_by_nobody() -> Outcome {
    let desk = Desk::open_with(quiet()).await?;
    let sends = desk.cleo.inside(true, |inside| {
        [
            inside.text(1, "I say what I like."),
            inside.text(2, "And again."),
        ]
    });
    for send in sends {
        let taken = desk.accomplice.send(send).await;
        taken.expect("the server takes it");
    }
    desk.hears_only_ada("Cleo tried to write, which their role does not allow")
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_does_not_write_in_an_epoch_that_is_past() -> Outcome {
    let desk = Desk::open().await?;
    // Made while Cleo still might, and kept until the group is quiet.
    let late = desk
        .cleo
        .inside(true, |inside| inside.text(1, "From before."));
    let agreed = desk.ada.client().group_policy(&desk.chat, quiet()).await;
    agreed.expect("agreed");
    let taken = desk.accomplice.send(late).await;
    taken.expect("the server takes it");
    desk.hears_only_ada("Cleo tried to write, which their role does not allow")
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_does_not_write_on_a_channel_that_was_left_before() -> Outcome {
    let desk = Desk::open().await?;
    // The channel that Cleo breaks beforehand never hears that Cleo was removed.
    let late = desk
        .cleo
        .inside(true, |inside| inside.text(1, "Still here."));
    let commit = desk.cleo.commit(Crime::default(), |envelope| {
        envelope.commit = b"nothing that MLS knows".to_vec().into();
    });
    let taken = desk.accomplice.commit(commit).await;
    taken.expect("the server takes it");
    for one in [&desk.ada, &desk.ben] {
        until("it is passed over", || async {
            let notices = one.notices(&desk.chat).await;
            notices.iter().any(|line| line.contains("was not valid"))
        })
        .await;
    }
    let client = desk.ada.client();
    let cleo = client.find_contact("Cleo").await.expect("a contact").id;
    let removed = client.group_remove(&desk.chat, &cleo).await;
    removed.expect("removed");
    for one in [&desk.ada, &desk.ben] {
        until("two are left", || async {
            let members = one.client().members(&desk.chat).await;
            members.is_ok_and(|members| members.len() == 2)
        })
        .await;
    }
    let taken = desk.accomplice.send(late).await;
    taken.expect("the server takes it");
    desk.ada.says(&desk.chat, "Without Cleo.").await;
    for one in [&desk.ada, &desk.ben] {
        one.reads(&desk.chat, &["Ada: Welcome.", "Ada: Without Cleo."])
            .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_pin_pins_nothing() -> Outcome {
    let desk = Desk::open().await?;
    let lines = desk.ada.all(&desk.chat).await;
    let welcome = lines.iter().find(|line| line.kind == MessageKind::Message);
    let id = welcome.expect("a message").id.to_string();
    let id = data_encoding::HEXLOWER.decode(id.as_bytes());
    let id: [u8; 32] = id.expect("an id").try_into().expect("32 bytes");
    let id = MessageId::from_bytes(id).expect("an id");
    let send = desk.cleo.inside(true, |inside| {
        let me = *inside.keys.account_id().as_bytes();
        let origin = Origin {
            salt: Salt::from_random(random_bytes()),
            sender: &uri::account(&me),
            room: &uri::room(inside.group.id().as_bytes()),
            sent_at_ms: 1_700_000_000_000,
            device_counter: 1,
        };
        let pin = "application/vnd.undertone.pin";
        let body = NestedPart::single(Disposition::Session, pin, Vec::new());
        let content = MimiContent::new(&origin, body).answering(id);
        inside.say(&content.encode().expect("encoded"))
    });
    let taken = desk.accomplice.send(send).await;
    taken.expect("the server takes it");
    desk.hears_only_ada("Cleo tried to pin a message, which their role does not allow")
        .await;
    for one in [&desk.ada, &desk.ben] {
        let pinned = one.client().pinned(&desk.chat).await.expect("pins");
        assert!(pinned.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_changes_neither_timer_nor_policy() -> Outcome {
    let changes: [fn(&mut GroupExtension); 2] = [
        |settings| settings.policy.get_or_insert_default().timer_s = 1,
        |settings| {
            let policy = settings.policy.get_or_insert_default();
            policy.set_post(Allowed::Owners);
        },
    ];
    for settings in changes {
        let desk = Desk::open().await?;
        let crime = Crime {
            settings: Some(settings),
            ..Crime::default()
        };
        let commit = desk.cleo.commit(crime, |_| {});
        let epoch = commit.epoch;
        let taken = desk.accomplice.commit(commit).await;
        taken.expect("the server takes it");
        desk.goes_on(epoch, "Cleo tried a change that their role does not allow")
            .await?;
        let chat = desk.ben.client().chat(&desk.chat).await.expect("a chat");
        assert_eq!(chat.timer_s, None);
        assert_eq!(chat.policy.map(|policy| policy.post), Some(Role::Member));
    }
    Ok(())
}
