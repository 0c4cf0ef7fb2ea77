// When the dead-man timer is near its end, or the clock was set back: above the chats, and on the lock screen.

import type { DeadManStanding } from "../../../crates/app/bindings/rpc.ts";
import { protection } from "../state/protection.ts";
import { show } from "../state/view.ts";
import { fromNow, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

export const isNews = (now: DeadManStanding): boolean => now.warning !== "none" || now.clock_set_back_s > 0;

export function DeadManWords({ now }: { now: DeadManStanding }) {
  return (
    <>
      {now.warning === "none" ? null : <p>{t("deadman.left", { time: fromNow(Date.now() + now.left_s * 1000) })}</p>}
      {now.clock_set_back_s === 0 ? null : <p>{t("deadman.clock")}</p>}
    </>
  );
}

export function DeadManLine() {
  const now = protection.value?.dead_man;
  if (now === undefined || !isNews(now)) return null;
  return (
    <div class="deadman-line" role="status">
      <DeadManWords now={now} />
      <Button onClick={() => show({ sheet: "protection" })}>{t("protection.title")}</Button>
    </div>
  );
}
