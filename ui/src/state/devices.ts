// The account's devices, and another one that is being linked.

import { signal } from "@preact/signals";
import type { DeviceInfo, HistoryInfo, LinkingInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const devices = signal<readonly DeviceInfo[]>([]);
/** What was said before, on its way to devices that were linked with it. */
export const histories = signal<readonly HistoryInfo[]>([]);
export const linking = signal<LinkingInfo | null>(null);
/** Another device has removed this one from the account. */
export const isRemoved = signal(false);

export async function readDevices(): Promise<void> {
  devices.value = await call("devices.list", {});
}

async function readHistories(): Promise<void> {
  histories.value = await call("devices.history", {});
}

export async function readLinking(): Promise<void> {
  linking.value = (await call("linking.get", {})).linking;
}

async function readRemoved(): Promise<void> {
  isRemoved.value = (await call("devices.is_removed", {})).removed;
}

const quietly = (work: Promise<void>): void => {
  // A lost connection is told by itself, and everything is read again with the next one.
  work.catch(() => undefined);
};

onOpen(() => Promise.all([readDevices(), readHistories(), readLinking(), readRemoved()]).then(() => undefined));
onEvent((event) => {
  switch (event.event) {
    case "linking_changed":
      quietly(readLinking());
      break;
    case "history_changed":
      quietly(readHistories());
      break;
    case "devices_changed":
      quietly(readDevices());
      break;
    case "device_removed":
      quietly(readRemoved());
      break;
    case "lagged":
      quietly(readDevices());
      quietly(readHistories());
      quietly(readLinking());
      quietly(readRemoved());
      break;
    default:
  }
});
onClose(() => {
  devices.value = [];
  histories.value = [];
  linking.value = null;
  isRemoved.value = false;
});
