// A message in a few words, for lists and quotes.

import type { AttachmentInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { t } from "../i18n/index.ts";
import { noticeText } from "../i18n/notice.ts";
import { plainName } from "./Named.tsx";
import { placeWords } from "./place.ts";

export type FileKind = "photo" | "video" | "memo" | "file";

export function kindOf(file: AttachmentInfo): FileKind {
  const type = file.content_type.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^image\/(jpeg|png|webp|gif)$/.test(type)) return "photo";
  if (/^video\/(mp4|webm)$/.test(type)) return "video";
  if (/^audio\/(mp4|mpeg|ogg|wav|x-wav|webm|aac|x-flac|m4a)$/.test(type)) return "memo";
  return "file";
}

export function fileWords(file: AttachmentInfo): string {
  const kind = kindOf(file);
  return kind === "file" ? plainName(file.name) : t(`file.${kind}`);
}

export function summary(message: MessageInfo): string {
  if (message.deleted) return t("message.deleted");
  if (message.opened) return t("message.opened");
  if (message.kind === "gap") return t("message.gap");
  if (message.notice !== null) return noticeText(message.notice);
  if (message.card !== null) return t("card.of", { name: plainName(message.card.name) });
  if (message.location !== null) return `${t("share.place")} ${placeWords(message.location)}`;
  const text = message.text.replace(/\s+/gu, " ").trim();
  if (text !== "") return text.slice(0, 200);
  return message.attachments.map(fileWords).join(", ");
}
