// Tells of new messages through the system, if that was wanted: by default without who and what, and while locked only that there is something.

import { batch, effect } from "@preact/signals";
import { currentLanguage, t } from "../i18n/index.ts";
import { noticeText } from "../i18n/notice.ts";
import { onClose, onEvent, rings } from "./app.ts";
import { chats, isMuted, unread } from "./chats.ts";
import { plainName } from "../ui/Named.tsx";
import { summary } from "../ui/summary.ts";
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
  const says = alarm === null ? summary(event.message) : noticeText(alarm);
  const title = showsContent.value ? plainName(event.message.sender_name) || t("notify.title") : t("notify.title");
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

let heard = 0;

/** While locked: the program hears nothing unless notifications were on when it was locked. */
effect(() => {
  const now = rings.value;
  const isNew = now > heard;
  // Unlocked: what is new is told by the chats themselves.
  if (now < heard) shown?.close();
  heard = now;
  if (!isNew || document.hasFocus() || !("Notification" in window) || Notification.permission !== "granted") return;
  shown?.close();
  shown = new Notification(t("notify.title"), { body: t("lock.news"), tag: "undertone", silent: true, lang: currentLanguage(), icon: "/assets/icon.svg" });
  shown.onclick = () => window.focus();
});

/** The sign in the tab: how much is unread, or with a dot that something came while it was locked. */
effect(() => {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const count = unread.value > 9 ? "-unread-more" : unread.value > 0 ? `-unread-${unread.value}` : rings.value > 0 ? "-unread" : "";
  if (link !== null) link.href = `/assets/icon${count}.svg`;
});
