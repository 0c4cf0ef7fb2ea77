// Who else may wipe this device: accepted here by the owner, who sees first whose key it is, and shown for ever after.

import { useState } from "preact/hooks";
import { call } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { killStatus, readKillStatus } from "../state/protection.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Copied } from "./Copied.tsx";
import { focusHere, useFocusBack } from "./focus.ts";
import { Named, plainName } from "./Named.tsx";
import { Part } from "./ProtectionPart.tsx";
import { TypedWord } from "./TypedWord.tsx";

type Step = null | { step: "key" } | { step: "sure"; text: string; name: string } | { step: "ticket"; name: string; ticket: string };

export function Custodians() {
  const [at, setAt] = useState<Step>(null);
  const all = killStatus.value?.custodians ?? [];
  const end = (): void => setAt(null);
  return (
    <Part name="custodians" title={t("custodian.title")} text={t("custodian.text")} not={t("custodian.not")}>
      {all.length === 0 ? (
        <p>
          <strong>{t("custodian.none")}</strong>
        </p>
      ) : (
        <ul class="members">
          {all.map((one, index) => (
            <li key={index}>
              <span class="member-words">
                <strong>
                  <Named name={one.name} />
                </strong>{" "}
                <span class="role">{t("custodian.since", { date: dayAndTime(one.accepted_ms) })}</span>{" "}
                {one.armed ? null : <span class="role trouble-text">{t("custodian.unarmed")}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
      {at === null ? (
        <div class="row">
          <Button icon="add" onClick={() => setAt({ step: "key" })}>
            {t("custodian.add")}
          </Button>
        </div>
      ) : null}
      {at?.step === "key" ? <GivenKey onDone={(key, name) => setAt({ step: "sure", text: key, name })} onCancel={end} /> : null}
      {at?.step === "sure" ? <Sure text={at.text} name={at.name} onDone={(ticket) => setAt({ step: "ticket", name: at.name, ticket })} onCancel={end} /> : null}
      {at?.step === "ticket" ? (
        <div class="sure">
          <p>{t("custodian.ticket.text", { name: at.name })}</p>
          <Copied label={t("custodian.ticket")} text={at.ticket} rows={4} />
          <div class="row end">
            <Button look="main" onClick={end}>
              {t("done")}
            </Button>
          </div>
        </div>
      ) : null}
    </Part>
  );
}

function GivenKey({ onDone, onCancel }: { onDone: (key: string, name: string) => void; onCancel: () => void }) {
  const form = useFocusBack<HTMLFormElement>();
  const [key, setKey] = useState("");
  return (
    <form
      ref={form}
      class="sure"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== "") void attempt(call("custodians.read", { key: key.trim() }).then(({ name }) => onDone(key.trim(), plainName(name))));
      }}
    >
      <label class="field">
        <span>{t("custodian.key")}</span>
        <input ref={focusHere} class="link-text" dir="ltr" spellcheck={false} autocomplete="off" autocapitalize="none" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <div class="row end">
        <Button look="quiet" onClick={onCancel}>
          {t("cancel")}
        </Button>
        <Button look="main" submit disabled={key.trim() === ""}>
          {t("continue")}
        </Button>
      </div>
    </form>
  );
}

function Sure({ text, name, onDone, onCancel }: { text: string; name: string; onDone: (ticket: string) => void; onCancel: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const accept = async (): Promise<void> => {
    setBusy(true);
    const isDone = await attempt(
      call("custodians.accept", { key: text, confirm: "accept" }).then(async ({ ticket }) => {
        onDone(ticket);
        await readKillStatus();
      }),
    );
    if (!isDone) setBusy(false);
  };
  return (
    <>
      <p class="trouble-text">{t("custodian.who", { name })}</p>
      <TypedWord word="word.accept" isBusy={isBusy} onDone={() => void accept()} onCancel={onCancel}>
        {t("custodian.accept", { name })}
      </TypedWord>
    </>
  );
}
