//! The two extensions of Undertone: `undertone_group` in the GroupContext and `undertone_leaf` in every LeafNode
//! (RFC 9420 section 13). Bytes become typed values here, and only their one canonical encoding is taken: otherwise a
//! member could change what the others agree on without changing what they see.

mod leaf;
mod settings;

pub use leaf::{LeafProfile, ResyncAddress};
pub use settings::{Act, Kind, Policy, Role, Settings};

use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, LeafNode,
    ProtocolVersion, RequiredCapabilitiesExtension, UnknownExtension,
};

use crate::{Error, Result, provider::SUITE};

/// `undertone_group`, in the range for private use.
pub(crate) const GROUP_EXTENSION: u16 = 0xF0A1;
/// `undertone_leaf`, in the range for private use.
pub(crate) const LEAF_EXTENSION: u16 = 0xF0A2;

const ORIGIN_BYTES: usize = 260;

/// What every leaf says it can do: suite 0x004E, basic credentials, the two extensions, no proposals beyond the default.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(vec![
            ExtensionType::LastResort,
            ExtensionType::Unknown(GROUP_EXTENSION),
            ExtensionType::Unknown(LEAF_EXTENSION),
        ])
        .proposals(vec![])
        .credentials(vec![CredentialType::Basic])
        .build()
}

/// Whether a leaf says that it can do all of that. A group's commit can't add one that does not.
pub(crate) fn has_capabilities(shown: &Capabilities) -> bool {
    fn all<T: PartialEq>(wanted: &[T], shown: &[T]) -> bool {
        wanted.iter().all(|one| shown.contains(one))
    }
    let wanted = capabilities();
    all(wanted.versions(), shown.versions())
        && all(wanted.ciphersuites(), shown.ciphersuites())
        && all(wanted.extensions(), shown.extensions())
        && all(wanted.credentials(), shown.credentials())
}

fn required_capabilities() -> Extension {
    Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
        &[
            ExtensionType::Unknown(GROUP_EXTENSION),
            ExtensionType::Unknown(LEAF_EXTENSION),
        ],
        &[],
        &[CredentialType::Basic],
    ))
}

/// The GroupContext extensions of a conversation with these settings: exactly two.
pub(crate) fn group_extensions(settings: &Settings) -> Result<Extensions<GroupContext>> {
    Extensions::from_vec(vec![
        required_capabilities(),
        Extension::Unknown(GROUP_EXTENSION, UnknownExtension(settings.encode())),
    ])
    .map_err(|_| Error::Library("group extensions"))
}

/// Reads them back; anything beside the two that [`group_extensions`] makes is refused.
pub(crate) fn read_group_extensions(extensions: &Extensions<GroupContext>) -> Result<Settings> {
    let malformed = || Error::Malformed("group extensions");
    let required = required_capabilities();
    if extensions.iter().count() != 2 || !extensions.iter().any(|one| *one == required) {
        return Err(malformed());
    }
    let ours = extensions.unknown(GROUP_EXTENSION).ok_or_else(malformed)?;
    Settings::decode(&ours.0)
}

/// The one LeafNode extension.
pub(crate) fn leaf_extensions(
    profile: &LeafProfile,
    resync: &ResyncAddress,
) -> Result<Extensions<LeafNode>> {
    Extensions::single(Extension::Unknown(
        LEAF_EXTENSION,
        UnknownExtension(profile.encode(resync)),
    ))
    .map_err(|_| Error::Library("leaf extensions"))
}

/// Reads it back; a leaf carries no other.
pub(crate) fn read_leaf_extensions(
    extensions: &Extensions<LeafNode>,
) -> Result<(LeafProfile, ResyncAddress)> {
    let malformed = || Error::Malformed("leaf extensions");
    if extensions.iter().count() != 1 {
        return Err(malformed());
    }
    let ours = extensions.unknown(LEAF_EXTENSION).ok_or_else(malformed)?;
    LeafProfile::decode(&ours.0)
}
