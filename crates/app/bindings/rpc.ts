// Generated from crates/app/src/rpc/methods.rs; do not edit. docs/rpc.md describes the interface.

export const RPC_VERSION = 1;

/** A custodian's key. */
export type AcceptedCustodian = {
  /** `undertone:k:...` */
  key: string,
  /** The word `accept`. */
  confirm: string,
};

/** This account and device. */
export type AccountInfo = {
  /** The account id. */
  account_id: ContactId,
  /** The name that contacts see. */
  name: string,
  /** This device. */
  device_id: DeviceId,
  /** `host:port` of the server. */
  server: string,
  /** The server's pin, base32. */
  pin: string,
  /** Whether the server has this device's queue. */
  registered: boolean,
  /** When the account was made. */
  created_ms: number,
};

/** What adding a link led to. */
export type AddResult = {
  /** The contact; None while the link waits for the server. */
  contact: ContactInfo | null,
  /** The direct chat. */
  chat: ChatId | null,
  /** Whether the server has the first message. */
  state: Delivery,
};

/** An announcement of the server's operator (32 characters). */
export type AnnouncementId = string;

/** Words of the operator of this account's server. They are nobody's message, prove nothing, and may be different for each person. */
export type AnnouncementInfo = {
  /** Its id. */
  id: AnnouncementId,
  /** `host:port` of the server whose operator says it. */
  server: string,
  /** Plain text with line breaks: nothing in it is a link. */
  text: string,
  /** When it was made, Unix milliseconds of a UTC day's beginning, as the server says. */
  day_ms: number,
  /** Whether the owner has dismissed it, on any device of the account. */
  dismissed: boolean,
};

/** An answer to somebody who asks to be let in. */
export type AnswerJoin = {
  /** The group. */
  chat: ChatId,
  /** Their account id. */
  contact: ContactId,
  /** Yes or no. */
  accept: boolean,
};

/** A file in a message. */
export type AttachmentInfo = {
  /** Which of the message's files, from 0. */
  index: number,
  /** File name, without a path. */
  name: string,
  /** Media type. */
  content_type: string,
  /** Bytes. */
  size: number,
  /** Of a picture or video, pixels. */
  width: number | null,
  /** Of a picture or video, pixels. */
  height: number | null,
  /** Of a voice memo or video. */
  duration_ms: number | null,
  /** Of a voice memo, loudness 0 to 255. */
  waveform: Array<number>,
  /** Small JPEG of a picture, or of a video's poster, base64. */
  preview: string | null,
  /** Whether the file's (encrypted) bytes are on this device. */
  here: boolean,
  /** Where its transfer is; None: it is over, or nobody asked for the file yet. */
  transfer: TransferState | null,
};

/** What a backup holds; all of it was opened and checked. */
export type BackupCheck = {
  /** When it was made, Unix milliseconds. */
  made_ms: number,
  /** Whose it is. */
  account: ContactId,
  /** Their name. */
  name: string,
  /** Blocks. */
  blocks: number,
  /** Files. */
  files: number,
  /** Chats. */
  chats: number,
  /** Contacts. */
  contacts: number,
  /** Messages and plain lines. */
  messages: number,
  /** Bytes checked. */
  bytes: number,
};

/** What a run of a backup wrote. */
export type BackupReport = {
  /** Blocks that are new or changed. */
  written: number,
  /** Blocks in all. */
  blocks: number,
  /** Files in all. */
  files: number,
  /** Files that were copied now. */
  new_files: number,
  /** Bytes written, the manifest left out. */
  bytes_written: number,
  /** Unix milliseconds. */
  made_ms: number,
};

/** How it stands with backups on this device. */
export type BackupState = {
  /** Whether this device can make one without the recovery phrase. */
  ready: boolean,
  /** When it last finished one, Unix milliseconds; 0: never. */
  last_made_ms: number,
  /** Whether one is being made. */
  running: boolean,
};

/** A block. */
export type Block = { "block": "paragraph",
  /** What it says. */
  spans: Array<Span>, } | { "block": "heading",
  /** 1 to 6. */
  level: number,
  /** What it says. */
  spans: Array<Span>, } | { "block": "quote",
  /** What is quoted. */
  blocks: Array<Block>, } | { "block": "code",
  /** What it is written in, as its author says. */
  language: string | null,
  /** The text. */
  text: string, } | { "block": "list",
  /** The first number, of a numbered one. */
  start: number | null,
  /** Its items. */
  items: Array<ListItem>, } | { "block": "table",
  /** Rows of cells, the heading first. */
  rows: Array<Array<Array<Span>>>, } | { "block": "rule"
};

/** Somebody who is blocked. */
export type BlockedInfo = {
  /** The account id. */
  id: ContactId,
  /** The name they went by; empty if it is not known any more. */
  name: string,
};

/** Somebody's contact card in a message, as its sender says. */
export type CardInfo = {
  /** The account id. */
  account: ContactId,
  /** The name that the sender of the message knows them by. */
  name: string,
  /** The name that this account knows them by; None: they are no contact. */
  known_as: string | null,
  /** Whether it is this account itself. */
  is_me: boolean,
  /** A contact link of exactly this account, if the sender passed one on and it is of use here. */
  link: string | null,
};

/** A new passphrase. */
export type ChangePassphrase = {
  /** The present one. */
  current: string,
  /** The new one, at least 8 characters. */
  new: string,
};

/** What to change about a chat, for this account only. */
export type ChatChange = {
  /** Say nothing of new messages until then, Unix milliseconds; 0: not muted. */
  muted_until_ms?: number,
  /** Put it away until a message comes (for good while it is muted). */
  archived?: boolean,
  /** Keep it at the top. */
  pinned?: boolean,
  /** Read receipts in this chat. */
  read_receipts?: Choice,
};

/** A chat: the MLS group id (26 characters). */
export type ChatId = string;

/** A chat. */
export type ChatInfo = {
  /** Its id. */
  id: ChatId,
  /** Direct, group or notes. */
  kind: ChatKind,
  /** The group's name, or the contact's. */
  name: string,
  /** Accounts in it. */
  members: number,
  /** Messages not read yet. */
  unread: number,
  /** The newest line, if possible one that is not about devices only. */
  last: MessageInfo | null,
  /** One's own role. */
  my_role: Role,
  /** In a group: who may do what. */
  policy: GroupPolicy | null,
  /** How it is doing. */
  state: ChatState,
  /** The MLS epoch. */
  epoch: number,
  /** How long new messages stay once they were read, seconds; None: for good. */
  timer_s: number | null,
  /** Until when nothing is said of new messages, Unix milliseconds; None: not muted. */
  muted_until_ms: number | null,
  /** Whether it is put away. */
  archived: boolean,
  /** Whether it is kept at the top. */
  pinned: boolean,
  /** Read receipts in this chat. */
  read_receipts: Choice,
  /** What was begun to be written. */
  draft: DraftText | null,
};

/** What sort of conversation. */
export type ChatKind = "direct" | "group" | "notes";

/** Which chats to read. Without anything: all. */
export type ChatPage = {
  /** At most so many, the first of the list; left out: all. */
  limit?: number,
  /** Without these: whoever has the first ones asks for the others, and misses none however the list changed between. */
  except?: Array<ChatId>,
};

/** How a chat is doing. */
export type ChatState = "joining" | "active" | "resyncing" | "left" | "removed";

/** The files of a chat that are on this device. */
export type ChatStorage = {
  /** The chat. */
  chat: ChatId,
  /** Its name. */
  name: string,
  /** How many. */
  files: number,
  /** Their bytes, as sent. */
  bytes: number,
  /** The largest of them, at most 20. */
  largest: Array<StoredFile>,
};

/** How long messages stay. */
export type ChatTimer = {
  /** The chat. */
  chat: ChatId,
  /** Seconds after they were read, at most a year; 0: for good. */
  timer_s: number,
};

/** A choice for one chat or person. */
export type Choice = "default" | "on" | "off";

/** A backup to be checked. */
export type ChosenBackup = {
  /** Its folder, an absolute path. */
  folder: string,
  /** The recovery phrase. */
  recovery_phrase: string,
};

/** Which files of a message. */
export type ChosenFiles = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Which of its attachments, from 0; left out: all. Of a message on its way out all are meant. */
  index?: number,
};

/** One message, by its whole id. */
export type ChosenMessage = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
};

/** The way to the server. */
export type ChosenProxy = {
  /** A SOCKS5 proxy such as Tor, `HOST:PORT`; null: none. */
  proxy: string | null,
};

/** Which files to remove. */
export type CleanStorage = {
  /** The chat; left out: all. */
  chat?: ChatId,
  /** Which of its files. */
  clean: CleanUp,
};

/** Which files to remove from this device. The messages stay, and a file can be fetched again as long as the server has it. */
export type CleanUp = {
  /** Only those of at least so many bytes. */
  larger_than?: number,
  /** Only those sent before this moment, Unix milliseconds. */
  older_than_ms?: number,
};

/** What was removed. */
export type CleanedUp = {
  /** Files. */
  files: number,
  /** Their bytes. */
  bytes: number,
};

/** The outcome of comparing a scanned safety code. */
export type CodeMatches = {
  /** Whether it is this contact's. If so, the contact is verified now. */
  matches: boolean,
};

/** The passphrase, to confirm that the owner is there. */
export type Confirmation = {
  /** As typed. */
  passphrase: string,
};

/** What to change about a person, for this account only. */
export type ContactChange = {
  /** Drop what they write in the direct chat. They are not told. */
  blocked?: boolean,
  /** Read receipts with this person, in all chats. */
  read_receipts?: Choice,
};

/** A contact: the account id (52 characters). */
export type ContactId = string;

/** A contact. */
export type ContactInfo = {
  /** The account id. */
  id: ContactId,
  /** The name they go by. */
  name: string,
  /** Whether the safety number was compared. */
  verified: boolean,
  /** The direct chat. */
  chat: ChatId | null,
  /** When they became a contact. */
  added_ms: number,
  /** How far it is. */
  state: ContactState,
  /** Whether what they write in the direct chat is dropped. */
  blocked: boolean,
  /** Read receipts with this person. */
  read_receipts: Choice,
};

/** How far a contact is. */
export type ContactState = "pending" | "ready" | "request";

/** Another device that is being linked, if one is. */
export type CurrentLinking = {
  /** How far it is. */
  linking: LinkingInfo | null,
};

/** Somebody whom the owner let wipe this device, and nothing else. */
export type CustodianInfo = {
  /** What they call themselves. */
  name: string,
  /** When the owner accepted it, Unix milliseconds. */
  accepted_ms: number,
  /** Whether they can reach this device. */
  armed: boolean,
};

/** Whom a custodian's key belongs to, as they say themselves. */
export type CustodianName = {
  /** What they call themselves. */
  name: string,
};

/** How the timer stands. */
export type DeadManStanding = {
  /** The home is wiped when it wasn't unlocked for so many days; 0: the timer is off. */
  days: number,
  /** Seconds that count since the last unlock. */
  elapsed_s: number,
  /** Seconds until the home is wiped; 0 when the timer is off. */
  left_s: number,
  /** Whether it is time to say so. */
  warning: DeadManWarning,
  /** The clock of this machine may have been set back: for so many seconds more the owner is asked to unlock. Nothing is wiped for it. 0: no such thing. */
  clock_set_back_s: number,
  /** Whether an unlock of another of the owner's devices starts the timer anew. */
  heartbeats: boolean,
  /** When the owner unlocked another device, as far as it was heard here, in seconds of Unix time by that device's clock; 0: nothing was heard. */
  heard_s: number,
};

/** How near the end is. */
export type DeadManWarning = "none" | "soon" | "today";

/** Which message to delete. */
export type DeleteMessage = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** On everybody's devices; left out: on this account's only. */
  for_everyone?: boolean,
};

/** Whether the server has a change. */
export type Delivered = {
  /** On the server's disk, or queued on this device. */
  state: Delivery,
};

/** Whether the server has it. */
export type Delivery = "accepted" | "queued";

/** A device (26 characters). */
export type DeviceId = string;

/** A device of this account. */
export type DeviceInfo = {
  /** Its id. */
  id: DeviceId,
  /** What the owner calls it; empty: nothing yet. */
  name: string,
  /** Whether it is the one that answers. */
  this: boolean,
  /** When it became one of the account's, Unix milliseconds. */
  added_ms: number,
  /** Whether it is still one. */
  state: DeviceState,
};

/** Whether this device is still one of the account's. */
export type DeviceRemoved = {
  /** Another device has removed it. */
  removed: boolean,
};

/** Whether a device is still one of the account's. */
export type DeviceState = "in_use" | "unknown" | "removed" | "removed_without_phrase";

/** Done; there is nothing more to say. */
export type Done = Record<symbol, never>;

/** A file to send. */
export type DraftAttachment = {
  /** Where it is. */
  path: string,
  /** The name to send it under; None: the file's. */
  name: string | null,
  /** Leave a picture's metadata (place, camera, time) in. */
  keep_metadata: boolean,
  /** Of a video: what is shown of it before it is fetched. */
  film: DraftFilm | null,
};

/** What is said of a video to be sent. The app has no decoder for video: whoever has one says it. */
export type DraftFilm = {
  /** A picture of it, such as a frame; it loses its metadata and gives width and height. */
  poster: string | null,
  /** How long it plays, milliseconds, at most a day. */
  duration_ms: number | null,
};

/** What was begun to be written. */
export type DraftText = {
  /** The text. */
  text: string,
  /** The message it answers. */
  in_reply_to: MessageId | null,
};

/** A decoy that was made. */
export type DuressAnswer = {
  /** Whether its account is registered with its server. */
  registered: boolean,
  /** The recovery phrase of its account, shown once. */
  phrase: string,
};

/** A new version of a message. */
export type EditMessage = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** What it is to say. */
  text: string,
  /** Whether the text is Markdown (GFM-MIMI). */
  markdown?: boolean,
};

/** What to do after an error. */
export type ErrorClass = "retry_now" | "retry_later" | "never";

/** The `data` of a JSON-RPC error. */
export type ErrorData = {
  /** Stable, `area.reason`. */
  code: string,
  /** Whether and when trying again can help. */
  class: ErrorClass,
  /** One plain sentence. */
  sentence: string,
  /** What the command line returns for it. */
  exit_code: number,
  /** What an ambiguous selector could have meant. */
  choices?: Array<string>,
};

/** Something happened. Events are hints; the store is the truth. */
export type Event = { "event": "message",
  /** The chat. */
  chat: ChatId,
  /** The line. */
  message: MessageInfo, } | { "event": "message_changed",
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** How far it is. */
  state: MessageState, } | { "event": "chat_changed",
  /** The chat. */
  chat: ChatId, } | { "event": "requested",
  /** Their chat. */
  chat: ChatId, } | { "event": "contact_added",
  /** The contact. */
  contact: ContactInfo, } | { "event": "contact_changed",
  /** The contact. */
  contact: ContactId, } | { "event": "typing",
  /** The chat. */
  chat: ChatId,
  /** Who. */
  contact: ContactId,
  /** Their name. */
  name: string,
  /** How long to show it, milliseconds, unless it is said again or a message of theirs comes. */
  for_ms: number, } | { "event": "transfer",
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Which of its files. */
  index: number,
  /** Bytes done. */
  done: number,
  /** Bytes in all. */
  total: number, } | { "event": "connection",
  /** The receiving one. */
  inbox: LinkState,
  /** The sending one. */
  outbox: LinkState,
  /** Why, if it is not there. */
  problem: Problem | null, } | { "event": "backup",
  /** Parts done. */
  done: number,
  /** Parts in all. */
  total: number, } | { "event": "linking_changed" } | { "event": "devices_changed" } | { "event": "history_changed" } | { "event": "announcements_changed" } | { "event": "settings_changed",
  /** Which part of it. */
  part: SettingsPart, } | { "event": "device_removed" } | { "event": "wiped" } | { "event": "clock_warning",
  /** Server's minus ours, seconds. */
  off_s: number, } | { "event": "lagged"
};

/** When a message is to disappear from every device. */
export type Expires = { "after": number } | { "at": number };

/** A chat to be exported. */
export type ExportChat = {
  /** The chat. */
  chat: ChatId,
  /** A new or empty folder, an absolute path. */
  folder: string,
};

/** Where to write a record. */
export type ExportReport = {
  /** Its id. */
  report: ReportId,
  /** Absolute path of a file that doesn't exist yet. */
  path: string,
};

/** What was exported. */
export type Exported = {
  /** Where it begins: open this file. */
  index: string,
  /** Messages in it. */
  messages: number,
  /** Files in it. */
  files: number,
  /** Files that could not be had. */
  missing: number,
  /** Messages that disappear: they are left out. */
  left_out: number,
};

/** Where to GET it. */
export type FileAddress = {
  /** A path of this origin. */
  url: string,
};

/** What to say again where. */
export type Forward = {
  /** The chat it is in. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** The chat to say it in. */
  to: ChatId,
};

/** The code that a new device shows. */
export type GivenCode = {
  /** `undertone:d:...` */
  code: string,
  /** Whether the new device is to have what was said before, too. */
  history?: boolean,
};

/** A custodian's key, to be looked at. */
export type GivenCustodian = {
  /** `undertone:k:...` */
  key: string,
};

/** A contact link that somebody gave. */
export type GivenLink = {
  /** The link, `undertone:...`. */
  link: string,
};

/** A passphrase. */
export type GivenPassphrase = {
  /** As typed. */
  passphrase: string,
};

/** Who answers. */
export type Greeting = {
  /** `undertone`. */
  app: string,
  /** The app's version. */
  version: string,
  /** The version of this interface. */
  rpc: number,
  /** The proxy that the server is reached through, if any. */
  proxy: string | null,
  /** Whether the server is contacted at all (`--offline`: no). */
  online: boolean,
};

/** What the members of a group agree about, as in `GroupPolicy`. */
export type GroupAct = "add" | "rename" | "pin" | "set_timer" | "post";

/** A member of a group. */
export type GroupMember = {
  /** The group. */
  chat: ChatId,
  /** The member's account id. */
  member: ContactId,
};

/** Who to add to a group. */
export type GroupMembers = {
  /** The group. */
  chat: ChatId,
  /** Their account ids. */
  members: Array<ContactId>,
};

/** A group's name. */
export type GroupName = {
  /** The group. */
  chat: ChatId,
  /** The name, 1 to 128 bytes. */
  name: string,
};

/** The lowest role that may do something in a group; every higher one may too. */
export type GroupPolicy = {
  /** Add members. */
  add: Role,
  /** Rename the group. */
  rename: Role,
  /** Pin messages, and end that. */
  pin: Role,
  /** Set how long messages stay. */
  set_timer: Role,
  /** Write. */
  post: Role,
};

/** What creating a group led to. */
export type GroupResult = {
  /** The new chat. */
  chat: ChatId,
  /** Whether the server has it. */
  state: Delivery,
};

/** Who is calling. */
export type Hello = {
  /** Name and version of the caller, for the log; may be left out. */
  caller?: string,
};

/** What was said before a device was linked, on its way there. */
export type HistoryInfo = {
  /** The device that it goes to. */
  device: DeviceId,
  /** Whether that is the one that answers. */
  this: boolean,
  /** Messages and plain lines that are there. */
  done: number,
  /** Of how many, as counted at the beginning. */
  total: number,
  /** How far it is. */
  state: HistoryState,
};

/** How far the past of a new device is. */
export type HistoryState = "under_way" | "done" | "incomplete";

/** How the host stands. */
export type HostInfo = {
  /** How far the home is. */
  state: HostState,
  /** The app's version. */
  version: string,
  /** Whether the recovery phrase of a new account waits to be written down. */
  phrase_waits: boolean,
  /** How far linking this device to an account is, or why it came to nothing. */
  joining: JoiningInfo | null,
  /** What this computer is called: a name to begin with for a device. */
  machine: string,
  /** Whether the desktop says when the screen is locked. */
  desktop: boolean,
  /** How often it was heard, while the home is locked, that something came; nothing else is known of it. */
  rings: number,
  /** How the dead-man timer stands, while the home is locked; an open home says so itself (`protection.get`). */
  dead_man: DeadManStanding | null,
};

/** How far the home is. */
export type HostState = "new" | "locked" | "joining" | "open";

/** A link to a group (16 characters). */
export type InviteId = string;

/** A link to a group. */
export type InviteInfo = {
  /** Its id. */
  id: InviteId,
  /** The group. */
  chat: ChatId,
  /** The account id of who made it. */
  maker: ContactId,
  /** The name they go by. */
  maker_name: string,
  /** Whether this account made it. */
  is_mine: boolean,
  /** Whether this device made it: it alone lets people in by it, and has its text. */
  is_here: boolean,
  /** What to give to whom it is for; empty unless the link is open and this device made it. */
  uri: string,
  /** When it was made; if another device made it, when this one heard of it. */
  created_ms: number,
  /** When it ends, if ever. */
  expires_ms: number | null,
  /** How many people may still come by it, as far as this device has heard. */
  uses_left: number,
  /** Whether somebody has to say yes to each of them, on the device that made it. */
  approve: boolean,
  /** What has become of it. */
  state: LinkLife,
};

/** Somebody who asks to be let in to a group. */
export type JoinRequestInfo = {
  /** Their account id. */
  id: ContactId,
  /** The name they give; a contact's own name counts. */
  name: string,
  /** Whether it is a contact. */
  is_contact: boolean,
  /** When they asked. */
  asked_ms: number,
};

/** What asking to be let in led to. */
export type JoinResult = {
  /** How far it is. */
  state: JoinState,
  /** The group, once one is in. */
  chat: ChatId | null,
};

/** How far a wish to be let in is. */
export type JoinState = "in" | "asked" | "queued";

/** Whether both devices show the same words. */
export type JoiningAnswer = {
  /** No ends the linking, and leaves no home. */
  same: boolean,
};

/** Linking this device to an account. */
export type JoiningInfo = {
  /** How far it is. */
  step: JoiningStep,
  /** What the other device is to be given, as text or as a QR code; only while it waits. */
  code: string | null,
  /** When the code ends, Unix milliseconds. */
  expires_ms: number,
  /** Six words that both devices show, once the other one has taken the code. */
  words: string | null,
  /** Why it came to nothing, if it did. */
  problem: Problem | null,
};

/** How far linking this device is. */
export type JoiningStep = "waiting" | "compare" | "confirmed" | "failed";

/** What became of the command to one device. */
export type KillAnswer = { "is": "wiped" } | { "is": "expired",
  /** What its clock says, Unix seconds. */
  device_clock_s: number, } | { "is": "replayed" } | { "is": "waiting" } | { "is": "not_taken"
};

/** The kill code and custodians. */
export type KillStatus = {
  /** Whether the account has a kill code. */
  code: boolean,
  /** The how manieth it is; 0: none. */
  generation: number,
  /** When it was made, Unix milliseconds; 0: never. */
  made_ms: number,
  /** Whether it reaches this device. */
  armed: boolean,
  /** The account's other devices that it reaches. */
  devices: Array<DeviceId>,
  /** Who else may wipe this device. Nobody is ever taken off this list. */
  custodians: Array<CustodianInfo>,
};

/** Twelve words, answered once. */
export type KillWords = {
  /** Separated by spaces. */
  words: string,
};

/** What became of a command to wipe. */
export type Killed = {
  /** What the device said, or that it said nothing yet. */
  answer: KillAnswer,
  /** Whether it is removed from the account, as `remove_wiped` of the protection wants it. */
  removed: boolean,
};

/** Another device of the account that is to be wiped. */
export type KilledDevice = {
  /** The device. */
  device: DeviceId,
  /** The word `wipe`. */
  confirm: string,
  /** How long to wait for its answer, milliseconds; at most 5 minutes, 20 seconds if left out. */
  wait_ms?: number,
};

/** Leaving a group. */
export type LeaveGroup = {
  /** The group. */
  chat: ChatId,
  /** Account id of the member who is to be owner then; needed from the last owner only. */
  successor?: ContactId,
};

/** A contact link (16 characters). */
export type LinkId = string;

/** A contact link that this device made. */
export type LinkInfo = {
  /** Its id on this device. */
  id: LinkId,
  /** What to give to one person; empty unless the link is open. */
  uri: string,
  /** When it was made. */
  created_ms: number,
  /** When it ends, if ever. */
  expires_ms: number | null,
  /** How often it may still be used. */
  uses_left: number,
  /** Whether who comes by it is to be accepted first. */
  ask: boolean,
  /** What has become of it. */
  state: LinkLife,
};

/** A contact link's life. */
export type LinkLife = "open" | "used" | "expired" | "revoked";

/** One connection's state. */
export type LinkState = "offline" | "connecting" | "online";

/** Another device that is being linked. */
export type LinkingInfo = {
  /** How far it is. */
  state: LinkingState,
  /** Six words that both devices show; none before the new one has answered. */
  words: string | null,
  /** What the new device is called there. */
  device_name: string | null,
  /** When it ends by itself, Unix milliseconds. */
  expires_ms: number,
  /** Why it came to nothing, if it did. */
  problem: Problem | null,
};

/** How far linking another device is. */
export type LinkingState = "waiting" | "compare" | "confirmed" | "sending" | "failed";

/** An item of a list. */
export type ListItem = {
  /** Of a list of things to do: whether it is done. */
  checked: boolean | null,
  /** What it says. */
  blocks: Array<Block>,
};

/** Which messages to list. */
export type ListMessages = {
  /** The chat. */
  chat: ChatId,
  /** At most so many, the newest (1 to 1,000); left out: 50. */
  limit?: number,
  /** Only those before the message with this `local_id`. */
  before?: number,
  /** Those from the first one that was written at this moment (Unix milliseconds) or after, in place of the newest. */
  from_ms?: number,
  /** The first ones after the line with this `local_id`, in place of the newest. */
  after?: number,
  /** The line with this `local_id` and those on both sides of it: half of `limit` before it, the rest from it on. */
  around?: number,
};

/** A place on the earth, WGS 84 (RFC 5870). */
export type Location = {
  /** Degrees north of the equator, -90 to 90. */
  latitude: number,
  /** Degrees east of Greenwich, -180 to 180. */
  longitude: number,
  /** How far it may be from there, metres; None: not said. */
  accuracy_m?: number | null,
};

/** A member of a chat. */
export type MemberInfo = {
  /** The account id. */
  id: ContactId,
  /** The name they go by. */
  name: string,
  /** Their role. */
  role: Role,
  /** Whether it is this account. */
  is_me: boolean,
  /** How many devices they have in it. */
  devices: number,
  /** Whether the safety number was compared. */
  verified: boolean,
  /** What a link in Markdown leads to that mentions them: `[@Name](uri)`. */
  uri: string,
};

/** A member's role in a group. */
export type MemberRole = {
  /** The group. */
  chat: ChatId,
  /** The member's account id. */
  member: ContactId,
  /** The role. */
  role: Role,
};

/** A message: its MIMI message id (64 characters). Lines that are not messages have an id of the same form. */
export type MessageId = string;

/** A line of a chat. */
export type MessageInfo = {
  /** Its id. */
  id: MessageId,
  /** Its place in this device's store. */
  local_id: number,
  /** The chat. */
  chat: ChatId,
  /** Who wrote it; None for notices and gaps. */
  sender: ContactId | null,
  /** Their name. */
  sender_name: string,
  /** Whether this account wrote it. */
  mine: boolean,
  /** Message, notice or gap. */
  kind: MessageKind,
  /** The text, or the notice's sentence in English. */
  text: string,
  /** What a notice says, to be shown in any language; None: no notice, or one of which only the sentence is known. */
  notice: Notice | null,
  /** Whether the text is Markdown. */
  markdown: boolean,
  /** Files. */
  attachments: Array<AttachmentInfo>,
  /** Somebody's contact card; the text is the name on it. */
  card: CardInfo | null,
  /** The place that the text is. */
  location: Location | null,
  /** When the sender says it was written. */
  sent_ms: number,
  /** When it came here. */
  received_ms: number,
  /** How far it is. */
  state: MessageState,
  /** Its place in the conversation; None while it is in the outbox. */
  order: Order | null,
  /** The message it answers. */
  in_reply_to: MessageId | null,
  /** That message, as it stands now. */
  quote: Quote | null,
  /** Versions after the first; what they said, `history` tells. */
  edits: number,
  /** When the sender says the last version was written. */
  edited_ms: number | null,
  /** Whether its author deleted it; then it has no text and no files. */
  deleted: boolean,
  /** How long it stays once it was read, seconds; None: for good, or until a moment. */
  timer_s: number | null,
  /** When it disappears, if its time has begun. */
  expires_ms: number | null,
  /** The text, if it is Markdown, as a tree that is safe to show. */
  rich: Array<Block> | null,
  /** Who is mentioned. */
  mentions: Array<ContactId>,
  /** Whether it is pinned in the chat. */
  pinned: boolean,
  /** Whether somebody else said it first. */
  forwarded: boolean,
  /** Whether its files may be opened once. */
  view_once: boolean,
  /** Whether they were, or are on their way from here: they are gone. */
  opened: boolean,
  /** Of one's own: how many people have it, as far as they tell. */
  delivered_to: number,
  /** Of one's own: how many people have read it, as far as they tell. */
  read_by: number,
  /** Reactions, in the order they were first given. */
  reactions: Array<ReactionInfo>,
};

/** What a line of a chat is. */
export type MessageKind = "message" | "notice" | "gap";

/** How far a message is. */
export type MessageState = "received" | "queued" | "uploading" | "sending" | "accepted" | "sent" | "failed";

/** A new account. */
export type NewAccount = {
  /** Invitation, or `ORIGIN+PIN` of a server with open registration. */
  server: string,
  /** The name that contacts will see. */
  name: string,
  /** The passphrase of the home, at least 8 characters. */
  passphrase: string,
  /** A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started. */
  proxy?: string,
};

/** A backup to be made. */
export type NewBackup = {
  /** Where, an absolute path: an empty or new folder, or the one of an earlier backup. */
  folder: string,
  /** Whether the files in chats go along. */
  media: boolean,
  /** The recovery phrase, if this device is not ready to make backups without it. */
  recovery_phrase?: string,
};

/** What a page that can play a video says of it. */
export type NewFilm = {
  /** How long it plays, in milliseconds, at most a day. */
  duration_ms?: number,
  /** A picture of it, such as a frame: JPEG or PNG, base64. */
  poster?: string,
};

/** A new group. */
export type NewGroup = {
  /** Its name, 1 to 128 bytes. */
  name: string,
  /** Account ids of its other members. */
  members: Array<ContactId>,
};

/** A new link to a group. */
export type NewInvite = {
  /** The group. */
  chat: ChatId,
  /** Life in seconds; 0: without end; left out: 7 days. */
  expires_in_s?: number,
  /** How many people may come by it (1 to 1,000); left out: 1. */
  uses?: number,
  /** Whether somebody has to say yes to each of them. */
  approve?: boolean,
};

/** This device as another one of an account that exists. */
export type NewJoining = {
  /** The account's server: `HOST:PORT`, with or without its pin. */
  server: string,
  /** What this device is to be called; the account's devices alone see it. */
  device_name: string,
  /** The passphrase of the home here, at least 8 characters. */
  passphrase: string,
  /** A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started. */
  proxy?: string,
};

/** What a new kill code needs. */
export type NewKillCode = {
  /** `new`, as the owner typed it; only needed where there is a kill code, whose words are worth nothing afterwards. */
  confirm?: string,
};

/** A new contact link. */
export type NewLink = {
  /** Life in seconds; 0: without end; left out: 7 days. */
  expires_in_s?: number,
  /** How many people may use it (1 to 100); left out: 1. */
  uses?: number,
  /** Whether who comes by it is to be accepted first; left out: if more than one person may use it. */
  ask?: boolean,
};

/** A message to send. */
export type NewMessage = {
  /** Where to. */
  chat: ChatId,
  /** The text. */
  text?: string,
  /** Whether the text is Markdown (GFM-MIMI). */
  markdown?: boolean,
  /** Files of this computer. */
  attachments?: Array<DraftAttachment>,
  /** The message it answers. */
  in_reply_to?: MessageId,
  /** When it is to disappear: `{"after": seconds after it was read}` or `{"at": Unix seconds}`; left out: as the chat has it. */
  expires?: Expires,
  /** Its files may be opened once by each receiver, and not at all by this account. */
  view_once?: boolean,
  /** Somebody's contact card; with it there is no text, no file and no place. */
  contact?: SharedContact,
  /** A place; with it there is no text, no file and no card. */
  location?: Location,
  /** How long to wait until the server has it, in milliseconds (at most 600,000); left out: answer as soon as it is in the outbox. */
  wait_ms?: number,
};

/** A message with uploaded files. */
export type NewMessageWithUploads = {
  /** Where to. */
  chat: ChatId,
  /** The text. */
  text?: string,
  /** Whether the text is Markdown (GFM-MIMI). */
  markdown?: boolean,
  /** Ids of uploads, in the order in which they are to be shown. */
  uploads: Array<string>,
  /** The message it answers. */
  in_reply_to?: MessageId,
  /** When it is to disappear; left out: as the chat has it. */
  expires?: Expires,
  /** Its files may be opened once by each receiver, and not at all by this account. */
  view_once?: boolean,
};

/** What to keep about somebody. */
export type NewReport = {
  /** The person's account id. */
  contact: ContactId,
  /** One's own words, at most 4,000 bytes. */
  note?: string,
};

/** An account from its backup. */
export type NewRestoring = {
  /** The backup's folder, an absolute path. */
  folder: string,
  /** The recovery phrase of the account. */
  recovery_phrase: string,
  /** Invitation, or `ORIGIN+PIN` of a server with open registration. */
  server: string,
  /** The passphrase of the home here, at least 8 characters. */
  passphrase: string,
  /** A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started. */
  proxy?: string,
};

/** A file that is about to be sent by PUT. */
export type NewUpload = {
  /** Its name. */
  name: string,
  /** Its bytes, exactly. */
  size: number,
  /** Leave a picture's metadata (place, camera, time) in. */
  keep_metadata?: boolean,
  /** A voice memo's length in milliseconds, as the recorder measured it. */
  duration_ms?: number,
  /** A voice memo's loudness over time, 0 to 255, at most 256 samples. */
  waveform?: Array<number>,
  /** Of a video: what is shown of it before it is fetched. */
  film?: NewFilm,
};

/** No parameters. */
export type Nothing = Record<symbol, never>;

/** What a notice says. */
export type Notice = { "kind": "added",
  /** Who added them. */
  who: NoticePerson,
  /** Who came. */
  whom: NoticePerson, } | { "kind": "removed",
  /** Who removed them. */
  who: NoticePerson,
  /** Who went. */
  whom: NoticePerson, } | { "kind": "left",
  /** Who went. */
  who: NoticePerson, } | { "kind": "came_back",
  /** Who. */
  who: NoticePerson, } | { "kind": "renamed",
  /** Who named it. */
  who: NoticePerson,
  /** The new name. */
  name: string, } | { "kind": "made_role",
  /** Who gave it. */
  who: NoticePerson,
  /** Who has it. */
  whom: NoticePerson,
  /** The new role. */
  role: Role, } | { "kind": "stepped_down",
  /** Who. */
  who: NoticePerson,
  /** The role that is left. */
  role: Role, } | { "kind": "let_may",
  /** Who decided it. */
  who: NoticePerson,
  /** The lowest role that may. */
  role: Role,
  /** What. */
  act: GroupAct, } | { "kind": "timer_set",
  /** Who set it. */
  who: NoticePerson,
  /** How long after they were read, seconds. */
  seconds: number, } | { "kind": "timer_off",
  /** Who set it. */
  who: NoticePerson, } | { "kind": "new_device",
  /** Whose device. */
  who: NoticePerson, } | { "kind": "device_gone",
  /** Whose device. */
  who: NoticePerson, } | { "kind": "restored",
  /** Who. */
  who: NoticePerson, } | { "kind": "pinned",
  /** Who pinned it. */
  who: NoticePerson, } | { "kind": "let_in_by_link",
  /** Who let it in. */
  who: NoticePerson, } | { "kind": "asks_by_link",
  /** Who. */
  who: NoticePerson, } | { "kind": "other_account",
  /** Who. */
  who: NoticePerson, } | { "kind": "left_unheard", } | { "kind": "device_taken_out", } | { "kind": "device_removed", } | { "kind": "let_in_unconfirmed",
  /** Who let it in. */
  who: NoticePerson, } | { "kind": "let_in_again",
  /** Who let it in. */
  who: NoticePerson, } | { "kind": "let_in_refused",
  /** Who sent it. */
  who: NoticePerson, } | { "kind": "now_called",
  /** The name. */
  name: string, } | { "kind": "now_in",
  /** Who. */
  who: NoticePerson, } | { "kind": "not_in_any_more",
  /** Who. */
  who: NoticePerson, } | { "kind": "now_role",
  /** Whose role. */
  who: NoticePerson,
  /** The role. */
  role: Role, } | { "kind": "change_ignored", } | { "kind": "change_not_taken", } | { "kind": "invitation_not_taken", } | { "kind": "change_not_understood",
  /** Who made it. */
  who: NoticePerson, } | { "kind": "change_forbidden",
  /** Who. */
  who: NoticePerson, } | { "kind": "change_invalid",
  /** Who made it. */
  who: NoticePerson, } | { "kind": "act_forbidden",
  /** Who. */
  who: NoticePerson,
  /** What they tried. */
  act: GroupAct, } | { "kind": "not_shown",
  /** What it did. */
  act: GroupAct, } | { "kind": "message_malformed",
  /** Who wrote it. */
  who: NoticePerson, } | { "kind": "file_not_sent",
  /** The failure's code. */
  code: string,
  /** The failure in English. */
  why: string, } | { "kind": "reached_again",
  /** Who. */
  who: NoticePerson, } | { "kind": "not_reached",
  /** Who. */
  who: NoticePerson,
  /** Whether it is a group, in which they can be added again. */
  group: boolean, } | { "kind": "welcome_waits",
  /** Who. */
  who: NoticePerson, } | { "kind": "welcome_lost",
  /** Who. */
  who: NoticePerson,
  /** Whether it is a group, in which they can be added again. */
  group: boolean, } | { "kind": "more_not_kept", } | { "kind": "duress_alarm",
  /** Who. */
  who: NoticePerson, } | { "kind": "name_changed",
  /** Who, as they were called before. */
  who: NoticePerson,
  /** The new name. */
  name: string, } | { "kind": "device_wiped",
  /** Who. */
  who: NoticePerson,
};

/** Somebody whom a notice names, as they were called when it was written. */
export type NoticePerson = {
  /** Their account; None: it could not be told who it was. */
  account: ContactId | null,
  /** What they were called; empty: no name was known. */
  name: string,
  /** Whether it is this account, here or on another device. */
  me: boolean,
};

/** Something that the server's operator announced. */
export type OneAnnouncement = {
  /** Which. */
  announcement: AnnouncementId,
};

/** One chat. */
export type OneChat = {
  /** Its id. */
  chat: ChatId,
};

/** One contact. */
export type OneContact = {
  /** The contact's account id. */
  contact: ContactId,
};

/** A file of a message. */
export type OneFile = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Which of its files, from 0. */
  index: number,
  /** To be saved by the browser, whatever kind it is. */
  save?: boolean,
};

/** A link to a group. */
export type OneInvite = {
  /** Its id. */
  invite: InviteId,
};

/** One contact link. */
export type OneLink = {
  /** Its id. */
  link: LinkId,
};

/** One message. */
export type OneMessage = {
  /** The chat. */
  chat: ChatId,
  /** Its id, or a beginning of it (at least 6 characters). */
  message: string,
};

/** A record. */
export type OneReport = {
  /** Its id. */
  report: ReportId,
};

/** One upload. */
export type OneUpload = {
  /** Its id. */
  upload: string,
};

/** The conversation's order (docs/protocol.md section 4). */
export type Order = {
  /** The channel's generation. */
  generation: number,
  /** The channel's number. */
  number: number,
};

/** An account that goes by the name of a contact and is not that contact's. */
export type OtherAccount = {
  /** The account. */
  account: ContactId,
  /** What it is called. */
  name: string,
  /** The contact of that name. */
  known: ContactId,
  /** What the contact is called. */
  known_name: string,
  /** Whether the contact's safety number was compared. */
  known_verified: boolean,
  /** The chats with this account. */
  chats: Array<ChatId>,
};

/** What this account says of itself. */
export type OwnProfile = {
  /** The name that others see. */
  name: string,
  /** A small square JPEG, base64; None: there is no picture. */
  picture: string | null,
};

/** What a press of panic did. */
export type PanicAnswer = {
  /** Whether it was the second press within ten seconds, and the home is wiped; else it is locked. */
  wiped: boolean,
};

/** Of whom there is a picture. Nobody who waits to be accepted is among them. */
export type PersonPicture = {
  /** The account. */
  contact: ContactId,
  /** Another one whenever the picture is another one. */
  version: string,
};

/** The recovery phrase. */
export type Phrase = {
  /** Twelve words, separated by spaces. */
  words: string,
};

/** Which message to pin. */
export type PinMessage = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Whether it is to be pinned, or not any more. */
  pinned: boolean,
};

/** What to change about who may do what in a group. */
export type PolicyChange = {
  /** The lowest role that may add members. */
  add?: Role,
  /** Rename the group. */
  rename?: Role,
  /** Pin messages, and end that. */
  pin?: Role,
  /** Set how long messages stay. */
  set_timer?: Role,
  /** Write. */
  post?: Role,
};

/** What a user interface keeps for itself. */
export type Preference = {
  /** 1 to 32 small letters and underscores. */
  name: string,
  /** What it is. */
  value: number,
};

/** Panic. */
export type PressPanic = {
  /** Wipe at once: the button was held. */
  wipe?: boolean,
};

/** An error as it is shown and sent over RPC. */
export type Problem = {
  /** Stable, `area.reason`. */
  code: string,
  /** What to do. */
  class: ErrorClass,
  /** One plain sentence. */
  sentence: string,
};

/** How this device is protected. */
export type Protection = {
  /** Wrong passphrases in a row after which this device is wiped; 0: never. */
  wrong_attempts_limit: number,
  /** Wrong passphrases since the last right one. */
  wrong_attempts: number,
  /** The app in the browser locks after so many seconds without the owner doing anything, and `undertone watch` and `undertone rpc` end when they were asked for nothing for so long; 0: never. */
  auto_lock_s: number,
  /** Whether they do when the computer is suspended. */
  lock_on_suspend: boolean,
  /** Whether they do when the desktop says that the screen is locked. */
  lock_with_screen: boolean,
  /** Whether the desktop's keyring is needed to open the home, beside a passphrase. */
  keyring: boolean,
  /** Whether a duress passphrase was set from this account. Nothing outside the account says so. */
  duress: boolean,
  /** Contacts who are told when the duress passphrase is given on this device. Nothing outside the account says so. */
  alarm: Array<ContactId>,
  /** Whether this is the decoy, visited by the passphrase for that. */
  decoy: boolean,
  /** Whether a device of the account that was wiped, by another one or by hand, is removed from the account as soon as it says so, which shows people in its chats a line; the only one tells them itself. The same on all of the account's devices. */
  remove_wiped: boolean,
  /** The dead-man timer. */
  dead_man: DeadManStanding,
};

/** What of it is to change; what is left out stays. */
export type ProtectionChange = {
  /** See [`Protection::wrong_attempts_limit`]. Needs the passphrase. 0, or 3 and more. */
  wrong_attempts_limit?: number,
  /** See [`Protection::auto_lock_s`]; at most a day. */
  auto_lock_s?: number,
  /** See [`Protection::lock_on_suspend`]. */
  lock_on_suspend?: boolean,
  /** See [`Protection::lock_with_screen`]. */
  lock_with_screen?: boolean,
  /** See [`Protection::keyring`]. Needs the passphrase. */
  keyring?: boolean,
  /** See [`Protection::remove_wiped`]. */
  remove_wiped?: boolean,
  /** Days of the dead-man timer, at most 3,650; 0 turns it off. Needs the passphrase. */
  dead_man_days?: number,
  /** Whether an unlock of another of the account's devices counts as one here, for the dead-man timer. Needs the passphrase, and a kill code, by whose ways it is told. */
  heartbeats?: boolean,
};

/** What a QR code is to hold: one of the two. */
export type QrContent = {
  /** A text. */
  text?: string,
  /** Bytes. */
  bytes?: Array<number>,
};

/** A QR code without its quiet zone. */
export type QrModules = {
  /** Modules a side. */
  size: number,
  /** Row by row, `1` for dark. */
  modules: string,
};

/** The message that another one answers, as it stands now. */
export type Quote = {
  /** Its id. */
  id: MessageId,
  /** Its place in this device's store; None if it is not on this device. */
  local_id: number | null,
  /** Who wrote it. */
  sender_name: string,
  /** Whether this account wrote it: others may have the same name. */
  mine: boolean,
  /** What it says, at most 300 characters. */
  text: string,
  /** How many files it has. */
  files: number,
  /** Whether it was deleted. */
  deleted: boolean,
};

/** A reaction. */
export type React = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Usually one emoji, at most 64 bytes. */
  text: string,
  /** Whether it is to stand, or to be taken back. */
  stands: boolean,
};

/** A reaction to a message, as it stands. */
export type ReactionInfo = {
  /** Usually one emoji. */
  text: string,
  /** Who gave it, in the order they did. */
  people: Array<ContactId>,
  /** Their names, in the same order. */
  names: Array<string>,
  /** Whether this account is one of them. */
  mine: boolean,
};

/** How far a chat was read. */
export type ReadUpTo = {
  /** The chat. */
  chat: ChatId,
  /** The `local_id` of the last message read. */
  up_to_local_id: number,
};

/** What somebody told of a message. */
export type Receipt = {
  /** Who. */
  contact: ContactId,
  /** Their name. */
  name: string,
  /** When it was told here that it came. */
  delivered_ms: number | null,
  /** When it was told here that it was read. */
  read_ms: number | null,
};

/** A request to refuse. */
export type RefuseRequest = {
  /** The person's account id. */
  contact: ContactId,
  /** Whether they are blocked too. */
  block?: boolean,
};

/** That the duress passphrase and its decoy are to go. */
export type RemoveDuress = {
  /** The passphrase of this account. */
  passphrase: string,
  /** `remove`, as the owner typed it. */
  confirm: string,
};

/** A device to be removed. */
export type RemovedDevice = {
  /** The device. */
  device: DeviceId,
  /** Twelve words; without them the removal is not safe against a thief who opened the device. */
  recovery_phrase?: string,
};

/** A device and its new name. */
export type RenamedDevice = {
  /** The device. */
  device: DeviceId,
  /** Its name. */
  name: string,
};

/** A report (16 characters). */
export type ReportId = string;

/** What was kept about somebody, on this device only. */
export type ReportInfo = {
  /** Its id. */
  id: ReportId,
  /** About whom. */
  contact: ContactId,
  /** The name they went by. */
  name: string,
  /** When it was made. */
  created_ms: number,
};

/** Somebody unknown who waits to be accepted. */
export type RequestInfo = {
  /** Who they say they are. */
  person: ContactInfo,
  /** What they wrote; it can be read, and nothing can be sent there. */
  chat: ChatInfo,
};

/** What a restored home holds. */
export type RestoreReport = {
  /** Messages and plain lines. */
  messages: number,
  /** Files. */
  files: number,
  /** Messages whose time was over: they did not come back. */
  expired: number,
  /** When the backup was made, Unix milliseconds. */
  made_ms: number,
  /** Whether its conversations are on the server it is registered with now: only then it asks to be let in again. */
  same_server: boolean,
};

/** A member's role. */
export type Role = "member" | "admin" | "owner";

/** A safety number. */
export type SafetyNumber = {
  /** Whose. */
  contact: ContactId,
  /** 60 digits in 12 groups of 5. */
  digits: string,
  /** What its QR code holds. */
  qr: Array<number>,
  /** Whether it was compared. */
  verified: boolean,
};

/** Where to save an attachment. */
export type SaveAttachment = {
  /** The chat. */
  chat: ChatId,
  /** The message. */
  message: MessageId,
  /** Which of its attachments, from 0. */
  index: number,
  /** Absolute path of a file that doesn't exist yet. */
  path: string,
};

/** A file that was saved. */
export type Saved = {
  /** Where. */
  path: string,
  /** Bytes. */
  bytes: number,
};

/** A scanned safety code. */
export type Scanned = {
  /** The contact's account id. */
  contact: ContactId,
  /** The bytes of the QR code. */
  scanned: Array<number>,
};

/** What to look for. */
export type Search = {
  /** Words, or beginnings of words, that must all be in the text, or in a file's name; empty: any message. */
  text?: string,
  /** Only in this chat. */
  chat?: ChatId,
  /** Only by this person. */
  sender?: ContactId,
  /** Only written at or after this, Unix milliseconds. */
  from_ms?: number,
  /** Only written before this, Unix milliseconds. */
  to_ms?: number,
  /** Only of this sort. */
  kind?: SearchKind,
  /** At most so many (1 to 200); None: 50. */
  limit?: number,
  /** Only those before the message with this `local_id`: the next page. */
  before?: number,
};

/** What sort of message to look for. */
export type SearchKind = "photo" | "video" | "audio" | "file" | "link";

/** What a person typed to name a chat or contact. */
export type Selector = {
  /** A name, a unique beginning of one, or an id. */
  selector: string,
};

/** A message on its way. */
export type Sent = {
  /** Its id, final. */
  message: MessageId,
  /** Its place in this device's store. */
  local_id: number,
  /** Whether the server has it. */
  state: Delivery,
};

/** What to change about a chat. */
export type SetChat = {
  /** The chat. */
  chat: ChatId,
  /** What to change; what is left out stays. */
  change: ChatChange,
};

/** What to change about a contact. */
export type SetContact = {
  /** The contact's account id. */
  contact: ContactId,
  /** What to change; what is left out stays. */
  change: ContactChange,
};

/** What was begun to be written. */
export type SetDraft = {
  /** The chat. */
  chat: ChatId,
  /** The text so far, at most 256 KiB; empty: nothing any more. */
  text: string,
  /** The message it answers. */
  in_reply_to?: MessageId,
};

/** A duress passphrase and its decoy. */
export type SetDuress = {
  /** The passphrase of this account. */
  current: string,
  /** The one that destroys this account's keys and opens the decoy, at least 8 characters. */
  duress: string,
  /** One that opens the decoy and destroys nothing, to prepare it. */
  visit?: string,
  /** An invitation, or `ORIGIN+PIN`, to register the decoy's account with; left out: it is empty and not registered. */
  server?: string,
  /** The name in the decoy; left out: this account's. */
  name?: string,
  /** Contacts who are told, silently, when the duress passphrase is given. */
  alarm?: Array<ContactId>,
  /** `replace`, as the owner typed it; only needed where there is a duress passphrase, whose decoy goes with the account in it. */
  confirm?: string,
};

/** Who may do what in a group. */
export type SetPolicy = {
  /** The group. */
  chat: ChatId,
  /** What to change; what is left out stays. */
  change: PolicyChange,
};

/** What this account says of itself from now on; what is left out stays. */
export type SetProfile = {
  /** The name that others see, 1 to 64 bytes. */
  name?: string,
  /** A picture: JPEG, PNG, WebP or GIF, base64. Its middle is taken, made small, and loses all but its pixels. Empty: none any more. */
  picture?: string,
};

/** What of the protection is to change. */
export type SetProtection = {
  /** The passphrase of the home; needed for the limit of wrong passphrases and for the dead-man timer. */
  passphrase?: string,
  /** The changes; what is left out stays. */
  change: ProtectionChange,
};

/** What is set for all chats. */
export type Settings = {
  /** Whether this account tells others what it has read, and is told what they have. */
  read_receipts: boolean,
  /** Whether others are told, at the moment, that this account is writing, and it is told that they are. */
  typing: boolean,
  /** Files up to so many bytes come by themselves; 0: none. Of this device only. */
  download_bytes: number,
  /** The same while the network is one that costs; 0: none. Of this device only. */
  download_metered_bytes: number,
  /** Whether the network that this device is on costs by what goes over it. Of this device only. */
  metered: boolean,
};

/** What to change of it. */
export type SettingsChange = {
  /** Tell others what was read, and be told. */
  read_receipts?: boolean,
  /** Tell others that one is writing, and be told. */
  typing?: boolean,
  /** Files up to so many bytes come by themselves; 0: none. Of this device only. */
  download_bytes?: number,
  /** The same while the network is one that costs; 0: none. Of this device only. */
  download_metered_bytes?: number,
  /** Whether the network that this device is on costs by what goes over it. Of this device only. */
  metered?: boolean,
};

/** A part of what the owner sets, by where it is read. */
export type SettingsPart = "all_chats" | "preferences" | "protection" | "kill" | "profile" | "links" | "reports" | "backup";

/** How long to wait for the server. */
export type Settle = {
  /** Longest wait, in milliseconds (at most 600,000). */
  limit_ms?: number,
};

/** What a one-shot command left behind. */
export type Settled = {
  /** Whether the server was reached. */
  online: boolean,
  /** Messages and changes that the server does not have yet. */
  outbox_left: number,
  /** Why, if it was not reached. */
  problem: Problem | null,
};

/** Somebody to tell others of. */
export type SharedContact = {
  /** One of this account's contacts. */
  contact: ContactId,
  /** A contact link that this person gave to be passed on. Without it the others learn name and account id, and can't write to them. */
  link?: string,
};

/** A picture. */
export type ShownPicture = {
  /** A small square JPEG, base64; None: there is none. */
  picture: string | null,
};

/** A part of a line. */
export type Span = { "span": "text",
  /** The text. */
  text: string, } | { "span": "strong",
  /** What is. */
  spans: Array<Span>, } | { "span": "emphasis",
  /** What is. */
  spans: Array<Span>, } | { "span": "strike",
  /** What is. */
  spans: Array<Span>, } | { "span": "code",
  /** The text. */
  text: string, } | { "span": "break" } | { "span": "link",
  /** Where to. */
  url: string,
  /** What it says, which need not be where it leads. */
  spans: Array<Span>, } | { "span": "mention",
  /** Who. */
  contact: ContactId,
  /** As the author calls them. */
  name: string,
};

/** The connection to the server. */
export type Status = {
  /** The receiving connection. */
  inbox: LinkState,
  /** The sending connection. */
  outbox: LinkState,
  /** Messages that the server does not have yet. */
  outbox_waiting: number,
  /** Blind tokens in the wallet. */
  tokens: number,
  /** Server's clock minus ours, seconds; 0 until it was seen. */
  clock_off_s: number,
  /** Whether that is enough to warn (over an hour). */
  clock_warning: boolean,
  /** Why the connection is not there. */
  problem: Problem | null,
  /** `host:port`. */
  server: string,
  /** The SOCKS5 proxy in use, `host:port`. */
  proxy: string | null,
  /** When the inbox was last known empty. */
  last_sync_ms: number | null,
};

/** A file that is on this device. */
export type StoredFile = {
  /** The message it came with. */
  message: MessageId,
  /** Which of the message's files. */
  index: number,
  /** As its sender named it. */
  name: string,
  /** Its media type. */
  content_type: string,
  /** Its bytes. */
  bytes: number,
  /** When the message was sent. */
  sent_ms: number,
};

/** What a custodian needs to reach this device. */
export type Ticket = {
  /** `undertone:w:...` */
  ticket: string,
};

/** Where the transfer of a file is that is not over. */
export type TransferState = "waiting" | "paused" | "cancelled" | "failed";

/** Where to PUT it. */
export type UploadAddress = {
  /** The upload's id, for `host.send`. */
  upload: string,
  /** A path of this origin, good once. */
  url: string,
};

/** Whether a contact's safety number was compared. */
export type Verified = {
  /** The contact's account id. */
  contact: ContactId,
  /** Compared, or not any more. */
  verified: boolean,
};

/** One version of a message. */
export type Version = {
  /** What it said. */
  text: string,
  /** Whether the text is Markdown. */
  markdown: boolean,
  /** When the sender says it was written. */
  sent_ms: number,
};

/** Whose picture. */
export type WhosePicture = {
  /** The account. */
  contact: ContactId,
};

/** The word that confirms a wipe. */
export type WipeHome = {
  /** `wipe`, as the owner typed it. */
  confirm: string,
};

/** What a wipe did. */
export type Wiped = {
  /** Whether nothing is left in the home. */
  complete: boolean,
  /** Whether the server deleted the queue, with its addresses and key packages. */
  server: boolean,
};

/** Every method, by name. */
export interface Methods {
  /** Says who answers, and how it reaches the server. */
  "session.hello": { params: Hello; result: Greeting };
  /** This account, device and server. */
  "account.get": { params: Nothing; result: AccountInfo };
  /** Reaches the server through a SOCKS5 proxy from now on, or straight, and remembers it. All connections are opened anew. */
  "connection.set_proxy": { params: ChosenProxy; result: Done };
  /** What this account says of itself. */
  "profile.get": { params: Nothing; result: OwnProfile };
  /** Changes it, and has everybody told whom this account talks with, inside encrypted messages. */
  "profile.set": { params: SetProfile; result: OwnProfile };
  /** Of whom there is a picture, this account included; `contact_changed` and `chat_changed` events say when to look. */
  "pictures.list": { params: Nothing; result: Array<PersonPicture> };
  /** Somebody's picture. It was encoded on this device, whatever its sender made. */
  "pictures.get": { params: WhosePicture; result: ShownPicture };
  /** What the operator of this account's server tells everybody there: plain text that proves nothing. `announcements_changed` events say when to look. */
  "announcements.list": { params: Nothing; result: Array<AnnouncementInfo> };
  /** Says that the owner has read an announcement: it is not to be shown any more, on any device of the account. */
  "announcements.dismiss": { params: OneAnnouncement; result: Done };
  /** The connection to the server, and what waits to be sent. */
  "status.get": { params: Nothing; result: Status };
  /** Waits until everything that can be sent was accepted by the server and the mailbox is empty, or until the limit (20 seconds when left out). */
  "sync.settle": { params: Settle; result: Settled };
  /** The account's devices, the oldest first. */
  "devices.list": { params: Nothing; result: Array<DeviceInfo> };
  /** Takes the code that a new device shows. `linking.get` then has the words to compare; `linking` events say when to look. */
  "devices.link": { params: GivenCode; result: Done };
  /** What was said before, on its way to devices that were linked with it; `history_changed` events say when to look. */
  "devices.history": { params: Nothing; result: Array<HistoryInfo> };
  /** The linking that is under way, or why the last one failed. */
  "linking.get": { params: Nothing; result: CurrentLinking };
  /** Says that both devices show the same words: the new one is given the account once its owner says so there too. */
  "linking.confirm": { params: Nothing; result: Done };
  /** Ends the linking: the words differ, or it is not wanted. */
  "linking.cancel": { params: Nothing; result: Done };
  /** Gives a device another name; only the account's devices see it. */
  "devices.rename": { params: RenamedDevice; result: Done };
  /** Takes a device out of the account and of every conversation. Without the recovery phrase that is not safe against a thief who opened it. */
  "devices.remove": { params: RemovedDevice; result: Done };
  /** Whether another device has removed this one from the account: then it receives nothing any more. */
  "devices.is_removed": { params: Nothing; result: DeviceRemoved };
  /** Makes an encrypted backup in a folder, or brings the one there up to date; only the recovery phrase opens it. `backup` events tell how far it is. The phrase is needed only if `backups.get` says that this device is not ready. */
  "backups.make": { params: NewBackup; result: BackupReport };
  /** Ends the backup that is being made; the one before stays whole. */
  "backups.cancel": { params: Nothing; result: Done };
  /** Whether this device can make backups without the recovery phrase, when it last did, and whether it does so now. */
  "backups.get": { params: Nothing; result: BackupState };
  /** Opens every part of a backup with the recovery phrase and checks it. */
  "backups.verify": { params: ChosenBackup; result: BackupCheck };
  /** Makes a contact link to give to one person. Needs the server. */
  "links.create": { params: NewLink; result: LinkInfo };
  /** All contact links that this device made. */
  "links.list": { params: Nothing; result: Array<LinkInfo> };
  /** Withdraws a contact link: nobody can use it from then on. */
  "links.revoke": { params: OneLink; result: Done };
  /** Adds the person who made a contact link. Offline it is queued: the contact then is null, and comes with `contact_added`. */
  "contacts.add": { params: GivenLink; result: AddResult };
  /** All contacts. */
  "contacts.list": { params: Nothing; result: Array<ContactInfo> };
  /** The contact that a person means by a name, a unique beginning of one, or an id. */
  "contacts.find": { params: Selector; result: ContactInfo };
  /** Who is blocked, also those who are no contacts. */
  "contacts.blocked": { params: Nothing; result: Array<BlockedInfo> };
  /** People whom one does not know, who came by a link that asks first: they wait to be accepted. Until then nothing of their files is fetched or shown, and they are told nothing. */
  "requests.list": { params: Nothing; result: Array<RequestInfo> };
  /** The request that a person means by a name, a unique beginning of one, or an id. */
  "requests.find": { params: Selector; result: RequestInfo };
  /** Makes somebody who waits a contact, not verified yet. */
  "requests.accept": { params: OneContact; result: Done };
  /** Deletes a request with everything in it; with `block`, the person can't make another one. They are not told. */
  "requests.refuse": { params: RefuseRequest; result: Done };
  /** Keeps a record of somebody with their last 50 messages, on this device only. It outlives refusing and blocking them. Nobody is sent it. */
  "reports.make": { params: NewReport; result: ReportInfo };
  /** The records that were kept, the newest first. */
  "reports.list": { params: Nothing; result: Array<ReportInfo> };
  /** Writes a record to a new file (mode 0600) as JSON, readable by whoever has the file. */
  "reports.export": { params: ExportReport; result: Done };
  /** Deletes a record. */
  "reports.delete": { params: OneReport; result: Done };
  /** The safety number shared with a contact: the same on both sides, unless somebody stands between. */
  "contacts.safety_number": { params: OneContact; result: SafetyNumber };
  /** Marks a contact as verified, after the safety numbers were compared, or as not verified. */
  "contacts.set_verified": { params: Verified; result: Done };
  /** Accounts that go by the name of a contact and are not that contact's: a person with a new account, or somebody else. To be said in every chat with them until their safety number was compared or they were accepted. */
  "contacts.other_accounts": { params: Nothing; result: Array<OtherAccount> };
  /** Notes that one knows of such an account. Its safety number stays not compared. */
  "contacts.accept_account": { params: OneContact; result: Done };
  /** Compares a scanned safety code; if it is this contact's, marks the contact as verified. */
  "contacts.check_safety_code": { params: Scanned; result: CodeMatches };
  /** Chats: pinned ones first, archived ones last, each by their newest line. A page asks for the first few, and then for the others. */
  "chats.list": { params: ChatPage; result: Array<ChatInfo> };
  /** One chat. */
  "chats.get": { params: OneChat; result: ChatInfo };
  /** The chat that a person means by a name, a unique beginning of one, or an id; `notes` is the notes to self. */
  "chats.find": { params: Selector; result: ChatInfo };
  /** Who is in a chat, and in which role. */
  "chats.members": { params: OneChat; result: Array<MemberInfo> };
  /** Writes a chat as web pages with its files to a new or empty folder (mode 0700), for its owner to keep: plain text on the disk. What disappears is left out. Files that are not here are fetched. */
  "chats.export": { params: ExportChat; result: Exported };
  /** Marks a chat as read up to a message: the time of messages that disappear begins. Tells nobody. */
  "chats.mark_read": { params: ReadUpTo; result: Done };
  /** Tells whoever is there that one is writing, if that is on: to be called while somebody types. Sent at most every four seconds, stored nowhere, and not in groups of more than 32. */
  "chats.typing": { params: OneChat; result: Done };
  /** Sets how long new messages stay once they were read; 0: for good. In a group who may is its policy (usually admins), in a direct chat both. */
  "chats.set_timer": { params: ChatTimer; result: Delivered };
  /** Mutes, archives or pins a chat, or sets its read receipts. Nobody else is told. */
  "chats.set": { params: SetChat; result: Done };
  /** Keeps what was begun to be written in a chat; an empty text ends it. */
  "chats.set_draft": { params: SetDraft; result: Done };
  /** Blocks a contact, or ends that, or sets read receipts with them. They are not told. */
  "contacts.set": { params: SetContact; result: Done };
  /** What is set for all chats. */
  "settings.get": { params: Nothing; result: Settings };
  /** Sets it; what is left out stays. */
  "settings.set": { params: SettingsChange; result: Done };
  /** What a user interface keeps for itself, such as its colours: small numbers by name. */
  "settings.preferences": { params: Nothing; result: { [key in string]: number } };
  /** Keeps one of them. */
  "settings.set_preference": { params: Preference; result: Done };
  /** Whether there is a kill code, whether it reaches this device and the others, and who else may wipe this device. */
  "kill.status": { params: Nothing; result: KillStatus };
  /** Makes a kill code. The words of the one before are worth nothing from then on: where there is one, `confirm` must be `new`. The words are answered once and kept nowhere. */
  "kill.new_code": { params: NewKillCode; result: KillWords };
  /** Says whose a custodian's key is, so that the owner sees it before they accept. */
  "custodians.read": { params: GivenCustodian; result: CustodianName };
  /** Lets a custodian wipe this device, and nothing else. It can't be taken back. Answers the ticket to be given to them. */
  "custodians.accept": { params: AcceptedCustodian; result: Ticket };
  /** Has another device of the account wiped. Answers when it said, signed, that it is, or when the wait is over: it gets the command at its next contact then. */
  "devices.kill": { params: KilledDevice; result: Killed };
  /** Looks for messages by words, chat, person, date and sort, the newest first. */
  "messages.search": { params: Search; result: Array<MessageInfo> };
  /** What others told of a message of one's own: that it came, and that they read it. */
  "messages.receipts": { params: ChosenMessage; result: Array<Receipt> };
  /** Makes a group. */
  "groups.create": { params: NewGroup; result: GroupResult };
  /** Adds contacts to a group. */
  "groups.add": { params: GroupMembers; result: Delivered };
  /** Removes a member from a group. */
  "groups.remove": { params: GroupMember; result: Delivered };
  /** Leaves a group. Another member completes it. The last owner names a successor, who is made owner first. */
  "groups.leave": { params: LeaveGroup; result: Delivered };
  /** Sets the lowest role that may add members, rename, pin, set the timer, or write. Admins may; what is or becomes for owners only, owners. */
  "groups.set_policy": { params: SetPolicy; result: Delivered };
  /** Makes a link to a group: who has it may ask this device to be let in. It names neither the group nor anybody in it. Needs the server. */
  "groups.invite": { params: NewInvite; result: InviteInfo };
  /** The links to a group, the first one first: those that this device made with their text, and those that other devices told it of. */
  "groups.invites": { params: OneChat; result: Array<InviteInfo> };
  /** Withdraws a link to a group: nobody can ask by it from then on. Whose account made it may do that, and admins; one that another device made ends as soon as that device hears of it. */
  "groups.revoke_invite": { params: OneInvite; result: Done };
  /** Who asks this device to be let in to a group, by links that need a yes. */
  "groups.join_requests": { params: OneChat; result: Array<JoinRequestInfo> };
  /** Lets somebody in who asks, or not; they are told nothing then. */
  "groups.answer_join": { params: AnswerJoin; result: Done };
  /** Asks to be let in to a group by a link. Answers when one is in, or has waited for that for some seconds: the chat comes with `chat_changed` then. */
  "groups.join": { params: GivenLink; result: JoinResult };
  /** Makes a member owner in one's own place; oneself stays as an admin. */
  "groups.hand_over": { params: GroupMember; result: Delivered };
  /** Gives a member a role. */
  "groups.set_role": { params: MemberRole; result: Delivered };
  /** Renames a group. */
  "groups.rename": { params: GroupName; result: Delivered };
  /** Sends a message. Answers when it is safely in the outbox, or, with `wait_ms`, when the server has it on disk or the wait is over (`message.not_sent` if it was cancelled or failed meanwhile). Messages of one connection keep their order. */
  "messages.send": { params: NewMessage; result: Sent };
  /** A chat's messages, oldest first, in the conversation's order. Of `before`, `from_ms`, `after` and `around` at most one can be given. Nothing comes for a line that the chat does not have. */
  "messages.list": { params: ListMessages; result: Array<MessageInfo> };
  /** One message, by its id or a beginning of it. */
  "messages.get": { params: OneMessage; result: MessageInfo };
  /** Gives an own message a new text. Everybody sees that it was edited, and can read what it said before. */
  "messages.edit": { params: EditMessage; result: Done };
  /** Deletes a message: an own one for everyone, or any one on this account's devices only. */
  "messages.delete": { params: DeleteMessage; result: Done };
  /** Reacts to a message, or takes that reaction back. Several reactions of one person can stand. */
  "messages.react": { params: React; result: Done };
  /** Pins a message for everybody in the chat, or ends that. In a group who may is its policy (usually admins). */
  "messages.pin": { params: PinMessage; result: Done };
  /** The pinned messages of a chat, the one pinned last first. */
  "messages.pinned": { params: OneChat; result: Array<MessageInfo> };
  /** Says again, in another chat, what a message says, with its files. Who said it first is not told. */
  "messages.forward": { params: Forward; result: Sent };
  /** Sends an own message that failed or was cancelled once more: as a new one, at the end of the chat, in the place of the old. */
  "messages.send_again": { params: ChosenMessage; result: Sent };
  /** All versions of a message, the first one first. */
  "messages.history": { params: ChosenMessage; result: Array<Version> };
  /** Downloads an attachment if it isn't here yet, and saves it decrypted to a new file (mode 0600). */
  "attachments.save": { params: SaveAttachment; result: Saved };
  /** Lets the transfer of a file wait until it is resumed, over restarts too. A message on its way out waits as a whole. */
  "attachments.pause": { params: ChosenFiles; result: Done };
  /** Lets a transfer go on where it is. A file that was never asked for, or was cancelled, comes now, whatever its size. */
  "attachments.resume": { params: ChosenFiles; result: Done };
  /** Ends a transfer. A message on its way out stays here as failed, to be sent again or deleted; a file that was coming comes no more by itself. */
  "attachments.cancel": { params: ChosenFiles; result: Done };
  /** The files on this device by chat: how many, how large, and the largest ones. The chat that takes most first. */
  "storage.list": { params: Nothing; result: Array<ChatStorage> };
  /** Removes files from this device, of one chat or of all; what is left out of `clean` is no condition. Messages and previews stay, and a file can be fetched again as long as the server has it. */
  "storage.clean": { params: CleanStorage; result: CleanedUp };
  /** What protects this device when it is lost, seized, or its owner coerced, and how the dead-man timer stands. */
  "protection.get": { params: Nothing; result: Protection };
  /** Changes it, and answers with the new state. A limit of wrong passphrases and the dead-man timer ask for the passphrase; a wrong one counts. */
  "protection.set": { params: SetProtection; result: Protection };
  /** Gives the home another passphrase: the key is wrapped anew, the data stays as it is. */
  "passphrase.change": { params: ChangePassphrase; result: Done };
  /** Confirms with the passphrase that the owner is there: the dead-man timer starts anew, as after an unlock. */
  "passphrase.confirm": { params: Confirmation; result: Done };
  /** Makes a decoy with an account of its own, and a duress passphrase: given instead of the passphrase it destroys this account's keys here, opens the decoy, and tells the contacts in `alarm`, silently. All of before are replaced: where there is one, `confirm` must be `replace`. */
  "duress.set": { params: SetDuress; result: DuressAnswer };
  /** Takes the duress passphrase and the decoy away; their place is random bytes again. `confirm` must be `remove`. */
  "duress.remove": { params: RemoveDuress; result: Done };
  /** Locks: the process that has the home open closes it and lets go of its memory. The connection ends. */
  "home.lock": { params: Nothing; result: Done };
  /** Panic: locks at once; a second time within ten seconds it wipes. Asks for nothing. */
  "home.panic": { params: Nothing; result: PanicAnswer };
  /** Wipes this device: what opens the home first, then everything in it, then its queue on the server if that answers within five seconds. `confirm` must be `wipe`. The process ends afterwards. */
  "home.wipe": { params: WipeHome; result: Wiped };
  /** From now on, sends what happens as notifications called `event`. */
  "events.subscribe": { params: Nothing; result: Done };
  /** Ends the notifications. */
  "events.unsubscribe": { params: Nothing; result: Done };
}

/** Every method of the host that serves the user interface, by name. */
export interface HostMethods {
  /** How the host stands: whether there is a home, and whether it is open. */
  "host.state": { params: Nothing; result: HostInfo };
  /** Makes a home that another device of an account links to it, and a code for that device; `host.state` says how far it is. */
  "host.join": { params: NewJoining; result: Done };
  /** Says whether both devices show the same words. The account comes once both sides have said yes; no at any time ends it. */
  "host.answer_join": { params: JoiningAnswer; result: Done };
  /** Makes a home with a new account, and opens it. */
  "host.create": { params: NewAccount; result: Done };
  /** Makes a home from a backup that its recovery phrase opens, and opens it. Chats go on as somebody in each of them lets this device in. */
  "host.restore": { params: NewRestoring; result: RestoreReport };
  /** The recovery phrase of an account that was just made, until `host.phrase_kept`; over locks too. */
  "host.recovery_phrase": { params: Nothing; result: Phrase };
  /** The recovery phrase is on paper: it is forgotten here. */
  "host.phrase_kept": { params: Nothing; result: Done };
  /** Opens the home. */
  "host.unlock": { params: GivenPassphrase; result: Done };
  /** Locks: every session loses what it was given, the store is closed, and the process replaces itself, so that no key stays in memory. The connection ends; the same session may come back and unlock. */
  "host.lock": { params: Nothing; result: Done };
  /** Panic, open or locked: locks at once; a second time within ten seconds, or with `wipe`, it wipes. Asks for nothing. */
  "host.panic": { params: PressPanic; result: PanicAnswer };
  /** The owner does something (a key, the pointer): auto-lock counts from here, and from nothing else that a page asks. */
  "host.activity": { params: Nothing; result: Done };
  /** An address to PUT one file to. Its bytes are encrypted as they come; nothing of it is on disk as it was. */
  "host.upload": { params: NewUpload; result: UploadAddress };
  /** Removes an uploaded file that is not to be sent after all. */
  "host.discard": { params: OneUpload; result: Done };
  /** Sends a message with uploaded files. Answers when it is safely in the outbox. */
  "host.send": { params: NewMessageWithUploads; result: Sent };
  /** An address to GET a message's file from, with ranges, after downloading it if need be. Only this session's, until it is released or the home is locked. */
  "host.media": { params: OneFile; result: FileAddress };
  /** Ends such an address. */
  "host.release": { params: FileAddress; result: Done };
  /** Draws a QR code. */
  "host.qr": { params: QrContent; result: QrModules };
}

/** Every notification from the app, by name. */
export interface Notifications {
  "event": Event;
}

/** `data` of every error. */
export type RpcErrorData = ErrorData;
