// How far files are, up and down.

import { signal } from "@preact/signals";
import { onClose, onEvent } from "./app.ts";

/** By message and index: bytes done, of all. */
export const transfers = signal<ReadonlyMap<string, { done: number; total: number }>>(new Map());

export const transferKey = (message: string, index: number): string => `${message}/${index}`;

onEvent((event) => {
  if (event.event !== "transfer") return;
  const next = new Map(transfers.value);
  const key = transferKey(event.message, event.index);
  if (event.done >= event.total) next.delete(key);
  else next.set(key, { done: event.done, total: event.total });
  transfers.value = next;
});
onClose(() => {
  transfers.value = new Map();
});
