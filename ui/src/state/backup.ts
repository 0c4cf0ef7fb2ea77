// Backups of this account: when the last one was made, and how far the one is that is being made.

import { signal } from "@preact/signals";
import type { BackupState } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent } from "./app.ts";
import { onSettings } from "./settings.ts";

export const backup = signal<BackupState | null>(null);
/** Parts done, of all; null while none is being made. */
export const backupProgress = signal<{ done: number; total: number } | null>(null);

export async function readBackup(): Promise<void> {
  const now = await call("backups.get", {});
  backup.value = now;
  if (!now.running) backupProgress.value = null;
}

onEvent((event) => {
  if (event.event === "backup") backupProgress.value = { done: event.done, total: event.total };
});
onSettings("backup", () => {
  // It is read where it is shown; what was never shown is not read.
  if (backup.value !== null) readBackup().catch(() => undefined);
});
onClose(() => {
  backup.value = null;
  backupProgress.value = null;
});
