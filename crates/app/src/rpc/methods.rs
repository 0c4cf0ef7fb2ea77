//! The table of methods. The dispatcher, the command line's typed calls, the TypeScript types and the list in `docs/rpc.md`
//! all come from it, so that they can't differ.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use undertone_core::{
    AccountInfo, AddResult, AnnouncementInfo, BackupCheck, BackupReport, BackupState, BlockedInfo,
    ChatInfo, ChatPage, ChatStorage, CleanedUp, ContactInfo, Delivery, DeviceInfo, DeviceState,
    Draft, GroupResult, HistoryInfo, InviteInfo, InviteOptions, JoinRequestInfo, JoinResult,
    KillStatus, LinkInfo, LinkOptions, MemberInfo, MessageInfo, OtherAccount, OwnProfile, Page,
    PersonPicture, Protection, Receipt, ReportInfo, RequestInfo, SafetyNumber, Saved, Search, Sent,
    Settings, SettingsChange, Settled, SocksProxy, Status, Version, Wiped, home::panic::Press,
};

use super::{
    RPC_VERSION,
    answers::*,
    method::{call, confirmed, methods, wait},
    params::*,
    profile_params::*,
    protection_params::{self as protection, *},
};
pub use super::{
    context::{Context, Network, Subscription},
    method::{Entry, Method},
};
use crate::{
    export::{self, Exported},
    failure::Failure,
};

methods! {
    #[doc = "Says who answers, and how it reaches the server."]
    SessionHello = "session.hello" (Hello) -> Greeting, |context, _| Greeting {
        app: "undertone".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rpc: RPC_VERSION,
        proxy: context.client.status().await?.proxy,
        online: context.network.online,
    };

    #[doc = "This account, device and server."]
    AccountGet = "account.get" (Nothing) -> AccountInfo, |context, _| context.client.account().await?;

    #[doc = "Reaches the server through a SOCKS5 proxy from now on, or straight, and remembers it. All connections are opened anew."]
    ConnectionSetProxy = "connection.set_proxy" (ChosenProxy) -> Done, |context, params| {
        let proxy = params.proxy.map(|proxy| proxy.trim().parse::<SocksProxy>()).transpose()?;
        context.client.set_proxy(proxy).await?;
        Done {}
    };

    #[doc = "What this account says of itself."]
    ProfileGet = "profile.get" (Nothing) -> OwnProfile, |context, _| context.client.profile().await?;

    #[doc = "Changes it, and has everybody told whom this account talks with, inside encrypted messages."]
    ProfileSet = "profile.set" (SetProfile) -> OwnProfile, |context, params| context.client.set_profile(params.change()?).await?;

    #[doc = "Of whom there is a picture, this account included; `contact_changed` and `chat_changed` events say when to look."]
    PicturesList = "pictures.list" (Nothing) -> Vec<PersonPicture>, |context, _| context.client.pictures().await?;

    #[doc = "Somebody's picture. It was encoded on this device, whatever its sender made."]
    PicturesGet = "pictures.get" (WhosePicture) -> ShownPicture, |context, params| ShownPicture {
        picture: context.client.picture_of(&params.contact).await?,
    };

    #[doc = "What the operator of this account's server tells everybody there: plain text that proves nothing. `announcements_changed` events say when to look."]
    AnnouncementsList = "announcements.list" (Nothing) -> Vec<AnnouncementInfo>, |context, _| context.client.announcements().await?;

    #[doc = "Says that the owner has read an announcement: it is not to be shown any more, on any device of the account."]
    AnnouncementsDismiss = "announcements.dismiss" (OneAnnouncement) -> Done, |context, params| {
        context.client.dismiss_announcement(&params.announcement).await?;
        Done {}
    };

    #[doc = "The connection to the server, and what waits to be sent."]
    StatusGet = "status.get" (Nothing) -> Status, |context, _| context.client.status().await?;

    #[doc = "Waits until everything that can be sent was accepted by the server and the mailbox is empty, or until the limit (20 seconds when left out)."]
    SyncSettle = "sync.settle" (Settle) -> Settled, |context, params| {
        if context.network.online {
            context.client.settle(wait(params.limit_ms.unwrap_or(20_000))).await?
        } else {
            let outbox_left = context.client.status().await?.outbox_waiting;
            Settled { online: false, outbox_left, problem: None }
        }
    };

    #[doc = "The account's devices, the oldest first."]
    DevicesList = "devices.list" (Nothing) -> Vec<DeviceInfo>, |context, _| context.client.devices().await?;

    #[doc = "Takes the code that a new device shows. `linking.get` then has the words to compare; `linking` events say when to look."]
    DevicesLink = "devices.link" (GivenCode) -> Done, |context, params| {
        context.client.begin_linking(&params.code, params.history).await?;
        Done {}
    };

    #[doc = "What was said before, on its way to devices that were linked with it; `history_changed` events say when to look."]
    DevicesHistory = "devices.history" (Nothing) -> Vec<HistoryInfo>, |context, _| context.client.histories().await?;

    #[doc = "The linking that is under way, or why the last one failed."]
    LinkingGet = "linking.get" (Nothing) -> CurrentLinking, |context, _| CurrentLinking { linking: context.client.linking().await? };

    #[doc = "Says that both devices show the same words: the new one is given the account once its owner says so there too."]
    LinkingConfirm = "linking.confirm" (Nothing) -> Done, |context, _| {
        context.client.confirm_linking().await?;
        Done {}
    };

    #[doc = "Ends the linking: the words differ, or it is not wanted."]
    LinkingCancel = "linking.cancel" (Nothing) -> Done, |context, _| {
        context.client.cancel_linking().await?;
        Done {}
    };

    #[doc = "Gives a device another name; only the account's devices see it."]
    DevicesRename = "devices.rename" (RenamedDevice) -> Done, |context, params| {
        context.client.rename_device(&params.device, &params.name).await?;
        Done {}
    };

    #[doc = "Takes a device out of the account and of every conversation. Without the recovery phrase that is not safe against a thief who opened it."]
    DevicesRemove = "devices.remove" (RemovedDevice) -> Done, |context, params| {
        let phrase = params.recovery_phrase.map(zeroize::Zeroizing::new);
        context.client.remove_device(&params.device, phrase.as_ref().map(|words| words.as_str())).await?;
        Done {}
    };

    #[doc = "Whether another device has removed this one from the account: then it receives nothing any more."]
    DevicesIsRemoved = "devices.is_removed" (Nothing) -> DeviceRemoved, |context, _| DeviceRemoved { removed: context.client.is_removed().await? };

    #[doc = "Makes an encrypted backup in a folder, or brings the one there up to date; only the recovery phrase opens it. `backup` events tell how far it is. The phrase is needed only if `backups.get` says that this device is not ready."]
    BackupsMake = "backups.make" (NewBackup) -> BackupReport, |context, params| {
        if !params.folder.is_absolute() {
            return Err(Failure::new("rpc.invalid_params", "The folder must be given as an absolute path."));
        }
        let phrase = params.recovery_phrase.map(zeroize::Zeroizing::new);
        context.client.make_backup(&params.folder, params.media, phrase.as_ref().map(|words| words.as_str())).await?
    };

    #[doc = "Ends the backup that is being made; the one before stays whole."]
    BackupsCancel = "backups.cancel" (Nothing) -> Done, |context, _| {
        context.client.cancel_backup();
        Done {}
    };

    #[doc = "Whether this device can make backups without the recovery phrase, when it last did, and whether it does so now."]
    BackupsGet = "backups.get" (Nothing) -> BackupState, |context, _| context.client.backup_state().await?;

    #[doc = "Opens every part of a backup with the recovery phrase and checks it."]
    BackupsVerify = "backups.verify" (ChosenBackup) -> BackupCheck, |_context, params| {
        if !params.folder.is_absolute() {
            return Err(Failure::new("rpc.invalid_params", "The folder must be given as an absolute path."));
        }
        let phrase = zeroize::Zeroizing::new(params.recovery_phrase);
        undertone_core::Client::check_backup(&params.folder, &phrase, |_, _| {}).await?
    };

    #[doc = "Makes a contact link to give to one person. Needs the server."]
    LinksCreate = "links.create" (NewLink) -> LinkInfo, |context, params| {
        let uses = params.uses.unwrap_or(1);
        if !(1..=100).contains(&uses) {
            return Err(Failure::new("rpc.invalid_params", "A link can be used by 1 to 100 people."));
        }
        context.client.create_link(LinkOptions { expires_in_s: params.expires_in_s, uses, ask: params.ask }).await?
    };

    #[doc = "All contact links that this device made."]
    LinksList = "links.list" (Nothing) -> Vec<LinkInfo>, |context, _| context.client.links().await?;

    #[doc = "Withdraws a contact link: nobody can use it from then on."]
    LinksRevoke = "links.revoke" (OneLink) -> Done, |context, params| {
        context.client.revoke_link(&params.link).await?;
        Done {}
    };

    #[doc = "Adds the person who made a contact link. Offline it is queued: the contact then is null, and comes with `contact_added`."]
    ContactsAdd = "contacts.add" (GivenLink) -> AddResult, |context, params| context.client.add_contact(params.link.trim()).await?;

    #[doc = "All contacts."]
    ContactsList = "contacts.list" (Nothing) -> Vec<ContactInfo>, |context, _| context.client.contacts().await?;

    #[doc = "The contact that a person means by a name, a unique beginning of one, or an id."]
    ContactsFind = "contacts.find" (Selector) -> ContactInfo, |context, params| context.client.find_contact(&params.selector).await?;

    #[doc = "Who is blocked, also those who are no contacts."]
    ContactsBlocked = "contacts.blocked" (Nothing) -> Vec<BlockedInfo>, |context, _| context.client.blocked().await?;

    #[doc = "People whom one does not know, who came by a link that asks first: they wait to be accepted. Until then nothing of their files is fetched or shown, and they are told nothing."]
    RequestsList = "requests.list" (Nothing) -> Vec<RequestInfo>, |context, _| context.client.requests().await?;

    #[doc = "The request that a person means by a name, a unique beginning of one, or an id."]
    RequestsFind = "requests.find" (Selector) -> RequestInfo, |context, params| context.client.find_request(&params.selector).await?;

    #[doc = "Makes somebody who waits a contact, not verified yet."]
    RequestsAccept = "requests.accept" (OneContact) -> Done, |context, params| {
        context.client.accept_request(&params.contact).await?;
        Done {}
    };

    #[doc = "Deletes a request with everything in it; with `block`, the person can't make another one. They are not told."]
    RequestsRefuse = "requests.refuse" (RefuseRequest) -> Done, |context, params| {
        context.client.refuse_request(&params.contact, params.block).await?;
        Done {}
    };

    #[doc = "Keeps a record of somebody with their last 50 messages, on this device only. It outlives refusing and blocking them. Nobody is sent it."]
    ReportsMake = "reports.make" (NewReport) -> ReportInfo, |context, params| context.client.report(&params.contact, &params.note).await?;

    #[doc = "The records that were kept, the newest first."]
    ReportsList = "reports.list" (Nothing) -> Vec<ReportInfo>, |context, _| context.client.reports().await?;

    #[doc = "Writes a record to a new file (mode 0600) as JSON, readable by whoever has the file."]
    ReportsExport = "reports.export" (ExportReport) -> Done, |context, params| {
        if !params.path.is_absolute() {
            return Err(Failure::new("rpc.invalid_params", "The path to write to must be absolute."));
        }
        context.client.export_report(&params.report, &params.path).await?;
        Done {}
    };

    #[doc = "Deletes a record."]
    ReportsDelete = "reports.delete" (OneReport) -> Done, |context, params| {
        context.client.delete_report(&params.report).await?;
        Done {}
    };

    #[doc = "The safety number shared with a contact: the same on both sides, unless somebody stands between."]
    ContactsSafetyNumber = "contacts.safety_number" (OneContact) -> SafetyNumber, |context, params| context.client.safety_number(&params.contact).await?;

    #[doc = "Marks a contact as verified, after the safety numbers were compared, or as not verified."]
    ContactsSetVerified = "contacts.set_verified" (Verified) -> Done, |context, params| {
        context.client.set_verified(&params.contact, params.verified).await?;
        Done {}
    };

    #[doc = "Accounts that go by the name of a contact and are not that contact's: a person with a new account, or somebody else. To be said in every chat with them until their safety number was compared or they were accepted."]
    ContactsOtherAccounts = "contacts.other_accounts" (Nothing) -> Vec<OtherAccount>, |context, _| context.client.other_accounts().await?;

    #[doc = "Notes that one knows of such an account. Its safety number stays not compared."]
    ContactsAcceptAccount = "contacts.accept_account" (OneContact) -> Done, |context, params| {
        context.client.accept_account(&params.contact).await?;
        Done {}
    };

    #[doc = "Compares a scanned safety code; if it is this contact's, marks the contact as verified."]
    ContactsCheckSafetyCode = "contacts.check_safety_code" (Scanned) -> CodeMatches, |context, params| CodeMatches {
        matches: context.client.check_safety_code(&params.contact, &params.scanned).await?,
    };

    #[doc = "Chats: pinned ones first, archived ones last, each by their newest line. A page asks for the first few, and then for the others."]
    ChatsList = "chats.list" (ChatPage) -> Vec<ChatInfo>, |context, params| context.client.chats_of(params).await?;

    #[doc = "One chat."]
    ChatsGet = "chats.get" (OneChat) -> ChatInfo, |context, params| context.client.chat(&params.chat).await?;

    #[doc = "The chat that a person means by a name, a unique beginning of one, or an id; `notes` is the notes to self."]
    ChatsFind = "chats.find" (Selector) -> ChatInfo, |context, params| context.client.find_chat(&params.selector).await?;

    #[doc = "Who is in a chat, and in which role."]
    ChatsMembers = "chats.members" (OneChat) -> Vec<MemberInfo>, |context, params| context.client.members(&params.chat).await?;

    #[doc = "Writes a chat as web pages with its files to a new or empty folder (mode 0700), for its owner to keep: plain text on the disk. What disappears is left out. Files that are not here are fetched."]
    ChatsExport = "chats.export" (ExportChat) -> Exported, |context, params| {
        if !params.folder.is_absolute() {
            return Err(Failure::new("rpc.invalid_params", "The folder must be given as an absolute path."));
        }
        export::export(&context.client, &params.chat, &params.folder, jiff::Timestamp::now().as_millisecond()).await?
    };

    #[doc = "Marks a chat as read up to a message: the time of messages that disappear begins. Tells nobody."]
    ChatsMarkRead = "chats.mark_read" (ReadUpTo) -> Done, |context, params| {
        context.client.mark_read(&params.chat, params.up_to_local_id).await?;
        Done {}
    };

    #[doc = "Tells whoever is there that one is writing, if that is on: to be called while somebody types. Sent at most every four seconds, stored nowhere, and not in groups of more than 32."]
    ChatsTyping = "chats.typing" (OneChat) -> Done, |context, params| {
        if context.network.online {
            context.client.typing(&params.chat).await?;
        }
        Done {}
    };

    #[doc = "Sets how long new messages stay once they were read; 0: for good. In a group who may is its policy (usually admins), in a direct chat both."]
    ChatsSetTimer = "chats.set_timer" (ChatTimer) -> Delivered, |context, params| Delivered {
        state: context.client.set_timer(&params.chat, params.timer_s).await?,
    };

    #[doc = "Mutes, archives or pins a chat, or sets its read receipts. Nobody else is told."]
    ChatsSet = "chats.set" (SetChat) -> Done, |context, params| {
        context.client.set_chat(&params.chat, params.change).await?;
        Done {}
    };

    #[doc = "Keeps what was begun to be written in a chat; an empty text ends it."]
    ChatsSetDraft = "chats.set_draft" (SetDraft) -> Done, |context, params| {
        context.client.set_draft(&params.chat, &params.text, params.in_reply_to.as_ref()).await?;
        Done {}
    };

    #[doc = "Blocks a contact, or ends that, or sets read receipts with them. They are not told."]
    ContactsSet = "contacts.set" (SetContact) -> Done, |context, params| {
        context.client.set_contact(&params.contact, params.change).await?;
        Done {}
    };

    #[doc = "What is set for all chats."]
    SettingsGet = "settings.get" (Nothing) -> Settings, |context, _| context.client.settings().await?;

    #[doc = "Sets it; what is left out stays."]
    SettingsSet = "settings.set" (SettingsChange) -> Done, |context, params| {
        context.client.set_settings(params).await?;
        Done {}
    };

    #[doc = "What a user interface keeps for itself, such as its colours: small numbers by name."]
    SettingsPreferences = "settings.preferences" (Nothing) -> BTreeMap<String, i32>, |context, _| context.client.preferences().await?;

    #[doc = "Keeps one of them."]
    SettingsSetPreference = "settings.set_preference" (Preference) -> Done, |context, params| {
        context.client.set_preference(&params.name, params.value).await?;
        Done {}
    };

    #[doc = "Whether there is a kill code, whether it reaches this device and the others, and who else may wipe this device."]
    KillStatusGet = "kill.status" (Nothing) -> KillStatus, |context, _| context.client.kill_status().await?;

    #[doc = "Makes a kill code. The words of the one before are worth nothing from then on: where there is one, `confirm` must be `new`. The words are answered once and kept nowhere."]
    KillNewCode = "kill.new_code" (NewKillCode) -> KillWords, |context, params| {
        if context.client.kill_status().await?.code {
            confirmed(params.confirm.as_deref().unwrap_or_default(), "new")?;
        }
        KillWords { words: context.client.new_kill_code().await?.words().to_owned() }
    };

    #[doc = "Says whose a custodian's key is, so that the owner sees it before they accept."]
    CustodiansRead = "custodians.read" (GivenCustodian) -> CustodianName, |_context, params| params.name()?;

    #[doc = "Lets a custodian wipe this device, and nothing else. It can't be taken back. Answers the ticket to be given to them."]
    CustodiansAccept = "custodians.accept" (AcceptedCustodian) -> Ticket, |context, params| {
        confirmed(&params.confirm, "accept")?;
        Ticket { ticket: context.client.accept_custodian(&params.key).await? }
    };

    #[doc = "Has another device of the account wiped. Answers when it said, signed, that it is, or when the wait is over: it gets the command at its next contact then."]
    DevicesKill = "devices.kill" (KilledDevice) -> Killed, |context, params| {
        confirmed(&params.confirm, "wipe")?;
        if !context.network.online {
            return Err(Failure::new("net.offline", "This needs the server."));
        }
        let wait_ms = params.wait_ms.unwrap_or(20_000).min(300_000);
        let answer = context.client.kill_device(&params.device, Duration::from_millis(wait_ms)).await?;
        let devices = context.client.devices().await?;
        Killed { answer, removed: devices.iter().any(|device| device.id == params.device && device.state != DeviceState::InUse) }
    };

    #[doc = "Looks for messages by words, chat, person, date and sort, the newest first."]
    MessagesSearch = "messages.search" (Search) -> Vec<MessageInfo>, |context, params| context.client.search(params).await?;

    #[doc = "What others told of a message of one's own: that it came, and that they read it."]
    MessagesReceipts = "messages.receipts" (ChosenMessage) -> Vec<Receipt>, |context, params| context.client.receipts(&params.chat, &params.message).await?;

    #[doc = "Makes a group."]
    GroupsCreate = "groups.create" (NewGroup) -> GroupResult, |context, params| context.client.create_group(&params.name, &params.members).await?;

    #[doc = "Adds contacts to a group."]
    GroupsAdd = "groups.add" (GroupMembers) -> Delivered, |context, params| Delivered {
        state: context.client.group_add(&params.chat, &params.members).await?,
    };

    #[doc = "Removes a member from a group."]
    GroupsRemove = "groups.remove" (GroupMember) -> Delivered, |context, params| Delivered {
        state: context.client.group_remove(&params.chat, &params.member).await?,
    };

    #[doc = "Leaves a group. Another member completes it. The last owner names a successor, who is made owner first."]
    GroupsLeave = "groups.leave" (LeaveGroup) -> Delivered, |context, params| Delivered { state: context.client.group_leave(&params.chat, params.successor.as_ref()).await? };

    #[doc = "Sets the lowest role that may add members, rename, pin, set the timer, or write. Admins may; what is or becomes for owners only, owners."]
    GroupsSetPolicy = "groups.set_policy" (SetPolicy) -> Delivered, |context, params| Delivered {
        state: context.client.group_policy(&params.chat, params.change).await?,
    };

    #[doc = "Makes a link to a group: who has it may ask this device to be let in. It names neither the group nor anybody in it. Needs the server."]
    GroupsInvite = "groups.invite" (NewInvite) -> InviteInfo, |context, params| {
        let uses = params.uses.unwrap_or(1);
        if !(1..=1000).contains(&uses) {
            return Err(Failure::new("rpc.invalid_params", "A link can be used by 1 to 1,000 people."));
        }
        let options = InviteOptions { expires_in_s: params.expires_in_s, uses, approve: params.approve };
        context.client.create_invite(&params.chat, options).await?
    };

    #[doc = "The links to a group, the first one first: those that this device made with their text, and those that other devices told it of."]
    GroupsInvites = "groups.invites" (OneChat) -> Vec<InviteInfo>, |context, params| context.client.invites(&params.chat).await?;

    #[doc = "Withdraws a link to a group: nobody can ask by it from then on. Whose account made it may do that, and admins; one that another device made ends as soon as that device hears of it."]
    GroupsRevokeInvite = "groups.revoke_invite" (OneInvite) -> Done, |context, params| {
        context.client.revoke_invite(&params.invite).await?;
        Done {}
    };

    #[doc = "Who asks this device to be let in to a group, by links that need a yes."]
    GroupsJoinRequests = "groups.join_requests" (OneChat) -> Vec<JoinRequestInfo>, |context, params| context.client.join_requests(&params.chat).await?;

    #[doc = "Lets somebody in who asks, or not; they are told nothing then."]
    GroupsAnswerJoin = "groups.answer_join" (AnswerJoin) -> Done, |context, params| {
        context.client.answer_join(&params.chat, &params.contact, params.accept).await?;
        Done {}
    };

    #[doc = "Asks to be let in to a group by a link. Answers when one is in, or has waited for that for some seconds: the chat comes with `chat_changed` then."]
    GroupsJoin = "groups.join" (GivenLink) -> JoinResult, |context, params| context.client.join_group(params.link.trim()).await?;

    #[doc = "Makes a member owner in one's own place; oneself stays as an admin."]
    GroupsHandOver = "groups.hand_over" (GroupMember) -> Delivered, |context, params| Delivered {
        state: context.client.group_hand_over(&params.chat, &params.member).await?,
    };

    #[doc = "Gives a member a role."]
    GroupsSetRole = "groups.set_role" (MemberRole) -> Delivered, |context, params| Delivered {
        state: context.client.group_role(&params.chat, &params.member, params.role).await?,
    };

    #[doc = "Renames a group."]
    GroupsRename = "groups.rename" (GroupName) -> Delivered, |context, params| Delivered {
        state: context.client.group_rename(&params.chat, &params.name).await?,
    };

    #[doc = "Sends a message. Answers when it is safely in the outbox, or, with `wait_ms`, when the server has it on disk or the wait is over (`message.not_sent` if it was cancelled or failed meanwhile). Messages of one connection keep their order."]
    MessagesSend = "messages.send" (NewMessage) -> Sent, |context, params| {
        let posters = params.attachments.iter().filter_map(|attachment| attachment.film.as_ref()?.poster.as_ref());
        if params.attachments.iter().map(|attachment| &attachment.path).chain(posters).any(|path| !path.is_absolute()) {
            return Err(Failure::new("rpc.invalid_params", "The path of an attachment must be absolute."));
        }
        let draft = Draft { text: params.text, markdown: params.markdown, attachments: params.attachments, in_reply_to: params.in_reply_to, expires: params.expires, view_once: params.view_once, contact: params.contact, location: params.location };
        let mut sent = context.client.enqueue(&params.chat, draft).await?;
        if let (Delivery::Queued, Some(wait_ms), true) = (sent.state, params.wait_ms, context.network.online) {
            sent.state = context.client.wait_sent(&params.chat, sent.local_id, wait(wait_ms)).await?;
        }
        sent
    };

    #[doc = "A chat's messages, oldest first, in the conversation's order. Of `before`, `from_ms`, `after` and `around` at most one can be given. Nothing comes for a line that the chat does not have."]
    MessagesList = "messages.list" (ListMessages) -> Vec<MessageInfo>, |context, params| {
        let limit = params.limit.unwrap_or(50);
        if !(1..=1000).contains(&limit) {
            return Err(Failure::new("rpc.invalid_params", "`limit` is 1 to 1,000."));
        }
        let (chat, client) = (&params.chat, &context.client);
        match (params.before, params.from_ms, params.after, params.around) {
            (before, None, None, None) => client.messages(chat, Page { limit, before }).await?,
            (None, Some(from_ms), None, None) => client.messages_from(chat, from_ms, limit).await?,
            (None, None, Some(after), None) => client.messages_after(chat, after, limit).await?,
            (None, None, None, Some(around)) => client.messages_around(chat, around, limit).await?,
            _ => return Err(Failure::new("rpc.invalid_params", "Of `before`, `from_ms`, `after` and `around` only one can be given.")),
        }
    };

    #[doc = "One message, by its id or a beginning of it."]
    MessagesGet = "messages.get" (OneMessage) -> MessageInfo, |context, params| context.client.message(&params.chat, &params.message).await?;

    #[doc = "Gives an own message a new text. Everybody sees that it was edited, and can read what it said before."]
    MessagesEdit = "messages.edit" (EditMessage) -> Done, |context, params| {
        context.client.edit(&params.chat, &params.message, &params.text, params.markdown).await?;
        Done {}
    };

    #[doc = "Deletes a message: an own one for everyone, or any one on this account's devices only."]
    MessagesDelete = "messages.delete" (DeleteMessage) -> Done, |context, params| {
        if params.for_everyone {
            context.client.delete_for_everyone(&params.chat, &params.message).await?;
        } else {
            context.client.delete_for_me(&params.chat, &params.message).await?;
        }
        Done {}
    };

    #[doc = "Reacts to a message, or takes that reaction back. Several reactions of one person can stand."]
    MessagesReact = "messages.react" (React) -> Done, |context, params| {
        context.client.react(&params.chat, &params.message, &params.text, params.stands).await?;
        Done {}
    };

    #[doc = "Pins a message for everybody in the chat, or ends that. In a group who may is its policy (usually admins)."]
    MessagesPin = "messages.pin" (PinMessage) -> Done, |context, params| {
        context.client.pin(&params.chat, &params.message, params.pinned).await?;
        Done {}
    };

    #[doc = "The pinned messages of a chat, the one pinned last first."]
    MessagesPinned = "messages.pinned" (OneChat) -> Vec<MessageInfo>, |context, params| context.client.pinned(&params.chat).await?;

    #[doc = "Says again, in another chat, what a message says, with its files. Who said it first is not told."]
    MessagesForward = "messages.forward" (Forward) -> Sent, |context, params| context.client.forward(&params.chat, &params.message, &params.to).await?;

    #[doc = "Sends an own message that failed or was cancelled once more: as a new one, at the end of the chat, in the place of the old."]
    MessagesSendAgain = "messages.send_again" (ChosenMessage) -> Sent, |context, params| context.client.send_again(&params.chat, &params.message).await?;

    #[doc = "All versions of a message, the first one first."]
    MessagesHistory = "messages.history" (ChosenMessage) -> Vec<Version>, |context, params| context.client.history(&params.chat, &params.message).await?;

    #[doc = "Downloads an attachment if it isn't here yet, and saves it decrypted to a new file (mode 0600)."]
    AttachmentsSave = "attachments.save" (SaveAttachment) -> Saved, |context, params| {
        if !params.path.is_absolute() {
            return Err(Failure::new("rpc.invalid_params", "The path to save to must be absolute."));
        }
        context.client.save(&params.chat, &params.message, params.index, &params.path).await?
    };

    #[doc = "Lets the transfer of a file wait until it is resumed, over restarts too. A message on its way out waits as a whole."]
    AttachmentsPause = "attachments.pause" (ChosenFiles) -> Done, |context, params| {
        context.client.pause_transfer(&params.chat, &params.message, params.index).await?;
        Done {}
    };

    #[doc = "Lets a transfer go on where it is. A file that was never asked for, or was cancelled, comes now, whatever its size."]
    AttachmentsResume = "attachments.resume" (ChosenFiles) -> Done, |context, params| {
        context.client.resume_transfer(&params.chat, &params.message, params.index).await?;
        Done {}
    };

    #[doc = "Ends a transfer. A message on its way out stays here as failed, to be sent again or deleted; a file that was coming comes no more by itself."]
    AttachmentsCancel = "attachments.cancel" (ChosenFiles) -> Done, |context, params| {
        context.client.cancel_transfer(&params.chat, &params.message, params.index).await?;
        Done {}
    };

    #[doc = "The files on this device by chat: how many, how large, and the largest ones. The chat that takes most first."]
    StorageList = "storage.list" (Nothing) -> Vec<ChatStorage>, |context, _| context.client.storage().await?;

    #[doc = "Removes files from this device, of one chat or of all; what is left out of `clean` is no condition. Messages and previews stay, and a file can be fetched again as long as the server has it."]
    StorageClean = "storage.clean" (CleanStorage) -> CleanedUp, |context, params| context.client.clean_up(params.chat.as_ref(), params.clean).await?;

    #[doc = "What protects this device when it is lost, seized, or its owner coerced, and how the dead-man timer stands."]
    ProtectionGet = "protection.get" (Nothing) -> Protection, |context, _| context.client.protection().await?;

    #[doc = "Changes it, and answers with the new state. A limit of wrong passphrases and the dead-man timer ask for the passphrase; a wrong one counts."]
    ProtectionSet = "protection.set" (SetProtection) -> Protection, |context, params| {
        let passphrase = params.passphrase.map(protection::given).transpose()?;
        context.client.set_protection(passphrase, params.change).await?
    };

    #[doc = "Gives the home another passphrase: the key is wrapped anew, the data stays as it is."]
    PassphraseChange = "passphrase.change" (ChangePassphrase) -> Done, |context, params| {
        context.client.change_passphrase(protection::given(params.current)?, protection::new(params.new)?).await?;
        Done {}
    };

    #[doc = "Confirms with the passphrase that the owner is there: the dead-man timer starts anew, as after an unlock."]
    PassphraseConfirm = "passphrase.confirm" (Confirmation) -> Done, |context, params| {
        context.client.confirm_passphrase(protection::given(params.passphrase)?).await?;
        Done {}
    };

    #[doc = "Makes a decoy with an account of its own, and a duress passphrase: given instead of the passphrase it destroys this account's keys here, opens the decoy, and tells the contacts in `alarm`, silently. All of before are replaced: where there is one, `confirm` must be `replace`."]
    DuressSetUp = "duress.set" (SetDuress) -> DuressAnswer, |context, params| {
        if params.server.is_some() && !context.network.online {
            return Err(Failure::new("net.offline", "Registering the decoy's account needs its server."));
        }
        let replaces = context.client.protection().await?.duress;
        context.client.set_duress(params.into_core(replaces)?).await?.into()
    };

    #[doc = "Takes the duress passphrase and the decoy away; their place is random bytes again. `confirm` must be `remove`."]
    DuressRemove = "duress.remove" (RemoveDuress) -> Done, |context, params| {
        confirmed(&params.confirm, "remove")?;
        context.client.remove_duress(protection::given(params.passphrase)?).await?;
        Done {}
    };

    #[doc = "Locks: the process that has the home open closes it and lets go of its memory. The connection ends."]
    HomeLock = "home.lock" (Nothing) -> Done, |context, _| {
        context.client.lock();
        Done {}
    };

    #[doc = "Panic: locks at once; a second time within ten seconds it wipes. Asks for nothing."]
    HomePanic = "home.panic" (Nothing) -> PanicAnswer, |context, _| PanicAnswer { wiped: context.client.panic().await? == Press::Wipe };

    #[doc = "Wipes this device: what opens the home first, then everything in it, then its queue on the server if that answers within five seconds. `confirm` must be `wipe`. The process ends afterwards."]
    HomeWipe = "home.wipe" (WipeHome) -> Wiped, |context, params| {
        confirmed(params.confirm.trim(), "wipe")?;
        context.client.wipe().await?
    };

    #[doc = "From now on, sends what happens as notifications called `event`."]
    EventsSubscribe = "events.subscribe" (Nothing) -> Done, |context, _| {
        context.set_subscription(Subscription::Start(context.client.events()));
        Done {}
    };

    #[doc = "Ends the notifications."]
    EventsUnsubscribe = "events.unsubscribe" (Nothing) -> Done, |context, _| {
        context.set_subscription(Subscription::Stop);
        Done {}
    };
}
