// What was begun to be written and the program has not confirmed yet: it survives a lost connection here, and nothing else.

import type { ChatId, MessageId } from "../../../crates/app/bindings/rpc.ts";
import { asFailed } from "../host/socket.ts";
import { call, hostState, isLocking, onClose, onReturn } from "./app.ts";

/** What was begun to be written, and what it answers. */
export interface Begun {
  text: string;
  reply: MessageId | undefined;
}

const unsaved = new Map<ChatId, Begun>();

/** Holds what is being written, until it is kept. */
export function hold(chat: ChatId, begun: Begun): void {
  // Nothing that is written stays in a page that was locked.
  if (hostState.value === "open" && !isLocking.value) unsaved.set(chat, begun);
}

/** Whether something else than this is held. */
export function isOther(chat: ChatId, begun: Begun): boolean {
  const held = unsaved.get(chat);
  return held !== undefined && held !== begun;
}

/** Has the program keep it; now, or when it is there again. */
export async function keepDraft(chat: ChatId, begun: Begun): Promise<void> {
  hold(chat, begun);
  const { text, reply } = begun;
  try {
    await call("chats.set_draft", { chat, text, ...(reply === undefined ? {} : { in_reply_to: reply }) });
  } catch (error) {
    if (asFailed(error).code === "page.disconnected") return;
  }
  if (unsaved.get(chat) === begun) unsaved.delete(chat);
}

onReturn(() => Promise.all([...unsaved].map(([chat, begun]) => keepDraft(chat, begun))).then(() => undefined));
onClose((why) => {
  if (why === "locked") unsaved.clear();
});
