//! The few answers of the methods that the core doesn't have.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_core::{LinkingInfo, kill::KillAnswer};

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Greeting {
    /// `undertone`.
    pub app: String,
    /// The app's version.
    pub version: String,
    /// The version of this interface.
    pub rpc: u32,
    /// The proxy that the server is reached through, if any.
    pub proxy: Option<String>,
    /// Whether the server is contacted at all (`--offline`: no).
    pub online: bool,
}

/// What a custodian needs to reach this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Ticket {
    /// `undertone:w:...`
    pub ticket: String,
}

/// What became of a command to wipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Killed {
    /// What the device said, or that it said nothing yet.
    pub answer: KillAnswer,
    /// Whether it is removed from the account, as `remove_wiped` of the protection wants it.
    pub removed: bool,
}

/// Whether the server has a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Delivered {
    /// On the server's disk, or queued on this device.
    pub state: undertone_core::Delivery,
}

/// The outcome of comparing a scanned safety code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CodeMatches {
    /// Whether it is this contact's. If so, the contact is verified now.
    pub matches: bool,
}

/// Whether this device is still one of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceRemoved {
    /// Another device has removed it.
    pub removed: bool,
}

/// Another device that is being linked, if one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CurrentLinking {
    /// How far it is.
    pub linking: Option<LinkingInfo>,
}

/// Done; there is nothing more to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Done {}
