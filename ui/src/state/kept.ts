// Messages of a chat by the kind of their files, the newest first, read a page at a time.

import type { ChatId, MessageInfo, SearchKind } from "../../../crates/app/bindings/rpc.ts";
import { call } from "./app.ts";

const PAGE = 60;
/** As many as one question may ask for. */
const MOST_AT_ONCE = 200;

interface Read {
  messages: readonly MessageInfo[];
  hasMore: boolean;
}

/** What was read of each kind. */
export type Gallery = ReadonlyMap<SearchKind, Read>;

export const UNREAD: Gallery = new Map();

/** At least so many, and down to this line if there is one. */
async function read(chat: ChatId, kind: SearchKind, wanted: number, before: number | undefined, downTo = Infinity): Promise<Read> {
  const messages: MessageInfo[] = [];
  for (;;) {
    const from = messages.at(-1)?.local_id ?? before;
    const limit = Math.min(MOST_AT_ONCE, Math.max(PAGE, wanted - messages.length));
    const page = await call("messages.search", { chat, kind, limit, ...(from === undefined ? {} : { before: from }) });
    messages.push(...page);
    if (page.length < limit) return { messages, hasMore: false };
    if (messages.length >= wanted && (messages.at(-1)?.local_id ?? 0) <= downTo) return { messages, hasMore: true };
  }
}

/** Where a kind's lines end, if there are more of it. */
const endOf = ({ messages, hasMore }: Read): number => (hasMore ? (messages.at(-1)?.local_id ?? 0) : 0);

/** Reads what was read before once more, or the first page. What came meanwhile drives nothing out. */
export async function again(chat: ChatId, kinds: readonly SearchKind[], before: Gallery): Promise<Gallery> {
  const found = await Promise.all(
    kinds.map(async (kind) => {
      const known = before.get(kind);
      return [kind, known === undefined ? await read(chat, kind, PAGE, undefined) : await read(chat, kind, known.messages.length, undefined, endOf(known))] as const;
    }),
  );
  return new Map(found);
}

/** Down to here nothing is missing of any kind. */
const horizon = (gallery: Gallery): number => Math.max(0, ...[...gallery.values()].map(endOf));

/** The next page of the kinds that are read the least far back. */
export async function further(chat: ChatId, before: Gallery): Promise<Gallery> {
  const end = horizon(before);
  const found = await Promise.all(
    [...before].map(async ([kind, known]) => {
      if (!known.hasMore || endOf(known) < end) return [kind, known] as const;
      const { messages, hasMore } = await read(chat, kind, PAGE, end);
      return [kind, { messages: [...known.messages, ...messages], hasMore }] as const;
    }),
  );
  return new Map(found);
}

export const hasFurther = (gallery: Gallery): boolean => [...gallery.values()].some((read) => read.hasMore);

/** All kinds together, without the part in which some of one kind would be missing between those of another. */
export function together(gallery: Gallery): MessageInfo[] {
  const end = horizon(gallery);
  const all = new Map([...gallery.values()].flatMap((read) => read.messages).map((message) => [message.local_id, message]));
  return [...all.values()].filter((message) => message.local_id >= end).sort((one, other) => other.local_id - one.local_id);
}
