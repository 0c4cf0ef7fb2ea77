import { useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { enterCode } from "../state/app.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { focusHere } from "./focus.ts";
import { Mark } from "./Icon.tsx";

/** What was wrong with the last code. The screen gives way while the program is asked, and comes back. */
const trouble = signal<string | null>(null);

/** For a page that was not opened by the program's own file: six digits from the terminal. */
export function CodeScreen() {
  const [code, setCode] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    trouble.value = null;
    enterCode(code).catch((error: unknown) => {
      const failed = asFailed(error);
      trouble.value = explain(failed.code, failed.message);
      setCode("");
    });
  };
  return (
    <main class="gate">
      <form class="gate-card" onSubmit={submit}>
        <Mark />
        <h1>{t("code.title")}</h1>
        <p>{t("code.why")}</p>
        <label class="field">
          <span>{t("code.label")}</span>
          <input
            class="code-input"
            value={code}
            inputMode="numeric"
            autocomplete="off"
            maxLength={7}
            ref={focusHere}
            aria-invalid={trouble.value !== null}
            aria-describedby="code-trouble"
            onInput={(event) => setCode(event.currentTarget.value)}
          />
        </label>
        <p id="code-trouble" class="trouble-text" role="alert">
          {trouble.value}
        </p>
        <Button look="main" submit disabled={code.replace(/\D/g, "").length !== 6}>
          {t("code.enter")}
        </Button>
      </form>
    </main>
  );
}
