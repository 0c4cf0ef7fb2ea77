// All chats, and the search over them.

import { useEffect, useState } from "preact/hooks";
import type { ChatInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, lock } from "../state/app.ts";
import { archived, areChatsRead, contactOfChat, isMuted, listed } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { pressToLock } from "../state/panic.ts";
import { requestCount, requestOf, requests } from "../state/requests.ts";
import { endFiltering, isFiltering, isNarrowed } from "../state/search.ts";
import { choose, chosen, query, show } from "../state/view.ts";
import { shortWhen, span, t } from "../i18n/index.ts";
import { Announcements } from "./Announcements.tsx";
import { Avatar } from "./Avatar.tsx";
import { Boundary } from "./Boundary.tsx";
import { Button, IconButton } from "./Button.tsx";
import { ConnectionSign } from "./ConnectionSign.tsx";
import { DeadManLine } from "./DeadManLine.tsx";
import { Found } from "./Found.tsx";
import { Icon, Mark } from "./Icon.tsx";
import { Menu, placeOf, type Item, type Place } from "./Menu.tsx";
import { Named } from "./Named.tsx";
import { SearchFilter } from "./SearchFilter.tsx";
import { Ticks } from "./Ticks.tsx";
import { summary } from "./summary.ts";
import { typingWords } from "./typingWords.ts";

const FIRST_ROWS = 40;
const MORE_ROWS = 40;

export function chatName(chat: ChatInfo): string {
  return chat.kind === "notes" ? t("chat.notes") : chat.name;
}

export function ChatAvatar({ chat, size = "normal" }: { chat: ChatInfo; size?: "small" | "normal" | "large" }) {
  const id = contactOfChat(chat.id)?.id ?? requestOf(chat.id)?.person.id ?? chat.id;
  return <Avatar id={id} name={chatName(chat)} size={size} {...(chat.kind === "notes" ? { icon: "notes" as const } : {})} />;
}

export function ChatList() {
  const [isInArchive, setInArchive] = useState(false);
  const [isInRequests, setInRequests] = useState(false);
  const [menu, setMenu] = useState<Place | null>(null);
  const wanted = query.value.trim();
  const shown = isInRequests ? requests.value.map((request) => request.chat) : isInArchive ? archived.value : listed.value;
  const isAside = isInArchive || isInRequests;
  // As many rows as can be seen, and more as somebody goes on: a thousand chats are not painted before the first is.
  const [most, setMost] = useState(FIRST_ROWS);
  useEffect(() => setMost(FIRST_ROWS), [isInArchive, isInRequests]);
  const onScroll = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    if (most < shown.length && box.scrollHeight - box.scrollTop - box.clientHeight < 3 * box.clientHeight) setMost(most + MORE_ROWS);
  };
  useEffect(() => {
    if (isInRequests && requestCount.value === 0) setInRequests(false);
  }, [isInRequests, requestCount.value]);
  useEffect(() => {
    if (isInArchive && archived.value.length === 0) setInArchive(false);
  }, [isInArchive, archived.value.length]);
  const items: Item[] = [
    { label: t("list.add"), icon: "person", act: () => show({ sheet: "add" }) },
    { label: t("list.group"), icon: "group", act: () => show({ sheet: "group" }) },
    { label: t("chat.notes"), icon: "notes", act: () => void openNotes() },
  ];
  return (
    <nav class="pane pane-list" aria-label={t("list.title")}>
      <header class="list-head">
        <Mark />
        <h1>{t("app")}</h1>
        <IconButton icon="lock" label={t("lock.now")} onPointerDown={(event) => event.button === 0 && pressToLock()} onClick={lock} />
        <IconButton icon="settings" label={t("list.settings")} onClick={() => show({ sheet: "settings" })} />
        <IconButton
          icon="add"
          label={t("list.new")}
          expanded={menu !== null}
          class="accent"
          onClick={(event) => setMenu(placeOf(event.currentTarget as Element))}
        />
      </header>
      {menu === null ? null : <Menu label={t("list.new")} items={items} place={menu} onClose={() => setMenu(null)} />}
      <div class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          placeholder={t("list.search")}
          aria-label={t("list.search")}
          autocomplete="off"
          value={query.value}
          onInput={(event) => {
            query.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape" && (query.value !== "" || isFiltering.value)) {
              query.value = "";
              endFiltering();
              event.preventDefault();
              event.stopPropagation();
            }
          }}
        />
        <IconButton
          icon="filter"
          label={t("search.filter")}
          expanded={isFiltering.value}
          class={isNarrowed.value ? "search-filter narrowed" : "search-filter"}
          onClick={() => {
            if (isFiltering.value) endFiltering();
            else isFiltering.value = true;
          }}
        />
      </div>
      <ConnectionSign />
      <DeadManLine />
      <Announcements />
      {isFiltering.value ? <SearchFilter /> : null}
      {wanted !== "" || isNarrowed.value ? (
        <Found wanted={wanted} />
      ) : (
        <>
          {isAside ? (
            <Button
              look="quiet"
              icon="back"
              class="archive-back"
              onClick={() => {
                setInArchive(false);
                setInRequests(false);
              }}
            >
              {t("list.archived.hide")}
            </Button>
          ) : null}
          {isInRequests ? (
            <div class="list-note">
              <h2>{t("requests.title")}</h2>
              <p class="quiet">{t("requests.text")}</p>
            </div>
          ) : null}
          {!isAside && requestCount.value > 0 ? (
            <Button look="quiet" icon="person" class="requests-open" onClick={() => setInRequests(true)}>
              {t("requests.open", { count: requestCount.value })}
            </Button>
          ) : null}
          <ul class="chats" onScroll={onScroll}>
            {shown.slice(0, most).map((chat) => (
              <ChatRow key={chat.id} chat={chat} />
            ))}
            {!isAside && archived.value.length > 0 ? (
              <li>
                <Button look="quiet" icon="archive" class="archive-open" onClick={() => setInArchive(true)}>
                  {t("list.archived", { count: archived.value.length })}
                </Button>
              </li>
            ) : null}
          </ul>
          {areChatsRead.value && listed.value.length + archived.value.length === 0 ? <Nobody /> : null}
        </>
      )}
    </nav>
  );
}

export async function openNotes(): Promise<void> {
  await attempt(call("chats.find", { selector: "notes" }).then((chat) => choose(chat.id)));
}

function Nobody() {
  return (
    <div class="nobody">
      <h2>{t("list.empty")}</h2>
      <p>{t("list.empty.text")}</p>
      <Button look="main" icon="person" onClick={() => show({ sheet: "add" })}>
        {t("list.add")}
      </Button>
    </div>
  );
}

function chatItems(chat: ChatInfo): Item[] {
  const set = (change: Parameters<typeof changeChat>[1]) => () => void changeChat(chat, change);
  return [
    chat.pinned
      ? { label: t("chat.unpin"), icon: "pin", act: set({ pinned: false }) }
      : { label: t("chat.pin"), icon: "pin", act: set({ pinned: true }) },
    isMuted(chat)
      ? { label: t("chat.unmute"), icon: "bell", act: set({ muted_until_ms: 0 }) }
      : { label: t("chat.mute"), icon: "mute", act: set({ muted_until_ms: ALWAYS_MS }) },
    chat.archived
      ? { label: t("chat.unarchive"), icon: "archive", act: set({ archived: false }) }
      : { label: t("chat.archive"), icon: "archive", act: set({ archived: true }) },
    { label: t("chat.export"), icon: "download", act: () => show({ sheet: "export", chat }) },
  ];
}

/** As the command line's `mute always` has it: the year 9999. */
const ALWAYS_MS = Date.UTC(9999, 0);

async function changeChat(
  chat: ChatInfo,
  change: { pinned?: boolean; archived?: boolean; muted_until_ms?: number },
): Promise<void> {
  await attempt(call("chats.set", { chat: chat.id, change }));
}

export { chatItems };

export function ChatRow({ chat }: { chat: ChatInfo }) {
  return (
    <Boundary of={chat} listed>
      <WholeRow chat={chat} />
    </Boundary>
  );
}

function WholeRow({ chat }: { chat: ChatInfo }) {
  const [menu, setMenu] = useState<Place | null>(null);
  const isChosen = chosen.value === chat.id;
  const last = chat.last;
  const draft = isChosen ? null : chat.draft;
  const typing = typingWords(chat);
  return (
    <li class="chat-row">
      <button
        type="button"
        class={`chat ${isChosen ? "chosen" : ""}`}
        aria-current={isChosen ? "true" : undefined}
        onClick={() => choose(chat.id)}
        onContextMenu={(event) => {
          event.preventDefault();
          if (requestOf(chat.id) === undefined) setMenu({ x: event.clientX, y: event.clientY });
        }}
      >
        <ChatAvatar chat={chat} />
        <span class="chat-words">
          <span class="chat-line">
            <strong class="chat-name">
              <Named name={chatName(chat)} />
            </strong>
            {chat.timer_s === null ? null : (
              <span class="sign" role="img" aria-label={t("list.timer", { time: span(chat.timer_s) })} title={span(chat.timer_s)}>
                <Icon name="timer" />
              </span>
            )}
            {isMuted(chat) ? (
              <span class="sign" role="img" aria-label={t("list.muted")}>
                <Icon name="mute" />
              </span>
            ) : null}
            {chat.pinned ? (
              <span class="sign" role="img" aria-label={t("list.pinned")}>
                <Icon name="pin" />
              </span>
            ) : null}
            {last === null ? null : <time class="chat-when">{shortWhen(last.sent_ms)}</time>}
          </span>
          <span class="chat-line">
            <span class="chat-last">
              {typing !== null ? (
                <span class="chat-preview typing">{typing}</span>
              ) : draft === null ? (
                last === null ? null : (
                  <>
                    <Ticks message={last} />
                    {chat.kind === "group" && last.kind === "message" && !last.mine ? (
                      <span class="chat-by">
                        <Named name={last.sender_name} />:
                      </span>
                    ) : null}
                    <span class="chat-preview" dir="auto">
                      {summary(last)}
                    </span>
                  </>
                )
              ) : (
                <>
                  <em class="chat-by">{t("list.draft")}</em>
                  <span class="chat-preview" dir="auto">
                    {draft.text.slice(0, 100)}
                  </span>
                </>
              )}
            </span>
            {chat.unread > 0 ? (
              <span class={isMuted(chat) ? "count quiet" : "count"} role="img" aria-label={t("list.unread", { count: chat.unread })}>
                {chat.unread > 999 ? "999+" : chat.unread}
              </span>
            ) : null}
          </span>
        </span>
      </button>
      {menu === null ? null : <Menu label={t("chat.menu")} items={chatItems(chat)} place={menu} onClose={() => setMenu(null)} />}
    </li>
  );
}
