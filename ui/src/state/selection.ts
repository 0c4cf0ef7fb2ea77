// Several messages of the shown chat, picked to be copied, forwarded or deleted together.

import { computed, effect, signal } from "@preact/signals";
import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { isHeld, lines, openChat } from "./lines.ts";

/** Places of the picked messages; null while nothing is being picked. */
export const picked = signal<ReadonlySet<number> | null>(null);

/** The picked ones that are still there, in the conversation's order. */
export const selection = computed<readonly MessageInfo[]>(() => {
  const places = picked.value;
  return places === null ? [] : lines.value.filter((line) => places.has(line.local_id) && line.kind === "message");
});

export function toggle(message: MessageInfo): void {
  const next = new Set(picked.value ?? []);
  if (!next.delete(message.local_id)) next.add(message.local_id);
  picked.value = next;
}

export function endSelecting(): void {
  picked.value = null;
}

effect(() => {
  isHeld.value = picked.value !== null;
});

// Another chat, or the lock: nothing of this one stays picked.
effect(() => {
  openChat.value;
  endSelecting();
});
