// The account's devices, and another one that is being linked.

import { signal } from "@preact/signals";
import type { DeviceInfo, LinkingInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onClose, onEvent, onOpen } from "./app.ts";

export const devices = signal<readonly DeviceInfo[]>([]);
export const linking = signal<LinkingInfo | null>(null);
/** Another device has removed this one from the account. */
export const isRemoved = signal(false);

export async function readDevices(): Promise<void> {
  devices.value = await call("devices.list", {});
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

onOpen(() => Promise.all([readDevices(), readLinking(), readRemoved()]).then(() => undefined));
onEvent((event) => {
  switch (event.event) {
    case "linking_changed":
      quietly(readLinking());
      break;
    case "devices_changed":
      quietly(readDevices());
      break;
    case "device_removed":
      quietly(readRemoved());
      break;
    case "lagged":
      quietly(readDevices());
      quietly(readLinking());
      quietly(readRemoved());
      break;
    default:
  }
});
onClose(() => {
  devices.value = [];
  linking.value = null;
  isRemoved.value = false;
});
