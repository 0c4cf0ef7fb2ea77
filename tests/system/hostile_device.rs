//! A member brings in a device that says it is of an account, and is not. Nobody takes it, whichever way it comes, and each app says so in one
//! line of its log.

use openmls::prelude::{KeyPackage, MlsGroup};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_mls::{
    ChannelId, ChannelPosition, Group, HandedOn, Kind, NewGroup, PendingWelcome, Pin, Policy,
    open_key_package,
};
use undertone_tests::{Outcome, ServerOptions, ServerProcess};
use undertone_wire::client_proto::{DirectMessage, Payload, direct_message, payload};
use undertone_wire::ids::SendId;
use undertone_wire::padding;
use undertone_wire::request::{Request, TakeKeyPackages};
use undertone_wire::response::Response;

use super::hostile_content::Log;
use super::hostile_member::Desk;
use super::insider::{Accomplice, Crime, Insider, mallory, read_key_package, strangers_device};
use super::residents::{Resident, calm, group, until};

/// Where in a certificate what the device-signing key says of the device begins.
const DEVICE: usize = 135;

/// A device of Mallory's under what certifies the insider's own devices.
fn not_theirs(insider: &Insider) -> KeyPackage {
    insider.inside(false, |inside| {
        let genuine = inside.keys.certificate().encode();
        strangers_device(|own| Some([&genuine[..DEVICE], &own[DEVICE..]].concat()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_not_the_accounts_is_added_by_no_commit() -> Outcome {
    let log = Log::begin();
    let desk = Desk::open().await?;
    // A plain member may bring in devices of their own.
    let crime = Crime {
        add: vec![not_theirs(&desk.cleo)],
        ..Crime::default()
    };
    let commit = desk.cleo.commit(crime, |_| {});
    let epoch = commit.epoch;
    let taken = desk.accomplice.commit(commit).await;
    taken.expect("the server takes it");
    desk.goes_on(epoch, "A change by Cleo was not valid")
        .await?;
    assert_eq!(log.count("mls.certificate"), 2, "two apps, one act");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_into_a_group_in_which_a_device_is_not_the_accounts() -> Outcome {
    let log = Log::begin();
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let ada = Resident::join("Ada", &at).await;
    let mut cleo = Resident::join("Cleo", &at).await;
    group("Desk", &[&ada, &cleo]).await;
    calm(&[&ada, &cleo]).await;
    cleo.leave().await;
    let insider = Insider::open(&cleo, "");
    let accomplice = Accomplice::at(&at).await;

    // The way in which one contact adds another to a group.
    let (address, kp_key) = insider.inside(false, |inside| {
        let members = inside.group.members().expect("members");
        let ada = members.into_iter().find(|member| member.name == "Ada");
        let ada = ada.expect("Ada");
        (ada.address, ada.kp_key.expect("a pool"))
    });
    let take = Request::TakeKeyPackages(TakeKeyPackages {
        send_id: SendId::random(),
        addresses: vec![address],
    });
    let Response::TakenKeyPackages(taken) = accomplice.ask(take).await.expect("taken") else {
        panic!("key packages")
    };
    let sealed = taken.into_iter().flatten().next().expect("one").sealed;
    let foreign = not_theirs(&insider);
    let (to, welcome) = insider.inside(false, |inside| {
        let (provider, keys) = (&inside.provider, inside.keys);
        let hers = open_key_package(provider, &sealed, &kp_key).expect("Ada's");
        let package = read_key_package(provider, &hers.encode().expect("encoded"));
        let channel_id = ChannelId::random();
        let new = NewGroup {
            kind: Kind::Group,
            name: "Trap".into(),
            peer: None,
            origin: "relay.example:7443".into(),
            pin: Pin::new([7; 32]),
            channel_id,
            policy: Policy::default(),
        };
        let trap = Group::create(provider, keys, &mallory(), new).expect("made");
        let id = openmls::prelude::GroupId::from_slice(trap.id().as_bytes());
        let mut mls = MlsGroup::load(provider.storage(), &id)
            .expect("loads")
            .expect("a group");
        let bundle = mls
            .commit_builder()
            .propose_adds([package, foreign])
            .load_psks(provider.storage())
            .expect("no PSK")
            .use_ratchet_tree_extension(true)
            .build(provider.rand(), provider.crypto(), keys, |_| true)
            .expect("built")
            .stage_commit(provider)
            .expect("staged");
        let welcome = bundle.to_welcome_msg().expect("a Welcome");
        let pending = PendingWelcome {
            recipients: Vec::new(),
            welcome: welcome.to_bytes().expect("encoded"),
        };
        mls.merge_pending_commit(provider).expect("merged");
        let trap = Group::load(provider, trap.id()).expect("loads");
        let position = ChannelPosition {
            generation: 0,
            channel_id,
            number: 1,
        };
        let bundle = trap
            .expect("a group")
            .welcome_bundle(provider, &pending, position, HandedOn::default())
            .expect("a bundle");
        (hers.address().duplicate(), bundle)
    });
    let message = DirectMessage {
        body: Some(direct_message::Body::Welcome(welcome)),
    };
    let payload = Payload {
        body: Some(payload::Body::Inline(message.encode_to_vec().into())),
    };
    let payload = padding::pad_payload(&payload.encode_to_vec(), 0).expect("padded");
    let sent = accomplice.direct(vec![to], payload.into()).await;
    sent.expect("the server takes it");

    until("Ada has looked at it", || async {
        log.count("mls.certificate") == 1
    })
    .await;
    assert!(ada.client().find_chat("Trap").await.is_err());
    let chats = ada.client().chats().await.expect("chats");
    assert!(
        chats
            .iter()
            .all(|chat| chat.members == 2 || chat.members == 1)
    );
    Ok(())
}
