// The lines of the chat that is shown, as far back as somebody has looked.

import { signal } from "@preact/signals";
import type { ChatId, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

const PAGE = 60;
const AGAIN = 200;
const OLDER = 120;

export const openChat = signal<ChatId | null>(null);
export const lines = signal<readonly MessageInfo[]>([]);
export const hasOlder = signal(false);
export const areLinesRead = signal(false);
/** The first line that was not read when the chat was opened. */
export const firstUnread = signal<number | null>(null);

let generation = 0;
/** Something changed while the chat was being read. */
let isStale = false;

export async function open(chat: ChatId | null, unread = 0): Promise<void> {
  generation += 1;
  openChat.value = chat;
  lines.value = [];
  hasOlder.value = false;
  areLinesRead.value = false;
  firstUnread.value = null;
  isStale = false;
  if (chat === null) return;
  const mine = generation;
  const page = await call("messages.list", { chat, limit: Math.min(1000, Math.max(PAGE, unread + 20)) });
  if (mine !== generation) return;
  lines.value = page;
  hasOlder.value = page.length >= PAGE;
  const received = page.filter((line) => !line.mine && line.kind === "message");
  firstUnread.value = unread > 0 ? (received[received.length - unread]?.local_id ?? null) : null;
  areLinesRead.value = true;
  if (isStale) refreshSoon();
}

let isReadingOlder = false;

/** Reads the page before the first line. True if there was one. */
export async function readOlder(): Promise<boolean> {
  const chat = openChat.value;
  const first = lines.value[0];
  if (chat === null || first === undefined || !hasOlder.value || isReadingOlder) return false;
  isReadingOlder = true;
  const mine = generation;
  try {
    const page = await call("messages.list", { chat, limit: OLDER, before: first.local_id });
    if (mine !== generation) return false;
    hasOlder.value = page.length >= OLDER;
    // What comes twice is near the seam.
    const known = new Set(lines.value.slice(0, AGAIN).map((line) => line.local_id));
    lines.value = [...page.filter((line) => !known.has(line.local_id)), ...lines.value];
    return page.length > 0;
  } catch {
    return false;
  } finally {
    isReadingOlder = false;
  }
}

/** Reads back until a message is there. True if it is. */
export async function readBackTo(localId: number): Promise<boolean> {
  for (let turn = 0; turn < 2000; turn += 1) {
    if (lines.value.some((line) => line.local_id === localId)) return true;
    if (!(await readOlder())) return false;
  }
  return false;
}

let timer = 0;

function refreshSoon(): void {
  if (timer !== 0) return;
  timer = window.setTimeout(() => {
    timer = 0;
    void refresh().catch(() => undefined);
  }, 30);
}

/** Reads the newest lines again, and puts them in the place of what is shown of them. */
async function refresh(): Promise<void> {
  const chat = openChat.value;
  if (chat === null) return;
  if (!areLinesRead.value) {
    isStale = true;
    return;
  }
  const mine = generation;
  const page = await call("messages.list", { chat, limit: Math.min(AGAIN, Math.max(PAGE, lines.value.length)) });
  if (mine !== generation) return;
  const first = page[0];
  const at = first === undefined ? -1 : lines.value.findIndex((line) => line.local_id === first.local_id);
  if (at > 0) {
    lines.value = [...lines.value.slice(0, at), ...page];
  } else {
    lines.value = page;
    if (at < 0) hasOlder.value = page.length >= PAGE;
  }
}

async function refreshOne(id: string): Promise<void> {
  const chat = openChat.value;
  if (chat === null) return;
  const mine = generation;
  try {
    const line = await call("messages.get", { chat, message: id });
    if (mine !== generation) return;
    lines.value = lines.value.map((old) => (old.local_id === line.local_id ? line : old));
  } catch {
    refreshSoon();
  }
}

onEvent((event) => {
  if (event.event === "lagged") refreshSoon();
  if (!("chat" in event) || event.chat !== openChat.value) return;
  if (event.event === "message" || event.event === "requested" || event.event === "chat_changed") {
    refreshSoon();
  } else if (event.event === "message_changed") {
    const newest = lines.value.slice(-AGAIN);
    if (newest.some((line) => line.id === event.message)) refreshSoon();
    else void refreshOne(event.message);
  }
});
onOpen(refresh);
onClose(() => {
  clearTimeout(timer);
  timer = 0;
  void open(null);
});
