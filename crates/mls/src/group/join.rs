//! Joining from a Welcome bundle (RFC 9420 section 12.4.3.1), and making one.
//!
//! A Welcome may come from anybody who has one of our key packages. So nothing in it is believed but what is checked here:
//! every leaf's certificate, the settings, and that the adder stands in the tree. Whether the account behind it is one that
//! the user wants to hear from is the caller's to ask.

use bytes::Bytes;
use openmls::prelude::{
    MlsGroup, MlsMessageBodyIn, MlsMessageIn, StagedWelcome, WelcomeError,
    tls_codec::Deserialize as _,
};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{client_proto as proto, ids::ChannelId};

use super::{
    ChannelPosition, Group, LeafFacts, Member, addresses::Addresses, aside::KeptKeyPackage,
    authorize::authorize_tree, join_config, pending::PendingWelcome,
};
use crate::{
    DeviceId, Error, GroupId, Provider, Result, Settings, Violation,
    derive::{open, seal},
    extension::read_group_extensions,
    key_package::hash_ref,
    store,
};

const TABLE: &str = "undertone welcome";

/// A conversation that was joined.
pub struct Joined {
    /// It.
    pub group: Group,
    /// Where it stands on its channel.
    pub channel: ChannelPosition,
    /// Who added this device.
    pub adder: Member,
    /// By a last-resort key package: choose a new address ([`Group::set_own_address`]) and update the leaf soon.
    pub last_resort: bool,
    /// It was here before, and this device had asked to come back: call [`Group::settle`] once it is believed.
    pub came_back: bool,
    /// What the adder says beside.
    pub handed_on: HandedOn,
}

/// What whoever lets a device in tells it beside what MLS does (docs/protocol.md section 5). Nothing of it is proven.
#[derive(Debug, Clone, Default)]
pub struct HandedOn {
    /// Encoded keys of other servers that members' addresses are on: a server that is away can't be asked for its own. To be checked.
    pub server_keys: Vec<Bytes>,
    /// The last device counter that each device used before the adding commit, 0 for none, as far as the adder heard it from the beginning.
    pub counters: Vec<(DeviceId, u64)>,
}

impl Group {
    /// Joins. The one-time key package is used up even if the Welcome turns out to be wrong, unless the caller rolls back.
    ///
    /// A conversation that is here already is replaced only by a Welcome for the key package of a resync request
    /// ([`super::resync::ask`]) for that conversation: otherwise anybody could replace it. The old state is kept aside then, until
    /// [`Group::settle`] or [`Group::put_back`] is called: whoever made the Welcome may not be a member any more.
    ///
    /// # Errors
    /// [`Error::UnknownKeyPackage`], [`Error::GroupExists`], [`Error::Malformed`], [`Error::Refused`]: drop the item.
    /// [`Error::Storage`]: roll back.
    pub fn join(provider: &Provider<'_>, bundle: &proto::Welcome) -> Result<Joined> {
        let malformed = || Error::Malformed("welcome");
        let message =
            MlsMessageIn::tls_deserialize_exact(&bundle.welcome[..]).map_err(|_| malformed())?;
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            return Err(malformed());
        };
        // OpenMLS deletes the key package that it uses.
        let kept = KeptKeyPackage::read_asked(provider)?;
        let builder = StagedWelcome::build_from_welcome(provider, &join_config(), welcome)
            .map_err(welcome_error)?;
        let processed = builder.processed_welcome();
        let id = GroupId::from_slice(processed.unverified_group_info().group_id().as_slice())?;
        let (reference, last_resort) = {
            let own = processed.own_key_package().ok_or_else(malformed)?;
            (hash_ref(provider, own)?, own.last_resort())
        };
        let asked = store::read_resync_asked(provider, &reference)?;
        let here = store::read_conversation(provider, &id)?.is_some();
        let came_back = match asked {
            Some(asked) if asked == id.as_bytes() => true,
            Some(_) => return Err(Violation::ResyncRequest.into()),
            None if here => return Err(Error::GroupExists),
            None => false,
        };
        if here {
            Self::set_aside(provider, &id)?;
        }
        let staged = builder
            .skip_lifetime_validation()
            .replace_old_group()
            .build()
            .map_err(welcome_error)?;
        let adder = staged.welcome_sender_index().u32();
        let mls = staged.into_group(provider).map_err(welcome_error)?;
        let settings = verify_tree(&mls, &id, adder)?;
        let Table {
            addresses,
            channel,
            handed_on,
        } = open_table(provider, &mls, &id, &bundle.table)?;
        let group = Self {
            id,
            mls,
            settings,
            addresses,
            next_address: None,
            joined_by_last_resort: last_resort,
        };
        group.judge_own_keys()?;
        group.save(provider)?;
        // Another answer to the same request may be the right one: its key package stays until this one is believed.
        if came_back {
            for kept in kept.iter().filter(|kept| kept.is(&reference)) {
                kept.write(provider)?;
            }
        }
        let adder = group.member(adder)?.ok_or_else(malformed)?;
        Ok(Joined {
            group,
            channel,
            adder,
            last_resort,
            came_back,
            handed_on,
        })
    }

    /// What goes to those whom our merged commit added: in a Payload of a DirectMessage. To be called in the epoch that the
    /// commit led to. `channel` is where the conversation stands, with the adding commit's number.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn welcome_bundle(
        &self,
        provider: &Provider<'_>,
        welcome: &PendingWelcome,
        channel: ChannelPosition,
        handed_on: HandedOn,
    ) -> Result<proto::Welcome> {
        let counters = handed_on.counters.into_iter();
        let table = proto::WelcomeTable {
            addresses: self.addresses.to_proto(),
            channel_generation: channel.generation,
            channel_id: channel.channel_id.to_bytes(),
            number: channel.number,
            server_keys: handed_on.server_keys,
            counters: counters
                .map(|(device, counter)| proto::DeviceCounter {
                    device: Bytes::copy_from_slice(device.as_bytes()),
                    counter,
                })
                .collect(),
        };
        let key = self.export(provider, TABLE, &[])?;
        Ok(proto::Welcome {
            welcome: welcome.welcome.clone().into(),
            table: seal(
                provider.crypto(),
                &key,
                self.id.as_bytes(),
                &table.encode_to_vec(),
            )?
            .into(),
        })
    }
}

fn welcome_error(error: WelcomeError<rusqlite::Error>) -> Error {
    match error {
        WelcomeError::StorageError(error) => Error::Storage(error),
        WelcomeError::NoMatchingKeyPackage | WelcomeError::NoMatchingEncryptionKey => {
            Error::UnknownKeyPackage
        }
        _ => Error::Malformed("welcome"),
    }
}

fn verify_tree(mls: &MlsGroup, id: &GroupId, adder: u32) -> Result<Settings> {
    let settings = read_group_extensions(mls.extensions()).map_err(|_| Violation::Settings)?;
    let leaves = mls
        .treesync()
        .full_leaves()
        .map(|(index, node)| Ok((index.u32(), LeafFacts::verify(node)?)))
        .collect::<std::result::Result<_, Violation>>()?;
    authorize_tree(id, &leaves, &settings, adder)?;
    Ok(settings)
}

/// What a WelcomeTable says.
struct Table {
    addresses: Addresses,
    channel: ChannelPosition,
    handed_on: HandedOn,
}

/// Every leaf has an address in the table, and ours is the one we gave.
fn open_table(
    provider: &Provider<'_>,
    mls: &MlsGroup,
    id: &GroupId,
    sealed: &[u8],
) -> Result<Table> {
    let malformed = || Error::Malformed("welcome table");
    let key = mls
        .export_secret(provider.crypto(), TABLE, &[], 32)
        .map_err(|_| Error::Library("exporter"))
        .and_then(super::exported)?;
    let table = open(provider.crypto(), &key, id.as_bytes(), sealed).ok_or_else(malformed)?;
    let table = proto::WelcomeTable::decode(table.as_slice())?;
    let addresses = Addresses::from_proto(&table.addresses)?;
    let occupied = mls.treesync().full_leaves().map(|(index, _)| index.u32());
    let own = mls
        .own_leaf_node()
        .ok_or_else(malformed)
        .and_then(LeafFacts::read)?;
    let own_address = addresses.get(mls.own_leaf_index().u32());
    if !addresses.leaves().eq(occupied) || own_address != Some(&own.profile.address) {
        return Err(malformed());
    }
    let channel = ChannelPosition {
        generation: table.channel_generation,
        channel_id: ChannelId::from_slice(&table.channel_id)?,
        number: table.number,
    };
    let counters = table.counters.iter().filter_map(|said| {
        let device = DeviceId::from_slice(&said.device).ok()?;
        Some((device, said.counter))
    });
    let counters = counters.collect();
    Ok(Table {
        addresses,
        channel,
        handed_on: HandedOn {
            server_keys: table.server_keys,
            counters,
        },
    })
}
