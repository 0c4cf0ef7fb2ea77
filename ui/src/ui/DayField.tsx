// A day that has been, or none.

import { dayOf } from "../state/days.ts";

interface Props {
  label: string;
  value: string;
  onChange: (day: string) => void;
  fieldRef?: (element: HTMLElement | null) => void;
}

export function DayField({ label, value, onChange, fieldRef }: Props) {
  return (
    <label class="field">
      <span>{label}</span>
      <input ref={fieldRef ?? null} type="date" autocomplete="off" max={dayOf(Date.now())} value={value} onInput={(event) => onChange(event.currentTarget.value)} />
    </label>
  );
}
