// What files take on this device, by chat, and removing them.

import { useEffect, useState } from "preact/hooks";
import type { ChatId, ChatStorage, CleanUp } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt, tell } from "../state/notices.ts";
import { chats } from "../state/chats.ts";
import { fileSize, shortWhen, span, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { chatName } from "./ChatList.tsx";
import { Dialog } from "./Dialog.tsx";
import { Named, plainName } from "./Named.tsx";

const LARGER = [1_000_000, 10_000_000, 100_000_000] as const;
const DAY_S = 86_400;
const OLDER = [30 * DAY_S, 90 * DAY_S, 365 * DAY_S] as const;
type Which = "all" | `larger-${number}` | `older-${number}`;

export function StorageSheet() {
  const [all, setAll] = useState<readonly ChatStorage[] | null>(null);
  const [where, setWhere] = useState<ChatId | "">("");
  const [which, setWhich] = useState<Which>("all");
  const read = (): Promise<void> => call("storage.list", {}).then(setAll);
  useEffect(() => {
    void attempt(read());
  }, []);
  const nameOf = (one: ChatStorage): string => {
    const chat = chats.value.get(one.chat);
    return plainName(chat === undefined ? one.name : chatName(chat));
  };
  const bytes = (all ?? []).reduce((sum, one) => sum + one.bytes, 0);
  const files = (all ?? []).reduce((sum, one) => sum + one.files, 0);
  const clean = (): void => {
    const [kind, limit] = which.split("-");
    const how: CleanUp =
      kind === "larger" ? { larger_than: Number(limit) } : kind === "older" ? { older_than_ms: Date.now() - Number(limit) * 1000 } : {};
    void attempt(
      call("storage.clean", { ...(where === "" ? {} : { chat: where }), clean: how }).then(async (done) => {
        tell(t("storage.done", { count: done.files, size: fileSize(done.bytes) }));
        await read();
      }),
    );
  };
  return (
    <Dialog title={t("storage.title")} wide>
      <p>{t("storage.text")}</p>
      {all === null ? null : files === 0 ? (
        <p role="status">{t("storage.none")}</p>
      ) : (
        <>
          <p role="status">
            <strong>{t("storage.files", { count: files, size: fileSize(bytes) })}</strong>
          </p>
          <ul class="storage">
            {all.map((one) => (
              <li key={one.chat}>
                <details>
                  <summary>
                    <span class="storage-line">
                      <Named name={nameOf(one)} />
                      <span class="quiet">{t("storage.files", { count: one.files, size: fileSize(one.bytes) })}</span>
                    </span>
                    <meter min={0} max={bytes} value={one.bytes} aria-hidden="true" />
                  </summary>
                  <ul class="kept" aria-label={t("storage.largest", { name: nameOf(one) })}>
                    {one.largest.map((file) => (
                      <li key={`${file.message}/${file.index}`} class="storage-line">
                        <Named name={file.name} />
                        <span class="quiet">
                          {fileSize(file.bytes)}, {shortWhen(file.sent_ms)}
                        </span>
                      </li>
                    ))}
                  </ul>
                </details>
              </li>
            ))}
          </ul>
          <section>
            <h3>{t("storage.clean")}</h3>
            <label class="field">
              <span>{t("storage.where")}</span>
              <select value={where} onChange={(event) => setWhere(event.currentTarget.value)}>
                <option value="">{t("storage.everywhere")}</option>
                {all.map((one) => (
                  <option key={one.chat} value={one.chat}>
                    {nameOf(one)}
                  </option>
                ))}
              </select>
            </label>
            <label class="field">
              <span>{t("storage.which")}</span>
              <select value={which} onChange={(event) => setWhich(event.currentTarget.value as Which)}>
                <option value="all">{t("storage.all")}</option>
                {LARGER.map((size) => (
                  <option key={size} value={`larger-${size}`}>
                    {t("storage.larger", { size: fileSize(size) })}
                  </option>
                ))}
                {OLDER.map((seconds) => (
                  <option key={seconds} value={`older-${seconds}`}>
                    {t("storage.older", { time: span(seconds) })}
                  </option>
                ))}
              </select>
            </label>
            <div class="row end">
              <Button look="danger" icon="trash" onClick={clean}>
                {t("storage.remove")}
              </Button>
            </div>
          </section>
        </>
      )}
    </Dialog>
  );
}
