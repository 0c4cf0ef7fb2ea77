// Letting another device into the account: its code, the words on both sides, and how it goes on from there.

import { useEffect, useRef, useState } from "preact/hooks";
import { account, call } from "../state/app.ts";
import { devices, linking, readLinking } from "../state/devices.ts";
import { attempt, tell } from "../state/notices.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Copied } from "./Copied.tsx";
import { GivenCode } from "./GivenCode.tsx";
import { plainName } from "./Named.tsx";
import { SixWords } from "./SixWords.tsx";
import { Switch } from "./Switch.tsx";

export function LinkDevice({ onDone }: { onDone: () => void }) {
  const now = linking.value;
  const count = devices.value.length;
  const before = useRef<number | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const step = now?.state ?? null;
  if (step !== null && step !== "failed" && before.current === null) before.current = count;
  useEffect(() => {
    // Whoever can't see the new step hears it.
    if (step !== null) heading.current?.focus();
    if (step !== null || before.current === null) return;
    const isIn = count > before.current;
    tell(t(isIn ? "linking.done" : "linking.refused"), !isIn);
    onDone();
  }, [step]);
  const end = (): void => void attempt(call("linking.cancel", {}).then(readLinking));
  if (now === null) return <Beginning onDone={onDone} />;
  return (
    <section class="linking">
      <h3 ref={heading} tabIndex={-1}>
        {now.state === "waiting" ? t("linking.waiting") : null}
        {now.state === "compare" ? t("linking.compare") : null}
        {now.state === "confirmed" ? t("linking.confirmed") : null}
        {now.state === "sending" ? t("linking.sending") : null}
        {now.state === "failed" ? t("linking.refused") : null}
      </h3>
      {now.device_name === null || now.state === "failed" ? null : <p>{t("linking.called", { name: plainName(now.device_name) })}</p>}
      {now.words === null || now.state === "failed" ? null : <SixWords words={now.words} />}
      {now.state === "compare" ? <p>{t("linking.compare.text")}</p> : null}
      {now.state === "waiting" || now.state === "confirmed" || now.state === "sending" ? <progress aria-label={t("linking.title")} /> : null}
      {now.problem === null ? null : (
        <p class="trouble-text" role="alert">
          {explain(now.problem.code, now.problem.sentence)}
        </p>
      )}
      <div class="row end">
        {now.state === "compare" ? (
          <>
            <Button look="danger" onClick={end}>
              {t("linking.differ")}
            </Button>
            <Button look="main" icon="check" onClick={() => void attempt(call("linking.confirm", {}).then(readLinking))}>
              {t("linking.same")}
            </Button>
          </>
        ) : now.state === "sending" ? null : (
          <Button look="quiet" onClick={end}>
            {now.state === "failed" ? t("close") : t("cancel")}
          </Button>
        )}
      </div>
    </section>
  );
}

function Beginning({ onDone }: { onDone: () => void }) {
  const me = account.value;
  const [history, setHistory] = useState(true);
  const take = async (code: string): Promise<void> => {
    await call("devices.link", { code, history });
    await readLinking();
  };
  return (
    <section class="linking">
      <h3>{t("linking.title")}</h3>
      <p>{t("linking.text")}</p>
      {me === null ? null : <Copied label={t("linking.server")} text={`${me.server}+${me.pin}`} />}
      <Switch label={t("linking.history")} text={t("linking.history.text")} value={history} onChange={setHistory} />
      <GivenCode label={t("linking.code")} action={t("continue")} take={take} onCancel={onDone} />
    </section>
  );
}
