// A picture, as large as the window.

import { useEffect, useState } from "preact/hooks";
import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { mediaUrl, saveFile } from "../state/media.ts";
import { attempt } from "../state/notices.ts";
import { explain, t } from "../i18n/index.ts";
import { asFailed } from "../host/socket.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { plainName } from "./Named.tsx";

export function PictureSheet({ message, index }: { message: MessageInfo; index: number }) {
  const file = message.attachments.find((one) => one.index === index);
  const [url, setUrl] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    const which = { chat: message.chat, message: message.id, index };
    // One that may be opened once has an address of its own, which ends with the sheet.
    const asked = message.view_once ? call("host.media", which).then(({ url }) => url) : mediaUrl(message, index);
    asked.then(setUrl, (error: unknown) => {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
    });
    return () => {
      if (message.view_once) asked.then((url) => call("host.release", { url })).catch(() => undefined);
    };
  }, [message.id, index]);
  if (file === undefined) return null;
  return (
    <Dialog title={t("file.photo")} wide bare>
      <div class="picture">
        {trouble !== null ? (
          <p class="trouble-text" role="alert">
            {trouble}
          </p>
        ) : url !== null ? (
          <img src={url} alt={t("file.photo")} onError={() => setTrouble(t("file.failed"))} />
        ) : (
          <p role="status">{t("chat.loading")}</p>
        )}
      </div>
      {message.view_once ? null : (
        <div class="row end">
          <Button icon="download" onClick={() => void attempt(saveFile(message, index, plainName(file.name)))}>
            {t("file.save", { name: plainName(file.name) })}
          </Button>
        </div>
      )}
    </Dialog>
  );
}
