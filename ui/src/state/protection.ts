// What protects this device, as the program has it, and the kill code with whoever else may wipe it.

import { signal } from "@preact/signals";
import type { KillStatus, Protection, ProtectionChange } from "../../../crates/app/bindings/rpc.ts";
import { call, hostState, onClose, onEvent, onOpen } from "./app.ts";
import { onSettings } from "./settings.ts";

/** How often it is looked how near the dead-man timer is. */
const LOOK_MS = 15 * 60_000;

export const protection = signal<Protection | null>(null);
export const killStatus = signal<KillStatus | null>(null);

export async function readProtection(): Promise<void> {
  protection.value = await call("protection.get", {});
}

export async function readKillStatus(): Promise<void> {
  killStatus.value = await call("kill.status", {});
}

export async function setProtection(change: ProtectionChange, passphrase?: string): Promise<void> {
  protection.value = await call("protection.set", passphrase === undefined ? { change } : { change, passphrase });
}

let timer = 0;

onOpen(async () => {
  clearInterval(timer);
  timer = window.setInterval(() => {
    if (hostState.value === "open") readProtection().catch(() => undefined);
  }, LOOK_MS);
  await Promise.all([readProtection(), readKillStatus()]);
});
onSettings("protection", () => {
  readProtection().catch(() => undefined);
});
onSettings("kill", () => {
  readKillStatus().catch(() => undefined);
});
onEvent((event) => {
  // Which of them a kill code reaches.
  if (event.event === "devices_changed") readKillStatus().catch(() => undefined);
});
onClose(() => {
  clearInterval(timer);
  timer = 0;
  protection.value = null;
  killStatus.value = null;
});
