import { useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { archived, listed } from "../state/chats.ts";
import { attempt, tell } from "../state/notices.ts";
import { endSelecting } from "../state/selection.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { ChatAvatar, chatName } from "./ChatList.tsx";
import { Dialog } from "./Dialog.tsx";
import { Named, plainName } from "./Named.tsx";
import { may } from "./roles.ts";

export function ForwardSheet({ messages }: { messages: readonly MessageInfo[] }) {
  const [wanted, setWanted] = useState("");
  const fitting = [...listed.value, ...archived.value].filter(
    (chat) => may(chat, "post") && chatName(chat).toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()),
  );
  const forward = async (chat: ChatInfo): Promise<void> => {
    hide();
    endSelecting();
    // One after the other: they are to stand there as they stand here.
    for (const message of messages) {
      if (!(await attempt(call("messages.forward", { chat: message.chat, message: message.id, to: chat.id })))) return;
    }
    tell(t("forward.done", { name: plainName(chatName(chat)) }));
  };
  return (
    <Dialog title={t("forward.title")}>
      <input autofocus type="search" autocomplete="off" placeholder={t("search")} aria-label={t("search")} value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      <ul class="chats">
        {fitting.map((chat) => (
          <li key={chat.id} class="chat-row">
            <button type="button" class="chat" onClick={() => void forward(chat)}>
              <ChatAvatar chat={chat} size="small" />
              <strong class="chat-name">
                <Named name={chatName(chat)} />
              </strong>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
