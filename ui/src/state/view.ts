// What is on the screen: the chat on the right, and the one sheet in front of everything.

import { computed, signal } from "@preact/signals";
import type { ChatId, ChatInfo, ContactId, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { onClose } from "./app.ts";
import { chats } from "./chats.ts";
import { forgetMedia } from "./media.ts";
import { open, type Target } from "./lines.ts";
import { requestOf } from "./requests.ts";

export type Sheet =
  | { sheet: "add" }
  | { sheet: "group" }
  | { sheet: "settings" }
  | { sheet: "shortcuts" }
  | { sheet: "devices" }
  | { sheet: "storage" }
  | { sheet: "protection" }
  | { sheet: "backup" }
  | { sheet: "export"; chat: ChatInfo }
  | { sheet: "report"; contact: ContactId; name: string; chat: ChatId }
  | { sheet: "contact"; contact: ContactId }
  | { sheet: "forward"; messages: readonly MessageInfo[] }
  | { sheet: "info"; message: MessageInfo }
  | { sheet: "delete"; messages: readonly MessageInfo[] }
  | { sheet: "camera" }
  | { sheet: "share_contact" }
  | { sheet: "place" }
  | { sheet: "date" }
  | { sheet: "picture"; message: MessageInfo; index: number };

export const chosen = signal<ChatId | null>(null);
export const sheet = signal<Sheet | null>(null);
/** Whether the details of the chat are shown beside it. */
export const showsDetails = signal(false);
export const query = signal("");
/** What is to be brought into view of the chosen chat. */
export const goTo = signal<Target | null>(null);

const PHONE = matchMedia("(max-width: 760px)");
/** Whether there is room for one pane only, as the styles have it. */
export const isPhone = signal(PHONE.matches);
PHONE.addEventListener("change", () => (isPhone.value = PHONE.matches));

export const chosenChat = computed(() => (chosen.value === null ? null : (chats.value.get(chosen.value) ?? requestOf(chosen.value)?.chat ?? null)));

export function choose(chat: ChatId | null, line: number | null = null): void {
  if (chosen.value === chat) {
    goTo.value = line;
    return;
  }
  const before = chosen.value;
  chosen.value = chat;
  goTo.value = line;
  if (chat === null) showsDetails.value = false;
  forgetMedia();
  // So that a phone's way back leads to the list.
  if (chat !== null && before === null) history.pushState({ chat: true }, "");
  void open(chat, chat === null ? 0 : (chats.value.get(chat)?.unread ?? requestOf(chat)?.chat.unread ?? 0)).catch(() => undefined);
}

/** Back to the list, as the phone's own way back would. */
export function back(): void {
  if (chosen.value === null) return;
  if ((history.state as { chat?: boolean } | null)?.chat === true) history.back();
  else choose(null);
}

addEventListener("popstate", () => {
  sheet.value = null;
  if (chosen.value !== null) choose(null);
});

/** Where the focus goes when the sheet is gone; null: where it was before. */
let wanted: string | null = null;

export function show(next: Sheet): void {
  sheet.value = next;
}

export function hide(): void {
  sheet.value = null;
}

/** Puts the sheet away, and goes on to what a selector says. */
export function hideTo(selector: string): void {
  wanted = selector;
  sheet.value = null;
}

/** A sheet is gone, and the browser has given the focus back to what opened it, if that is still there. */
export function focusAfter(): void {
  const next = wanted ?? (document.activeElement === document.body ? "#compose" : null);
  wanted = null;
  // Where there is no other way to write, a keyboard would come over the screen.
  if (next !== null && matchMedia("(pointer: fine)").matches) document.querySelector<HTMLElement>(next)?.focus();
}

onClose(() => {
  chosen.value = null;
  sheet.value = null;
  showsDetails.value = false;
  query.value = "";
  goTo.value = null;
});
