// A chat as pages in a folder of this computer. The program writes them: nothing decrypted goes through the browser and its caches.

import { useState } from "preact/hooks";
import type { ChatInfo, Exported } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { ActForm } from "./ActForm.tsx";
import { Button } from "./Button.tsx";
import { chatName } from "./ChatList.tsx";
import { Dialog } from "./Dialog.tsx";
import { FolderField, isWholePath } from "./FolderField.tsx";
import { plainName } from "./Named.tsx";

export function ExportSheet({ chat }: { chat: ChatInfo }) {
  const [folder, setFolder] = useState("");
  const [done, setDone] = useState<Exported | null>(null);
  return (
    <Dialog title={t("export.title", { name: plainName(chatName(chat)) })}>
      {done === null ? (
        <ActForm
          action={t("export.do")}
          isReady={isWholePath(folder)}
          act={async () => setDone(await call("chats.export", { chat: chat.id, folder: folder.trim() }))}
          onCancel={hide}
        >
          {({ isBusy }) => (
            <>
              <p>{t("export.text")}</p>
              <p class="limits">{t("export.not")}</p>
              <FolderField isFirst value={folder} isBusy={isBusy} onChange={setFolder} />
            </>
          )}
        </ActForm>
      ) : (
        <>
          <div role="status" class="column">
            <p class="well">{t("export.done", { count: done.messages })}</p>
            <p class="value" dir="ltr">
              <bdi>{done.index}</bdi>
            </p>
            {done.left_out === 0 ? null : <p>{t("export.left_out", { count: done.left_out })}</p>}
            {done.missing === 0 ? null : <p class="trouble-text">{t("export.missing", { count: done.missing })}</p>}
          </div>
          <div class="row end">
            <Button look="main" onClick={hide}>
              {t("close")}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
