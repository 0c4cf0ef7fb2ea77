// How the server is reached, in plain words; nothing while all is well.

import { status } from "../state/app.ts";
import { isRemoved } from "../state/devices.ts";
import { explain, t } from "../i18n/index.ts";

export function connectionWords(): string {
  const now = status.value;
  if (now === null) return "";
  if (now.inbox === "online") return t("connection.online");
  if (now.problem !== null) return explain(now.problem.code, now.problem.sentence);
  return now.inbox === "connecting" ? t("connection.connecting") : t("connection.offline");
}

export function ConnectionSign() {
  const now = status.value;
  if (now === null) return null;
  const isWell = now.inbox === "online";
  return (
    <div class="connection" role="status">
      {isWell ? null : <p class={now.inbox === "connecting" ? "connection-line" : "connection-line trouble"}>{connectionWords()}</p>}
      {isRemoved.value ? <p class="connection-line trouble">{t("devices.gone")}</p> : null}
      {now.clock_warning ? <p class="connection-line trouble">{t("connection.clock")}</p> : null}
    </div>
  );
}
