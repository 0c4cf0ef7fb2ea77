// What there is to know and to set about a chat: timer, members, files, pinned messages.

import { useEffect, useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOfChat } from "../state/chats.ts";
import { lines } from "../state/lines.ts";
import { attempt } from "../state/notices.ts";
import { choose, goTo, show, showsDetails } from "../state/view.ts";
import { shortWhen, span, t } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { ChatAvatar, chatName } from "./ChatList.tsx";
import { ChoiceField } from "./ChoiceField.tsx";
import { GroupLinks } from "./GroupLinks.tsx";
import { GroupRules } from "./GroupRules.tsx";
import { Leave, Members } from "./Members.tsx";
import { NameForm } from "./NameForm.tsx";
import { Named } from "./Named.tsx";
import { may } from "./roles.ts";
import { fileWords, kindOf, summary } from "./summary.ts";

const TIMERS = [0, 30, 300, 3600, 28_800, 86_400, 604_800, 2_419_200] as const;

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
        {chat.kind === "group" && may(chat, "add") ? <GroupLinks chat={chat} /> : null}
        {chat.kind === "group" && isOpen ? <GroupRules chat={chat} /> : null}
        <Pinned chat={chat} />
        <Kept chat={chat} />
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
  const now = lines.value.filter((line) => line.pinned).length;
  useEffect(() => {
    call("messages.pinned", { chat: chat.id }).then(setPinned, () => undefined);
  }, [chat.id, now]);
  if (pinned.length === 0) return null;
  return (
    <section>
      <h3>{t("details.pinned")}</h3>
      <Found messages={pinned} />
    </section>
  );
}

function Found({ messages }: { messages: readonly MessageInfo[] }) {
  return (
    <ul class="kept">
      {messages.map((message) => (
        <li key={message.local_id}>
          <button
            type="button"
            onClick={() => {
              if (matchMedia("(max-width: 1100px)").matches) showsDetails.value = false;
              choose(message.chat, message.local_id);
              goTo.value = message.local_id;
            }}
          >
            <bdi>{summary(message)}</bdi>
            <time>{shortWhen(message.sent_ms)}</time>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Kept({ chat }: { chat: ChatInfo }) {
  const [messages, setMessages] = useState<readonly MessageInfo[] | null>(null);
  useEffect(() => {
    const kinds = ["photo", "video", "audio", "file"] as const;
    Promise.all(kinds.map((kind) => call("messages.search", { chat: chat.id, kind, limit: 60 }))).then(
      (found) => {
        const all = new Map(found.flat().map((message) => [message.local_id, message]));
        setMessages([...all.values()].sort((a, b) => b.local_id - a.local_id));
      },
      () => undefined,
    );
  }, [chat.id, chat.last?.id]);
  if (messages === null) return null;
  const photos = messages.filter((message) => !message.deleted && !message.view_once && message.attachments.some((file) => kindOf(file) === "photo"));
  const rest = messages.filter((message) => !photos.includes(message) && message.attachments.length > 0);
  return (
    <section>
      <h3>{t("details.files")}</h3>
      {photos.length + rest.length === 0 ? <p class="quiet">{t("details.none")}</p> : null}
      <div class="gallery">
        {photos.flatMap((message) =>
          message.attachments
            .filter((file) => file.preview !== null && kindOf(file) === "photo")
            .map((file) => (
              <button
                key={`${message.local_id}/${file.index}`}
                type="button"
                aria-label={t("file.open", { name: fileWords(file) })}
                onClick={() => show({ sheet: "picture", message, index: file.index })}
              >
                <img src={`data:image/jpeg;base64,${file.preview}`} alt="" />
              </button>
            )),
        )}
      </div>
      <Found messages={rest} />
    </section>
  );
}
