//! The account's own name and picture, and the pictures of others.

use data_encoding::BASE64;
use rusqlite::{Connection, OptionalExtension as _};

use super::Client;
use crate::{
    error::{Reason, Result},
    ids::ContactId,
    media,
    sync::profile,
    view::{OwnProfile, PersonPicture},
};

/// What of the profile is to change; what is None stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// The name that others see, at most 64 bytes.
    pub name: Option<String>,
    /// A picture: JPEG, PNG, WebP or GIF. Some(None): none any more.
    pub picture: Option<Option<Vec<u8>>>,
}

fn picture(db: &Connection, account: &[u8]) -> Result<Vec<u8>> {
    Ok(db
        .prepare_cached("SELECT picture FROM profiles WHERE account_id = ?1 AND as_it_came = 0")?
        .query_row([account], |row| row.get(0))
        .optional()?
        .unwrap_or_default())
}

impl Client {
    /// What this account says of itself.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn profile(&self) -> Result<OwnProfile> {
        self.read(|snapshot, engine| {
            let picture = picture(snapshot.connection(), engine.me.account.as_bytes())?;
            Ok(OwnProfile {
                name: engine.me.name(),
                picture: (!picture.is_empty()).then(|| BASE64.encode(&picture)),
            })
        })
        .await
    }

    /// Changes it, and has it told to everybody this account talks with. The middle of the picture is taken, made small, and loses all but
    /// its pixels.
    ///
    /// # Errors
    /// `name.invalid`; `media.*` if the picture can't be taken.
    pub async fn set_profile(&self, change: ProfileChange) -> Result<OwnProfile> {
        self.inner
            .engine
            .blocking(move |engine| {
                let face = match change.picture {
                    Some(Some(bytes)) => Some(media::profile_picture(&bytes)?),
                    Some(None) => Some(Vec::new()),
                    None => None,
                };
                engine.write(|work| {
                    let name = match &change.name {
                        Some(name) => profile::fit_name(name, 64)
                            .ok_or(Reason::NameInvalid)?
                            .to_owned(),
                        None => work.me.name(),
                    };
                    let face = match face {
                        Some(face) => face,
                        None => picture(work.db, work.me.account.as_bytes())?,
                    };
                    profile::set(work, name, face)
                })
            })
            .await?;
        self.profile().await
    }

    /// Of whom there is a picture, this account included, and of which version it is.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn pictures(&self) -> Result<Vec<PersonPicture>> {
        self.read(|snapshot, _| {
            let mut statement = snapshot.connection().prepare_cached(
                "SELECT account_id, stamp FROM profiles WHERE picture <> x'' AND as_it_came = 0 ORDER BY account_id",
            )?;
            let rows = statement
                .query_map([], |row| {
                    Ok(PersonPicture {
                        contact: ContactId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                        version: row.get::<_, i64>(1)?.to_string(),
                    })
                })?
                .collect::<std::result::Result<Vec<_>, _>>()?;
            Ok(rows)
        })
        .await
    }

    /// Somebody's picture, JPEG, base64; None: there is none.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn picture_of(&self, contact: &ContactId) -> Result<Option<String>> {
        let account = contact.bytes()?;
        self.read(move |snapshot, _| {
            let found = picture(snapshot.connection(), &account)?;
            Ok((!found.is_empty()).then(|| BASE64.encode(&found)))
        })
        .await
    }
}
