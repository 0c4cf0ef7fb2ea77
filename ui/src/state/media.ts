// Addresses of files, asked for when something is to be shown, and let go of with the chat.

import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose } from "./app.ts";

const known = new Map<string, Promise<string>>();

/** The address of a file of a message; it is downloaded first if need be. */
export function mediaUrl(message: MessageInfo, index: number): Promise<string> {
  const key = `${message.id}/${index}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const asked = call("host.media", { chat: message.chat, message: message.id, index }).then(({ url }) => url);
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}

export function forgetMedia(): void {
  for (const asked of known.values()) {
    asked.then((url) => call("host.release", { url })).catch(() => undefined);
  }
  known.clear();
}

/** Lets the browser save a file where its owner wants it. */
export async function saveFile(message: MessageInfo, index: number, name: string): Promise<void> {
  const { url } = await call("host.media", { chat: message.chat, message: message.id, index, save: true });
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

onClose(() => known.clear());
