// Accounts that go by the name of a contact and are not that contact's: said wherever they write, until it is settled.

import { signal } from "@preact/signals";
import type { OtherAccount } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const others = signal<readonly OtherAccount[]>([]);

export async function readOthers(): Promise<void> {
  others.value = await call("contacts.other_accounts", {});
}

onOpen(readOthers);
onEvent((event) => {
  if (event.event === "contact_added" || event.event === "contact_changed" || event.event === "lagged") readOthers().catch(() => undefined);
  // Who came into a chat is told as a change of that chat.
  else if (event.event === "chat_changed" && others.value.length > 0) readOthers().catch(() => undefined);
});
onClose(() => {
  others.value = [];
});
