// Files that were picked, on their way into the home: encrypted there as they come.

import { effect, signal } from "@preact/signals";
import type { ChatId } from "../../../crates/app/bindings/rpc.ts";
import { Failed, asFailed } from "../host/socket.ts";
import { call, onClose, phase, standing } from "./app.ts";
import { look, type Film } from "./film.ts";

export interface Upload {
  key: number;
  chat: ChatId;
  name: string;
  size: number;
  kind: string;
  /** To show what was picked; let go of afterwards. */
  shown: string | null;
  /** 0 to 1. */
  progress: number;
  id: string | null;
  trouble: Failed | null;
}

export interface Memo {
  duration_ms: number;
  waveform: number[];
}

export const uploads = signal<readonly Upload[]>([]);

let next = 1;
const requests = new Map<number, XMLHttpRequest>();
const running = new Set<XMLHttpRequest>();

// What has not begun yet would go to whoever has the port by then.
effect(() => {
  if (standing.value !== "in") for (const request of running) request.abort();
});

function change(key: number, how: Partial<Upload>): void {
  uploads.value = uploads.value.map((one) => (one.key === key ? { ...one, ...how } : one));
}

/** Sends a file into the home; gives the id that a message names it by. */
export async function upload(
  file: Blob,
  name: string,
  known: { memo: Memo } | { film: Film } | null,
  progress: (part: number) => void,
  started?: (request: XMLHttpRequest) => void,
): Promise<string> {
  const address = await call("host.upload", {
    name,
    size: file.size,
    ...(known !== null && "memo" in known ? known.memo : known),
  });
  await new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest();
    started?.(request);
    running.add(request);
    request.onloadend = () => running.delete(request);
    request.open("PUT", address.url);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress(total === 0 ? 1 : loaded / total);
    request.onload = () => {
      const said = request.response as { error?: { code: string; sentence: string } } | null;
      if (request.status === 200) resolve();
      else reject(new Failed(said?.error?.code ?? "host.upload_cut", said?.error?.sentence ?? ""));
    };
    request.onerror = request.onabort = () => reject(new Failed("host.upload_cut", ""));
    request.send(file);
  });
  return address.upload;
}

/** What can be said of a video besides its bytes. */
async function filmOf(file: File): Promise<{ film: Film } | null> {
  return /^video\/(mp4|webm)/.test(file.type) ? { film: await look(file) } : null;
}

export function pick(chat: ChatId, files: Iterable<File>): void {
  // A camera may be done only after everything was locked.
  if (phase.value !== "open") return;
  for (const file of files) {
    const key = next++;
    const shown = /^image\/(jpeg|png|webp|gif)$/.test(file.type) ? URL.createObjectURL(file) : null;
    const fresh: Upload = {
      key,
      chat,
      name: file.name,
      size: file.size,
      kind: file.type,
      shown,
      progress: 0,
      id: null,
      trouble: null,
    };
    uploads.value = [...uploads.value, fresh];
    filmOf(file)
      .then((film) => {
        // Taken out again while it was looked at.
        if (!uploads.value.some((one) => one.key === key)) throw new Failed("host.upload_cut", "");
        return upload(file, file.name, film, (progress) => change(key, { progress }), (request) => requests.set(key, request));
      })
      .then((id) => change(key, { id, progress: 1 }))
      .catch((error: unknown) => change(key, { trouble: asFailed(error) }))
      .finally(() => requests.delete(key));
  }
}

function letGo(gone: readonly Upload[]): void {
  for (const one of gone) if (one.shown !== null) URL.revokeObjectURL(one.shown);
}

export function remove(key: number): void {
  const gone = uploads.value.filter((one) => one.key === key);
  uploads.value = uploads.value.filter((one) => one.key !== key);
  requests.get(key)?.abort();
  letGo(gone);
  for (const one of gone) if (one.id !== null) call("host.discard", { upload: one.id }).catch(() => undefined);
}

/** Takes the finished files of a chat's message out of the waiting ones. */
export function takeFor(chat: ChatId): string[] {
  const mine = uploads.value.filter((one) => one.chat === chat && one.id !== null);
  uploads.value = uploads.value.filter((one) => !mine.includes(one));
  letGo(mine);
  return mine.flatMap((one) => (one.id === null ? [] : [one.id]));
}

onClose(() => {
  for (const request of requests.values()) request.abort();
  letGo(uploads.value);
  uploads.value = [];
});
