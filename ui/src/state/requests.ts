// People who came by a link and wait to be accepted. What they wrote can be read; nothing can be sent there.

import { computed, signal } from "@preact/signals";
import type { ChatId, RequestInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const requests = signal<readonly RequestInfo[]>([]);

export const requestCount = computed(() => requests.value.length);

export function requestOf(chat: ChatId): RequestInfo | undefined {
  return requests.value.find((request) => request.chat.id === chat);
}

export async function readRequests(): Promise<void> {
  requests.value = await call("requests.list", {});
}

const again = (): void => {
  readRequests().catch(() => undefined);
};

onOpen(readRequests);
onEvent((event) => {
  if (event.event === "requested" || event.event === "lagged" || event.event === "contact_added" || event.event === "contact_changed") again();
  else if (event.event === "chat_changed" && requestOf(event.chat) !== undefined) again();
});
onClose(() => {
  requests.value = [];
});
