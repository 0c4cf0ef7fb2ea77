//! Parameters and answers of the methods that protect a device. They carry passphrases, so they have no `Debug`.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_core::{
    ContactId, DecoyAccount, DuressSet, NewDuress, ProtectionChange, home::Passphrase,
    kill::CustodianKey,
};
use zeroize::Zeroizing;

use super::{method::confirmed, params::GivenCustodian};
use crate::{cli::passphrase::check_new, failure::Failure, web::secret::Secret};

/// What of the protection is to change.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SetProtection {
    /// The passphrase of the home; needed for the limit of wrong passphrases and for the dead-man timer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, as = "Option<String>")]
    pub passphrase: Option<Secret>,
    /// The changes; what is left out stays.
    pub change: ProtectionChange,
}

/// The passphrase, to confirm that the owner is there.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// As typed.
    #[ts(as = "String")]
    pub passphrase: Secret,
}

/// A new passphrase.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ChangePassphrase {
    /// The present one.
    #[ts(as = "String")]
    pub current: Secret,
    /// The new one, at least 8 characters.
    #[ts(as = "String")]
    pub new: Secret,
}

/// That the duress passphrase and its decoy are to go.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct RemoveDuress {
    /// The passphrase of this account.
    #[ts(as = "String")]
    pub passphrase: Secret,
    /// `remove`, as the owner typed it.
    pub confirm: String,
}

/// A duress passphrase and its decoy.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SetDuress {
    /// The passphrase of this account.
    #[ts(as = "String")]
    pub current: Secret,
    /// The one that destroys this account's keys and opens the decoy, at least 8 characters.
    #[ts(as = "String")]
    pub duress: Secret,
    /// One that opens the decoy and destroys nothing, to prepare it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, as = "Option<String>")]
    pub visit: Option<Secret>,
    /// An invitation, or `ORIGIN+PIN`, to register the decoy's account with; left out: it is empty and not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, as = "Option<String>")]
    pub server: Option<Secret>,
    /// The name in the decoy; left out: this account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// Contacts who are told, silently, when the duress passphrase is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<ContactId>>")]
    pub alarm: Vec<ContactId>,
    /// `replace`, as the owner typed it; only needed where there is a duress passphrase, whose decoy goes with the account in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub confirm: Option<String>,
}

/// A decoy that was made.
#[derive(Serialize, Deserialize, TS)]
pub struct DuressAnswer {
    /// Whether its account is registered with its server.
    pub registered: bool,
    /// The recovery phrase of its account, shown once.
    #[ts(as = "String")]
    pub phrase: Secret,
}

/// The word that confirms a wipe.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct WipeHome {
    /// `wipe`, as the owner typed it.
    pub confirm: String,
}

/// What a new kill code needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct NewKillCode {
    /// `new`, as the owner typed it; only needed where there is a kill code, whose words are worth nothing afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub confirm: Option<String>,
}

/// Twelve words, answered once.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct KillWords {
    /// Separated by spaces.
    pub words: String,
}

/// Whom a custodian's key belongs to, as they say themselves.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CustodianName {
    /// What they call themselves.
    pub name: String,
}

impl GivenCustodian {
    /// Reads the key.
    ///
    /// # Errors
    /// `wire.*`.
    pub fn name(&self) -> Result<CustodianName, Failure> {
        let key: CustodianKey = self
            .key
            .trim()
            .parse()
            .map_err(|error| Failure::from(undertone_core::Error::Wire(error)))?;
        Ok(CustodianName { name: key.name })
    }
}

/// What a press of panic did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PanicAnswer {
    /// Whether it was the second press within ten seconds, and the home is wiped; else it is locked.
    pub wiped: bool,
}

/// A passphrase of an existing slot.
///
/// # Errors
/// `home.empty_passphrase`.
pub fn given(secret: Secret) -> Result<Passphrase, Failure> {
    Ok(Passphrase::new(secret.0)?)
}

/// A new passphrase.
///
/// # Errors
/// `passphrase.too_short`.
pub fn new(secret: Secret) -> Result<Passphrase, Failure> {
    check_new(&secret.0)?;
    given(secret)
}

impl SetDuress {
    /// For the core. `replaces`: there is a decoy, which goes.
    ///
    /// # Errors
    /// `usage.not_confirmed`, `passphrase.too_short`, `home.empty_passphrase`, `link.*` for the invitation.
    pub fn into_core(self, replaces: bool) -> Result<NewDuress, Failure> {
        if replaces {
            confirmed(self.confirm.as_deref().unwrap_or_default(), "replace")?;
        }
        let server = match &self.server {
            Some(server) => Some(server.0.trim().parse().map_err(Failure::from)?),
            None => None,
        };
        Ok(NewDuress {
            current: given(self.current)?,
            duress: new(self.duress)?,
            visit: self.visit.map(new).transpose()?,
            account: DecoyAccount {
                server,
                name: self.name,
            },
            alarm: self.alarm,
        })
    }
}

impl From<DuressSet> for DuressAnswer {
    fn from(set: DuressSet) -> Self {
        Self {
            registered: set.registered,
            phrase: Secret(Zeroizing::new(set.phrase.words().to_owned())),
        }
    }
}
