// Another device of the account is wiped from here, and what it says to that.

import { useState } from "preact/hooks";
import type { DeviceId, KillAnswer } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { t, type Key } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { TypedWord } from "./TypedWord.tsx";

const WAIT_MS = 20_000;

const SAID: Readonly<Record<KillAnswer["is"], Key>> = {
  wiped: "devices.wipe.wiped",
  waiting: "devices.wipe.later",
  expired: "devices.wipe.expired",
  replayed: "devices.wipe.replayed",
  not_taken: "devices.wipe.not_taken",
};

export function WipeDevice({ device, name, onDone }: { device: DeviceId; name: string; onDone: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<KillAnswer["is"] | null>(null);
  if (answer !== null) {
    return (
      <>
        <p role="status" class={answer === "wiped" ? "well" : "trouble-text"}>
          {t(SAID[answer], { name })}
        </p>
        <p>{t("devices.wipe.stays")}</p>
        <div class="row end">
          <Button look="main" onClick={onDone}>
            {t("done")}
          </Button>
        </div>
      </>
    );
  }
  const wipe = async (): Promise<void> => {
    setBusy(true);
    await attempt(call("devices.kill", { device, confirm: "wipe", wait_ms: WAIT_MS }).then((said) => setAnswer(said.answer.is)));
    setBusy(false);
  };
  return (
    <>
      <p>{t("devices.wipe.text")}</p>
      <TypedWord word="word.wipe" isBusy={isBusy} onDone={() => void wipe()} onCancel={onDone}>
        {t("wipe.do")}
      </TypedWord>
      {isBusy ? (
        <div role="status" class="column">
          <p>{t("devices.wipe.waiting")}</p>
          <progress aria-label={t("devices.wipe.waiting")} />
        </div>
      ) : null}
    </>
  );
}
