//! Links to groups: making and withdrawing them, answering who asks, and asking to be let in.

use std::time::Duration;

use undertone_mls::{AccountId, invite as sealed};
use undertone_wire::{
    secrets::{AddressSecret, LinkSecret},
    strings::GroupLink,
};

use super::{Client, groups::group_row};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId, InviteId},
    query,
    sync::{Engine, invite, join},
    view::*,
};

/// A link's life if nothing else is said.
const WEEK_S: u64 = 7 * 24 * 3600;
/// How long the server, and whoever lets one in, may take.
const WAIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(15);

/// The text of an open link, from its row.
fn uri(db: &rusqlite::Connection, engine: &Engine, row: i64) -> Result<String> {
    let (secret, expires, address): (Vec<u8>, i64, Vec<u8>) = db.query_row(
        "SELECT i.secret, i.expires_at_ms, a.secret FROM invites i JOIN addresses a ON a.id = i.address WHERE i.id = ?1",
        [row],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let link = GroupLink {
        server: engine.me.server.clone(),
        account: engine.me.account,
        secret: LinkSecret::from_slice(&secret)?,
        address: AddressSecret::from_slice(&address)?,
        public_key: sealed::public_key(&engine.me.keys())?,
        expires_s: u64::try_from(expires / 1000).ok().filter(|at| *at > 0),
    };
    Ok(link.to_string())
}

impl Client {
    /// Makes a link to a group. It is given out only once the server knows its address.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`, `link.too_many`; `connection.offline` if the server was not reached in time; the link is withdrawn then.
    pub async fn create_invite(&self, chat: &ChatId, options: InviteOptions) -> Result<InviteInfo> {
        let wanted = chat.clone();
        let (row, id) = self
            .write(move |work| {
                let row = group_row(work, &wanted)?;
                let life = options.expires_in_s.unwrap_or(WEEK_S);
                let life_ms = i64::try_from(life.saturating_mul(1000)).unwrap_or(i64::MAX);
                let new = invite::New {
                    expires_at_ms: if life == 0 {
                        0
                    } else {
                        work.now_ms.saturating_add(life_ms)
                    },
                    uses: options.uses.clamp(1, 1000),
                    approve: options.approve,
                };
                invite::create(work, &row, &new)
            })
            .await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        while !self.write(move |work| invite::is_made(work, row)).await? {
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                self.write(move |work| invite::revoke(work, row)).await?;
                return Err(Reason::Offline.into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let all = self.invites(chat).await?;
        let id = InviteId::from_bytes(&id);
        let made = |info: &InviteInfo| info.is_here && info.id == id;
        Ok(all.into_iter().find(made).ok_or(Reason::LinkUnknown)?)
    }

    /// The links to a group, the first one first: those of this device with their text, and those of others that it has heard of.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn invites(&self, chat: &ChatId) -> Result<Vec<InviteInfo>> {
        // One whose time is over is shown so at once.
        self.write(invite::tick).await?;
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            let now_ms = engine.clock.now_ms();
            query::invites(db, &engine.me, row.id, &chat, now_ms, |row| {
                uri(db, engine, row)
            })
        })
        .await
    }

    /// Withdraws a link: nobody can ask by it from then on. One that another device made ends as soon as that device hears of it. Links of
    /// one's own account may be withdrawn, and by admins those of others.
    ///
    /// # Errors
    /// `link.unknown`, `group.forbidden`, `chat.closed`.
    pub async fn revoke_invite(&self, id: &InviteId) -> Result<()> {
        let id = id.bytes()?;
        let _turn = self.inner.turn.lock().await;
        self.write(move |work| invite::withdraw(work, id)).await
    }

    /// Who asks this device to be let in to a group.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn join_requests(&self, chat: &ChatId) -> Result<Vec<JoinRequestInfo>> {
        let chat = chat.clone();
        self.read(move |snapshot, _| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::join_requests(db, row.id)
        })
        .await
    }

    /// Lets somebody in who asks, or not; they are told nothing then.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`, `request.unknown`.
    pub async fn answer_join(
        &self,
        chat: &ChatId,
        contact: &ContactId,
        accept: bool,
    ) -> Result<()> {
        let (chat, account) = (chat.clone(), AccountId::new(contact.bytes()?));
        self.write(move |work| {
            let row = group_row(work, &chat)?;
            if accept {
                invite::admit(work, &row, &account)
            } else {
                invite::decline(work, &row, &account)
            }
        })
        .await
    }

    /// Asks to be let in to a group by a link, and waits a while for that. Without the server it is asked as soon as it is there.
    ///
    /// # Errors
    /// `text.*` and `link.*` (damaged, expired, used or withdrawn, one's own).
    pub async fn join_group(&self, text: &str) -> Result<JoinResult> {
        let link: GroupLink = text.parse()?;
        let now_s = u64::try_from(self.inner.engine.clock.now_ms() / 1000).unwrap_or(0);
        if link.expires_s.is_some_and(|at| at <= now_s) {
            return Err(Reason::LinkExpired.into());
        }
        let text = text.trim().to_owned();
        let row = self
            .write(move |work| join::begin(work, &link, &text))
            .await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        // Whoever has to ask a person first is not waited for as long.
        let mut asked_since = None;
        loop {
            let progress = self
                .read(move |snapshot, _| join::progress(snapshot.connection(), row))
                .await?;
            if let Some(failure) = progress.failure {
                return Err(failure.into());
            }
            if progress.conversation != 0 {
                let chat = self
                    .read(move |snapshot, _| {
                        query::chat_id(snapshot.connection(), progress.conversation)
                    })
                    .await?;
                return Ok(JoinResult {
                    state: JoinState::In,
                    chat: Some(chat),
                });
            }
            if progress.sent && asked_since.is_none() {
                asked_since = Some(tokio::time::Instant::now());
            }
            let waited = asked_since.is_some_and(|since| since.elapsed() > WAIT / 4);
            if waited
                || !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(JoinResult {
                    state: if progress.sent {
                        JoinState::Asked
                    } else {
                        JoinState::Queued
                    },
                    chat: None,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
