import { useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { archived, listed } from "../state/chats.ts";
import { attempt, tell } from "../state/notices.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { ChatAvatar, chatName } from "./ChatList.tsx";
import { Dialog } from "./Dialog.tsx";
import { Named, plainName } from "./Named.tsx";

export function ForwardSheet({ message }: { message: MessageInfo }) {
  const [wanted, setWanted] = useState("");
  const fitting = [...listed.value, ...archived.value].filter(
    (chat) => chat.state === "active" && chatName(chat).toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()),
  );
  const forward = (chat: ChatInfo): void => {
    hide();
    void attempt(
      call("messages.forward", { chat: message.chat, message: message.id, to: chat.id }).then(() =>
        tell(t("forward.done", { name: plainName(chatName(chat)) })),
      ),
    );
  };
  return (
    <Dialog title={t("forward.title")}>
      <input autofocus type="search" placeholder={t("search")} aria-label={t("search")} value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      <ul class="chats">
        {fitting.map((chat) => (
          <li key={chat.id} class="chat-row">
            <button type="button" class="chat" onClick={() => forward(chat)}>
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
