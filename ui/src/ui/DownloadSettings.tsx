// Which files come by themselves: by size, and by whether the network costs.

import { settings } from "../state/app.ts";
import { set } from "../state/settings.ts";
import { fileSize, t } from "../i18n/index.ts";
import { Switch } from "./Switch.tsx";

const SIZES = [0, 1_000_000, 12_000_000, 100_000_000, 1_000_000_000, 4_294_967_296] as const;

export function DownloadSettings() {
  const now = settings.value;
  if (now === null) return null;
  return (
    <section>
      <h3>{t("downloads.title")}</h3>
      <p class="quiet">{t("downloads.text")}</p>
      <SizeField label={t("downloads.free")} value={now.download_bytes} onChange={(download_bytes) => set({ download_bytes })} />
      <SizeField
        label={t("downloads.costs")}
        value={now.download_metered_bytes}
        onChange={(download_metered_bytes) => set({ download_metered_bytes })}
      />
      <Switch label={t("downloads.metered")} text={t("downloads.metered.text")} value={now.metered} onChange={(metered) => set({ metered })} />
    </section>
  );
}

function SizeField({ label, value, onChange }: { label: string; value: number; onChange: (value: number) => void }) {
  // One that was set in the terminal is shown among the usual ones.
  const sizes = [...new Set([...SIZES, value])].sort((a, b) => a - b);
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(Number(event.currentTarget.value))}>
        {sizes.map((size) => (
          <option key={size} value={size}>
            {size === 0 ? t("downloads.none") : fileSize(size)}
          </option>
        ))}
      </select>
    </label>
  );
}
