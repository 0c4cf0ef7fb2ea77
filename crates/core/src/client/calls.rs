use std::{path::Path, time::Duration};
use super::{Client, EventStream};
use crate::{error::{Error, Reason, Result}, ids::{ChatId, ContactId, LinkId, MessageId}, view::*};

fn not_yet<T>() -> Result<T> { Err(Error::Reason(Reason::NotYet)) }

#[allow(clippy::unused_async, missing_docs, unused_variables)]
impl Client {
    pub async fn start(&self) -> Result<()> { not_yet() }
    pub async fn settle(&self, limit: Duration) -> Result<Settled> { not_yet() }
    pub async fn close(&self) -> Result<()> { not_yet() }
    pub fn events(&self) -> EventStream { EventStream::new(self.inner.events.subscribe()) }
    pub async fn account(&self) -> Result<AccountInfo> { not_yet() }
    pub async fn status(&self) -> Result<Status> { not_yet() }
    pub async fn create_link(&self, options: LinkOptions) -> Result<LinkInfo> { not_yet() }
    pub async fn links(&self) -> Result<Vec<LinkInfo>> { not_yet() }
    pub async fn revoke_link(&self, link: &LinkId) -> Result<()> { not_yet() }
    pub async fn add_contact(&self, link: &str) -> Result<AddResult> { not_yet() }
    pub async fn contacts(&self) -> Result<Vec<ContactInfo>> { not_yet() }
    pub async fn find_contact(&self, selector: &str) -> Result<ContactInfo> { not_yet() }
    pub async fn safety_number(&self, contact: &ContactId) -> Result<SafetyNumber> { not_yet() }
    pub async fn set_verified(&self, contact: &ContactId, verified: bool) -> Result<()> { not_yet() }
    pub async fn check_safety_code(&self, contact: &ContactId, scanned: &[u8]) -> Result<bool> { not_yet() }
    pub async fn chats(&self) -> Result<Vec<ChatInfo>> { not_yet() }
    pub async fn chat(&self, chat: &ChatId) -> Result<ChatInfo> { not_yet() }
    pub async fn find_chat(&self, selector: &str) -> Result<ChatInfo> { not_yet() }
    pub async fn members(&self, chat: &ChatId) -> Result<Vec<MemberInfo>> { not_yet() }
    pub async fn create_group(&self, name: &str, members: &[ContactId]) -> Result<GroupResult> { not_yet() }
    pub async fn group_add(&self, chat: &ChatId, contacts: &[ContactId]) -> Result<Delivery> { not_yet() }
    pub async fn group_remove(&self, chat: &ChatId, contact: &ContactId) -> Result<Delivery> { not_yet() }
    pub async fn group_leave(&self, chat: &ChatId) -> Result<Delivery> { not_yet() }
    pub async fn group_role(&self, chat: &ChatId, contact: &ContactId, role: Role) -> Result<Delivery> { not_yet() }
    pub async fn group_rename(&self, chat: &ChatId, name: &str) -> Result<Delivery> { not_yet() }
    pub async fn enqueue(&self, chat: &ChatId, draft: Draft) -> Result<Sent> { not_yet() }
    pub async fn wait_sent(&self, chat: &ChatId, local_id: i64, limit: Duration) -> Result<Delivery> { not_yet() }
    pub async fn send(&self, chat: &ChatId, draft: Draft) -> Result<Sent> { not_yet() }
    pub async fn messages(&self, chat: &ChatId, page: Page) -> Result<Vec<MessageInfo>> { not_yet() }
    pub async fn message(&self, chat: &ChatId, id: &str) -> Result<MessageInfo> { not_yet() }
    pub async fn mark_read(&self, chat: &ChatId, up_to_local_id: i64) -> Result<()> { not_yet() }
    pub async fn save(&self, chat: &ChatId, message: &MessageId, index: u32, to: &Path) -> Result<Saved> { not_yet() }
}
