// From nothing to the first contact, a step at a time.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { call, hostState, joining, phraseKept } from "../state/app.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t, type Key } from "../i18n/index.ts";
import { attempt } from "../state/notices.ts";
import { setPicture } from "../state/pictures.ts";
import { show } from "../state/view.ts";
import { Button } from "./Button.tsx";
import { ChosenPicture } from "./ChosenPicture.tsx";
import { focusHere, focusNot } from "./focus.ts";
import { JoinForm, Joining } from "./Joining.tsx";
import { Mark } from "./Icon.tsx";
import { NewPassphrase } from "./NewPassphrase.tsx";
import { LanguageChoice } from "./LanguageChoice.tsx";
import { ProxyBefore, proxyGiven } from "./ProxyField.tsx";
import { RestoreForm } from "./Restoring.tsx";
import { TwelveWords } from "./TwelveWords.tsx";

type Step = "welcome" | "join" | "restore" | "server" | "name" | "passphrase" | "phrase" | "check" | "kill";
const NUMBERED: readonly Step[] = ["server", "name", "passphrase", "phrase", "check", "kill"];
const ASKED = 3;

export function Onboarding() {
  const [step, setStep] = useState<Step>(joining.value !== null ? "join" : hostState.value === "new" ? "welcome" : "phrase");
  const [server, setServer] = useState("");
  const [proxy, setProxy] = useState("");
  const [name, setName] = useState("");
  const [picture, setPicked] = useState<string | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    // Whoever can't see the new step hears it.
    if (step !== "welcome" && document.activeElement === document.body) heading.current?.focus();
  }, [step]);
  const at = NUMBERED.indexOf(step);
  const head = (title: Key): ComponentChildren => (
    <>
      {at >= 0 ? (
        <p class="step">
          <span class="visually-hidden">{t("onboarding.step", { step: at + 1, steps: NUMBERED.length })}</span>
          {NUMBERED.map((one, index) => (
            <i key={one} class={index <= at ? "dot past" : "dot"} />
          ))}
        </p>
      ) : (
        <Mark />
      )}
      <h1 ref={heading} tabIndex={-1}>
        {t(title)}
      </h1>
    </>
  );
  return (
    <main class="gate">
      <div class="gate-card">
        {step === "welcome" ? (
          <>
            {head("onboarding.welcome")}
            <p class="lead">{t("app.promise")}</p>
            <p>{t("onboarding.welcome.text")}</p>
            <Button look="main" onClick={() => setStep("server")}>
              {t("onboarding.start")}
            </Button>
            <Button onClick={() => setStep("join")}>{t("joining.choose")}</Button>
            <Button onClick={() => setStep("restore")}>{t("restore.choose")}</Button>
            <LanguageChoice />
          </>
        ) : null}
        {step === "join" ? (
          joining.value !== null && joining.value.step !== "failed" ? (
            <Joining info={joining.value} />
          ) : (
            <JoinForm problem={joining.value?.problem ?? null} onBack={() => setStep("welcome")} />
          )
        ) : null}
        {step === "restore" ? <RestoreForm onBack={() => setStep("welcome")} /> : null}
        {step === "server" ? (
          <Asked
            head={head("onboarding.server")}
            text={t("onboarding.server.text")}
            label={t("onboarding.server.label")}
            value={server}
            isLong
            onBack={() => setStep("welcome")}
            onDone={(given) => {
              setServer(given);
              setStep("name");
            }}
          >
            <ProxyBefore value={proxy} onChange={setProxy} />
          </Asked>
        ) : null}
        {step === "name" ? (
          <Asked
            head={head("onboarding.name")}
            text={t("onboarding.name.text")}
            label={t("onboarding.name.label")}
            value={name}
            onBack={() => setStep("server")}
            onDone={(given) => {
              setName(given);
              setStep("passphrase");
            }}
          >
            <ChosenPicture picture={picture} onChange={setPicked} />
          </Asked>
        ) : null}
        {step === "passphrase" ? (
          <Passphrase head={head("onboarding.passphrase")} server={server} proxy={proxy} name={name} picture={picture} onBack={setStep} onDone={() => setStep("phrase")} />
        ) : null}
        {step === "phrase" || step === "check" ? <Phrase step={step} head={head} go={setStep} /> : null}
        {step === "kill" ? <KillWords head={head("kill.title")} /> : null}
      </div>
    </main>
  );
}

function Asked({
  head,
  text,
  label,
  value,
  isLong = false,
  children,
  onBack,
  onDone,
}: {
  head: ComponentChildren;
  text: string;
  label: string;
  value: string;
  isLong?: boolean;
  children?: ComponentChildren;
  onBack: () => void;
  onDone: (given: string) => void;
}) {
  const [given, setGiven] = useState(value);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (given.trim() !== "") onDone(given.trim());
  };
  return (
    <form onSubmit={submit}>
      {head}
      <p>{text}</p>
      <label class="field">
        <span>{label}</span>
        {isLong ? (
          <textarea
            rows={4}
            dir="ltr"
            ref={focusHere}
            spellcheck={false}
            autocomplete="off"
            value={given}
            onInput={(event) => setGiven(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") submit(event);
            }}
          />
        ) : (
          <input ref={focusHere} maxLength={64} autocomplete="off" value={given} onInput={(event) => setGiven(event.currentTarget.value)} />
        )}
      </label>
      {children}
      <div class="row end">
        <Button look="quiet" onClick={onBack}>
          {t("back")}
        </Button>
        <Button look="main" submit disabled={given.trim() === ""}>
          {t("continue")}
        </Button>
      </div>
    </form>
  );
}

function Passphrase({
  head,
  server,
  proxy,
  name,
  picture,
  onBack,
  onDone,
}: {
  head: ComponentChildren;
  server: string;
  proxy: string;
  name: string;
  picture: string | null;
  onBack: (step: Step) => void;
  onDone: () => void;
}) {
  const [given, setGiven] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (given === null) return;
    setBusy(true);
    setTrouble(null);
    try {
      await call("host.create", { server, name, passphrase: given, ...proxyGiven(proxy) });
      if (picture !== null) await attempt(setPicture(picture));
      onDone();
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      {head}
      <p>{t("onboarding.passphrase.text")}</p>
      <NewPassphrase isBusy={isBusy} isFirst onChange={setGiven} />
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        {isBusy ? (
          <p role="status" class="busy">
            {t("onboarding.creating")}
          </p>
        ) : (
          <Button
            look="quiet"
            onClick={() => onBack(trouble === null ? "name" : "server")}
          >
            {t("back")}
          </Button>
        )}
        <Button look="main" submit disabled={isBusy || given === null}>
          {t("onboarding.create")}
        </Button>
      </div>
    </form>
  );
}

function pickThree(): number[] {
  const all = Array.from({ length: 12 }, (_, index) => index);
  const draws = crypto.getRandomValues(new Uint32Array(12));
  return all
    .sort((a, b) => (draws[a] ?? 0) - (draws[b] ?? 0))
    .slice(0, ASKED)
    .sort((a, b) => a - b);
}

function Phrase({ step, head, go }: { step: Step; head: (title: Key) => ComponentChildren; go: (step: Step) => void }) {
  const [words, setWords] = useState<readonly string[]>([]);
  const [asked] = useState(pickThree);
  const [given, setGiven] = useState<readonly string[]>(["", "", ""]);
  const [isWrong, setWrong] = useState(false);
  useEffect(() => {
    call("host.recovery_phrase", {}).then(
      (phrase) => setWords(phrase.words.split(" ")),
      () => undefined,
    );
  }, []);
  if (step === "phrase") {
    return (
      <>
        {head("phrase.title")}
        <p>{t("phrase.text")}</p>
        <ol class="phrase" dir="ltr" lang="en">
          {words.map((word, index) => (
            <li key={index}>{word}</li>
          ))}
        </ol>
        <div class="row end">
          <Button look="main" disabled={words.length !== 12} onClick={() => go("check")}>
            {t("phrase.written")}
          </Button>
        </div>
      </>
    );
  }
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!asked.every((place, index) => given[index]?.trim().toLowerCase() === words[place])) {
      setWrong(true);
      return;
    }
    go("kill");
  };
  return (
    <form onSubmit={submit}>
      {head("phrase.check")}
      <p>{t("phrase.check.text")}</p>
      {asked.map((place, index) => (
        <label key={place} class="field">
          <span>{t("phrase.word", { number: place + 1 })}</span>
          <input
            ref={index === 0 ? focusHere : focusNot}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            dir="ltr"
            value={given[index] ?? ""}
            onInput={(event) => {
              const typed = event.currentTarget.value;
              setWrong(false);
              setGiven(given.map((old, at) => (at === index ? typed : old)));
            }}
          />
        </label>
      ))}
      <p class="trouble-text" role="alert">
        {isWrong ? t("phrase.wrong") : null}
      </p>
      <div class="row end">
        <Button look="quiet" onClick={() => go("phrase")}>
          {t("phrase.look")}
        </Button>
        <Button look="main" submit disabled={words.length !== 12}>
          {t("done")}
        </Button>
      </div>
    </form>
  );
}

/** A code for the day on which a device is lost, while paper and pen are at hand. */
function KillWords({ head }: { head: ComponentChildren }) {
  const [words, setWords] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const finish = async (): Promise<void> => {
    await phraseKept();
    show({ sheet: "add" });
  };
  if (words !== null) return <TwelveWords title={t("kill.words")} text={t("kill.words.text")} words={words} onDone={() => void finish()} />;
  const make = async (): Promise<void> => {
    setBusy(true);
    // One that was made here before, and whose words were lost on the way, nobody has seen.
    if (!(await attempt(call("kill.new_code", { confirm: "new" }).then((made) => setWords(made.words))))) setBusy(false);
  };
  return (
    <>
      {head}
      <p>{t("kill.text")}</p>
      <p class="limits">{t("kill.not")}</p>
      <div class="row end">
        <Button look="quiet" disabled={isBusy} onClick={() => void finish()}>
          {t("kill.later")}
        </Button>
        <Button look="main" disabled={isBusy} onClick={() => void make()}>
          {t("kill.make")}
        </Button>
      </div>
    </>
  );
}
