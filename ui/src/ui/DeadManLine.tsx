// Above the chats, when the dead-man timer is near its end, or the clock was set back.

import { protection } from "../state/protection.ts";
import { show } from "../state/view.ts";
import { fromNow, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

export function DeadManLine() {
  const now = protection.value?.dead_man;
  if (now === undefined || (now.warning === "none" && now.clock_set_back_s === 0)) return null;
  return (
    <div class="deadman-line" role="status">
      {now.warning === "none" ? null : <p>{t("deadman.left", { time: fromNow(Date.now() + now.left_s * 1000) })}</p>}
      {now.clock_set_back_s === 0 ? null : <p>{t("deadman.clock")}</p>}
      <Button onClick={() => show({ sheet: "protection" })}>{t("protection.title")}</Button>
    </div>
  );
}
