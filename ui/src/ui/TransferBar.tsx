// What can be done with a file on its way: let it wait, let it go on, end it, and begin it again.

import type { AttachmentInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { transferKey, transfers } from "../state/transfers.ts";
import { fileSize, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { plainName } from "./Named.tsx";
import { kindOf } from "./summary.ts";

/** A smaller file is there before anybody could press a button. */
const WORTH_IT = 256 * 1024;

/** One bar for a message of one's own, which goes as a whole; one for each file of somebody else. */
export function TransferBars({ message }: { message: MessageInfo }) {
  if (!message.mine) {
    return (
      <>
        {message.attachments.map((file) => (
          <TransferBar key={file.index} message={message} file={file} />
        ))}
      </>
    );
  }
  const weight = { waiting: 1, paused: 2, failed: 3, cancelled: 4 } as const;
  const told = [...message.attachments].sort((a, b) => (b.transfer === null ? 0 : weight[b.transfer]) - (a.transfer === null ? 0 : weight[a.transfer]));
  const first = told[0];
  return first === undefined ? null : <TransferBar message={message} file={first} />;
}

function TransferBar({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const now = transfers.value.get(transferKey(message.id, file.index));
  const isUpload = message.mine && (message.state === "uploading" || message.state === "failed");
  // What was asked for by hand is told by its progress alone.
  const state = file.transfer ?? (now !== undefined && !file.here ? "waiting" : null);
  const size = isUpload ? message.attachments.reduce((sum, one) => sum + one.size, 0) : file.size;
  if (state === null || (state === "waiting" && size < WORTH_IT)) return null;
  const name = kindOf(file) === "photo" ? t("file.photo") : plainName(file.name);
  const which = isUpload ? { chat: message.chat, message: message.id } : { chat: message.chat, message: message.id, index: file.index };
  const pause = <IconButton icon="pause" label={t("transfer.pause", { name })} onClick={() => void attempt(call("attachments.pause", which))} />;
  const resume = <IconButton icon="play" label={t("transfer.resume", { name })} onClick={() => void attempt(call("attachments.resume", which))} />;
  const cancel = <IconButton icon="close" label={t("transfer.cancel", { name })} onClick={() => void attempt(call("attachments.cancel", which))} />;
  const again = isUpload ? (
    <IconButton icon="send" label={t("transfer.again", { name })} onClick={() => void attempt(call("messages.send_again", { chat: message.chat, message: message.id }))} />
  ) : (
    <IconButton icon="download" label={t("transfer.fetch", { name })} onClick={() => void attempt(call("attachments.resume", which))} />
  );
  const words = now === undefined ? t("transfer.waiting") : t("file.progress", { done: fileSize(now.done), total: fileSize(now.total) });
  return (
    <div class="transfer" data-state={state}>
      <span class="transfer-words">{state === "waiting" ? words : t(`transfer.${state}`)}</span>
      {state === "waiting" ? pause : state === "paused" ? resume : again}
      {state === "waiting" || state === "paused" ? cancel : null}
    </div>
  );
}
