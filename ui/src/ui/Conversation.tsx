// One conversation: its head, its lines, and where the next one is written.

import { useState } from "preact/hooks";
import { signal } from "@preact/signals";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { contactOfChat } from "../state/chats.ts";
import { others } from "../state/others.ts";
import { requestOf } from "../state/requests.ts";
import { searchIn } from "../state/search.ts";
import { picked } from "../state/selection.ts";
import { back, isPhone, show, showsDetails } from "../state/view.ts";
import { pick } from "../state/uploads.ts";
import { span, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { ChatAvatar, chatItems, chatName } from "./ChatList.tsx";
import { Composer } from "./Composer.tsx";
import { Icon } from "./Icon.tsx";
import { LineList } from "./LineList.tsx";
import { Menu, placeOf, type Item, type Place } from "./Menu.tsx";
import { Named } from "./Named.tsx";
import { OtherAccounts } from "./OtherAccounts.tsx";
import { may } from "./roles.ts";
import { typingWords } from "./typingWords.ts";
import { SelectionBar } from "./SelectionBar.tsx";
import { RequestBar } from "./RequestBar.tsx";

/** The message that is answered or changed by what is being written. */
export const answering = signal<MessageInfo | null>(null);
export const editing = signal<MessageInfo | null>(null);

export function Conversation({ chat }: { chat: ChatInfo }) {
  const [isOver, setOver] = useState(false);
  const state = stateWords(chat);
  const request = requestOf(chat.id);
  return (
    <main
      class={`pane pane-chat ${isOver ? "over" : ""}`}
      aria-label={chatName(chat)}
      onDragOver={(event) => {
        if (request === undefined && event.dataTransfer?.types.includes("Files") === true) {
          event.preventDefault();
          setOver(true);
        }
      }}
      onDragLeave={(event) => {
        if (event.target === event.currentTarget) setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (request === undefined) pick(chat.id, event.dataTransfer?.files ?? []);
      }}
    >
      <Head chat={chat} />
      <OtherAccounts all={others.value.filter((other) => other.chats.includes(chat.id))} />
      <LineList chat={chat} />
      {picked.value !== null ? <SelectionBar /> : request !== undefined ? <RequestBar request={request} /> : state === null ? <Composer chat={chat} /> : <p class="closed">{state}</p>}
      {isOver ? (
        <div class="drop" aria-hidden="true">
          <Icon name="attach" />
          <span>{t("compose.drop")}</span>
        </div>
      ) : null}
    </main>
  );
}

/** Why nothing can be written here; null if it can. */
function stateWords(chat: ChatInfo): string | null {
  if (chat.state === "left" || chat.state === "removed") return t(`chat.state.${chat.state}`);
  if (chat.state === "active" && !may(chat, "post")) return t("policy.closed");
  return contactOfChat(chat.id)?.blocked === true ? t("chat.blocked") : null;
}

function below(chat: ChatInfo): string {
  const typing = typingWords(chat);
  if (typing !== null) return typing;
  if (chat.state === "joining" || chat.state === "resyncing") return t(`chat.state.${chat.state}`);
  if (chat.kind === "group") return t("chat.members", { count: chat.members });
  if (chat.kind === "notes") return "";
  const contact = contactOfChat(chat.id);
  if (contact === undefined) return requestOf(chat.id) === undefined ? "" : t("requests.title");
  if (contact.state === "pending") return t("chat.pending");
  return contact.verified ? t("chat.verified") : t("chat.unverified");
}

function Head({ chat }: { chat: ChatInfo }) {
  const [menu, setMenu] = useState<Place | null>(null);
  const contact = contactOfChat(chat.id);
  const openDetails = (): void => {
    if (contact !== undefined) show({ sheet: "contact", contact: contact.id });
    else showsDetails.value = !showsDetails.value;
  };
  const items: Item[] = [
    {
      label: t("chat.details"),
      icon: "info",
      act: () => {
        showsDetails.value = true;
      },
    },
    {
      label: t("search.here"),
      icon: "search",
      act: () => {
        searchIn(chat.id);
        // The list has the whole width of a phone.
        if (isPhone.value) back();
        document.querySelector<HTMLElement>("#search")?.focus();
      },
    },
    { label: t("date.go"), icon: "clock", act: () => show({ sheet: "date" }) },
    ...chatItems(chat),
  ];
  return (
    <header class="chat-head">
      <IconButton icon="back" label={t("back")} class="only-narrow" flips onClick={back} />
      <button type="button" class="chat-title" onClick={openDetails}>
        <ChatAvatar chat={chat} size="small" />
        <span class="chat-title-words">
          <strong>
            <Named name={chatName(chat)} />
          </strong>
          <span class={`chat-below ${typingWords(chat) !== null ? "typing" : contact?.verified === true ? "verified" : ""}`}>
            {contact?.verified === true ? <Icon name="shield" /> : null}
            {below(chat)}
          </span>
        </span>
      </button>
      {chat.timer_s === null ? null : (
        <span class="head-timer" role="img" aria-label={t("list.timer", { time: span(chat.timer_s) })} title={t("list.timer", { time: span(chat.timer_s) })}>
          <Icon name="timer" />
          <span>{span(chat.timer_s)}</span>
        </span>
      )}
      <IconButton
        icon="menu"
        label={t("chat.menu")}
        expanded={menu !== null}
        onClick={(event) => setMenu(placeOf(event.currentTarget as Element))}
      />
      {menu === null ? null : <Menu label={t("chat.menu")} items={items} place={menu} onClose={() => setMenu(null)} />}
    </header>
  );
}
