// Generated from crates/app/src/rpc/methods.rs; do not edit. docs/rpc.md describes the interface.

export const RPC_VERSION = 1;

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
  /** Of a picture, pixels. */
  width: number | null,
  /** Of a picture, pixels. */
  height: number | null,
  /** Of a voice memo. */
  duration_ms: number | null,
  /** Of a voice memo, loudness 0 to 255. */
  waveform: Array<number>,
  /** Small JPEG of a picture, base64. */
  preview: string | null,
  /** Whether the file's (encrypted) bytes are on this device. */
  here: boolean,
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
  /** The newest line. */
  last: MessageInfo | null,
  /** One's own role. */
  my_role: Role,
  /** How it is doing. */
  state: ChatState,
  /** The MLS epoch. */
  epoch: number,
};

/** What sort of conversation. */
export type ChatKind = "direct" | "group" | "notes";

/** How a chat is doing. */
export type ChatState = "joining" | "active" | "resyncing" | "left" | "removed";

/** The outcome of comparing a scanned safety code. */
export type CodeMatches = {
  /** Whether it is this contact's. If so, the contact is verified now. */
  matches: boolean,
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
};

/** How far a contact is. */
export type ContactState = "pending" | "ready";

/** Whether the server has a change. */
export type Delivered = {
  /** On the server's disk, or queued on this device. */
  state: Delivery,
};

/** Whether the server has it. */
export type Delivery = "accepted" | "queued";

/** A device (26 characters). */
export type DeviceId = string;

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
  chat: ChatId, } | { "event": "contact_added",
  /** The contact. */
  contact: ContactInfo, } | { "event": "contact_changed",
  /** The contact. */
  contact: ContactId, } | { "event": "transfer",
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
  problem: Problem | null, } | { "event": "clock_warning",
  /** Server's minus ours, seconds. */
  off_s: number, } | { "event": "lagged"
};

/** A contact link that somebody gave. */
export type GivenLink = {
  /** The link, `undertone:...`. */
  link: string,
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
  /** What has become of it. */
  state: LinkLife,
};

/** A contact link's life. */
export type LinkLife = "open" | "used" | "expired" | "revoked";

/** One connection's state. */
export type LinkState = "offline" | "connecting" | "online";

/** Which messages to list. */
export type ListMessages = {
  /** The chat. */
  chat: ChatId,
  /** At most so many, the newest (1 to 1,000); left out: 50. */
  limit?: number,
  /** Only those before the message with this `local_id`. */
  before?: number,
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
  /** The text, or the notice's sentence. */
  text: string,
  /** Whether the text is Markdown. */
  markdown: boolean,
  /** Files. */
  attachments: Array<AttachmentInfo>,
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
};

/** What a line of a chat is. */
export type MessageKind = "message" | "notice" | "gap";

/** How far a message is. */
export type MessageState = "received" | "queued" | "uploading" | "sending" | "accepted" | "sent" | "failed";

/** A new group. */
export type NewGroup = {
  /** Its name, 1 to 128 bytes. */
  name: string,
  /** Account ids of its other members. */
  members: Array<ContactId>,
};

/** A new contact link. */
export type NewLink = {
  /** Life in seconds; 0: without end; left out: 7 days. */
  expires_in_s?: number,
  /** How many people may use it (1 to 100); left out: 1. */
  uses?: number,
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
  /** How long to wait until the server has it, in milliseconds (at most 600,000); left out: answer as soon as it is in the outbox. */
  wait_ms?: number,
};

/** No parameters. */
export type Nothing = Record<symbol, never>;

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

/** The conversation's order (docs/protocol.md section 4). */
export type Order = {
  /** The channel's generation. */
  generation: number,
  /** The channel's number. */
  number: number,
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

/** How far a chat was read. */
export type ReadUpTo = {
  /** The chat. */
  chat: ChatId,
  /** The `local_id` of the last message read. */
  up_to_local_id: number,
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

/** Whether a contact's safety number was compared. */
export type Verified = {
  /** The contact's account id. */
  contact: ContactId,
  /** Compared, or not any more. */
  verified: boolean,
};

/** Every method, by name. */
export interface Methods {
  /** Says who answers, and how it reaches the server. */
  "session.hello": { params: Hello; result: Greeting };
  /** This account, device and server. */
  "account.get": { params: Nothing; result: AccountInfo };
  /** The connection to the server, and what waits to be sent. */
  "status.get": { params: Nothing; result: Status };
  /** Waits until everything that can be sent was accepted by the server and the mailbox is empty, or until the limit (20 seconds when left out). */
  "sync.settle": { params: Settle; result: Settled };
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
  /** The safety number shared with a contact: the same on both sides, unless somebody stands between. */
  "contacts.safety_number": { params: OneContact; result: SafetyNumber };
  /** Marks a contact as verified, after the safety numbers were compared, or as not verified. */
  "contacts.set_verified": { params: Verified; result: Done };
  /** Compares a scanned safety code; if it is this contact's, marks the contact as verified. */
  "contacts.check_safety_code": { params: Scanned; result: CodeMatches };
  /** All chats, the newest first. */
  "chats.list": { params: Nothing; result: Array<ChatInfo> };
  /** One chat. */
  "chats.get": { params: OneChat; result: ChatInfo };
  /** The chat that a person means by a name, a unique beginning of one, or an id; `notes` is the notes to self. */
  "chats.find": { params: Selector; result: ChatInfo };
  /** Who is in a chat, and in which role. */
  "chats.members": { params: OneChat; result: Array<MemberInfo> };
  /** Marks a chat as read up to a message. Tells nobody. */
  "chats.mark_read": { params: ReadUpTo; result: Done };
  /** Makes a group. */
  "groups.create": { params: NewGroup; result: GroupResult };
  /** Adds contacts to a group. */
  "groups.add": { params: GroupMembers; result: Delivered };
  /** Removes a member from a group. */
  "groups.remove": { params: GroupMember; result: Delivered };
  /** Leaves a group. Another member completes it. */
  "groups.leave": { params: OneChat; result: Delivered };
  /** Gives a member a role. */
  "groups.set_role": { params: MemberRole; result: Delivered };
  /** Renames a group. */
  "groups.rename": { params: GroupName; result: Delivered };
  /** Sends a message. Answers when it is safely in the outbox, or, with `wait_ms`, when the server has it on disk or the wait is over. Messages of one connection keep their order. */
  "messages.send": { params: NewMessage; result: Sent };
  /** A chat's messages, oldest first, in the conversation's order. */
  "messages.list": { params: ListMessages; result: Array<MessageInfo> };
  /** One message, by its id or a beginning of it. */
  "messages.get": { params: OneMessage; result: MessageInfo };
  /** Downloads an attachment if it isn't here yet, and saves it decrypted to a new file (mode 0600). */
  "attachments.save": { params: SaveAttachment; result: Saved };
  /** From now on, sends what happens as notifications called `event`. */
  "events.subscribe": { params: Nothing; result: Done };
  /** Ends the notifications. */
  "events.unsubscribe": { params: Nothing; result: Done };
}

/** Every notification from the app, by name. */
export interface Notifications {
  "event": Event;
}

/** `data` of every error. */
export type RpcErrorData = ErrorData;
