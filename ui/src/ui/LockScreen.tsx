import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isLocking, rings, standing, unlock } from "../state/app.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Mark } from "./Icon.tsx";

export function LockScreen() {
  const input = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const isReady = standing.value === "in" && !isLocking.value;
  // Enter was pressed before the program was there again.
  const isGiven = useRef(false);
  useLayoutEffect(() => input.current?.focus(), []);
  useEffect(() => {
    if (isReady && isGiven.current) input.current?.form?.requestSubmit();
  }, [isReady]);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const field = input.current;
    if (field === null || field.value === "") return;
    isGiven.current = !isReady;
    if (!isReady) return;
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
        <p id="unlock-trouble" class="trouble-text" role="alert">
          {trouble}
        </p>
        <Button look="main" submit disabled={isBusy}>
          {isBusy ? t("lock.unlocking") : t("lock.unlock")}
        </Button>
      </form>
    </main>
  );
}
