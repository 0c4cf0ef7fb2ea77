// Twelve words, typed from paper. They stay in the form that asks for them.

import { t } from "../i18n/index.ts";
import { focusHere, focusNot } from "./focus.ts";

/** The words as the program takes them, or null if they are not twelve. */
export function twelve(typed: string): string | null {
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 12 ? words.join(" ") : null;
}

export function PhraseField({
  value,
  isFirst = false,
  isBusy = false,
  onChange,
}: {
  value: string;
  /** Whether it is what a form begins with. */
  isFirst?: boolean;
  isBusy?: boolean;
  onChange: (typed: string) => void;
}) {
  return (
    <label class="field">
      <span>{t("devices.remove.phrase")}</span>
      <textarea
        ref={isFirst ? focusHere : focusNot}
        rows={3}
        dir="ltr"
        lang="en"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="none"
        value={value}
        readOnly={isBusy}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}
