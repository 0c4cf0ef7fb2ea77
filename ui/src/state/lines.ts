// The lines of the chat that is shown: as many as somebody looks at and some on both sides, wherever in the chat that is. Whoever goes on has
// more read on that side, and what is far on the other one is let go of.

import { batch, signal } from "@preact/signals";
import type { ChatId, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

const PAGE = 60;
const AGAIN = 200;
const MORE = 120;
const AROUND = 240;
/** Lines held at once, when somebody goes on and on. */
const MOST = 480;
/** Lines that one question may ask for. */
const MOST_AT_ONCE = 1000;
const SOON_MS = 30;
/** Away from the newest what comes is not shown, so there is less hurry. */
const SOON_AWAY_MS = 400;

export const openChat = signal<ChatId | null>(null);
export const lines = signal<readonly MessageInfo[]>([]);
export const hasOlder = signal(false);
/** Whether the chat goes on after the last of these lines: what comes now is not among them. */
export const hasNewer = signal(false);
export const areLinesRead = signal(false);
/** The first line that was not read when the chat was opened. */
export const firstUnread = signal<number | null>(null);

/** Counts what happened to messages of this chat, for whoever shows others of them than these lines. */
export const touched = signal(0);
/** While something is picked among these lines none of them is let go of. */
export const isHeld = signal(false);

/** Changes with whatever puts other lines in the place of these: an answer to an earlier question is of no use then. */
let generation = 0;
/** Something changed while the chat was being read. */
let isStale = false;

export async function open(chat: ChatId | null, unread = 0): Promise<void> {
  generation += 1;
  batch(() => {
    openChat.value = chat;
    lines.value = [];
    hasOlder.value = false;
    hasNewer.value = false;
    areLinesRead.value = false;
    firstUnread.value = null;
  });
  isStale = false;
  if (chat === null) return;
  const mine = generation;
  const page = await call("messages.list", { chat, limit: Math.min(MOST_AT_ONCE, Math.max(PAGE, unread + 20)) });
  if (mine !== generation) return;
  lines.value = page;
  hasOlder.value = page.length >= PAGE;
  const received = page.filter((line) => !line.mine && line.kind === "message");
  firstUnread.value = unread > 0 ? (received[received.length - unread]?.local_id ?? null) : null;
  areLinesRead.value = true;
  if (isStale) refreshSoon();
}

let isReadingMore = false;

/** Reads the lines on one side of those that are there. True if there were some. */
async function readMore(side: "before" | "after"): Promise<boolean> {
  const chat = openChat.value;
  const edge = side === "before" ? lines.value[0] : lines.value.at(-1);
  const goesOn = side === "before" ? hasOlder : hasNewer;
  if (chat === null || edge === undefined || !goesOn.value || isReadingMore) return false;
  isReadingMore = true;
  const mine = generation;
  try {
    const page = await call("messages.list", { chat, limit: MORE, [side]: edge.local_id });
    if (mine !== generation) return false;
    // What comes twice is near the seam.
    const known = new Set((side === "before" ? lines.value.slice(0, AGAIN) : lines.value.slice(-AGAIN)).map((line) => line.local_id));
    const fresh = page.filter((line) => !known.has(line.local_id));
    batch(() => {
      goesOn.value = page.length >= MORE;
      const all = side === "before" ? [...fresh, ...lines.value] : [...lines.value, ...fresh];
      const isTooMuch = all.length > MOST && !isHeld.value;
      // Far on the other side of where somebody is.
      if (isTooMuch) (side === "before" ? hasNewer : hasOlder).value = true;
      lines.value = !isTooMuch ? all : side === "before" ? all.slice(0, MOST) : all.slice(-MOST);
    });
    return page.length > 0;
  } catch {
    return false;
  } finally {
    isReadingMore = false;
  }
}

export const readOlder = (): Promise<boolean> => readMore("before");
export const readNewer = (): Promise<boolean> => readMore("after");

/** A line, the first one that was written at a moment or after, or the newest. */
export type Target = number | { from_ms: number } | "newest";

/** Has a line and those around it read, unless they are there. Its `local_id`; null if there is none. */
export const readAt = (target: Target): Promise<number | null> => take(target, (id) => lines.value.some((line) => line.local_id === id));

/** The same, with what need not be read. */
async function take(target: Target, isThere: (id: number) => boolean): Promise<number | null> {
  const chat = openChat.value;
  if (chat === null) return null;
  if (typeof target === "number" && isThere(target)) return target;
  if (target === "newest" && !hasNewer.value) return lines.value.at(-1)?.local_id ?? null;
  generation += 1;
  const mine = generation;
  try {
    let at: number | null = typeof target === "number" ? target : null;
    if (typeof target === "object") {
      const [first] = await call("messages.list", { chat, limit: 1, ...target });
      if (mine !== generation) return null;
      if (first !== undefined && isThere(first.local_id)) return first.local_id;
      at = first?.local_id ?? null;
    }
    // After everything there is the newest.
    const page = await call("messages.list", at === null ? { chat, limit: PAGE } : { chat, limit: AROUND, around: at });
    if (mine !== generation) return null;
    if (at === null) {
      batch(() => {
        lines.value = page;
        hasOlder.value = page.length >= PAGE;
        hasNewer.value = false;
      });
      return page.at(-1)?.local_id ?? null;
    }
    if (!page.some((line) => line.local_id === at)) return null;
    putAround(page, at, AROUND);
    return at;
  } finally {
    // Of what happened meanwhile nobody asked for the answer.
    if (mine === generation) refreshSoon();
  }
}

/** Takes what was read around a line in the place of everything. */
function putAround(page: readonly MessageInfo[], around: number, limit: number): void {
  const before = page.findIndex((line) => line.local_id === around);
  const half = Math.floor(limit / 2);
  batch(() => {
    lines.value = page;
    hasOlder.value = before >= half;
    hasNewer.value = page.length - before >= limit - half;
  });
}

let timer = 0;

function refreshSoon(): void {
  if (timer !== 0) return;
  timer = window.setTimeout(
    () => {
      timer = 0;
      void refresh().catch(() => undefined);
    },
    hasNewer.value ? SOON_AWAY_MS : SOON_MS,
  );
}

/** Reads lines again, and puts them in the place of what is shown of them. */
async function refresh(): Promise<void> {
  const chat = openChat.value;
  if (chat === null) return;
  if (!areLinesRead.value) {
    isStale = true;
    return;
  }
  const mine = generation;
  if (hasNewer.value) {
    const before = lines.value;
    const middle = before[Math.floor(before.length / 2)];
    if (middle === undefined) return;
    const limit = Math.min(MOST_AT_ONCE, Math.max(PAGE, before.length));
    const page = await call("messages.list", { chat, limit, around: middle.local_id });
    if (mine !== generation) return;
    // Somebody went on meanwhile.
    if (lines.value !== before) refreshSoon();
    else if (page.some((line) => line.local_id === middle.local_id)) putAround(page, middle.local_id, limit);
    else await take({ from_ms: middle.sent_ms }, () => false);
    return;
  }
  const page = await call("messages.list", { chat, limit: Math.min(AGAIN, Math.max(PAGE, lines.value.length)) });
  if (mine !== generation) return;
  // Whoever went far back meanwhile is not taken to the newest.
  if (hasNewer.value) return refreshSoon();
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
  if (event.event === "lagged") {
    refreshSoon();
    touched.value += 1;
  }
  if (!("chat" in event) || event.chat !== openChat.value) return;
  if (event.event === "message" || event.event === "message_changed") touched.value += 1;
  if (event.event === "message" || event.event === "requested" || event.event === "chat_changed") {
    refreshSoon();
  } else if (event.event === "message_changed") {
    const newest = hasNewer.value ? [] : lines.value.slice(-AGAIN);
    if (newest.some((line) => line.id === event.message)) refreshSoon();
    else if (areLinesRead.value && !lines.value.some((line) => line.id === event.message)) return;
    else void refreshOne(event.message);
  }
});
onOpen(refresh);
onClose(() => {
  clearTimeout(timer);
  timer = 0;
  void open(null);
});
