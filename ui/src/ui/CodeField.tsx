// A field for a link or code that somebody gave.

import { focusHere } from "./focus.ts";

export function CodeField({ label, value, isWrong, onChange, onEnter }: { label: string; value: string; isWrong: boolean; onChange: (typed: string) => void; onEnter: () => void }) {
  return (
    <label class="field">
      <span>{label}</span>
      <textarea
        ref={focusHere}
        class="link-text"
        rows={4}
        dir="ltr"
        spellcheck={false}
        autocomplete="off"
        value={value}
        aria-invalid={isWrong}
        onInput={(event) => onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          onEnter();
        }}
      />
    </label>
  );
}
