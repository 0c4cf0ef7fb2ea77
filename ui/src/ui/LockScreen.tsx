import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { isLocking, lockedDeadMan, rings, standing, unlock } from "../state/app.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { DeadManWords, isNews } from "./DeadManLine.tsx";
import { Mark } from "./Icon.tsx";

export function LockScreen() {
  const input = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  // Nobody but the program is to be given a passphrase, so there is no place for one while it is not there.
  const isReady = standing.value === "in" && !isLocking.value;
  useLayoutEffect(() => input.current?.focus(), [isReady]);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const field = input.current;
    if (field === null || field.value === "" || !isReady) return;
    setBusy(true);
    setTrouble(null);
    const given = field.value;
    field.value = "";
    try {
      await unlock(given);
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
      field.focus();
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="gate">
      <form class="gate-card" onSubmit={(event) => void submit(event)}>
        <Mark />
        <h1>{t("lock.title")}</h1>
        <p>{t("lock.text")}</p>
        <p class="lock-news" role="status">
          {rings.value > 0 && !isLocking.value ? t("lock.news") : null}
        </p>
        {isReady && lockedDeadMan.value !== null && isNews(lockedDeadMan.value) ? (
          <div class="deadman-line" role="status">
            <DeadManWords now={lockedDeadMan.value} />
          </div>
        ) : null}
        {isReady ? (
          <label class="field">
            <span>{t("onboarding.passphrase.label")}</span>
            <input
              ref={input}
              type="password"
              autocomplete="off"
              aria-invalid={trouble !== null}
              aria-describedby="unlock-trouble"
              readOnly={isBusy}
            />
          </label>
        ) : null}
        <p id="unlock-trouble" class="trouble-text" role="alert">
          {trouble}
        </p>
        <Button look="main" submit disabled={isBusy || !isReady}>
          {isBusy ? t("lock.unlocking") : t("lock.unlock")}
        </Button>
      </form>
    </main>
  );
}
