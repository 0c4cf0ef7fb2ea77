import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { chats } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { endSelecting } from "../state/selection.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";

export function DeleteSheet({ messages }: { messages: readonly MessageInfo[] }) {
  const remove = async (for_everyone: boolean): Promise<void> => {
    hide();
    endSelecting();
    for (const message of messages) {
      if (!(await attempt(call("messages.delete", { chat: message.chat, message: message.id, for_everyone })))) return;
    }
  };
  const canForAll = messages.every((message) => message.mine && !message.deleted && chats.value.get(message.chat)?.state === "active");
  return (
    <Dialog title={messages.length === 1 ? t("delete.title") : t("delete.title.several", { count: messages.length })}>
      {canForAll ? <p>{t("delete.text")}</p> : null}
      <div class="column">
        {canForAll ? (
          <Button look="danger" icon="trash" onClick={() => void remove(true)}>
            {t("delete.everyone")}
          </Button>
        ) : null}
        <Button look="danger" icon="trash" onClick={() => void remove(false)}>
          {t("delete.me")}
        </Button>
        <Button look="quiet" onClick={hide}>
          {t("cancel")}
        </Button>
      </div>
    </Dialog>
  );
}
