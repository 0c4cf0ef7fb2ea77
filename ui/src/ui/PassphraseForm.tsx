// Something that only who knows the passphrase may do. The passphrase stays in this form, and goes with it.

import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { focusHere, focusNot, useFocusBack } from "./focus.ts";

export function PassphraseForm({
  children,
  action,
  look = "main",
  isReady = true,
  isAsked = true,
  act,
  onCancel,
}: {
  /** More to be given, below the passphrase; it is told while the program is at work. */
  children?: (isBusy: boolean) => ComponentChildren;
  /** What the button says. */
  action: string;
  look?: "main" | "danger";
  /** Whether what else is to be given is there. */
  isReady?: boolean;
  /** Whether it comes because it was asked for, and has the focus. Not below a choice, through which somebody may still be going with the arrows. */
  isAsked?: boolean;
  /** Does it, and takes the form away. */
  act: (passphrase: string) => Promise<void>;
  onCancel: () => void;
}) {
  const form = useFocusBack<HTMLFormElement>();
  const [passphrase, setPassphrase] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (passphrase === "" || !isReady || isBusy) return;
    setBusy(true);
    setTrouble(null);
    try {
      await act(passphrase);
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
      setBusy(false);
    }
  };
  return (
    <form ref={form} class="sure" onSubmit={(event) => void submit(event)}>
      <label class="field">
        <span>{t("protection.passphrase")}</span>
        <input
          ref={isAsked ? focusHere : focusNot}
          type="password"
          autocomplete="off"
          value={passphrase}
          readOnly={isBusy}
          aria-invalid={trouble !== null}
          onInput={(event) => setPassphrase(event.currentTarget.value)}
        />
      </label>
      {children?.(isBusy)}
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        <Button look="quiet" disabled={isBusy} onClick={onCancel}>
          {t("cancel")}
        </Button>
        <Button look={look} submit disabled={isBusy || !isReady || passphrase === ""}>
          {action}
        </Button>
      </div>
    </form>
  );
}
