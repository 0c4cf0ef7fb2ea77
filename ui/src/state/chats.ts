// All chats and contacts, as the core has them.

import { computed, signal } from "@preact/signals";
import type { ChatId, ChatInfo, ContactId, ContactInfo } from "../../../crates/app/bindings/rpc.ts";
import { asFailed } from "../host/socket.ts";
import { requestOf } from "./requests.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const chats = signal<ReadonlyMap<ChatId, ChatInfo>>(new Map());
export const contacts = signal<readonly ContactInfo[]>([]);
export const areChatsRead = signal(false);

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

export async function readChats(): Promise<void> {
  const all = await call("chats.list", {});
  chats.value = new Map(all.map((chat) => [chat.id, chat]));
  areChatsRead.value = true;
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
    chats.value = new Map(chats.value).set(id, chat);
  } catch (error) {
    if (asFailed(error).code === "chat.unknown") {
      const rest = new Map(chats.value);
      rest.delete(id);
      chats.value = rest;
    }
  }
}

onOpen(() => Promise.all([readChats(), readContacts()]).then(() => undefined));
onClose(() => {
  clearTimeout(timer);
  timer = 0;
  stale.clear();
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
