// This computer as another device of an account: its code, the words, and waiting for the account to come.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JoiningInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, machine } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { asFailed } from "../host/socket.ts";
import { clock, explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Copied } from "./Copied.tsx";
import { focusHere } from "./focus.ts";
import { NewPassphrase } from "./NewPassphrase.tsx";
import { ProxyBefore, proxyGiven } from "./ProxyField.tsx";
import { QrCode } from "./QrCode.tsx";
import { SixWords } from "./SixWords.tsx";

/** Asks for the server, a name, and the passphrase of the home here. */
export function JoinForm({ problem, onBack }: { problem: JoiningInfo["problem"]; onBack: () => void }) {
  const [server, setServer] = useState("");
  const [name, setName] = useState(machine.value);
  const [proxy, setProxy] = useState("");
  const [passphrase, setPassphrase] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(problem === null ? null : explain(problem.code, problem.sentence));
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (passphrase === null) return;
    setBusy(true);
    setTrouble(null);
    try {
      await call("host.join", { server: server.trim(), device_name: name.trim(), passphrase, ...proxyGiven(proxy) });
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h1>{t("joining.title")}</h1>
      <p>{t("joining.text")}</p>
      <label class="field">
        <span>{t("joining.server")}</span>
        <input ref={focusHere} dir="ltr" spellcheck={false} autocomplete="off" autocapitalize="none" value={server} onInput={(event) => setServer(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>{t("devices.name")}</span>
        <input maxLength={64} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <NewPassphrase isBusy={isBusy} onChange={setPassphrase} />
      <ProxyBefore value={proxy} isBusy={isBusy} onChange={setProxy} />
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        {isBusy ? (
          <p role="status" class="busy">
            {t("onboarding.creating")}
          </p>
        ) : (
          <Button look="quiet" onClick={onBack}>
            {t("back")}
          </Button>
        )}
        <Button look="main" submit disabled={isBusy || passphrase === null || server.trim() === "" || name.trim() === ""}>
          {t("joining.begin")}
        </Button>
      </div>
    </form>
  );
}

/** From the code on: what the program is doing, as it says. */
export function Joining({ info }: { info: JoiningInfo }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), [info.step]);
  const answer = (same: boolean): void => void attempt(call("host.answer_join", { same }));
  return (
    <section class="linking">
      <h1 ref={heading} tabIndex={-1}>
        {info.step === "waiting" ? t("joining.code") : null}
        {info.step === "compare" ? t("linking.compare") : null}
        {info.step === "confirmed" ? t("joining.title") : null}
      </h1>
      {info.code === null ? null : (
        <>
          <QrCode content={{ text: info.code }} label={t("joining.qr")} />
          <p>{t("joining.code.text", { time: clock(info.expires_ms) })}</p>
          <Copied label={t("joining.label")} text={info.code} copy={t("joining.copy")} rows={4} />
        </>
      )}
      {info.words === null ? null : <SixWords words={info.words} />}
      {info.step === "compare" ? <p>{t("linking.compare.text")}</p> : null}
      {info.step === "confirmed" ? (
        <>
          <p role="status">{t("joining.confirmed")}</p>
          <progress aria-label={t("joining.title")} />
        </>
      ) : null}
      <div class="row end">
        <Button look={info.step === "compare" ? "danger" : "quiet"} onClick={() => answer(false)}>
          {info.step === "compare" ? t("linking.differ") : t("cancel")}
        </Button>
        {info.step === "compare" ? (
          <Button look="main" icon="check" onClick={() => answer(true)}>
            {t("linking.same")}
          </Button>
        ) : null}
      </div>
    </section>
  );
}
