// What there is to know and to set about a chat: timer, members, files, pinned messages.

import { useEffect, useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOfChat } from "../state/chats.ts";
import { touched } from "../state/lines.ts";
import { attempt } from "../state/notices.ts";
import { show, showsDetails } from "../state/view.ts";
import { span, t } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { ChatAvatar, chatName } from "./ChatList.tsx";
import { ChoiceField } from "./ChoiceField.tsx";
import { Gallery } from "./Gallery.tsx";
import { GroupLinks } from "./GroupLinks.tsx";
import { GroupRules } from "./GroupRules.tsx";
import { Kept } from "./Kept.tsx";
import { Leave, Members } from "./Members.tsx";
import { NameForm } from "./NameForm.tsx";
import { Named } from "./Named.tsx";
import { manages, may } from "./roles.ts";
import { TIMERS } from "./timers.ts";

export function Details({ chat }: { chat: ChatInfo }) {
  const contact = contactOfChat(chat.id);
  const isOpen = chat.state === "active";
  const timers = [...new Set<number>([...TIMERS, chat.timer_s ?? 0])].sort((a, b) => a - b);
  return (
    <aside class="pane pane-details" aria-label={t("chat.details")}>
      <header class="chat-head">
        <h2>{t("chat.details")}</h2>
        <IconButton
          icon="close"
          label={t("close")}
          onClick={() => {
            showsDetails.value = false;
          }}
        />
      </header>
      <div class="details-body">
        <div class="person">
          <ChatAvatar chat={chat} size="large" />
          <Name chat={chat} mayRename={chat.kind === "group" && may(chat, "rename")} />
          {contact === undefined ? null : (
            <Button icon="shield" onClick={() => show({ sheet: "contact", contact: contact.id })}>
              {t("contact.safety")}
            </Button>
          )}
        </div>
        <section>
          <label class="field">
            <span>{t("details.timer")}</span>
            <select
              value={chat.timer_s ?? 0}
              disabled={!may(chat, "set_timer")}
              onChange={(event) => void attempt(call("chats.set_timer", { chat: chat.id, timer_s: Number(event.currentTarget.value) }))}
            >
              {timers.map((seconds) => (
                <option key={seconds} value={seconds}>
                  {seconds === 0 ? t("timer.off") : span(seconds)}
                </option>
              ))}
            </select>
          </label>
          <p class="quiet">{t("details.timer.text")}</p>
          {chat.kind === "notes" ? null : (
            <ChoiceField
              label={t("details.receipts")}
              value={chat.read_receipts}
              onChange={(read_receipts) => void attempt(call("chats.set", { chat: chat.id, change: { read_receipts } }))}
            />
          )}
        </section>
        {chat.kind === "group" ? <Members chat={chat} /> : null}
        {chat.kind === "group" && (may(chat, "add") || manages(chat)) ? <GroupLinks chat={chat} /> : null}
        {chat.kind === "group" && isOpen ? <GroupRules chat={chat} /> : null}
        <Pinned chat={chat} />
        <Gallery key={chat.id} chat={chat} />
        {chat.kind === "group" && isOpen ? <Leave chat={chat} /> : null}
      </div>
    </aside>
  );
}

function Name({ chat, mayRename }: { chat: ChatInfo; mayRename: boolean }) {
  const [isNaming, setNaming] = useState(false);
  if (!isNaming) {
    return (
      <h3>
        <Named name={chatName(chat)} />
        {mayRename ? <IconButton icon="edit" label={t("group.rename")} onClick={() => setNaming(true)} /> : null}
      </h3>
    );
  }
  return (
    <NameForm label={t("group.name")} name={chat.name} save={(name) => call("groups.rename", { chat: chat.id, name })} onEnd={() => setNaming(false)} />
  );
}

function Pinned({ chat }: { chat: ChatInfo }) {
  const [pinned, setPinned] = useState<readonly MessageInfo[]>([]);
  const now = touched.value;
  useEffect(() => {
    call("messages.pinned", { chat: chat.id }).then(setPinned, () => undefined);
  }, [chat.id, now]);
  if (pinned.length === 0) return null;
  return (
    <section>
      <h3>{t("details.pinned")}</h3>
      <Kept messages={pinned} />
    </section>
  );
}
