// A form that does one thing with what was given, and says below it what was wrong.

import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

export interface FormState {
  isBusy: boolean;
  isWrong: boolean;
  /** At once, without asking whether what is needed was given. */
  submit: () => void;
}

interface Props {
  children: (state: FormState) => ComponentChildren;
  /** What the main button says. */
  action: string;
  /** Whether what is needed was given. */
  isReady?: boolean;
  /** Does it. What it throws is said, and so is what it answers: what is wrong with what was given. */
  act: () => Promise<string | void>;
  onCancel?: () => void;
  /** Between the two buttons. */
  more?: ComponentChildren;
}

export function ActForm({ children, action, isReady = true, act, onCancel, more }: Props) {
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = (): void => {
    if (isBusy) return;
    setBusy(true);
    setTrouble(null);
    act()
      .then(
        (wrong) => setTrouble(wrong ?? null),
        (error: unknown) => {
          const failed = asFailed(error);
          setTrouble(explain(failed.code, failed.message));
        },
      )
      .finally(() => setBusy(false));
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) submit();
      }}
    >
      {children({ isBusy, isWrong: trouble !== null, submit })}
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        {onCancel === undefined ? null : (
          <Button look="quiet" onClick={onCancel}>
            {t("cancel")}
          </Button>
        )}
        {more}
        <Button look="main" submit disabled={isBusy || !isReady}>
          {action}
        </Button>
      </div>
    </form>
  );
}
