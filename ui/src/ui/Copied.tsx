// A text to be taken elsewhere: it can be read, selected, and copied.

import { attempt, tell } from "../state/notices.ts";
import { t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";

export function Copied({ label, text, copy = t("copy"), rows = 2 }: { label: string; text: string; copy?: string; rows?: number }) {
  return (
    <div class="copied">
      <label class="field">
        <span>{label}</span>
        <textarea class="link-text" readOnly autocomplete="off" rows={rows} dir="ltr" value={text} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <IconButton icon="copy" label={copy} onClick={() => void attempt(navigator.clipboard.writeText(text).then(() => tell(t("copied"))))} />
    </div>
  );
}
