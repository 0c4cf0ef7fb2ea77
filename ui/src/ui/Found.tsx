// What the search found: chats by their names, messages by their words and by what the search is narrowed to.

import { useEffect, useRef, useState } from "preact/hooks";
import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { archived, chats, listed } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { conditions, isNarrowed } from "../state/search.ts";
import { choose } from "../state/view.ts";
import { shortWhen, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { ChatAvatar, ChatRow, chatName } from "./ChatList.tsx";
import { Named } from "./Named.tsx";
import { summary } from "./summary.ts";

const PAUSE_MS = 150;
const PAGE = 50;
const MOST_CHATS = 50;

export function Found({ wanted }: { wanted: string }) {
  const [messages, setMessages] = useState<readonly MessageInfo[] | null>(null);
  const [hasMore, setHasMore] = useState(false);
  const turn = useRef(0);
  const also = conditions.value;
  useEffect(() => {
    const mine = ++turn.current;
    const timer = setTimeout(() => {
      call("messages.search", { text: wanted, limit: PAGE, ...also }).then(
        (found) => {
          if (mine !== turn.current) return;
          setMessages(found);
          setHasMore(found.length >= PAGE);
        },
        () => {
          if (mine !== turn.current) return;
          setMessages([]);
          setHasMore(false);
        },
      );
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted, also]);
  const more = async (): Promise<void> => {
    const last = messages?.at(-1);
    if (last === undefined) return;
    const mine = turn.current;
    await attempt(
      call("messages.search", { text: wanted, limit: PAGE, ...also, before: last.local_id }).then((found) => {
        if (mine !== turn.current) return;
        setMessages((before) => [...(before ?? []), ...found]);
        setHasMore(found.length >= PAGE);
      }),
    );
  };
  const small = wanted.toLocaleLowerCase();
  const fitting =
    wanted === "" || isNarrowed.value
      ? []
      : [...listed.value, ...archived.value].filter((chat) => chatName(chat).toLocaleLowerCase().includes(small)).slice(0, MOST_CHATS);
  return (
    <div class="found" role="region" aria-label={t("search")} aria-live="polite">
      {fitting.length > 0 ? (
        <>
          <h2>{t("list.found.chats")}</h2>
          <ul class="chats">
            {fitting.map((chat) => (
              <ChatRow key={chat.id} chat={chat} />
            ))}
          </ul>
        </>
      ) : null}
      {messages !== null && messages.length > 0 ? (
        <>
          <h2>{t("list.found.messages")}</h2>
          <ul class="chats">
            {messages.map((message) => (
              <FoundMessage key={`${message.chat}${message.local_id}`} message={message} />
            ))}
          </ul>
          {hasMore ? (
            <Button look="quiet" class="more" onClick={() => void more()}>
              {t("search.more")}
            </Button>
          ) : null}
        </>
      ) : null}
      {messages !== null && messages.length + fitting.length === 0 ? <p class="nothing-found">{t("list.found.none")}</p> : null}
    </div>
  );
}

function FoundMessage({ message }: { message: MessageInfo }) {
  const chat = chats.value.get(message.chat);
  if (chat === undefined) return null;
  return (
    <li class="chat-row">
      <button type="button" class="chat" onClick={() => choose(chat.id, message.local_id)}>
        <ChatAvatar chat={chat} size="small" />
        <span class="chat-words">
          <span class="chat-line">
            <strong class="chat-name">
              <Named name={chatName(chat)} />
            </strong>
            <time class="chat-when">{shortWhen(message.sent_ms)}</time>
          </span>
          <span class="chat-line">
            <span class="chat-last">
              <span class="chat-by">
                <Named name={message.mine ? t("you") : message.sender_name} />:
              </span>
              <span class="chat-preview" dir="auto">
                {summary(message)}
              </span>
            </span>
          </span>
        </span>
      </button>
    </li>
  );
}
