// What the operator of the server tells everybody there, as far as it was not dismissed.

import { signal } from "@preact/signals";
import type { AnnouncementInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const announcements = signal<readonly AnnouncementInfo[]>([]);

async function readAnnouncements(): Promise<void> {
  announcements.value = (await call("announcements.list", {})).filter((one) => !one.dismissed);
}

export async function dismiss(one: AnnouncementInfo): Promise<void> {
  await call("announcements.dismiss", { announcement: one.id });
}

onOpen(readAnnouncements);
onEvent((event) => {
  if (event.event === "announcements_changed" || event.event === "lagged") readAnnouncements().catch(() => undefined);
});
onClose(() => {
  announcements.value = [];
});
