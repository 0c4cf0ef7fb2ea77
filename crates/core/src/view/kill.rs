//! Who may wipe this device, as it is shown.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::DeviceId;

/// The kill code and custodians.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KillStatus {
    /// Whether the account has a kill code.
    pub code: bool,
    /// The how manieth it is; 0: none.
    pub generation: u32,
    /// When it was made, Unix milliseconds; 0: never.
    #[ts(type = "number")]
    pub made_ms: i64,
    /// Whether it reaches this device.
    pub armed: bool,
    /// The account's other devices that it reaches.
    pub devices: Vec<DeviceId>,
    /// Who else may wipe this device. Nobody is ever taken off this list.
    pub custodians: Vec<CustodianInfo>,
}

/// Somebody whom the owner let wipe this device, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CustodianInfo {
    /// What they call themselves.
    pub name: String,
    /// When the owner accepted it, Unix milliseconds.
    #[ts(type = "number")]
    pub accepted_ms: i64,
    /// Whether they can reach this device.
    pub armed: bool,
}
