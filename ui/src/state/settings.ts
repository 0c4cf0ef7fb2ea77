// What is set for all chats, and what is read only while it is shown: all of it can be changed on another device, in a terminal or on another
// page meanwhile.

import { signal, type Signal } from "@preact/signals";
import type { SettingsChange, SettingsPart } from "../../../crates/app/bindings/rpc.ts";
import { call, onEvent, readSettings, settings } from "./app.ts";
import { attempt } from "./notices.ts";

type Shown = Extract<SettingsPart, "links" | "reports">;

/** Counts the changes of what is read only while it is shown. */
export const turns: Readonly<Record<Shown, Signal<number>>> = { links: signal(0), reports: signal(0) };

/** Sets what is named and leaves the rest: it may be set elsewhere at the same time. */
export function set(change: SettingsChange): void {
  const before = settings.value;
  if (before === null) return;
  settings.value = { ...before, ...change };
  void attempt(call("settings.set", change)).then((isDone) => {
    if (!isDone) settings.value = before;
  });
}

/** Calls back when a part of what the owner sets was changed, or may have been. */
export function onSettings(part: SettingsPart, read: () => void): void {
  onEvent((event) => {
    if (event.event === "lagged" || (event.event === "settings_changed" && event.part === part)) read();
  });
}

onSettings("all_chats", () => {
  readSettings().catch(() => undefined);
});
for (const part of ["links", "reports"] as const) {
  onSettings(part, () => {
    turns[part].value += 1;
  });
}
