//! The weekly keys of the blind tokens, all derived from one master seed in a file.
//!
//! Each week has two: one for everybody, and one for temporary queues, which anybody may make and whose tokens buy little.
//!
//! A key issues for one week (of seven UTC days counted from 1970-01-01) and is honoured for one more. Deriving
//! them means that a restart or a second node shows clients the same keys; a restore makes a new seed, so that what was
//! spent since the backup can't be spent again. The seed's holder can make tokens, and cannot tell whose a token is.
//!
//! The keys of a new week take effect at one moment ([`TokenKeys::roll`]) for everything that is shown, issued and checked, and
//! inbox connections are told at that moment: an app refuses an outbox that is shown other keys than its inbox was.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use tokio::sync::watch;
use undertone_wire::ids::{TokenKeyId, random_bytes};
use undertone_wire::response::TokenKey;
use undertone_wire::secrets::Secret;
use undertone_wire::tokens::{Token, TokenIssuer};
use undertone_wire::{Code, Result};
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::folder;
use crate::store::{Day, TokenHash};

/// The seed file's name inside the server's folder.
pub const FILE_NAME: &str = "tokens.seed";

const DAYS_OF_A_KEY: u32 = 7;
const SEED_LABEL: &[u8] = b"undertone/1 weekly token seed";
const TEMPORARY_SEED_LABEL: &[u8] = b"undertone/1 weekly token seed for temporary queues";

/// Who a token was issued to, which is all that a server can tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The owner of a queue that lasts.
    Ordinary,
    /// Somebody with a temporary queue: anybody at all.
    Temporary,
}

/// The keys of one week.
#[derive(Clone)]
struct Issuers {
    ordinary: Arc<TokenIssuer>,
    temporary: Arc<TokenIssuer>,
}

/// The keys of this week and the one before.
#[derive(Clone)]
struct Weeks {
    week: u32,
    current: Issuers,
    previous: Issuers,
}

/// Issues and checks tokens.
pub struct TokenKeys {
    master: Secret<32>,
    weeks: watch::Sender<Weeks>,
}

/// Tells when other keys are shown.
pub struct Rolls(watch::Receiver<Weeks>);

impl Rolls {
    /// Resolves when the keys have changed since this was made, or since it last resolved, and gives the new ones.
    pub async fn next(&mut self) -> Vec<TokenKey> {
        if self.0.changed().await.is_err() {
            // The server is gone, and this connection is about to be.
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().shown()
    }
}

impl TokenKeys {
    /// Writes a new master seed into the server folder `dir`.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create_seed(dir: &Path) -> std::result::Result<(), ServerError> {
        let seed = Zeroizing::new(random_bytes::<32>());
        let text = Zeroizing::new(format!("{}\n", data_encoding::HEXLOWER.encode(&*seed)));
        folder::write_secret(&dir.join(FILE_NAME), text.as_bytes())
    }

    /// Reads the master seed of the server folder `dir` and derives the keys of the week of `today`.
    ///
    /// # Errors
    /// When the file is missing, damaged or readable by others.
    pub fn read(dir: &Path, today: Day) -> std::result::Result<Self, ServerError> {
        let master = read_seed(dir)?;
        let weeks = Weeks::derive(&master, week_of(today))
            .map_err(|_| ServerError::Crypto("derive a token key"))?;
        Ok(Self {
            master,
            weeks: watch::Sender::new(weeks),
        })
    }

    /// Moves on to the keys of the week of `today`. To be called every moment.
    pub fn roll(&self, today: Day) {
        let week = week_of(today);
        self.weeks.send_if_modified(|weeks| {
            // A clock that went back keeps the newer keys: what was issued must stay good.
            if week <= weeks.week {
                return false;
            }
            match Weeks::derive(&self.master, week) {
                Ok(fresh) => *weeks = fresh,
                Err(error) => {
                    tracing::error!(code = error.code.as_str(), "token key not derived");
                    return false;
                }
            }
            true
        });
    }

    /// To be told when the keys change.
    pub fn rolls(&self) -> Rolls {
        Rolls(self.weeks.subscribe())
    }

    /// What ServerHello shows: newest first.
    pub fn shown(&self) -> Vec<TokenKey> {
        self.weeks.borrow().shown()
    }

    /// The key that issues.
    pub fn issuer(&self, kind: Kind) -> Arc<TokenIssuer> {
        let weeks = self.weeks.borrow();
        Arc::clone(match kind {
            Kind::Ordinary => &weeks.current.ordinary,
            Kind::Temporary => &weeks.current.temporary,
        })
    }

    /// Under which kind of key a token says that it was issued. Nothing is checked yet.
    ///
    /// # Errors
    /// [`Code::TokenKeyUnknown`].
    pub fn kind(&self, token: &Token) -> Result<Kind> {
        let id = token.key_id();
        let key = self.shown().into_iter().find(|key| key.id == id);
        match key {
            Some(key) if key.temporary => Ok(Kind::Temporary),
            Some(_) => Ok(Kind::Ordinary),
            None => Err(Code::TokenKeyUnknown.into()),
        }
    }

    /// Checks a token, and names what must be marked as spent and the last day on which that matters. Costs about
    /// 50 microseconds of arithmetic.
    ///
    /// # Errors
    /// [`Code::TokenKeyUnknown`] or [`Code::TokenInvalid`].
    pub fn check(&self, token: &Token) -> Result<(TokenHash, Day)> {
        let Weeks {
            week,
            current,
            previous,
        } = self.weeks.borrow().clone();
        let id: TokenKeyId = token.key_id();
        let weeks = [(&current, week), (&previous, week.saturating_sub(1))];
        let (issuer, issued_in) = weeks
            .into_iter()
            .flat_map(|(issuers, week)| [(&issuers.ordinary, week), (&issuers.temporary, week)])
            .find(|(issuer, _)| issuer.key().id == id)
            .ok_or(Code::TokenKeyUnknown)?;
        issuer.verify(token)?;
        let last_day = Day((issued_in.saturating_add(2)).saturating_mul(DAYS_OF_A_KEY));
        Ok((TokenHash(token.input_hash()), last_day))
    }
}

impl Weeks {
    fn derive(master: &Secret<32>, week: u32) -> Result<Self> {
        Ok(Self {
            week,
            current: Issuers::derive(master, week)?,
            previous: Issuers::derive(master, week.saturating_sub(1))?,
        })
    }

    /// Those for everybody first.
    fn shown(&self) -> Vec<TokenKey> {
        let weeks = [&self.current, &self.previous];
        let ordinary = weeks.map(|issuers| *issuers.ordinary.key());
        let temporary = weeks.map(|issuers| *issuers.temporary.key());
        [ordinary, temporary].concat()
    }
}

impl Issuers {
    fn derive(master: &Secret<32>, week: u32) -> Result<Self> {
        let temporary = derive(master, TEMPORARY_SEED_LABEL, week)?.for_temporary_queues();
        Ok(Self {
            ordinary: Arc::new(derive(master, SEED_LABEL, week)?),
            temporary: Arc::new(temporary),
        })
    }
}

fn derive(master: &Secret<32>, label: &[u8], week: u32) -> Result<TokenIssuer> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, master.expose());
    let mut context = hmac::Context::with_key(&key);
    context.update(label);
    context.update(&u64::from(week).to_be_bytes());
    let seed = Secret::from_slice(context.sign().as_ref())?;
    TokenIssuer::from_seed(&seed)
}

fn week_of(day: Day) -> u32 {
    day.0 / DAYS_OF_A_KEY
}

/// Checks that the seed file is there and whole.
///
/// # Errors
/// As [`TokenKeys::read`].
pub fn check_seed(dir: &Path) -> std::result::Result<(), ServerError> {
    read_seed(dir).map(drop)
}

fn read_seed(dir: &Path) -> std::result::Result<Secret<32>, ServerError> {
    let path = dir.join(FILE_NAME);
    let text = folder::read_secret(&path)?;
    let hex = Zeroizing::new(
        data_encoding::HEXLOWER
            .decode(text.trim_ascii())
            .map_err(|_| ServerError::Damaged(path.clone()))?,
    );
    Secret::from_slice(&hex).map_err(|_| ServerError::Damaged(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use undertone_wire::tokens::PendingTokens;

    fn a_token(keys: &TokenKeys) -> Token {
        let issuer = keys.issuer(Kind::Ordinary);
        let pending = PendingTokens::blind(1).expect("blind");
        let issued = issuer.evaluate(pending.blinded()).expect("evaluate");
        pending
            .finalize(issuer.key(), &issued)
            .expect("finalize")
            .pop()
            .expect("one token")
    }

    #[test]
    fn a_token_is_good_in_its_week_and_the_next() {
        let dir = tempfile::tempdir().expect("temp dir");
        TokenKeys::create_seed(dir.path()).expect("create");
        let monday = Day(7 * 2900);
        let keys = TokenKeys::read(dir.path(), monday).expect("read");
        let token = a_token(&keys);
        let (hash, last) = keys.check(&token).expect("good");
        keys.roll(Day(monday.0 + 13));
        assert_eq!(keys.check(&token).expect("good").0, hash);
        assert!(
            last.0 >= monday.0 + 13,
            "kept at least as long as it is honoured"
        );
        keys.roll(Day(monday.0 + 14));
        let late = keys.check(&token).expect_err("too old");
        assert_eq!(late.code, Code::TokenKeyUnknown);
    }

    #[test]
    fn a_restart_shows_the_same_keys_and_a_clock_that_went_back_changes_nothing() {
        let dir = tempfile::tempdir().expect("temp dir");
        TokenKeys::create_seed(dir.path()).expect("create");
        let today = Day(20_000);
        let keys = TokenKeys::read(dir.path(), today).expect("read");
        let again = TokenKeys::read(dir.path(), today).expect("read");
        let ids = |keys: &TokenKeys| keys.shown().into_iter().map(|k| k.id).collect::<Vec<_>>();
        assert_eq!(ids(&keys), ids(&again));
        keys.roll(Day(today.0 + 7));
        let next_week = ids(&keys);
        assert_eq!(next_week[1], ids(&again)[0]);
        keys.roll(Day(today.0 - 30));
        assert_eq!(ids(&keys), next_week);
    }

    #[tokio::test]
    async fn whoever_listens_is_told_once_of_each_new_week() {
        let dir = tempfile::tempdir().expect("temp dir");
        TokenKeys::create_seed(dir.path()).expect("create");
        let today = Day(7 * 2900);
        let keys = TokenKeys::read(dir.path(), today).expect("read");
        let mut rolls = keys.rolls();
        for day in 1..14 {
            keys.roll(Day(today.0 + day));
        }
        assert_eq!(rolls.next().await, keys.shown());
        keys.roll(Day(today.0 + 13));
        let more = tokio::time::timeout(std::time::Duration::from_millis(20), rolls.next());
        assert!(more.await.is_err(), "nothing new");
    }
}
