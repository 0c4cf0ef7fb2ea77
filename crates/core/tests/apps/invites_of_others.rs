//! A link to a group is known to all of its members: admins withdraw it, whoever made it, and so do its maker's other devices.

use crate::{
    fake::{End, FakeServer, Person, are_done, at_rest, cheat::Cheat, eventually, three},
    invites::{life, link, options},
};
use undertone_core::{InviteInfo, JoinState, LinkLife, PolicyChange, Role};

type Outcome = Result<(), undertone_core::Error>;

/// What apps tell each other of links. docs/protocol.md section 7.
#[derive(Clone, PartialEq, prost::Message)]
struct Links {
    #[prost(message, repeated, tag = "1")]
    made: Vec<Made>,
    #[prost(message, repeated, tag = "2")]
    ended: Vec<Ended>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Made {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    expires_at_ms: u64,
    #[prost(uint32, tag = "3")]
    uses_left: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ended {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    account: Vec<u8>,
    #[prost(uint32, tag = "3")]
    how: u32,
}

/// How somebody is shown a link; None: they have not heard of it.
async fn shown(person: &Person, link: &InviteInfo) -> Option<InviteInfo> {
    let all = person.client().invites(&link.chat).await.unwrap();
    all.into_iter().find(|one| one.id == link.id)
}

async fn sees(person: &Person, link: &InviteInfo, state: LinkLife) {
    eventually(
        &format!("{} sees that it is {state:?}", person.name),
        || async {
            shown(person, link)
                .await
                .is_some_and(|one| one.state == state)
        },
    )
    .await;
}

/// Ada gives somebody a role, and they know it.
async fn gives_role(ada: &Person, whom: &Person, role: Role) {
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact(whom.name).await.unwrap().id;
    ada.client().group_role(&desk, &id, role).await.unwrap();
    eventually("the role is known", || async {
        whom.chat("Desk").await.my_role == role
    })
    .await;
}

/// Somebody new asks by a link, in vain.
async fn nobody_comes_by(link: &InviteInfo, name: &'static str, server: &FakeServer) {
    let person = Person::new(name, server).await;
    let refused = person.client().join_group(&link.uri).await;
    assert_eq!(refused.unwrap_err().code(), "link.used");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_the_link_of_another_and_withdraws_it() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let link = link(&ada, options(5, true)).await;
    for person in [&ben, &cleo] {
        sees(person, &link, LinkLife::Open).await;
        let seen = shown(person, &link).await.unwrap();
        assert_eq!((seen.maker_name.as_str(), seen.uses_left), ("Ada", 5));
        assert_eq!((seen.is_mine, seen.is_here), (false, false));
        assert!(seen.approve && seen.expires_ms == link.expires_ms);
        assert_eq!(seen.uri, "", "who has heard of a link can't give it away");
    }
    let own = shown(&ada, &link).await.unwrap();
    assert!(own.is_mine && own.is_here && own.uri == link.uri);
    assert!(
        ben.notices("Desk")
            .await
            .iter()
            .all(|line| !line.contains("link"))
    );

    let refused = ben.client().revoke_invite(&link.id).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    gives_role(&ada, &ben, Role::Admin).await;
    ben.client().revoke_invite(&link.id).await?;
    assert_eq!(life(&ben, &link).await, LinkLife::Revoked);
    for person in [&ada, &cleo] {
        sees(person, &link, LinkLife::Revoked).await;
    }
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    nobody_comes_by(&link, "Dee", &server).await;
    assert!(ada.client().join_requests(&link.chat).await?.is_empty());
    // Once more does nothing, and one that there is not is none.
    ben.client().revoke_invite(&link.id).await?;
    let unknown = "00ff00ff00ff00ff".parse().unwrap();
    let refused = ben.client().revoke_invite(&unknown).await;
    assert_eq!(refused.unwrap_err().code(), "link.unknown");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_other_device_withdraws_the_link_of_the_first() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    // Ada is no admin of this one's making: that it is her own link is enough.
    gives_role(&ada, &ben, Role::Owner).await;
    let before = link(&ada, options(5, false)).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    eventually("the group is on the laptop", || async {
        laptop.client().find_chat("Desk").await.is_ok()
    })
    .await;
    // It hears of what was made before it came, and of what is made after.
    let after = link(&ada, options(5, false)).await;
    for one in [&before, &after] {
        sees(&laptop, one, LinkLife::Open).await;
        let seen = shown(&laptop, one).await.unwrap();
        assert!(seen.is_mine && !seen.is_here && seen.uri.is_empty());
    }
    let id = ben.client().find_contact("Ada").await?.id;
    ben.client()
        .group_policy(
            &after.chat,
            PolicyChange {
                add: Some(Role::Member),
                ..PolicyChange::default()
            },
        )
        .await?;
    ben.client()
        .group_role(&after.chat, &id, Role::Member)
        .await?;
    eventually("Ada is a member like others", || async {
        laptop.chat("Desk").await.my_role == Role::Member
    })
    .await;
    laptop.client().revoke_invite(&after.id).await?;
    for person in [&ada, &ben, &cleo] {
        sees(person, &after, LinkLife::Revoked).await;
        sees(person, &before, LinkLife::Open).await;
    }
    at_rest(&server, &[&ada, &laptop, &ben, &cleo]).await;
    nobody_comes_by(&after, "Dee", &server).await;
    let eve = Person::new("Eve", &server).await;
    let joined = eve.client().join_group(&before.uri).await?;
    assert_eq!(joined.state, JoinState::In);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_member_ends_nobodys_link_and_has_none() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    let link = link(&ada, options(5, false)).await;
    sees(&cleo, &link, LinkLife::Open).await;
    let refused = cleo.client().revoke_invite(&link.id).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    at_rest(&server, &[&ada, &ben, &cleo]).await;

    // Her app says so all the same: as herself, in Ada's name, and of a link of her own that she then ends.
    cleo.quit().await;
    {
        let cheat = Cheat::of(&cleo, "Desk");
        let (id, made_up) = (bytes(&link), vec![7; 8]);
        let account = account(&link);
        let ends = |id: &[u8], account: &[u8]| Links {
            made: Vec::new(),
            ended: vec![
                Ended {
                    id: id.to_vec(),
                    account: account.to_vec(),
                    how: 2,
                };
                20
            ],
        };
        let makes = |id: &[u8]| Links {
            made: vec![
                Made {
                    id: id.to_vec(),
                    expires_at_ms: 0,
                    uses_left: 9,
                };
                20
            ],
            ended: Vec::new(),
        };
        cheat.is_to_say(&[
            cheat.tells("links", &makes(&made_up)),
            cheat.tells("links", &makes(&id)),
            cheat.tells("links", &ends(&id, &account)),
            cheat.tells("links", &ends(&id, &[1; 32])),
            cheat.tells("links", &ends(&made_up, &account)),
            cheat.tells("links", &ends(&[1, 2, 3], &[4])),
            cheat.text(1, "Nothing happened."),
        ]);
    }
    cleo.reopen().await;
    for person in [&ada, &ben] {
        person.reads("Desk", &["Cleo: Nothing happened."]).await;
        assert_eq!(life(person, &link).await, LinkLife::Open);
        let all = person.client().invites(&link.chat).await?;
        assert_eq!(all.len(), 1, "{all:?}");
    }
    let dee = Person::new("Dee", &server).await;
    let joined = dee.client().join_group(&link.uri).await?;
    assert_eq!(joined.state, JoinState::In);
    Ok(())
}

fn bytes(link: &InviteInfo) -> Vec<u8> {
    let pairs = link.id.as_str().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Whose it is.
fn account(link: &InviteInfo) -> Vec<u8> {
    let maker = link.maker.as_str().to_ascii_uppercase();
    let account = data_encoding::BASE32_NOPAD.decode(maker.as_bytes());
    account.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_hears_of_the_links_that_are_open() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let open = link(&ada, options(3, false)).await;
    let over = link(&ada, options(3, false)).await;
    sees(&cleo, &over, LinkLife::Open).await;
    ada.client().revoke_invite(&over.id).await?;
    sees(&cleo, &over, LinkLife::Revoked).await;
    // The policy lets Ben make one as well.
    let everybody = PolicyChange {
        add: Some(Role::Member),
        ..PolicyChange::default()
    };
    ada.client().group_policy(&open.chat, everybody).await?;
    eventually("Ben may", || async {
        let chat = ben.chat("Desk").await;
        chat.policy.is_some_and(|policy| policy.add == Role::Member)
    })
    .await;
    let of_ben = link(&ben, options(1, true)).await;
    sees(&ada, &of_ben, LinkLife::Open).await;

    let dee = Person::new("Dee", &server).await;
    dee.client().join_group(&open.uri).await?;
    for one in [&open, &of_ben] {
        sees(&dee, one, LinkLife::Open).await;
    }
    assert!(shown(&dee, &over).await.is_none(), "it had ended before");
    // By it came one, and all know for how many it still is.
    for person in [&ada, &ben, &cleo, &dee] {
        eventually("two more may come", || async {
            shown(person, &open).await.unwrap().uses_left == 2
        })
        .await;
    }
    // Two more come, and nobody else may.
    for name in ["Eve", "Fay"] {
        let person = Person::new(name, &server).await;
        let joined = person.client().join_group(&open.uri).await?;
        assert_eq!(joined.state, JoinState::In);
    }
    for person in [&ada, &ben, &cleo, &dee] {
        sees(person, &open, LinkLife::Used).await;
    }
    // A link whose time is over is so for all.
    let short = undertone_core::InviteOptions {
        expires_in_s: Some(60),
        ..options(1, false)
    };
    let short = link(&ada, short).await;
    sees(&cleo, &short, LinkLife::Open).await;
    for person in [&ada, &cleo] {
        person.clock().pass_ms(61_000);
        sees(person, &short, LinkLife::Expired).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_goes_with_who_made_it() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    gives_role(&ada, &ben, Role::Admin).await;
    let of_ben = link(&ben, options(5, false)).await;
    let of_ada = link(&ada, options(5, false)).await;
    for person in [&ada, &cleo] {
        sees(person, &of_ben, LinkLife::Open).await;
    }
    sees(&ben, &of_ada, LinkLife::Open).await;
    let id = ada.client().find_contact("Ben").await?.id;
    ada.client().group_remove(&of_ben.chat, &id).await?;
    for person in [&ada, &cleo] {
        sees(person, &of_ben, LinkLife::Revoked).await;
    }
    eventually("Ben hears nothing of the group any more", || async {
        shown(&ben, &of_ada).await.is_none()
    })
    .await;
    // He is let in again, and his link is not.
    ada.client().group_add(&of_ben.chat, &[id]).await?;
    sees(&ben, &of_ada, LinkLife::Open).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    for person in [&ada, &cleo] {
        assert_eq!(life(person, &of_ben).await, LinkLife::Revoked);
    }
    assert_ne!(life(&ben, &of_ben).await, LinkLife::Open);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_reaches_the_device_that_made_the_link_whenever_it_comes_back() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, cleo) = three(&server).await;
    gives_role(&ada, &ben, Role::Admin).await;
    let link = link(&ada, options(5, false)).await;
    sees(&ben, &link, LinkLife::Open).await;
    are_done(&[&ada, &ben]).await;
    // Ben has no connection when he says it, and Ada's app is closed when it goes out.
    ada.quit().await;
    ben.quit().await;
    ben.open().await;
    ben.client().revoke_invite(&link.id).await?;
    ben.quit().await;
    ben.reopen().await;
    sees(&cleo, &link, LinkLife::Revoked).await;
    ada.reopen().await;
    sees(&ada, &link, LinkLife::Revoked).await;
    ada.settle().await;
    nobody_comes_by(&link, "Dee", &server).await;
    Ok(())
}

/// Ada makes a link and Ben withdraws it, time and again; whoever `maker` says ends at each of their commits in turn.
async fn a_link_comes_and_goes(maker: bool, end: End) -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, cleo) = three(&server).await;
    gives_role(&ada, &ben, Role::Admin).await;
    for nth in 1..60 {
        at_rest(&server, &[&ada, &ben, &cleo]).await;
        let one = link(&ada, options(1, false)).await;
        let mut ended = false;
        if maker {
            ada.ends_at(nth, end);
            ended |= ada.settles_or_comes_back().await;
        }
        sees(&ben, &one, LinkLife::Open).await;
        let whose = if maker { &ada } else { &ben };
        whose.ends_at(nth, end);
        ben.unless_it_ends(ben.client().revoke_invite(&one.id))
            .await;
        if maker {
            sees(&cleo, &one, LinkLife::Revoked).await;
            ended |= ada.settles_or_comes_back().await;
        } else {
            ended |= ben.settles_or_comes_back().await;
            // If it ended before anything was written down, Ben sees that.
            ben.client().revoke_invite(&one.id).await?;
        }
        for person in [&ada, &ben, &cleo] {
            sees(person, &one, LinkLife::Revoked).await;
        }
        if !ended {
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_makers_app_ends_at_any_commit_of_a_link_that_is_withdrawn() -> Outcome {
    a_link_comes_and_goes(true, End::BeforeCommit).await?;
    a_link_comes_and_goes(true, End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_of_who_withdraws_a_link_ends_at_any_commit() -> Outcome {
    a_link_comes_and_goes(false, End::BeforeCommit).await?;
    a_link_comes_and_goes(false, End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_got_lost_is_asked_for_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    gives_role(&ada, &ben, Role::Admin).await;
    let link = link(&ada, options(5, false)).await;
    for person in [&ben, &cleo] {
        sees(person, &link, LinkLife::Open).await;
    }
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    server.lose_next_to(server.queue_numbered(0));
    ben.client().revoke_invite(&link.id).await?;
    sees(&cleo, &link, LinkLife::Revoked).await;
    assert_eq!(life(&ada, &link).await, LinkLife::Open, "it got lost");
    ben.says("Desk", "That link is no more.").await;
    ada.reads("Desk", &["Ben: That link is no more."]).await;
    sees(&ada, &link, LinkLife::Revoked).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_links_of_one_person_are_open_at_most() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    gives_role(&ada, &ben, Role::Admin).await;
    let desk = ada.chat("Desk").await.id;
    let mut last = None;
    for _ in 0..100 {
        last = Some(ada.client().create_invite(&desk, options(1, false)).await?);
    }
    let refused = ada.client().create_invite(&desk, options(1, false)).await;
    assert_eq!(refused.unwrap_err().code(), "link.too_many");
    let last = last.unwrap();
    sees(&cleo, &last, LinkLife::Open).await;
    ada.client().revoke_invite(&last.id).await?;
    sees(&cleo, &last, LinkLife::Revoked).await;
    let another = link(&ada, options(1, false)).await;
    sees(&cleo, &another, LinkLife::Open).await;

    // An app that tells of more, and of such as there can't be, is heard so far and no further.
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben.quit().await;
    {
        let cheat = Cheat::of(&ben, "Desk");
        let made = |id: u16, expires_at_ms: u64, uses_left: u32| Made {
            id: [&[9; 6][..], &id.to_be_bytes()].concat(),
            expires_at_ms,
            uses_left,
        };
        let many = |from: u16| Links {
            made: (from..from + 90).map(|id| made(id, 0, 1)).collect(),
            ended: Vec::new(),
        };
        let odd = Links {
            made: vec![
                made(500, u64::MAX, 1),
                made(501, 253_402_300_800_000, 1),
                made(502, 0, 0),
                made(503, 0, u32::MAX),
            ],
            ended: Vec::new(),
        };
        cheat.is_to_say(&[
            cheat.tells("links", &odd),
            cheat.tells("links", &many(0)),
            cheat.tells("links", &many(90)),
            cheat.text(1, "So many ways in."),
        ]);
    }
    ben.reopen().await;
    cleo.reads("Desk", &["Ben: So many ways in."]).await;
    let all = cleo.client().invites(&desk).await?;
    let of_ben: Vec<_> = all.iter().filter(|one| one.maker_name == "Ben").collect();
    assert_eq!(of_ben.len(), 100);
    assert!(of_ben.iter().all(|one| one.uses_left == 1));
    Ok(())
}
