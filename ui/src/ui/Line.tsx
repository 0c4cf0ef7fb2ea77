// One line of a conversation: a message with its quote, files, reactions and state, or a notice.

import { useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt, tell } from "../state/notices.ts";
import { requestOf } from "../state/requests.ts";
import { picked, toggle } from "../state/selection.ts";
import { goTo, show } from "../state/view.ts";
import { clock, dayAndTime, fromNow, span, t } from "../i18n/index.ts";
import { noticeText, pieces } from "../i18n/notice.ts";
import { Avatar } from "./Avatar.tsx";
import { IconButton } from "./Button.tsx";
import { answering, editing } from "./Conversation.tsx";
import { EmojiPicker } from "./EmojiPicker.tsx";
import { Files } from "./Files.tsx";
import { Icon } from "./Icon.tsx";
import { Menu, placeOf, type Item, type Place } from "./Menu.tsx";
import { Named, plainName } from "./Named.tsx";
import { may } from "./roles.ts";
import { PlainText, RichText } from "./RichText.tsx";
import { Shared } from "./Shared.tsx";
import { Ticks } from "./Ticks.tsx";
import { summary } from "./summary.ts";

const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"] as const;

interface Props {
  message: MessageInfo;
  chat: ChatInfo;
  isFirst: boolean;
  isLast: boolean;
  isFocusable: boolean;
  onFocus: () => void;
}

export function Line(props: Props) {
  const { message } = props;
  if (message.kind !== "message") {
    return (
      <p class={`notice-line line-focus ${message.kind}`} tabIndex={props.isFocusable ? 0 : -1} onFocus={props.onFocus} dir="auto">
        <NoticeWords message={message} />
      </p>
    );
  }
  return <Message {...props} />;
}

function NoticeWords({ message }: { message: MessageInfo }) {
  if (message.kind === "gap") return <>{t("message.gap")}</>;
  // Of notices that an earlier version wrote only the sentence is known.
  if (message.notice === null) return <>{message.text}</>;
  return <>{pieces(noticeText(message.notice)).map((piece, place) => (place % 2 === 1 ? <bdi key={place}>{piece}</bdi> : piece))}</>;
}

function react(message: MessageInfo, text: string): void {
  const stands = !message.reactions.some((one) => one.text === text && one.mine);
  void attempt(call("messages.react", { chat: message.chat, message: message.id, text, stands }));
}

function Message({ message, chat, isFirst, isLast, isFocusable, onFocus }: Props) {
  const [menu, setMenu] = useState<Place | null>(null);
  const [picker, setPicker] = useState<Place | null>(null);
  const isGroup = chat.kind === "group";
  const name = message.mine ? t("you") : plainName(message.sender_name);
  const openMenu = (place: Place): void => setMenu(place);
  const items = menu === null ? [] : menuItems(message, chat);
  const canReact = !message.deleted && chat.state === "active" && requestOf(chat.id) === undefined;
  const labels = [name, clock(message.sent_ms), summary(message)];
  return (
    <div class={`message ${picked.value?.has(message.local_id) === true ? "picked-message" : ""} ${message.mine ? "mine" : "theirs"} ${isFirst ? "first" : ""} ${isLast ? "last" : ""}`}>
      {isGroup && !message.mine && picked.value === null ? (
        <span class="message-avatar">{isLast && message.sender !== null ? <Avatar id={message.sender} name={message.sender_name} size="small" /> : null}</span>
      ) : null}
      {picked.value === null ? null : (
        <input
          type="checkbox"
          class="pick-box"
          aria-label={t("select.one", { text: labels.join(", ") })}
          checked={picked.value.has(message.local_id)}
          onChange={() => toggle(message)}
        />
      )}
      <div
        class="bubble line-focus"
        role="article"
        aria-label={labels.join(", ")}
        tabIndex={isFocusable ? 0 : -1}
        onFocus={onFocus}
        onContextMenu={(event) => {
          if (event.target instanceof Element && event.target.closest("a") !== null) return;
          event.preventDefault();
          openMenu({ x: event.clientX, y: event.clientY });
        }}
        onKeyDown={(event) => {
          if (event.target === event.currentTarget && (event.key === "Enter" || event.key === "ContextMenu")) {
            event.preventDefault();
            openMenu(placeOf(event.currentTarget));
          }
        }}
      >
        {isGroup && !message.mine && isFirst ? (
          <p class="sender">
            <Named name={message.sender_name} />
          </p>
        ) : null}
        {message.forwarded ? (
          <p class="forwarded">
            <Icon name="forward" flips /> {t("message.forwarded")}
          </p>
        ) : null}
        <QuoteBox message={message} />
        {message.deleted ? <p class="deleted">{t("message.deleted")}</p> : <Files message={message} />}
        {message.deleted ? null : <Shared message={message} />}
        {message.deleted || message.text === "" || message.location !== null || message.card?.name === message.text ? null : (
          <div class="text">{message.rich === null ? <PlainText text={message.text} /> : <RichText blocks={message.rich} />}</div>
        )}
        <p class="meta">
          {message.pinned ? (
            <span role="img" aria-label={t("chat.pinned_message")}>
              <Icon name="pin" />
            </span>
          ) : null}
          {message.expires_ms === null && message.timer_s === null ? null : (
            <span
              role="img"
              class="meta-timer"
              aria-label={
                message.expires_ms === null
                  ? t("message.timer", { time: span(message.timer_s ?? 0) })
                  : t("message.disappears", { time: fromNow(message.expires_ms) })
              }
              title={
                message.expires_ms === null
                  ? t("message.timer", { time: span(message.timer_s ?? 0) })
                  : t("message.disappears", { time: fromNow(message.expires_ms) })
              }
            >
              <Icon name="timer" />
            </span>
          )}
          {message.edits > 0 && !message.deleted ? (
            <button type="button" class="edited" onClick={() => show({ sheet: "info", message })}>
              {t("message.edited")}
            </button>
          ) : null}
          <time title={dayAndTime(message.sent_ms)}>{clock(message.sent_ms)}</time>
          <Ticks message={message} />
        </p>
        {picked.value === null ? (
          <IconButton icon="down" label={t("message.menu")} class="bubble-menu" expanded={menu !== null} onClick={(event) => openMenu(placeOf(event.currentTarget as Element))} />
        ) : null}
      </div>
      {message.reactions.length > 0 && !message.deleted ? (
        <div class="reactions">
          {message.reactions.map((one) => (
            <button
              key={one.text}
              type="button"
              class={one.mine ? "reaction own" : "reaction"}
              aria-pressed={one.mine}
              title={one.names.map(plainName).join(", ")}
              aria-label={t("message.reactions", { text: one.text, names: one.names.map(plainName).join(", ") })}
              onClick={() => react(message, one.text)}
            >
              <bdi>{one.text}</bdi> {one.people.length > 1 ? <span>{one.people.length}</span> : null}
            </button>
          ))}
        </div>
      ) : null}
      {menu === null ? null : (
        <Menu
          label={t("message.menu")}
          items={items}
          place={menu}
          onClose={() => setMenu(null)}
          {...(canReact ? { head: (close: () => void) => (
              <div class="quick">
                {QUICK.map((text) => (
                  <button
                    key={text}
                    type="button"
                    role="menuitem"
                    tabIndex={-1}
                    class="quick-emoji"
                    aria-label={`${t("message.react")} ${text}`}
                    onClick={() => {
                      close();
                      react(message, text);
                    }}
                  >
                    {text}
                  </button>
                ))}
                <button
                  type="button"
                  role="menuitem"
                  tabIndex={-1}
                  class="quick-emoji"
                  aria-label={t("message.more_reactions")}
                  onClick={() => {
                    setPicker(menu);
                    close();
                  }}
                >
                  <Icon name="add" />
                </button>
              </div>
            ) } : {})}
        />
      )}
      {picker === null ? null : (
        <EmojiPicker
          place={picker}
          onClose={() => setPicker(null)}
          onPick={(text) => {
            setPicker(null);
            react(message, text);
          }}
        />
      )}
    </div>
  );
}

/** Whether it is words that can be changed. */
export function isText(message: MessageInfo): boolean {
  return message.attachments.length === 0 && message.card === null && message.location === null;
}

function menuItems(message: MessageInfo, chat: ChatInfo): Item[] {
  const items: Item[] = [];
  const isOpen = chat.state === "active" && requestOf(chat.id) === undefined;
  if (isOpen && !message.deleted && may(chat, "post")) {
    items.push({
      label: t("message.reply"),
      icon: "reply",
      act: () => {
        editing.value = null;
        answering.value = message;
        document.querySelector<HTMLElement>("#compose")?.focus();
      },
    });
  }
  if (isOpen && message.mine && !message.deleted && may(chat, "post") && isText(message)) {
    items.push({
      label: t("message.edit"),
      icon: "edit",
      act: () => {
        answering.value = null;
        editing.value = message;
        document.querySelector<HTMLElement>("#compose")?.focus();
      },
    });
  }
  if (!message.deleted && message.text !== "") {
    items.push({
      label: t("message.copy"),
      icon: "copy",
      act: () => void navigator.clipboard.writeText(message.text).then(() => tell(t("copied"))),
    });
  }
  if (isOpen && message.mine && message.state === "failed" && !message.deleted) {
    items.push({
      label: t("transfer.again.menu"),
      icon: "send",
      act: () => void attempt(call("messages.send_again", { chat: message.chat, message: message.id })),
    });
  }
  if (!message.deleted && !message.view_once) {
    items.push({ label: t("message.forward"), icon: "forward", act: () => show({ sheet: "forward", messages: [message] }) });
  }
  if (isOpen && !message.deleted && may(chat, "pin")) {
    const pinned = !message.pinned;
    items.push({
      label: pinned ? t("message.pin") : t("message.unpin"),
      icon: "pin",
      act: () => void attempt(call("messages.pin", { chat: message.chat, message: message.id, pinned })),
    });
  }
  items.push({ label: t("select.begin"), icon: "check", act: () => toggle(message) });
  items.push({ label: t("message.info"), icon: "info", act: () => show({ sheet: "info", message }) });
  items.push({ label: t("message.delete"), icon: "trash", isDanger: true, act: () => show({ sheet: "delete", messages: [message] }) });
  return items;
}

function QuoteBox({ message }: { message: MessageInfo }) {
  const quote = message.quote;
  if (quote === null || message.deleted) return null;
  const name = quote.mine ? t("you") : quote.sender_name;
  const words = quote.deleted ? t("message.quote.deleted") : quote.text || t("message.quote.files", { count: quote.files });
  return (
    <button
      type="button"
      class="quote"
      title={t("message.go_to_quote")}
      disabled={quote.local_id === null}
      onClick={() => {
        goTo.value = quote.local_id;
      }}
    >
      <strong>
        <Named name={name} />
      </strong>
      <span dir="auto">{words}</span>
    </button>
  );
}
