import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { chats } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";

export function DeleteSheet({ message }: { message: MessageInfo }) {
  const remove = (for_everyone: boolean) => (): void => {
    hide();
    void attempt(call("messages.delete", { chat: message.chat, message: message.id, for_everyone }));
  };
  const canForAll = message.mine && !message.deleted && chats.value.get(message.chat)?.state === "active";
  return (
    <Dialog title={t("delete.title")}>
      {canForAll ? <p>{t("delete.text")}</p> : null}
      <div class="column">
        {canForAll ? (
          <Button look="danger" icon="trash" onClick={remove(true)}>
            {t("delete.everyone")}
          </Button>
        ) : null}
        <Button look="danger" icon="trash" onClick={remove(false)}>
          {t("delete.me")}
        </Button>
        <Button look="quiet" onClick={hide}>
          {t("cancel")}
        </Button>
      </div>
    </Dialog>
  );
}
