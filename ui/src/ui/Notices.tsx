import { notices, dismiss } from "../state/notices.ts";
import { t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";

/** Short notices at the edge, read out as they come. */
export function Notices() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <div key={notice.id} class={notice.isTrouble ? "toast trouble" : "toast"}>
          <span>{notice.text}</span>
          <IconButton icon="close" label={t("close")} onClick={() => dismiss(notice.id)} />
        </div>
      ))}
    </div>
  );
}
