// Twelve words with which all devices of the account can be wiped from any computer: made, shown once, made anew.

import { useEffect, useState } from "preact/hooks";
import { call } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { killStatus, readKillStatus } from "../state/protection.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Part } from "./ProtectionPart.tsx";
import type { ShownWords } from "./TwelveWords.tsx";
import { TypedWord } from "./TypedWord.tsx";

/** Between looks at whether the server has what a new code needs. */
const LOOK_MS = 1000;

export function KillCode({ onShown }: { onShown: (phrase: ShownWords) => void }) {
  const [isSure, setSure] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const now = killStatus.value;
  const waits = now !== null && ((now.code && !now.armed) || now.custodians.some((one) => !one.armed));
  useEffect(() => {
    if (!waits) return;
    const timer = window.setInterval(() => void readKillStatus().catch(() => undefined), LOOK_MS);
    return () => clearInterval(timer);
  }, [waits]);
  if (now === null) return null;
  const make = async (): Promise<void> => {
    setBusy(true);
    await attempt(
      call("kill.new_code", now.code ? { confirm: "new" } : {}).then(({ words }) => {
        onShown({ title: t("kill.words"), text: t("kill.words.text"), words });
        return readKillStatus();
      }),
    );
    setBusy(false);
    setSure(false);
  };
  return (
    <Part name="kill" title={t("kill.title")} text={t("kill.text")} not={t("kill.not")}>
      {now.code ? (
        <div>
          <p>
            <strong>{t("kill.status", { number: now.generation, date: dayAndTime(now.made_ms) })}</strong>
          </p>
          <p class={now.armed ? "" : "trouble-text"}>{t(now.armed ? "kill.armed" : "kill.unarmed")}</p>
          {now.devices.length > 0 ? <p>{t("kill.others", { count: now.devices.length })}</p> : null}
        </div>
      ) : (
        <p>
          <strong>{t("kill.none")}</strong>
        </p>
      )}
      {isSure ? (
        <>
          <p>{t("kill.renew.text")}</p>
          <TypedWord word="word.new" isBusy={isBusy} onDone={() => void make()} onCancel={() => setSure(false)}>
            {t("kill.renew")}
          </TypedWord>
        </>
      ) : (
        <div class="row">
          <Button icon="add" disabled={isBusy} onClick={() => (now.code ? setSure(true) : void make())}>
            {t(now.code ? "kill.renew" : "kill.make")}
          </Button>
        </div>
      )}
    </Part>
  );
}
