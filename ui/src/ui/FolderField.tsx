import { t } from "../i18n/index.ts";
import { focusHere, focusNot } from "./focus.ts";

/** A folder of this computer: a page can't be given one, so it is typed. */
export function FolderField({ value, isFirst = false, isBusy = false, onChange }: { value: string; isFirst?: boolean; isBusy?: boolean; onChange: (typed: string) => void }) {
  return (
    <label class="field">
      <span>{t("backup.folder")}</span>
      <input
        ref={isFirst ? focusHere : focusNot}
        dir="ltr"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="none"
        placeholder="/media/usb/undertone"
        value={value}
        readOnly={isBusy}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

export const isWholePath = (typed: string): boolean => typed.trim().startsWith("/");
