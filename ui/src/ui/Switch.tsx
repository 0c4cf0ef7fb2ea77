export function Switch({
  label,
  text,
  value,
  isOff = false,
  onChange,
}: {
  label: string;
  text?: string;
  value: boolean;
  /** Shown, and not to be changed. */
  isOff?: boolean;
  onChange: (next: boolean) => void;
}) {
  return (
    <label class="switch">
      <span class="switch-words">
        <span>{label}</span>
        {text === undefined ? null : <span class="quiet">{text}</span>}
      </span>
      <input type="checkbox" role="switch" checked={value} disabled={isOff} onChange={(event) => onChange(event.currentTarget.checked)} />
    </label>
  );
}
