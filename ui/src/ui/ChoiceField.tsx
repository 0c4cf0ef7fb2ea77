import type { Choice } from "../../../crates/app/bindings/rpc.ts";
import { t } from "../i18n/index.ts";

const CHOICES: readonly Choice[] = ["default", "on", "off"];

export function ChoiceField({ label, value, onChange }: { label: string; value: Choice; onChange: (value: Choice) => void }) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as Choice)}>
        {CHOICES.map((choice) => (
          <option key={choice} value={choice}>
            {t(`choice.${choice}`)}
          </option>
        ))}
      </select>
    </label>
  );
}
