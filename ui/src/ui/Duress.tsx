// The duress passphrase and its decoy: set, replaced, or taken away.

import { useState } from "preact/hooks";
import type { ContactId } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOf, contacts } from "../state/chats.ts";
import { tell } from "../state/notices.ts";
import { protection, readProtection } from "../state/protection.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { plainName } from "./Named.tsx";
import { NewPassphrase } from "./NewPassphrase.tsx";
import { PassphraseForm } from "./PassphraseForm.tsx";
import { PersonChecks } from "./PersonChecks.tsx";
import { Part } from "./ProtectionPart.tsx";
import type { ShownWords } from "./TwelveWords.tsx";
import { TypedWord } from "./TypedWord.tsx";

export function Duress({ onShown }: { onShown: (phrase: ShownWords) => void }) {
  const [doing, setDoing] = useState<"set" | "remove" | null>(null);
  // A decoy that may be lived in goes only once the word was typed.
  const [isSure, setSure] = useState(false);
  const now = protection.value;
  if (now === null) return null;
  const begin = (what: "set" | "remove" | null): void => {
    setSure(what === "set" && !now.duress);
    setDoing(what);
  };
  return (
    <Part name="duress" title={t("duress.title")} text={t("duress.text")} not={t("duress.not")}>
      <p>
        <strong>{t(now.duress ? "duress.is" : "duress.none")}</strong>
      </p>
      {now.alarm.length > 0 ? <p>{t("duress.alarm.now", { names: now.alarm.map((id) => plainName(contactOf(id)?.name ?? "")).join(", ") })}</p> : null}
      {doing === null ? null : (
        <>
          {now.duress ? <p>{t(doing === "set" ? "duress.replaced" : "duress.remove.text")}</p> : null}
          {isSure ? null : (
            <TypedWord word={doing === "set" ? "word.replace" : "word.remove"} onDone={() => setSure(true)} onCancel={() => begin(null)}>
              {t(doing === "set" ? "duress.replace" : "duress.remove")}
            </TypedWord>
          )}
        </>
      )}
      {doing === "set" && isSure ? <SetDuress isAnother={now.duress} onShown={onShown} onDone={() => begin(null)} /> : null}
      {doing === "remove" && isSure ? (
        <PassphraseForm
          action={t("duress.remove")}
          look="danger"
          act={async (passphrase) => {
            await call("duress.remove", { passphrase, confirm: "remove" });
            await readProtection();
            tell(t("duress.removed"));
            begin(null);
          }}
          onCancel={() => begin(null)}
        />
      ) : null}
      {doing === null ? (
        <div class="row">
          <Button icon="shield" onClick={() => begin("set")}>
            {t(now.duress ? "duress.replace" : "duress.set")}
          </Button>
          {now.duress ? (
            <Button look="danger" icon="trash" onClick={() => begin("remove")}>
              {t("duress.remove")}
            </Button>
          ) : null}
        </div>
      ) : null}
    </Part>
  );
}

function SetDuress({ isAnother, onShown, onDone }: { isAnother: boolean; onShown: (phrase: ShownWords) => void; onDone: () => void }) {
  const [duress, setDuress] = useState<string | null>(null);
  const [prepares, setPrepares] = useState(false);
  const [visit, setVisit] = useState<string | null>(null);
  const [server, setServer] = useState("");
  const [name, setName] = useState("");
  const [alarmed, setAlarmed] = useState<ReadonlySet<ContactId>>(new Set());
  const ready = contacts.value.filter((one) => one.state === "ready" && !one.blocked);
  const set = async (current: string): Promise<void> => {
    if (duress === null) return;
    const decoy = {
      ...(visit === null ? {} : { visit }),
      ...(server.trim() === "" ? {} : { server: server.trim() }),
      ...(name.trim() === "" ? {} : { name: name.trim() }),
    };
    const confirm = isAnother ? { confirm: "replace" } : {};
    const { phrase } = await call("duress.set", { current, duress, alarm: [...alarmed], ...(prepares ? decoy : {}), ...confirm });
    onDone();
    onShown({ title: t("duress.done"), text: t("duress.phrase"), words: phrase });
    await readProtection();
  };
  return (
    <PassphraseForm action={t("save")} isReady={duress !== null && (!prepares || visit !== null)} act={set} onCancel={onDone}>
      {(isBusy) => (
        <>
          <NewPassphrase label={t("duress.title")} isBusy={isBusy} onChange={setDuress} />
          {ready.length === 0 ? null : (
            <details>
              <summary>{t("duress.alarm")}</summary>
              <div class="column">
                <p class="quiet">{t("duress.alarm.text")}</p>
                <PersonChecks label={t("duress.alarm.who")} people={ready} picked={alarmed} onChange={setAlarmed} />
              </div>
            </details>
          )}
          <details onToggle={(event) => setPrepares(event.currentTarget.open)}>
            <summary>{t("duress.prepare")}</summary>
            <div class="column">
              <p class="quiet">{t("duress.prepare.text")}</p>
              <NewPassphrase label={t("duress.visit")} isBusy={isBusy} onChange={setVisit} />
              <label class="field">
                <span>{t("duress.server")}</span>
                <input dir="ltr" spellcheck={false} autocomplete="off" autocapitalize="none" value={server} readOnly={isBusy} onInput={(event) => setServer(event.currentTarget.value)} />
              </label>
              <label class="field">
                <span>{t("duress.name")}</span>
                <input maxLength={64} autocomplete="off" value={name} readOnly={isBusy} onInput={(event) => setName(event.currentTarget.value)} />
              </label>
            </div>
          </details>
        </>
      )}
    </PassphraseForm>
  );
}
