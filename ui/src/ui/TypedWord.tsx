// What can't be taken back is done once a word was typed: a slip of the hand does nothing.

import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { t, type Key } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { focusHere, useFocusBack } from "./focus.ts";

export function TypedWord({
  word,
  children,
  isBusy = false,
  onDone,
  onCancel,
}: {
  word: Key & `word.${string}`;
  /** What the button says. */
  children: ComponentChildren;
  isBusy?: boolean;
  onDone: () => void;
  onCancel: () => void;
}) {
  const form = useFocusBack<HTMLFormElement>();
  const [typed, setTyped] = useState("");
  const isTyped = typed.trim().toLowerCase() === t(word).toLowerCase();
  return (
    <form
      ref={form}
      class="sure"
      onSubmit={(event) => {
        event.preventDefault();
        if (isTyped && !isBusy) onDone();
      }}
    >
      <label class="field">
        <span>{t("word.type", { word: t(word) })}</span>
        <input ref={focusHere} autocomplete="off" autocapitalize="none" spellcheck={false} value={typed} readOnly={isBusy} onInput={(event) => setTyped(event.currentTarget.value)} />
      </label>
      <div class="row end">
        <Button look="quiet" disabled={isBusy} onClick={onCancel}>
          {t("cancel")}
        </Button>
        <Button look="danger" submit disabled={!isTyped || isBusy}>
          {children}
        </Button>
      </div>
    </form>
  );
}
