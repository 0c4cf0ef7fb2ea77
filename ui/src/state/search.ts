// What the search over all chats is narrowed to, besides its words.

import { computed, signal } from "@preact/signals";
import type { ChatId, ContactId, Search, SearchKind } from "../../../crates/app/bindings/rpc.ts";
import { dayEnd, dayStart } from "./days.ts";
import { onClose } from "./app.ts";

export interface Filter {
  chat: ChatId | null;
  person: ContactId | null;
  kind: SearchKind | null;
  /** Days as a date field gives them; empty: any. */
  since: string;
  until: string;
}

const ANY: Filter = { chat: null, person: null, kind: null, since: "", until: "" };

/** Whether the fields of the filter are shown. */
export const isFiltering = signal(false);
export const filter = signal<Filter>(ANY);

/** The same, as it is asked for. */
export const conditions = computed<Partial<Search>>(() => {
  const { chat, person, kind, since, until } = filter.value;
  const from_ms = dayStart(since);
  const to_ms = dayEnd(until);
  return {
    ...(chat === null ? {} : { chat }),
    ...(person === null ? {} : { sender: person }),
    ...(kind === null ? {} : { kind }),
    ...(from_ms === null ? {} : { from_ms }),
    ...(to_ms === null ? {} : { to_ms }),
  };
});

export const isNarrowed = computed(() => Object.keys(conditions.value).length > 0);

export function narrow(change: Partial<Filter>): void {
  filter.value = { ...filter.value, ...change };
}

export function searchIn(chat: ChatId): void {
  filter.value = { ...ANY, chat };
  isFiltering.value = true;
}

export function endFiltering(): void {
  filter.value = ANY;
  isFiltering.value = false;
}

onClose(endFiltering);
