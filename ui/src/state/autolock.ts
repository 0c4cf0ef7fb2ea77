// Locks by itself after a time in which nobody touched the page.

import { effect } from "@preact/signals";
import { hostState, lock } from "./app.ts";
import { autoLockMinutes } from "./preferences.ts";

let last = Date.now();
const touched = (): void => {
  last = Date.now();
};
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
  addEventListener(kind, touched, { passive: true, capture: true });
}

effect(() => {
  const minutes = autoLockMinutes.value;
  if (minutes <= 0 || hostState.value !== "open") return;
  last = Date.now();
  // A clock that is looked at, not one that counts: a computer that slept has slept the time away.
  const timer = window.setInterval(() => {
    if (Date.now() - last >= minutes * 60_000) lock();
  }, 1000);
  return () => clearInterval(timer);
});
