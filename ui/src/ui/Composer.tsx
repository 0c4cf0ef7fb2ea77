// Where a message is written: text, files, a voice, a picture.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatInfo, MemberInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { type Begun, hold, isOther, keepDraft } from "../state/drafts.ts";
import { attempt } from "../state/notices.ts";
import { hasNewer, lines } from "../state/lines.ts";
import { ownTimer, withTimer } from "../state/own_timer.ts";
import { sendsWithEnter } from "../state/preferences.ts";
import { tellTyping } from "../state/typing.ts";
import { pick, remove, takeFor, uploads } from "../state/uploads.ts";
import { goTo, isPhone, show } from "../state/view.ts";
import { explain, fileSize, percent, span, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { chatName } from "./ChatList.tsx";
import { answering, editing } from "./Conversation.tsx";
import { outgoing, type Person } from "./drafting.ts";
import { EmojiPicker } from "./EmojiPicker.tsx";
import { markOf, marked } from "./formatting.ts";
import { Icon } from "./Icon.tsx";
import { Named, plainName } from "./Named.tsx";
import { isText } from "./Line.tsx";
import { Menu, placeAbove, type Place } from "./Menu.tsx";
import { RecordButton } from "./RecordButton.tsx";
import { summary } from "./summary.ts";
import { OWN_TIMERS } from "./timers.ts";

const begunOf = ({ draft }: ChatInfo): Begun => ({ text: draft?.text ?? "", reply: draft?.in_reply_to ?? undefined });
const isSame = (one: Begun, other: Begun): boolean => one.text === other.text && one.reply === other.reply;

const DRAFT_PAUSE = 400;
const MOST_LINES_PX = 180;

export function Composer({ chat }: { chat: ChatInfo }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const picked = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(chat.draft?.text ?? "");
  const [emoji, setEmoji] = useState<Place | null>(null);
  const [more, setMore] = useState<Place | null>(null);
  const [timers, setTimers] = useState<Place | null>(null);
  const [once, setOnce] = useState(false);
  const mentioned = useRef<Person[]>([]);
  const kept = useRef<Begun>(begunOf(chat));
  const files = uploads.value.filter((one) => one.chat === chat.id);
  const isComing = files.some((one) => one.id === null && one.trouble === null);
  const changing = editing.value?.chat === chat.id ? editing.value : null;
  const reply = answering.value?.chat === chat.id ? answering.value : null;
  const about = changing ?? reply;
  const timer = ownTimer.value;
  // A phone has room for words beside the buttons only while there are none. The field itself stays where it is in the document: what moves are
  // the buttons, so that the keyboard goes from one to the next as the eye does, and nobody who is writing is put out.
  const isAbove = isPhone.value && text !== "";
  const canSend = !isComing && (text.trim() !== "" || files.some((one) => one.id !== null));

  useEffect(() => {
    const draft = chat.draft?.in_reply_to;
    if (draft !== undefined && draft !== null && answering.value === null) {
      call("messages.get", { chat: chat.id, message: draft }).then(
        (found) => {
          answering.value = found;
        },
        () => undefined,
      );
    }
    return () => {
      answering.value = null;
      editing.value = null;
      ownTimer.value = null;
    };
  }, []);
  // At once: whoever types on after choosing a chat types here.
  useLayoutEffect(() => {
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, []);

  // The core keeps what was begun; the last state of it also when somebody goes to another chat at once.
  const newest = useRef<Begun>({ text, reply: reply?.id });
  newest.current = { text: changing === null ? text : kept.current.text, reply: reply?.id };
  const unanswered = useRef(0);
  const turn = useRef(0);
  const keep = (): void => {
    kept.current = newest.current;
    turn.current += 1;
    unanswered.current += 1;
    void keepDraft(chat.id, newest.current).finally(() => (unanswered.current -= 1));
  };
  const isAllKept = (): boolean => isSame(newest.current, kept.current) && !isOther(chat.id, kept.current);
  // At once: somebody may lock in the next moment.
  useLayoutEffect(() => {
    if (changing === null && !isAllKept()) hold(chat.id, newest.current);
  }, [text, reply?.id]);
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    if (changing !== null) return;
    if (isAllKept()) return;
    const timer = setTimeout(keep, DRAFT_PAUSE);
    return () => clearTimeout(timer);
  }, [text, reply?.id]);
  // Somebody went on in another page, in a terminal or on another device: this page follows, unless something is being written here.
  useEffect(() => {
    const mine = turn.current;
    const isMine = (): boolean => editing.value !== null || unanswered.current > 0 || turn.current !== mine || !isSame(newest.current, kept.current);
    if (isSame(begunOf(chat), kept.current) || isMine()) return;
    let isOver = false;
    // What was heard may be older than what was kept here last; what is asked for now is not.
    void call("chats.get", { chat: chat.id })
      .then(async (found) => {
        const begun = begunOf(found);
        const answered = begun.reply === undefined ? null : await call("messages.get", { chat: chat.id, message: begun.reply }).catch(() => null);
        if (isOver || isMine()) return;
        kept.current = { text: begun.text, reply: answered?.id };
        answering.value = answered;
        setText(begun.text);
      })
      .catch(() => undefined);
    return () => {
      isOver = true;
    };
  }, [chat.draft?.text, chat.draft?.in_reply_to]);
  useEffect(
    () => () => {
      if (newest.current.text !== kept.current.text) keep();
    },
    [],
  );

  /** What was begun before a message was to be changed; null while none is. */
  const before = useRef<string | null>(null);
  // At once: whoever types on types into the text that is changed.
  useLayoutEffect(() => {
    if (changing !== null) {
      before.current ??= text;
      setText(changing.text);
    } else if (before.current !== null) {
      setText(before.current);
      before.current = null;
    }
  }, [changing?.id]);

  // As high as what is in it, also once a phone was turned.
  useLayoutEffect(() => {
    const fit = (): void => {
      const element = field.current;
      if (element === null) return;
      element.style.height = "auto";
      element.style.height = `${Math.min(element.scrollHeight, MOST_LINES_PX)}px`;
    };
    fit();
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, [text, isAbove]);

  const send = async (): Promise<void> => {
    if (!canSend) return;
    const out = outgoing(text.trim(), mentioned.current);
    mentioned.current = [];
    if (changing !== null) {
      // What is typed while it is on its way is the next message already.
      editing.value = null;
      const isDone = await attempt(call("messages.edit", { chat: chat.id, message: changing.id, ...out }));
      if (!isDone && editing.value === null) editing.value = { ...changing, text };
      return;
    }
    const ids = takeFor(chat.id);
    const answered = reply === null ? {} : { in_reply_to: reply.id };
    setText("");
    newest.current = { text: "", reply: undefined };
    answering.value = null;
    setOnce(false);
    const sending = withTimer((timer) =>
      ids.length === 0
        ? call("messages.send", { chat: chat.id, ...out, ...answered, ...timer })
        : call("host.send", {
            chat: chat.id,
            ...(out.text === "" ? {} : out),
            uploads: ids,
            ...answered,
            ...timer,
            ...(once ? { view_once: true } : {}),
          }),
    );
    // What was just written is to be seen.
    goTo.value = "newest";
    // Behind it in the same connection; what is begun from now on is kept after this.
    keep();
    if (!(await attempt(sending))) setText((begun) => (begun === "" ? text : `${text}\n${begun}`));
  };

  const insert = (piece: string): void => {
    const element = field.current;
    if (element === null) return;
    element.focus();
    element.setRangeText(piece, element.selectionStart, element.selectionEnd, "end");
    setText(element.value);
  };

  const onKey = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const mark = markOf(event);
    const element = field.current;
    if (mark !== null && element !== null) {
      event.preventDefault();
      const next = marked({ text: element.value, from: element.selectionStart, to: element.selectionEnd }, mark);
      element.value = next.text;
      element.setSelectionRange(next.from, next.to);
      setText(next.text);
    } else if (event.key === "Enter" && !event.shiftKey && (sendsWithEnter.value || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void send();
    } else if (event.key === "Escape" && (changing !== null || reply !== null)) {
      event.preventDefault();
      event.stopPropagation();
      editing.value = null;
      answering.value = null;
    } else if (event.key === "ArrowUp" && text === "" && changing === null && !event.altKey && !hasNewer.value) {
      const last = lines.value.findLast((line) => line.mine && line.kind === "message" && !line.deleted && isText(line));
      if (last !== undefined) {
        event.preventDefault();
        editing.value = last;
      }
    }
  };

  const tools = (
    <span key={isAbove ? "below" : "before"} class="compose-tools">
      <IconButton icon="attach" label={t("compose.attach")} onClick={() => picked.current?.click()} />
      <IconButton icon="camera" label={t("compose.camera")} onClick={() => show({ sheet: "camera" })} />
      <IconButton
        icon="add"
        label={t("share.more")}
        expanded={more !== null}
        onClick={(event) => setMore(placeAbove(event.currentTarget as Element))}
      />
    </span>
  );

  return (
    <footer class="composer">
      {reply !== null || changing !== null ? (
        <div class="about">
          <Icon name={changing === null ? "reply" : "edit"} flips />
          <span class="about-words">
            <strong>{changing === null ? t("compose.replying", { name: reply?.mine === true ? t("you") : plainName(reply?.sender_name ?? "") }) : t("compose.editing")}</strong>
            <span dir="auto">{about === null ? null : summary(about)}</span>
          </span>
          <IconButton
            icon="close"
            label={t("cancel")}
            onClick={() => {
              editing.value = null;
              answering.value = null;
              field.current?.focus();
            }}
          />
        </div>
      ) : null}
      {timer === null || changing !== null ? null : (
        <div class="about">
          <Icon name="timer" />
          <span class="about-words">
            <span>{timer === 0 ? t("compose.timer.kept") : t("compose.timer.after", { time: span(timer) })}</span>
          </span>
          <IconButton
            icon="close"
            label={t("compose.timer.remove")}
            onClick={() => {
              ownTimer.value = null;
              field.current?.focus();
            }}
          />
        </div>
      )}
      {files.length > 0 ? (
        <ul class="picked">
          {files.map((one) => (
            <li key={one.key} class={one.trouble === null ? "picked-one" : "picked-one trouble"}>
              {one.shown === null ? <Icon name="file" /> : <img src={one.shown} alt="" />}
              <span class="picked-words">
                <Named name={one.name} />
                <span>
                  {one.trouble !== null
                    ? explain(one.trouble.code, one.trouble.message)
                    : one.id === null
                      ? percent(one.progress)
                      : fileSize(one.size)}
                </span>
              </span>
              <IconButton icon="close" label={t("compose.remove", { name: plainName(one.name) })} onClick={() => remove(one.key)} />
            </li>
          ))}
          <li>
            <label class="check">
              <input type="checkbox" checked={once} onChange={(event) => setOnce(event.currentTarget.checked)} /> {t("compose.view_once")}
            </label>
          </li>
        </ul>
      ) : null}
      {chat.kind === "group" ? (
        <Mentions
          chat={chat}
          text={text}
          field={field}
          onPick={(member, from) => {
            const element = field.current;
            if (element === null) return;
            mentioned.current.push({ name: plainName(member.name), uri: member.uri });
            element.setRangeText(`@${plainName(member.name)} `, from, element.selectionStart, "end");
            setText(element.value);
            element.focus();
          }}
        />
      ) : null}
      <input
        ref={picked}
        type="file"
        multiple
        hidden
        id="files"
        onChange={(event) => {
          pick(chat.id, event.currentTarget.files ?? []);
          event.currentTarget.value = "";
          field.current?.focus();
        }}
      />
      <div class={isAbove ? "compose-row above" : "compose-row"}>
        {isAbove ? null : tools}
        <textarea
          key="field"
          ref={field}
          id="compose"
          rows={1}
          autocomplete="off"
          dir="auto"
          placeholder={t("compose.placeholder")}
          aria-label={t("compose.label", { name: plainName(chatName(chat)) })}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            if (changing === null && event.currentTarget.value.trim() !== "") tellTyping(chat.id);
          }}
          onKeyDown={onKey}
          onPaste={(event) => {
            const pasted = event.clipboardData?.files;
            if (pasted !== undefined && pasted.length > 0) {
              event.preventDefault();
              pick(chat.id, pasted);
            }
          }}
        />
        {isAbove ? tools : null}
        <IconButton
          icon="emoji"
          label={t("compose.emoji")}
          expanded={emoji !== null}
          onClick={(event) => {
            const box = (event.currentTarget as Element).getBoundingClientRect();
            setEmoji({ x: document.dir === "rtl" ? box.left : box.right, y: box.top - 380 });
          }}
        />
        {canSend || changing !== null || files.length > 0 ? (
          <IconButton icon={changing === null ? "send" : "check"} label={changing === null ? t("send") : t("save")} class="accent send" flips disabled={!canSend} onClick={() => void send()} />
        ) : (
          <RecordButton chat={chat} />
        )}
      </div>
      {more === null ? null : (
        <Menu
          label={t("share.more")}
          place={more}
          onClose={() => setMore(null)}
          items={[
            { label: t("share.contact"), icon: "person", act: () => show({ sheet: "share_contact" }) },
            { label: t("share.place"), icon: "place", act: () => show({ sheet: "place" }) },
            { label: t("compose.timer.set"), icon: "timer", act: () => setTimers(more) },
          ]}
        />
      )}
      {timers === null ? null : (
        <Menu
          label={t("compose.timer.set")}
          place={timers}
          onClose={() => setTimers(null)}
          items={[null, ...OWN_TIMERS].map((seconds) => ({
            label: seconds === null ? t("compose.timer.chat") : seconds === 0 ? t("compose.timer.never") : span(seconds),
            icon: seconds === timer ? ("check" as const) : ("timer" as const),
            act: () => {
              ownTimer.value = seconds;
              field.current?.focus();
            },
          }))}
        />
      )}
      {emoji === null ? null : (
        <EmojiPicker
          place={emoji}
          onClose={() => {
            setEmoji(null);
            field.current?.focus();
          }}
          onPick={(picked) => {
            setEmoji(null);
            insert(picked);
          }}
        />
      )}
    </footer>
  );
}

/** A mention that is being typed, at the end of what stands before the cursor. */
const BEGUN = /(?:^|[\s(])@([^\s@]{0,30})$/u;

/** Who can be meant by what is being typed after an @. */
function Mentions({
  chat,
  text,
  field,
  onPick,
}: {
  chat: ChatInfo;
  text: string;
  field: { current: HTMLTextAreaElement | null };
  onPick: (member: MemberInfo, from: number) => void;
}) {
  const [members, setMembers] = useState<readonly MemberInfo[]>([]);
  const [dismissed, setDismissed] = useState<number | null>(null);
  const list = useRef<HTMLUListElement>(null);
  const cursor = field.current?.selectionStart ?? text.length;
  const found = BEGUN.exec(text.slice(0, cursor));
  const from = found === null ? null : cursor - (found[1]?.length ?? 0) - 1;
  useEffect(() => {
    if (from !== null) call("chats.members", { chat: chat.id }).then(setMembers, () => undefined);
  }, [from === null, chat.id]);
  const wanted = found?.[1]?.toLocaleLowerCase() ?? "";
  const fitting =
    from === null || from === dismissed
      ? []
      : members.filter((member) => !member.is_me && member.name.toLocaleLowerCase().includes(wanted)).slice(0, 6);
  // As soon as the list is there, keys are for it.
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null || fitting.length === 0) return;
    const onKey = (event: KeyboardEvent): void => {
      // A key that comes before the list has gone from the screen is not for the list.
      if (!BEGUN.test(element.value.slice(0, element.selectionStart))) return;
      if (event.key === "Escape") {
        setDismissed(from);
      } else if ((event.key === "Tab" || event.key === "Enter") && fitting[0] !== undefined && from !== null) {
        onPick(fitting[0], from);
      } else if (event.key === "ArrowUp") {
        list.current?.querySelector<HTMLElement>("li:last-child button")?.focus();
      } else {
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    element.addEventListener("keydown", onKey, true);
    return () => element.removeEventListener("keydown", onKey, true);
  }, [fitting.map((member) => member.id).join(), from]);
  if (fitting.length === 0 || from === null) return null;
  return (
    <ul ref={list} class="mentions" aria-label={t("compose.mentions")}>
      {fitting.map((member) => (
        <li key={member.id}>
          <button type="button" onClick={() => onPick(member, from)}>
            @<Named name={member.name} />
          </button>
        </li>
      ))}
    </ul>
  );
}
