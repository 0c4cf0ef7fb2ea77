//! Making and changing groups: every wish is an intent first, and a commit when its turn comes.

use std::time::Duration;

use undertone_mls::{AccountId, Act, Change, Role as MlsRole};

use super::{Client, life::check_name};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId},
    query,
    sync::{
        Work, add, contact,
        conversation::{self, Conversation, Kind, State, role_number},
        devices, elsewhere, ending, intent, outbox, policy, request,
        take::{self, Source},
    },
    view::*,
};

/// How long the server may take.
const WAIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(15);

pub(crate) fn mls_role(role: Role) -> MlsRole {
    match role {
        Role::Member => MlsRole::Member,
        Role::Admin => MlsRole::Admin,
        Role::Owner => MlsRole::Owner,
    }
}

/// Notes that a contact is to be added, with key packages from the pool that they keep for this account.
fn want(work: &Work<'_>, conversation: i64, contact: &AccountId) -> Result<i64> {
    let (direct, ready) = contact::conversation(work.db, contact)?.ok_or(Reason::ContactUnknown)?;
    if !ready {
        return Err(Reason::ContactNotReady.into());
    }
    let row = conversation::load(work.db, direct)?;
    let mut server = String::new();
    let sources: Vec<Source> = work.group(&row.group, |group| {
        let mut sources = Vec::new();
        for member in group.members()? {
            if member.account != *contact {
                continue;
            }
            let at = elsewhere::of_member(work, group, &member);
            let Some(kp_key) = member.kp_key else {
                continue;
            };
            // All devices of an account are on one server.
            if sources.is_empty() {
                server = at;
            } else if server != at {
                continue;
            }
            sources.push(Source {
                secret: member.address,
                kp_key,
            });
        }
        Ok(sources)
    })?;
    if sources.is_empty() {
        return Err(Reason::ContactNotReady.into());
    }
    let intent = intent::add(
        work,
        conversation,
        intent::Kind::Add,
        contact.as_bytes(),
        0,
        work.now_ms,
    )?;
    take::push_at(
        work,
        take::Purpose::Intent,
        intent,
        contact,
        &sources,
        &server,
    )?;
    Ok(intent)
}

/// The group, if it can be changed.
pub(super) fn group_row(work: &Work<'_>, chat: &ChatId) -> Result<Conversation> {
    let row = query::conversation_of(work.db, chat)?;
    if row.kind != Kind::Group {
        return Err(Reason::NotAGroup.into());
    }
    if matches!(row.state, State::Left | State::Removed) || row.leaving {
        return Err(Reason::ChatClosed.into());
    }
    Ok(row)
}

/// Refuses what every other member's app would refuse too, so that it can be said at once.
fn check_may(work: &Work<'_>, row: &Conversation, change: &Change) -> Result<()> {
    let me = &work.me.account;
    let may = work.group(&row.group, |group| {
        let settings = group.settings();
        let own = settings.role(me);
        let owners = settings
            .roles
            .values()
            .filter(|role| **role == MlsRole::Owner)
            .count();
        Ok(match change {
            Change::Add(_) => settings.may(me, Act::Add),
            Change::Rename(_) => settings.may(me, Act::Rename),
            Change::SetPolicy(policy) => settings.may_set(me, policy),
            Change::HandOver(_) => own == MlsRole::Owner,
            Change::RemoveAccount(account) => {
                own == MlsRole::Owner
                    || (own == MlsRole::Admin && settings.role(account) == MlsRole::Member)
            }
            Change::SetRole(account, role) => {
                let last = *role != MlsRole::Owner
                    && settings.role(account) == MlsRole::Owner
                    && owners == 1;
                if last {
                    return Err(Reason::GroupLastOwner.into());
                }
                own == MlsRole::Owner
            }
            _ => true,
        })
    })?;
    if may {
        Ok(())
    } else {
        Err(Reason::GroupForbidden.into())
    }
}

fn is_member(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<bool> {
    work.group(&row.group, |group| {
        Ok(group.accounts()?.contains_key(account))
    })
}

impl Client {
    /// Makes a group with contacts; this account owns it.
    ///
    /// # Errors
    /// `group.name_invalid`, `group.no_members`, `contact.unknown`, `contact.not_ready`.
    pub async fn create_group(&self, name: &str, members: &[ContactId]) -> Result<GroupResult> {
        let name = check_name(name, 128, Reason::GroupNameInvalid)?;
        let mut accounts = Vec::new();
        for member in members {
            let account = AccountId::new(member.bytes()?);
            if !accounts.contains(&account) && account != self.inner.engine.me.account {
                accounts.push(account);
            }
        }
        if accounts.is_empty() {
            return Err(Reason::GroupNoMembers.into());
        }
        let (id, intents) = self
            .write(move |work| {
                let id = add::create(work, undertone_mls::Kind::Group, &name, None)?;
                let intents = accounts
                    .iter()
                    .map(|account| want(work, id, account))
                    .collect::<Result<Vec<_>>>()?;
                Ok((id, intents))
            })
            .await?;
        let state = self.wait_intents(intents).await?;
        let chat = self
            .read(move |snapshot, _| {
                Ok(ChatId::from_bytes(
                    conversation::load(snapshot.connection(), id)?
                        .group
                        .as_bytes(),
                ))
            })
            .await?;
        Ok(GroupResult { chat, state })
    }

    /// Waits until the commits of these wishes are merged.
    ///
    /// # Errors
    /// Why one of them came to nothing.
    async fn wait_intents(&self, intents: Vec<i64>) -> Result<Delivery> {
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            let waiting = intents.clone();
            let left = self
                .read(move |snapshot, _| {
                    let mut left = false;
                    for intent in &waiting {
                        left |= snapshot
                            .connection()
                            .prepare_cached("SELECT 1 FROM intents WHERE id = ?1")?
                            .exists([intent])?;
                    }
                    Ok(left)
                })
                .await?;
            if !left {
                let engine = &self.inner.engine;
                let voided: Vec<_> = intents
                    .iter()
                    .filter_map(|wish| engine.take_voided(*wish))
                    .collect();
                return match voided.first() {
                    None => Ok(Delivery::Accepted),
                    Some(why) => Err((*why).into()),
                };
            }
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(Delivery::Queued);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Adds contacts to a group.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`, `contact.*`.
    pub async fn group_add(&self, chat: &ChatId, contacts: &[ContactId]) -> Result<Delivery> {
        let chat = chat.clone();
        let accounts = contacts
            .iter()
            .map(|contact| Ok(AccountId::new(contact.bytes()?)))
            .collect::<Result<Vec<_>>>()?;
        let intents = self
            .write(move |work| {
                let row = group_row(work, &chat)?;
                check_may(work, &row, &Change::Add(Vec::new()))?;
                let mut intents = Vec::new();
                for account in &accounts {
                    if is_member(work, &row, account)? {
                        return Err(Reason::GroupAlreadyMember.into());
                    }
                    intents.push(want(work, row.id, account)?);
                }
                Ok(intents)
            })
            .await?;
        self.wait_intents(intents).await
    }

    /// Notes a wish about a member, and waits for it.
    async fn wish(
        &self,
        chat: &ChatId,
        kind: intent::Kind,
        subject: Vec<u8>,
        value: i64,
        change: impl FnOnce() -> Change + Send + 'static,
    ) -> Result<Delivery> {
        let chat = chat.clone();
        let intent = self
            .write(move |work| {
                let row = group_row(work, &chat)?;
                if matches!(
                    kind,
                    intent::Kind::Remove | intent::Kind::SetRole | intent::Kind::HandOver
                ) {
                    let account = AccountId::from_slice(&subject)?;
                    if !is_member(work, &row, &account)? {
                        return Err(Reason::GroupNotMember.into());
                    }
                }
                check_may(work, &row, &change())?;
                intent::add(work, row.id, kind, &subject, value, work.now_ms)
            })
            .await?;
        self.wait_intents(vec![intent]).await
    }

    /// Removes a member.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`.
    pub async fn group_remove(&self, chat: &ChatId, contact: &ContactId) -> Result<Delivery> {
        let account = AccountId::new(contact.bytes()?);
        if account == self.inner.engine.me.account {
            return self.leave(chat).await;
        }
        let subject = account.as_bytes().to_vec();
        self.wish(chat, intent::Kind::Remove, subject, 0, move || {
            Change::RemoveAccount(account)
        })
        .await
    }

    /// Gives a member a role.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`.
    pub async fn group_role(
        &self,
        chat: &ChatId,
        contact: &ContactId,
        role: Role,
    ) -> Result<Delivery> {
        let account = AccountId::new(contact.bytes()?);
        let role = mls_role(role);
        let subject = account.as_bytes().to_vec();
        self.wish(
            chat,
            intent::Kind::SetRole,
            subject,
            role_number(role),
            move || Change::SetRole(account, role),
        )
        .await
    }

    /// Names a group.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`.
    pub async fn group_rename(&self, chat: &ChatId, name: &str) -> Result<Delivery> {
        let name = check_name(name, 128, Reason::GroupNameInvalid)?;
        let subject = name.clone().into_bytes();
        self.wish(chat, intent::Kind::Rename, subject, 0, move || {
            Change::Rename(name)
        })
        .await
    }

    /// Sets who may do what in a group. Admins and owners may; what is or becomes for owners only, owners.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`.
    pub async fn group_policy(&self, chat: &ChatId, change: PolicyChange) -> Result<Delivery> {
        let chat = chat.clone();
        let intent = self
            .write(move |work| {
                let row = group_row(work, &chat)?;
                let subject = intent::policy_subject(|act| change.lowest(act).map(mls_role));
                let wanted = work.group(&row.group, |group| {
                    Ok(intent::wanted_policy(&group.policy(), &subject))
                })?;
                check_may(work, &row, &Change::SetPolicy(wanted))?;
                intent::add(
                    work,
                    row.id,
                    intent::Kind::SetPolicy,
                    &subject,
                    0,
                    work.now_ms,
                )
            })
            .await?;
        self.wait_intents(vec![intent]).await
    }

    /// Makes a member owner in this account's place, which stays as an admin.
    ///
    /// # Errors
    /// `chat.unknown`, `group.*`.
    pub async fn group_hand_over(&self, chat: &ChatId, contact: &ContactId) -> Result<Delivery> {
        let account = AccountId::new(contact.bytes()?);
        if account == self.inner.engine.me.account {
            return Err(Reason::GroupNotMember.into());
        }
        let subject = account.as_bytes().to_vec();
        self.wish(chat, intent::Kind::HandOver, subject, 0, move || {
            Change::HandOver(account)
        })
        .await
    }

    /// Sets how long new messages stay once they were read; 0: for good. In a group who may is its policy; in a direct chat both.
    ///
    /// # Errors
    /// `chat.unknown`, `chat.closed`, `group.forbidden`, `message.timer_invalid`.
    pub async fn set_timer(&self, chat: &ChatId, timer_s: u32) -> Result<Delivery> {
        if timer_s > LONGEST_TIMER_S {
            return Err(Reason::TimerInvalid.into());
        }
        let chat = chat.clone();
        let intent = self
            .write(move |work| {
                let row = query::conversation_of(work.db, &chat)?;
                if matches!(row.state, State::Left | State::Removed) || row.leaving {
                    return Err(Reason::ChatClosed.into());
                }
                request::check(&row)?;
                policy::check(work, &row, Act::SetTimer)?;
                intent::add(
                    work,
                    row.id,
                    intent::Kind::SetTimer,
                    &[],
                    i64::from(timer_s),
                    work.now_ms,
                )
            })
            .await?;
        self.wait_intents(vec![intent]).await
    }

    /// Asks to leave; another member's app takes this account out as soon as it sees that. Where this device has lost the thread nobody
    /// can be asked: it leaves at once, and a member has to take it out. So does whoever is alone.
    ///
    /// The last owner says who is to be owner then.
    ///
    /// # Errors
    /// `chat.unknown`, `group.not_a_group`, `group.last_owner`, `group.not_member`, `chat.closed`; `group.handing_over` when the server
    /// has not taken the change of owner yet.
    pub async fn group_leave(
        &self,
        chat: &ChatId,
        successor: Option<&ContactId>,
    ) -> Result<Delivery> {
        if let Some(successor) = successor
            && self.group_hand_over(chat, successor).await? == Delivery::Queued
        {
            return Err(Reason::GroupHandingOver.into());
        }
        self.leave(chat).await
    }

    async fn leave(&self, chat: &ChatId) -> Result<Delivery> {
        let wanted = chat.clone();
        self.write(move |work| {
            let row = group_row(work, &wanted)?;
            if row.state == State::Resyncing {
                return ending::leave_unheard(work, &row);
            }
            let (owners, others, mine) = work.group(&row.group, |group| {
                let accounts = group.accounts()?;
                let owner = |role: &MlsRole| *role == MlsRole::Owner;
                Ok((
                    accounts.values().filter(|role| owner(role)).count(),
                    accounts.len() - 1,
                    accounts.get(&work.me.account).is_some_and(owner),
                ))
            })?;
            if others == 0 {
                return ending::leave_alone(work, &row);
            }
            if mine && owners == 1 {
                return Err(Reason::GroupLastOwner.into());
            }
            work.db.execute(
                "UPDATE conversations SET leaving = 1 WHERE id = ?1",
                [row.id],
            )?;
            // All of the account's devices go; the others' leaves are this one's to take out.
            devices::take_siblings_out(work, &row)?;
            outbox::push_leave(work, row.id)
        })
        .await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            let chat = self.chat(chat).await?;
            if matches!(chat.state, ChatState::Left | ChatState::Removed) {
                return Ok(Delivery::Accepted);
            }
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(Delivery::Queued);
            }
            let (leaves, sent) = {
                let wanted = chat.id.clone();
                self.read(move |snapshot, _| {
                    let db = snapshot.connection();
                    let row = query::conversation_of(db, &wanted)?;
                    let waits = db
                        .prepare_cached(
                            "SELECT 1 FROM outbox WHERE conversation = ?1 AND kind = 2 AND state < 3",
                        )?
                        .exists([row.id])?;
                    let leaves = row.leaving || matches!(row.state, State::Left | State::Removed);
                    Ok((leaves, !waits))
                })
                .await?
            };
            if !leaves {
                // Somebody made this account the only owner meanwhile.
                return Err(Reason::GroupLastOwner.into());
            }
            if sent {
                return Ok(Delivery::Accepted);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
