// For when this device is lost, taken, or its owner coerced: each protection with what it protects from and what it can't do.

import { useEffect, useState } from "preact/hooks";
import { call, lock } from "../state/app.ts";
import { wipe } from "../state/panic.ts";
import { attempt, tell } from "../state/notices.ts";
import { killStatus, protection, readKillStatus, readProtection, setProtection } from "../state/protection.ts";
import { hide, show } from "../state/view.ts";
import { dayAndTime, fromNow, span, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Custodians } from "./Custodians.tsx";
import { Dialog } from "./Dialog.tsx";
import { Duress } from "./Duress.tsx";
import { KillCode } from "./KillCode.tsx";
import { NewPassphrase } from "./NewPassphrase.tsx";
import { PassphraseForm } from "./PassphraseForm.tsx";
import { Part } from "./ProtectionPart.tsx";
import { PANIC_KEYS } from "./shortcuts.tsx";
import { Switch } from "./Switch.tsx";
import { TwelveWords, type ShownWords } from "./TwelveWords.tsx";
import { TypedWord } from "./TypedWord.tsx";

const IDLE_S = [0, 60, 300, 900, 3600] as const;
const LIMITS = [0, 5, 10, 20, 50] as const;
const DAYS = [0, 3, 7, 14, 30, 60, 90, 180] as const;
const DAY_S = 86_400;

/** The choices, and what is set, if it is none of them. */
const withPresent = (choices: readonly number[], present: number): number[] => [...new Set([...choices, present])].sort((a, b) => a - b);

export function ProtectionSheet() {
  const [words, setWords] = useState<ShownWords | null>(null);
  useEffect(() => {
    void attempt(Promise.all([readProtection(), readKillStatus()]));
  }, []);
  const now = protection.value;
  const kill = killStatus.value;
  if (now === null || kill === null) return null;
  if (words !== null) {
    return (
      <Dialog title={t("protection.title")} firm>
        <TwelveWords {...words} onDone={() => setWords(null)} />
      </Dialog>
    );
  }
  return (
    <Dialog title={t("protection.title")} wide>
      <p>{t("protection.text")}</p>
      <p class="limits">{t("protection.limits")}</p>
      {now.decoy ? (
        <p class="trouble-text" role="status">
          {t("protection.decoy")}
        </p>
      ) : null}
      <Locking />
      <Part name="panic" title={t("protection.panic")} text={t("protection.panic.text", { keys: PANIC_KEYS })} not={t("protection.panic.not")} />
      {now.decoy ? null : (
        <>
          <Attempts />
          <Duress onShown={setWords} />
          <DeadMan />
        </>
      )}
      <KillCode onShown={setWords} />
      <Custodians />
      <WipeHere />
    </Dialog>
  );
}

function Locking() {
  const [isChanging, setChanging] = useState(false);
  const [next, setNext] = useState<string | null>(null);
  const [isHeard, setHeard] = useState(true);
  useEffect(() => {
    void attempt(call("host.state", {}).then(({ desktop }) => setHeard(desktop)));
  }, []);
  const now = protection.value;
  if (now === null) return null;
  return (
    <Part name="lock" title={t("protection.lock")} text={t("protection.lock.text")} not={t("protection.lock.not")}>
      <label class="field across">
        <span>{t("settings.autolock")}</span>
        <select value={now.auto_lock_s} onChange={(event) => void attempt(setProtection({ auto_lock_s: Number(event.currentTarget.value) }))}>
          {withPresent(IDLE_S, now.auto_lock_s).map((seconds) => (
            <option key={seconds} value={seconds}>
              {seconds === 0 ? t("settings.autolock.never") : span(seconds)}
            </option>
          ))}
        </select>
      </label>
      <Switch label={t("protection.suspend")} value={now.lock_on_suspend} onChange={(lock_on_suspend) => void attempt(setProtection({ lock_on_suspend }))} />
      <Switch
        label={t("protection.screen")}
        {...(isHeard ? {} : { text: t("protection.screen.unheard") })}
        value={now.lock_with_screen}
        onChange={(lock_with_screen) => void attempt(setProtection({ lock_with_screen }))}
      />
      <Keyring />
      {isChanging ? (
        <PassphraseForm
          action={t("protection.change")}
          isReady={next !== null}
          act={async (current) => {
            if (next === null) return;
            await call("passphrase.change", { current, new: next });
            tell(t("protection.changed"));
            setNext(null);
            setChanging(false);
          }}
          onCancel={() => setChanging(false)}
        >
          {(isBusy) => (
            <>
              <NewPassphrase label={t("protection.change.new")} isBusy={isBusy} onChange={setNext} />
              <p class="quiet">{t("protection.change.text")}</p>
            </>
          )}
        </PassphraseForm>
      ) : (
        <div class="row">
          <Button icon="lock" onClick={lock}>
            {t("lock.now")}
          </Button>
          <Button icon="edit" onClick={() => setChanging(true)}>
            {t("protection.change")}
          </Button>
        </div>
      )}
    </Part>
  );
}

/** Whether the desktop's keyring is needed, too: it changes what opens the home, so the passphrase is asked for. */
function Keyring() {
  const [isAsking, setAsking] = useState(false);
  const now = protection.value;
  // Visited, the decoy changes nothing of what opens the home.
  if (now === null || now.decoy) return null;
  return (
    <>
      <Switch
        label={t("protection.keyring")}
        text={t("protection.keyring.text")}
        value={now.keyring !== isAsking}
        onChange={(next) => setAsking(next !== now.keyring)}
      />
      {isAsking ? (
        <PassphraseForm
          action={t("save")}
          act={async (passphrase) => {
            await setProtection({ keyring: !now.keyring }, passphrase);
            tell(t("protection.saved"));
            setAsking(false);
          }}
          onCancel={() => setAsking(false)}
        />
      ) : null}
    </>
  );
}

function Attempts() {
  const now = protection.value;
  if (now === null) return null;
  return (
    <Part name="attempts" title={t("attempts.title")} text={t("attempts.text")} not={t("attempts.not")}>
      <Guarded
        label={t("attempts.limit")}
        choices={LIMITS}
        value={now.wrong_attempts_limit}
        say={(count) => (count === 0 ? t("attempts.never") : t("attempts.count", { count }))}
        set={(wrong_attempts_limit, passphrase) => setProtection({ wrong_attempts_limit }, passphrase)}
      />
    </Part>
  );
}

function DeadMan() {
  const [isConfirming, setConfirming] = useState(false);
  const now = protection.value?.dead_man;
  if (now === undefined) return null;
  return (
    <Part name="deadman" title={t("deadman.title")} text={t("deadman.text")} not={t("deadman.not")}>
      {now.days === 0 ? null : (
        <p class={now.warning === "none" ? "" : "trouble-text"}>
          <strong>{t("deadman.left", { time: fromNow(Date.now() + now.left_s * 1000) })}</strong>
        </p>
      )}
      {now.clock_set_back_s > 0 ? <p class="trouble-text">{t("deadman.clock")}</p> : null}
      <Guarded
        label={t("deadman.days")}
        choices={DAYS}
        value={now.days}
        say={(days) => (days === 0 ? t("deadman.off") : span(days * DAY_S))}
        set={(dead_man_days, passphrase) => setProtection({ dead_man_days }, passphrase)}
      />
      <Heartbeats />
      {now.days === 0 && now.clock_set_back_s === 0 ? null : isConfirming ? (
        <PassphraseForm
          action={t("deadman.confirm")}
          act={async (passphrase) => {
            await call("passphrase.confirm", { passphrase });
            await readProtection();
            tell(t("deadman.confirmed"));
            setConfirming(false);
          }}
          onCancel={() => setConfirming(false)}
        />
      ) : (
        <div class="row">
          <Button icon="person" onClick={() => setConfirming(true)}>
            {t("deadman.confirm")}
          </Button>
        </div>
      )}
    </Part>
  );
}

/** Whether unlocking another own device puts the timer off here too: it keeps alive what would be wiped, so the passphrase is asked for. */
function Heartbeats() {
  const [isAsking, setAsking] = useState(false);
  const now = protection.value?.dead_man;
  if (now === undefined) return null;
  // Without a kill code there is no way for them to come by.
  const isPossible = now.heartbeats || killStatus.value?.code === true;
  return (
    <>
      <Switch
        label={t("deadman.heartbeats")}
        text={t(isPossible ? "deadman.heartbeats.text" : "deadman.heartbeats.needs")}
        value={now.heartbeats !== isAsking}
        isOff={!isPossible}
        onChange={(next) => setAsking(next !== now.heartbeats)}
      />
      {now.heartbeats ? <p class="quiet">{now.heard_s === 0 ? t("deadman.unheard") : t("deadman.heard", { date: dayAndTime(now.heard_s * 1000) })}</p> : null}
      {isAsking ? (
        <PassphraseForm
          action={t("save")}
          act={async (passphrase) => {
            await setProtection({ heartbeats: !now.heartbeats }, passphrase);
            tell(t("protection.saved"));
            setAsking(false);
          }}
          onCancel={() => setAsking(false)}
        />
      ) : null}
    </>
  );
}

/** A choice that is kept once the passphrase was given. */
function Guarded({
  label,
  choices,
  value,
  say,
  set,
}: {
  label: string;
  choices: readonly number[];
  value: number;
  say: (choice: number) => string;
  set: (choice: number, passphrase: string) => Promise<void>;
}) {
  const [chosen, setChosen] = useState(value);
  useEffect(() => setChosen(value), [value]);
  return (
    <>
      <label class="field across">
        <span>{label}</span>
        <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
          {withPresent(choices, value).map((choice) => (
            <option key={choice} value={choice}>
              {say(choice)}
            </option>
          ))}
        </select>
      </label>
      {chosen === value ? null : (
        <PassphraseForm
          action={t("save")}
          isAsked={false}
          act={async (passphrase) => {
            await set(chosen, passphrase);
            tell(t("protection.saved"));
          }}
          onCancel={() => setChosen(value)}
        />
      )}
    </>
  );
}

function WipeHere() {
  const [isSure, setSure] = useState(false);
  return (
    <Part name="wipe" title={t("wipe.title")} text={t("wipe.text")} not={t("wipe.not")}>
      {isSure ? (
        <TypedWord
          word="word.wipe"
          onDone={() => {
            hide();
            void wipe("confirmed");
          }}
          onCancel={() => setSure(false)}
        >
          {t("wipe.do")}
        </TypedWord>
      ) : (
        <div class="row">
          <Button look="danger" icon="wipe" onClick={() => setSure(true)}>
            {t("wipe.begin")}
          </Button>
          <Button look="quiet" icon="device" onClick={() => show({ sheet: "devices" })}>
            {t("devices.title")}
          </Button>
        </div>
      )}
      <p class="quiet">{t("wipe.others")}</p>
      <Switch
        label={t("wipe.remove")}
        text={t("wipe.remove.text")}
        value={protection.value?.remove_wiped === true}
        onChange={(remove_wiped) => void attempt(setProtection({ remove_wiped }))}
      />
    </Part>
  );
}
