//! What is stored can be read for good, and every kind has its sentence.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{GroupAct, Notice, NoticePerson};
use crate::{ids::ContactId, view::Role};

/// `testdata/notices.json`: each notice as it is stored, as the RPC gives it, and in English. The page's texts are checked with it as well.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    stored: String,
    notice: Notice,
    english: String,
}

fn somebody(number: u8, name: &str, me: bool) -> NoticePerson {
    NoticePerson {
        account: Some(ContactId::from_bytes(&[number; 32])),
        name: name.into(),
        me,
    }
}

/// Every kind, and every choice that makes another sentence of it.
fn all() -> Vec<Notice> {
    let (ada, ben) = (somebody(1, "Ada", true), somebody(2, "Ben", false));
    let (cleo, nobody) = (somebody(3, "Cleo", false), NoticePerson::default());
    let name = || "Night desk".to_owned();
    let mut all = Vec::new();
    for (who, whom) in [(&ada, &ben), (&ben, &ada), (&ben, &cleo), (&nobody, &cleo)] {
        let (who, whom) = (|| who.clone(), || whom.clone());
        all.extend([
            Notice::Added {
                who: who(),
                whom: whom(),
            },
            Notice::Removed {
                who: who(),
                whom: whom(),
            },
        ]);
        all.extend(
            [Role::Owner, Role::Admin, Role::Member].map(|role| Notice::MadeRole {
                who: who(),
                whom: whom(),
                role,
            }),
        );
    }
    for who in [&ada, &ben, &nobody] {
        let who = || who.clone();
        all.extend([
            Notice::Left { who: who() },
            Notice::CameBack { who: who() },
            Notice::Renamed {
                who: who(),
                name: name(),
            },
            Notice::TimerOff { who: who() },
            Notice::NewDevice { who: who() },
            Notice::DeviceGone { who: who() },
            Notice::Restored { who: who() },
            Notice::Pinned { who: who() },
            Notice::LetInByLink { who: who() },
            Notice::AsksByLink { who: who() },
            Notice::OtherAccount { who: who() },
            Notice::LetInUnconfirmed { who: who() },
            Notice::LetInAgain { who: who() },
            Notice::LetInRefused { who: who() },
            Notice::NowIn { who: who() },
            Notice::NotInAnyMore { who: who() },
            Notice::ChangeNotUnderstood { who: who() },
            Notice::ChangeForbidden { who: who() },
            Notice::ChangeInvalid { who: who() },
            Notice::MessageMalformed { who: who() },
            Notice::ReachedAgain { who: who() },
            Notice::WelcomeWaits { who: who() },
        ]);
        all.extend(
            [1, 90, 3600, 172_800, 604_800].map(|seconds| Notice::TimerSet {
                who: who(),
                seconds,
            }),
        );
        all.extend(
            [Role::Admin, Role::Member].map(|role| Notice::SteppedDown { who: who(), role }),
        );
        for role in [Role::Owner, Role::Admin, Role::Member] {
            all.push(Notice::NowRole { who: who(), role });
            all.extend(undertone_mls::Act::ALL.map(|act| Notice::LetMay {
                who: who(),
                role,
                act: act.into(),
            }));
        }
        all.extend(
            [GroupAct::Pin, GroupAct::Post].map(|act| Notice::ActForbidden { who: who(), act }),
        );
        for group in [false, true] {
            all.push(Notice::NotReached { who: who(), group });
            all.push(Notice::WelcomeLost { who: who(), group });
        }
    }
    all.extend([GroupAct::Pin, GroupAct::Post].map(|act| Notice::NotShown { act }));
    all.extend([
        Notice::LeftUnheard {},
        Notice::DeviceTakenOut {},
        Notice::DeviceRemoved {},
        Notice::NowCalled { name: name() },
        Notice::ChangeIgnored {},
        Notice::ChangeNotTaken {},
        Notice::InvitationNotTaken {},
        Notice::FileNotSent {
            code: "media.damaged".into(),
            why: "This picture or recording is damaged.".into(),
        },
        Notice::MoreNotKept {},
    ]);
    all.extend([&ben, &nobody].map(|who| Notice::DuressAlarm { who: who.clone() }));
    all.push(Notice::NameChanged {
        who: ben.clone(),
        name: "Benjamin".into(),
    });
    all.extend([&ben, &nobody].map(|who| Notice::DeviceWiped { who: who.clone() }));
    all
}

#[test]
fn what_is_stored_can_be_read_for_good() {
    let samples: Vec<Sample> = all()
        .into_iter()
        .map(|notice| Sample {
            stored: HEXLOWER.encode(&notice.encode()),
            english: notice.to_string(),
            notice,
        })
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/notices.json");
    if std::env::var_os("UNDERTONE_WRITE_NOTICES").is_some() {
        let lines: Vec<String> = samples
            .iter()
            .map(|sample| serde_json::to_string(sample).unwrap())
            .collect();
        fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let kept: Vec<Sample> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (sample, kept) in samples.iter().zip(&kept) {
        assert_eq!(
            sample, kept,
            "new kinds go to the end: UNDERTONE_WRITE_NOTICES=1 writes them anew, but what was stored before must stay as it was"
        );
        let bytes = HEXLOWER.decode(kept.stored.as_bytes()).unwrap();
        assert_eq!(Notice::decode(&bytes).as_ref(), Some(&kept.notice));
    }
    assert_eq!(samples.len(), kept.len());
}

#[test]
fn every_kind_has_a_number_of_its_own_and_a_sample() {
    let numbers: BTreeSet<u32> = Notice::KINDS.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers.len(), Notice::KINDS.len());
    let shown: BTreeSet<String> = all()
        .iter()
        .map(|notice| {
            let json = serde_json::to_value(notice).unwrap();
            json["kind"].as_str().unwrap().replace('_', "")
        })
        .collect();
    for (_, kind) in Notice::KINDS {
        assert!(shown.contains(&kind.to_lowercase()), "no sample of {kind}");
    }
}

#[test]
fn what_is_not_known_is_no_notice_and_breaks_nothing() {
    let known = Notice::TimerSet {
        who: somebody(1, "Ada", false),
        seconds: 60,
    }
    .encode();
    assert!(Notice::decode(&known).is_some());
    assert_eq!(Notice::decode(&[]), None, "a notice of an earlier version");
    for length in 1..known.len() {
        let _ = Notice::decode(&known[..length]);
        let mut other = known.clone();
        other[length] ^= 0x55;
        let _ = Notice::decode(&other);
    }
    let mut newer = known.clone();
    newer[0] = 2;
    assert_eq!(Notice::decode(&newer), None, "another encoding");
    let kind = &[1, 8, 0xb8, 0x17];
    assert_eq!(Notice::decode(kind), None, "a kind of a later version");
    let bare = &[1, 8, 9];
    assert_eq!(Notice::decode(bare), None, "a timer that nobody set");
}

#[test]
fn spans_are_said_in_the_largest_unit_that_fits() {
    for (seconds, said) in [
        (1, "1 second"),
        (90, "90 seconds"),
        (3600, "1 hour"),
        (172_800, "2 days"),
        (604_800, "1 week"),
    ] {
        let who = somebody(1, "Ada", true);
        let line = Notice::TimerSet { who, seconds }.to_string();
        assert_eq!(
            line,
            format!("You set messages to disappear {said} after they are read.")
        );
    }
}
