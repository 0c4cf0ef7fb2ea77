// All chats and contacts, as the core has them.

import { batch, computed, signal } from "@preact/signals";
import type { ChatId, ChatInfo, ContactId, ContactInfo } from "../../../crates/app/bindings/rpc.ts";
import { Failed, asFailed, type Params } from "../host/socket.ts";
import { requestOf } from "./requests.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const chats = signal<ReadonlyMap<ChatId, ChatInfo>>(new Map());
export const contacts = signal<readonly ContactInfo[]>([]);
/** Whether all of them are there, not only the first. */
export const areChatsRead = signal(false);
/** Asked for first: more than a screen shows. */
const FIRST_CHATS = 40;

function newest(chat: ChatInfo): number {
  return chat.last?.received_ms ?? 0;
}

/** The order of the list: kept at the top first, then by what came last. */
export function inOrder(all: Iterable<ChatInfo>): ChatInfo[] {
  return [...all].sort((a, b) => Number(b.pinned) - Number(a.pinned) || newest(b) - newest(a) || a.name.localeCompare(b.name));
}

export const listed = computed(() => inOrder(chats.value.values()).filter((chat) => !chat.archived));
export const archived = computed(() => inOrder(chats.value.values()).filter((chat) => chat.archived));
export const unread = computed(() => {
  // A part of the sum would be told as the whole.
  if (!areChatsRead.value) return 0;
  let sum = 0;
  for (const chat of chats.value.values()) if (!isMuted(chat)) sum += chat.unread;
  return sum;
});

export function isMuted(chat: ChatInfo): boolean {
  return chat.muted_until_ms !== null && chat.muted_until_ms > Date.now();
}

const byId = computed(() => new Map(contacts.value.map((contact) => [contact.id, contact])));
const byChat = computed(() => new Map(contacts.value.flatMap((contact) => (contact.chat === null ? [] : [[contact.chat, contact] as const]))));

export function contactOf(id: ContactId): ContactInfo | undefined {
  return byId.value.get(id);
}

export function contactOfChat(chat: ChatId): ContactInfo | undefined {
  return byChat.value.get(chat);
}

/** What was read of single chats while a list was on its way, and is newer than what the list says; null: it is gone. */
const newer = new Set<Map<ChatId, ChatInfo | null>>();

async function list(params: Params<"chats.list">): Promise<Map<ChatId, ChatInfo>> {
  const meanwhile = new Map<ChatId, ChatInfo | null>();
  newer.add(meanwhile);
  const all = new Map((await call("chats.list", params)).map((chat) => [chat.id, chat]));
  // The home was locked: this is nobody's any more.
  if (!newer.delete(meanwhile)) throw new Failed("page.disconnected", "");
  for (const [id, chat] of meanwhile) chat === null ? all.delete(id) : all.set(id, chat);
  return all;
}

export async function readChats(): Promise<void> {
  chats.value = await list({});
  areChatsRead.value = true;
}

/** The first of them are painted while the others are on their way. */
async function readFirstChats(): Promise<void> {
  if (areChatsRead.value) return readChats();
  const first = await list({ limit: FIRST_CHATS });
  chats.value = first;
  if (first.size < FIRST_CHATS) areChatsRead.value = true;
  else void readOtherChats([...first.keys()]).catch(() => undefined);
}

async function readOtherChats(except: ChatId[]): Promise<void> {
  const others = await list({ except });
  batch(() => {
    chats.value = new Map([...others, ...chats.value]);
    areChatsRead.value = true;
  });
}

export async function readContacts(): Promise<void> {
  contacts.value = (await call("contacts.list", {})).sort((a, b) => a.name.localeCompare(b.name));
}

const stale = new Set<ChatId>();
let timer = 0;

/** Reads a chat again soon; several hints at once are one reading. */
export function refreshChat(chat: ChatId): void {
  stale.add(chat);
  if (timer !== 0) return;
  timer = window.setTimeout(() => {
    timer = 0;
    const wanted = [...stale];
    stale.clear();
    void Promise.all(wanted.map(readChat));
  }, 40);
}

async function readChat(id: ChatId): Promise<void> {
  try {
    const chat = await call("chats.get", { chat: id });
    // Somebody who is not accepted yet is in another list.
    if (!chats.value.has(id) && requestOf(id) !== undefined) return;
    for (const meanwhile of newer) meanwhile.set(id, chat);
    chats.value = new Map(chats.value).set(id, chat);
  } catch (error) {
    if (asFailed(error).code === "chat.unknown") {
      for (const meanwhile of newer) meanwhile.set(id, null);
      const rest = new Map(chats.value);
      rest.delete(id);
      chats.value = rest;
    }
  }
}

onOpen(() => Promise.all([readFirstChats(), readContacts()]).then(() => undefined));
onClose(() => {
  clearTimeout(timer);
  timer = 0;
  stale.clear();
  newer.clear();
  chats.value = new Map();
  contacts.value = [];
  areChatsRead.value = false;
});
onEvent((event) => {
  switch (event.event) {
    case "message":
    case "message_changed":
    case "chat_changed":
      refreshChat(event.chat);
      break;
    case "contact_added":
    case "contact_changed":
      void readContacts().catch(() => undefined);
      void readChats().catch(() => undefined);
      break;
    case "lagged":
      void readChats().catch(() => undefined);
      void readContacts().catch(() => undefined);
      break;
    default:
  }
});
