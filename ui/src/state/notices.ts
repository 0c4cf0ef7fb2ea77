// Short notices at the edge of the screen.

import { signal } from "@preact/signals";
import { asFailed } from "../host/socket.ts";
import { explain } from "../i18n/index.ts";
import { isClosed, onClose } from "./app.ts";

export interface Notice {
  id: number;
  text: string;
  isTrouble: boolean;
}

export const notices = signal<readonly Notice[]>([]);

let next = 1;
const STAYS_MS = 6000;

export function tell(text: string, isTrouble = false): void {
  // It may say somebody's name.
  if (isClosed() && !isTrouble) return;
  const id = next++;
  notices.value = [...notices.value.slice(-2), { id, text, isTrouble }];
  window.setTimeout(() => dismiss(id), STAYS_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Tells why something failed, in the language of the page where it has words for it. */
export function tellTrouble(error: unknown): void {
  const failed = asFailed(error);
  // It failed because of that.
  if (isClosed() && failed.code === "page.disconnected") return;
  tell(explain(failed.code, failed.message), true);
}

/** Does something and tells if it fails. True if it didn't. */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    tellTrouble(error);
    return false;
  }
}

// What was told before is about what was shown.
onClose(() => {
  notices.value = [];
});
