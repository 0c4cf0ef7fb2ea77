// Who is writing at this moment, as long as they say so; and telling it of whoever writes here. Whether it is told and shown is the core's to know.

import { signal } from "@preact/signals";
import type { ChatId, ContactId } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent } from "./app.ts";

/** Names by person, by chat. */
export const typing = signal<ReadonlyMap<ChatId, ReadonlyMap<ContactId, string>>>(new Map());

/** The core tells it every four seconds at most. */
const PAUSE_MS = 2000;
const timers = new Map<string, number>();
const told = { chat: "", at: 0 };

function change(chat: ChatId, contact: ContactId, name: string | null): void {
  const there = new Map(typing.value.get(chat));
  if (name === null ? !there.delete(contact) : there.get(contact) === name) return;
  if (name !== null) there.set(contact, name);
  const all = new Map(typing.value);
  if (there.size === 0) all.delete(chat);
  else all.set(chat, there);
  typing.value = all;
}

function ends(chat: ChatId, contact: ContactId): void {
  const key = `${chat}/${contact}`;
  clearTimeout(timers.get(key));
  timers.delete(key);
  change(chat, contact, null);
}

export function tellTyping(chat: ChatId): void {
  const now = Date.now();
  if (told.chat === chat && now - told.at < PAUSE_MS && now >= told.at) return;
  told.chat = chat;
  told.at = now;
  call("chats.typing", { chat }).catch(() => undefined);
}

onEvent((event) => {
  if (event.event === "typing") {
    const { chat, contact, name, for_ms } = event;
    const key = `${chat}/${contact}`;
    clearTimeout(timers.get(key));
    timers.set(key, window.setTimeout(() => ends(chat, contact), for_ms));
    change(chat, contact, name);
  } else if (event.event === "message" && event.message.sender !== null) {
    ends(event.chat, event.message.sender);
  }
});

onClose(() => {
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  typing.value = new Map();
});
