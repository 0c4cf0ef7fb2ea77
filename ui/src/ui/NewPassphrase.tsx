// A passphrase for a home, typed twice, with an honest word on how strong it is.

import { useId, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { focusHere, focusNot } from "./focus.ts";
import { strength, verdict } from "./strength.ts";

/** Gives the passphrase when it is long enough and both are the same, else null. */
export function NewPassphrase({
  isBusy,
  isFirst = false,
  label = t("onboarding.passphrase.label"),
  onChange,
}: {
  isBusy: boolean;
  /** Whether it is what a form begins with. */
  isFirst?: boolean;
  /** What it is for. */
  label?: string;
  onChange: (passphrase: string | null) => void;
}) {
  const [first, setFirst] = useState("");
  const [second, setSecond] = useState("");
  const level = strength(first);
  const id = useId();
  const take = (one: string, again: string): void => {
    setFirst(one);
    setSecond(again);
    onChange(strength(one) > 0 && one === again ? one : null);
  };
  return (
    <>
      <label class="field">
        <span>{label}</span>
        <input
          ref={isFirst ? focusHere : focusNot}
          type="password"
          autocomplete="new-password"
          value={first}
          readOnly={isBusy}
          aria-describedby={id}
          onInput={(event) => take(event.currentTarget.value, second)}
        />
      </label>
      <div id={id} class={`strength level-${first === "" ? "none" : level}`} aria-live="polite">
        <div class="strength-bar" aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </div>
        <span>{first === "" ? t("strength.hint") : t(`strength.${verdict(first)}`)}</span>
      </div>
      <label class="field">
        <span>{t("onboarding.passphrase.again")}</span>
        <input type="password" autocomplete="new-password" value={second} readOnly={isBusy} onInput={(event) => take(first, event.currentTarget.value)} />
      </label>
      {second !== "" && second.length >= first.length && first !== second ? (
        <p class="trouble-text" role="alert">
          {t("onboarding.passphrase.differs")}
        </p>
      ) : null}
    </>
  );
}
