// After how long the message that is being written disappears, if that is not as its chat has it. It is for one message: the next one has the
// chat's again.

import { signal } from "@preact/signals";
import type { Expires } from "../../../crates/app/bindings/rpc.ts";
import { onClose } from "./app.ts";

/** Seconds after it was read; 0: never; null: as the chat has it. */
export const ownTimer = signal<number | null>(null);

/** What a message is sent with. */
export function takeTimer(): { expires?: Expires } {
  const seconds = ownTimer.value;
  ownTimer.value = null;
  return seconds === null ? {} : { expires: { after: seconds } };
}

/** Sends with the timer that was chosen. What didn't go keeps it: said again, it must not stay for longer. */
export async function withTimer<R>(send: (timer: { expires?: Expires }) => Promise<R>): Promise<R> {
  const chosen = ownTimer.value;
  try {
    return await send(takeTimer());
  } catch (error) {
    ownTimer.value ??= chosen;
    throw error;
  }
}

onClose(() => {
  ownTimer.value = null;
});
