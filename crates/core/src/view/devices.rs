//! The account's devices, as they are shown.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{error::Problem, ids::DeviceId};

/// A device of this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceInfo {
    /// Its id.
    pub id: DeviceId,
    /// What the owner calls it; empty: nothing yet.
    pub name: String,
    /// Whether it is the one that answers.
    pub this: bool,
    /// When it became one of the account's, Unix milliseconds.
    #[ts(type = "number")]
    pub added_ms: i64,
    /// Whether it is still one.
    pub state: DeviceState,
}

/// Whether a device is still one of the account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It is.
    InUse,
    /// It is in chats as one, and none of the account's devices has said so: somebody may have made it who had one of them.
    Unknown,
    /// It was removed with the recovery phrase: what it knows is worth nothing.
    Removed,
    /// It was removed without the recovery phrase: not safe against a thief who opened it.
    RemovedWithoutPhrase,
}

/// Another device that is being linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LinkingInfo {
    /// How far it is.
    pub state: LinkingState,
    /// Six words that both devices show; none before the new one has answered.
    pub words: Option<String>,
    /// What the new device is called there.
    pub device_name: Option<String>,
    /// When it ends by itself, Unix milliseconds.
    #[ts(type = "number")]
    pub expires_ms: i64,
    /// Why it came to nothing, if it did.
    pub problem: Option<Problem>,
}

/// How far linking another device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkingState {
    /// The new device has not answered yet.
    Waiting,
    /// Both show the words; the owner compares them.
    Compare,
    /// They are the same here; the new device has not said so yet.
    Confirmed,
    /// The account is on its way.
    Sending,
    /// It came to nothing.
    Failed,
}

/// What was said before a device was linked, on its way there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HistoryInfo {
    /// The device that it goes to.
    pub device: DeviceId,
    /// Whether that is the one that answers.
    pub this: bool,
    /// Messages and plain lines that are there.
    #[ts(type = "number")]
    pub done: u64,
    /// Of how many, as counted at the beginning.
    #[ts(type = "number")]
    pub total: u64,
    /// How far it is.
    pub state: HistoryState,
}

/// How far the past of a new device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HistoryState {
    /// It is on its way.
    UnderWay,
    /// All of it is there.
    Done,
    /// It is over, and some of it never came.
    Incomplete,
}
