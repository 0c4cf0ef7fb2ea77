// In the settings: who is blocked, and the records that were kept of people.

import { useEffect, useState } from "preact/hooks";
import type { BlockedInfo, ReportInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contacts } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { turns } from "../state/settings.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { Named, plainName } from "./Named.tsx";

export function BlockedList() {
  const [blocked, setBlocked] = useState<readonly BlockedInfo[]>([]);
  const read = (): void => {
    call("contacts.blocked", {}).then(setBlocked, () => undefined);
  };
  // Whom the owner blocks, and forgives, is told as a change of a contact.
  useEffect(read, [contacts.value]);
  if (blocked.length === 0) return null;
  return (
    <section>
      <h3>{t("blocked.list")}</h3>
      <ul class="members">
        {blocked.map((one) => (
          <li key={one.id}>
            <span class="member-words">
              <Named name={one.name === "" ? t("blocked.unknown") : one.name} />
            </span>
            <Button onClick={() => void attempt(call("contacts.set", { contact: one.id, change: { blocked: false } }))}>{t("contact.unblock")}</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function ReportList() {
  const [reports, setReports] = useState<readonly ReportInfo[]>([]);
  const read = (): void => {
    call("reports.list", {}).then(setReports, () => undefined);
  };
  useEffect(read, [turns.reports.value]);
  if (reports.length === 0) return null;
  return (
    <section>
      <h3>{t("report.list")}</h3>
      <ul class="members">
        {reports.map((one) => (
          <li key={one.id}>
            <span class="member-words">
              <Named name={one.name} />
              <span class="role">{dayAndTime(one.created_ms)}</span>
              <bdi class="role value">{one.id}</bdi>
            </span>
            <IconButton icon="trash" label={t("report.delete", { name: plainName(one.name) })} onClick={() => void attempt(call("reports.delete", { report: one.id }))} />
          </li>
        ))}
      </ul>
    </section>
  );
}
