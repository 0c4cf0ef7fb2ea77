// Pictures of people, as the core has them: who has one is known for all, the picture itself is fetched once it is shown.

import { signal } from "@preact/signals";
import type { OwnProfile } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen, readAccount } from "./app.ts";
import { onSettings } from "./settings.ts";

/** Longest edge of what is given to the core, which makes it smaller still. */
const EDGE = 512;

interface Picture {
  version: string;
  /** A JPEG, base64; null: it is on its way. */
  jpeg: string | null;
}

/** By account. */
const pictures = signal<ReadonlyMap<string, Picture>>(new Map());

async function readPictures(): Promise<void> {
  const all = await call("pictures.list", {});
  const known = pictures.value;
  pictures.value = new Map(
    all.map(({ contact, version }) => {
      const before = known.get(contact);
      return [contact, before?.version === version ? before : { version, jpeg: null }];
    }),
  );
}

const asked = new Set<string>();

/** Somebody's picture as an address for an image; null: there is none, or none yet. */
export function pictureOf(id: string): string | null {
  const picture = pictures.value.get(id);
  if (picture === undefined) return null;
  if (picture.jpeg !== null) return `data:image/jpeg;base64,${picture.jpeg}`;
  const { version } = picture;
  const what = `${id}/${version}`;
  if (!asked.has(what)) {
    asked.add(what);
    call("pictures.get", { contact: id }).then(
      ({ picture: jpeg }) => {
        if (jpeg !== null && pictures.value.get(id)?.version === version) pictures.value = new Map(pictures.value).set(id, { version, jpeg });
      },
      () => asked.delete(what),
    );
  }
  return null;
}

/** Gives the account another name. */
export async function setName(name: string): Promise<void> {
  await call("profile.set", { name });
}

/** Gives the account another picture; an empty one takes it away. */
export async function setPicture(picture: string): Promise<OwnProfile> {
  return call("profile.set", { picture });
}

/** A picture that somebody chose, small enough to be given to the core; it is cut and cleaned there. */
export async function chosenPicture(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, EDGE / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context !== null) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  }
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.92).replace(/^[^,]*,/u, "");
}

let timer = 0;

/** Several hints at once are one reading. */
function soon(): void {
  if (timer !== 0) return;
  timer = window.setTimeout(() => {
    timer = 0;
    readPictures().catch(() => undefined);
  }, 100);
}

onOpen(readPictures);
onEvent((event) => {
  if (event.event === "contact_changed" || event.event === "contact_added" || event.event === "lagged") soon();
});
onSettings("profile", () => {
  soon();
  readAccount().catch(() => undefined);
});
onClose(() => {
  clearTimeout(timer);
  timer = 0;
  pictures.value = new Map();
  asked.clear();
});
