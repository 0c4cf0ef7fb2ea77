//! What people do with groups.

use undertone_core::{
    ChatInfo, ChatKind, ChatState, ContactState, InviteOptions, PolicyChange, Role,
};

use crate::world::{NAMES, Outcome, World};

const ROLES: [Role; 3] = [Role::Member, Role::Admin, Role::Owner];
/// Groups that there are at most.
const GROUPS: usize = 3;

impl World {
    async fn anybody_in_a_group(&mut self) -> Option<(usize, ChatInfo)> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        (chat.kind == ChatKind::Group).then_some((who, chat))
    }

    fn owner_of(&self, account: &undertone_core::ContactId) -> Option<usize> {
        let account = account.to_string();
        self.accounts.iter().position(|known| *known == account)
    }

    pub async fn makes_a_group(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let client = self.devices[who].person.client();
        let chats = client.chats().await.ok()?;
        let groups = chats
            .iter()
            .filter(|chat| chat.kind == ChatKind::Group)
            .count();
        if groups >= GROUPS {
            return None;
        }
        let contacts = client.contacts().await.ok()?;
        let mut ids: Vec<_> = contacts
            .into_iter()
            .filter(|contact| contact.state == ContactState::Ready)
            .map(|contact| contact.id)
            .collect();
        if ids.len() > 1 && self.one_in(2) {
            ids.pop();
        }
        let name = format!("Group {}", self.script_length());
        let line = format!("makes {name} with {} others", ids.len());
        self.does(who, &line, async |client| {
            client.create_group(&name, &ids).await
        })
        .await;
        Some(())
    }

    pub async fn adds(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let client = self.devices[who].person.client();
        let members = client.members(&chat.id).await.ok()?;
        let contacts = client.contacts().await.ok()?;
        let outside: Vec<_> = contacts
            .into_iter()
            .filter(|contact| !members.iter().any(|member| member.id == contact.id))
            .collect();
        let new = self.pick(&outside)?;
        let line = format!("in {}: adds {}", chat.name, new.name);
        self.does(who, &line, async |client| {
            client
                .group_add(&chat.id, std::slice::from_ref(&new.id))
                .await
        })
        .await;
        Some(())
    }

    async fn other_member(
        &mut self,
        who: usize,
        chat: &ChatInfo,
    ) -> Option<undertone_core::MemberInfo> {
        let members = self.devices[who]
            .person
            .client()
            .members(&chat.id)
            .await
            .ok()?;
        let others: Vec<_> = members.into_iter().filter(|member| !member.is_me).collect();
        self.pick(&others)
    }

    pub async fn removes(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let member = self.other_member(who, &chat).await?;
        let line = format!("in {}: removes {}", chat.name, member.name);
        let done = self
            .does(who, &line, async |client| {
                client.group_remove(&chat.id, &member.id).await
            })
            .await;
        if !matches!(done, Outcome::Refused(_)) {
            let gone = self.owner_of(&member.id)?;
            self.gone_from.insert(chat.id.clone());
            self.disturbed.insert((gone, chat.id));
        }
        Some(())
    }

    pub async fn leaves(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let successor = match self.one_in(2) {
            true => self.other_member(who, &chat).await,
            false => None,
        };
        let line = match &successor {
            Some(successor) => format!("leaves {}, {} is to own it", chat.name, successor.name),
            None => format!("leaves {}", chat.name),
        };
        self.does(who, &line, async |client| {
            let successor = successor.map(|successor| successor.id);
            client.group_leave(&chat.id, successor.as_ref()).await
        })
        .await;
        let owner = self.devices[who].owner;
        self.gone_from.insert(chat.id.clone());
        self.disturbed.insert((owner, chat.id));
        Some(())
    }

    pub async fn sets_a_role(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let member = self.other_member(who, &chat).await?;
        let role = self.pick(&ROLES)?;
        let line = format!("in {}: makes {} {role:?}", chat.name, member.name);
        self.does(who, &line, async |client| {
            client.group_role(&chat.id, &member.id, role).await
        })
        .await;
        Some(())
    }

    pub async fn hands_over(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let member = self.other_member(who, &chat).await?;
        let line = format!("hands {} over to {}", chat.name, member.name);
        self.does(who, &line, async |client| {
            client.group_hand_over(&chat.id, &member.id).await
        })
        .await;
        Some(())
    }

    pub async fn renames(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let name = format!("Group {}", self.script_length());
        let line = format!("renames {} to {name}", chat.name);
        self.does(who, &line, async |client| {
            client.group_rename(&chat.id, &name).await
        })
        .await;
        Some(())
    }

    pub async fn sets_a_policy(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let mut change = PolicyChange::default();
        let role = self.pick(&[Role::Member, Role::Member, Role::Admin])?;
        let part = self.pick(&["add", "rename", "pin", "set a timer", "write"])?;
        match part {
            "add" => change.add = Some(role),
            "rename" => change.rename = Some(role),
            "pin" => change.pin = Some(role),
            "write" => change.post = Some(role),
            _ => change.set_timer = Some(role),
        }
        let line = format!("in {}: {role:?} and higher may {part}", chat.name);
        self.does(who, &line, async |client| {
            client.group_policy(&chat.id, change).await
        })
        .await;
        Some(())
    }

    pub async fn invites(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let options = InviteOptions {
            expires_in_s: Some(0),
            uses: 5,
            approve: self.one_in(2),
        };
        let line = format!(
            "makes a link to {}, approve: {}",
            chat.name, options.approve
        );
        let link = self
            .does(who, &line, async |client| {
                client.create_invite(&chat.id, options).await
            })
            .await;
        if let Outcome::Done(link) = link {
            self.invites.push((chat.id, link.uri));
        }
        Some(())
    }

    pub async fn joins(&mut self) -> Option<()> {
        let (group, uri) = self.pick(&self.invites.clone())?;
        let who = self.anybody()?;
        let chat = self.devices[who].person.client().chat(&group).await;
        if chat.is_ok_and(|chat| !matches!(chat.state, ChatState::Left | ChatState::Removed)) {
            return None;
        }
        let owner = self.devices[who].owner;
        self.disturbed.insert((owner, group));
        self.does(
            who,
            "asks to be let in by a link to a group",
            async |client| client.join_group(&uri).await,
        )
        .await;
        Some(())
    }

    pub async fn answers_who_asks(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_group().await?;
        let waiting = self.devices[who]
            .person
            .client()
            .join_requests(&chat.id)
            .await
            .ok()?;
        let asks = self.pick(&waiting)?;
        let accept = !self.one_in(4);
        let line = format!("in {}: lets {} in: {accept}", chat.name, asks.name);
        self.does(who, &line, async |client| {
            client.answer_join(&chat.id, &asks.id, accept).await
        })
        .await;
        Some(())
    }

    fn script_length(&self) -> String {
        format!("{}", self.words.len())
    }
}

/// Whose account it is.
pub fn name_of(accounts: &[String], account: &str) -> String {
    accounts
        .iter()
        .position(|known| known == account)
        .map_or_else(|| account.to_owned(), |at| NAMES[at].to_owned())
}
