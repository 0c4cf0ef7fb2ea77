// Tells of new messages through the system, if that was wanted: by default without who and what.

import { batch, effect } from "@preact/signals";
import { currentLanguage, t } from "../i18n/index.ts";
import { noticeText } from "../i18n/notice.ts";
import { onClose, onEvent } from "./app.ts";
import { chats, isMuted, unread } from "./chats.ts";
import { notifies, showsContent } from "./preferences.ts";
import { choose } from "./view.ts";

let shown: Notification | null = null;

onEvent((event) => {
  if (event.event !== "message" || event.message.mine) return;
  // Of what a chat says of itself, only that somebody may be in danger is worth this; and that, whatever is muted.
  const alarm = event.message.notice?.kind === "duress_alarm" ? event.message.notice : null;
  if (event.message.kind !== "message" && alarm === null) return;
  if (!notifies.value || document.hasFocus()) return;
  const chat = chats.value.get(event.chat);
  if (chat !== undefined && isMuted(chat) && alarm === null) return;
  const says = alarm === null ? event.message.text : noticeText(alarm);
  const title = showsContent.value ? event.message.sender_name || t("notify.title") : t("notify.title");
  const body = showsContent.value ? says.slice(0, 200) : t("notify.text", { count: unread.value + 1 });
  shown?.close();
  shown = new Notification(title, { body, tag: "undertone", silent: true, lang: currentLanguage(), icon: "/assets/icon.svg" });
  shown.onclick = () => {
    window.focus();
    batch(() => choose(event.chat));
  };
});

onClose(() => {
  shown?.close();
  shown = null;
});

/** The sign in the tab, with a dot while something is unread. */
effect(() => {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (link !== null) link.href = unread.value > 0 ? "/assets/icon-unread.svg" : "/assets/icon.svg";
});
