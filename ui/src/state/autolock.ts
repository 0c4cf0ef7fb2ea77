// Says to the program, while somebody is at this page, that they are: it locks after an idle time, over all pages together.

import { call, hostState } from "./app.ts";

const EVERY_MS = 5000;

let told = Number.NEGATIVE_INFINITY;

const touched = (): void => {
  const now = performance.now();
  if (hostState.value !== "open" || now - told < EVERY_MS) return;
  told = now;
  call("host.activity", {}).catch(() => undefined);
};

// Some who use no keys and no pointer still type and press, with what helps them.
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "input", "click"]) {
  addEventListener(kind, touched, { passive: true, capture: true });
}
