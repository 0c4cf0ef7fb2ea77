// What is known of a message: when, what it said before, who has it.

import { useEffect, useState } from "preact/hooks";
import type { MessageInfo, Receipt, Version } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Dialog } from "./Dialog.tsx";
import { Named } from "./Named.tsx";

export function InfoSheet({ message }: { message: MessageInfo }) {
  const [versions, setVersions] = useState<readonly Version[]>([]);
  const [receipts, setReceipts] = useState<readonly Receipt[]>([]);
  useEffect(() => {
    const which = { chat: message.chat, message: message.id };
    if (message.edits > 0) call("messages.history", which).then(setVersions, () => undefined);
    if (message.mine) call("messages.receipts", which).then(setReceipts, () => undefined);
  }, [message.id]);
  return (
    <Dialog title={t("info.title")}>
      <dl class="facts">
        <div>
          <dt>{t("info.sent")}</dt>
          <dd>{dayAndTime(message.sent_ms)}</dd>
        </div>
        {message.mine ? null : (
          <div>
            <dt>{t("info.received")}</dt>
            <dd>{dayAndTime(message.received_ms)}</dd>
          </div>
        )}
        {message.edited_ms === null ? null : (
          <div>
            <dt>{t("info.edited")}</dt>
            <dd>{dayAndTime(message.edited_ms)}</dd>
          </div>
        )}
      </dl>
      {versions.length > 1 ? (
        <section>
          <h3>{t("info.history")}</h3>
          <ol class="versions">
            {versions.slice(0, -1).map((version, index) => (
              <li key={index}>
                <p dir="auto" class="plain">
                  {version.text}
                </p>
                <time>{dayAndTime(version.sent_ms)}</time>
              </li>
            ))}
          </ol>
        </section>
      ) : null}
      {message.mine && message.kind === "message" ? (
        <section>
          <h3>{t("info.receipts")}</h3>
          {receipts.length === 0 ? <p class="quiet">{t("info.none")}</p> : null}
          <ul class="members">
            {receipts.map((receipt) => (
              <li key={receipt.contact}>
                <span class="member-words">
                  <Named name={receipt.name} />
                </span>
                <span class="role">
                  {receipt.read_ms !== null
                    ? t("info.read", { time: dayAndTime(receipt.read_ms) })
                    : receipt.delivered_ms !== null
                      ? t("info.delivered", { time: dayAndTime(receipt.delivered_ms) })
                      : null}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </Dialog>
  );
}
