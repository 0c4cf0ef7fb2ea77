// Panic, from the keyboard or the lock button: the screen is empty and the home locked at once; pressed again soon, or held, everything is
// wiped. It works from the lock screen too, and asks for nothing.

import { effect, signal } from "@preact/signals";
import { asFailed } from "../host/socket.ts";
import { call, clearScreen, hostState, isGone, isOver, lock, standing } from "./app.ts";
import { tellTrouble } from "./notices.ts";

/** A second press within this time wipes; the program counts too, for presses from elsewhere. */
const TWICE_MS = 10_000;
/** Long enough that a key that something lies on by accident can be seen to count. */
const HOLD_MS = 3000;

/** Whether it is being held, so that the screen can say what comes. */
export const isHeld = signal(false);
export const isWiping = signal(false);

let last = Number.NEGATIVE_INFINITY;
let timer = 0;

function isHome(): boolean {
  return !isGone.value && hostState.value !== null && hostState.value !== "new";
}

/** The panic key goes down. */
export function press(): void {
  if (isHeld.value || !isHome()) return;
  const now = performance.now();
  const isSecond = now - last <= TWICE_MS;
  last = now;
  if (isSecond) {
    clearScreen();
    void wipe("panic");
    return;
  }
  const isSent = standing.value === "in";
  clearScreen();
  hold();
  // What is lost with the connection was heard: it ends because of this. Asked again it would count as a second press.
  if (isSent) call("host.panic", {}).catch(lockAnyway);
  else void whenIn().then(() => call("host.panic", {})).catch(lockAnyway);
}

/** The press came to nothing there: it is locked all the same, and who pressed hears why. */
function lockAnyway(error: unknown): void {
  if (asFailed(error).code === "page.disconnected") return;
  tellTrouble(error);
  call("host.lock", {}).catch(tellTrouble);
}

/** The lock button goes down: it locks, and wipes only if it is held. */
export function pressToLock(): void {
  if (isHeld.value || !isHome()) return;
  lock();
  hold();
}

function hold(): void {
  isHeld.value = true;
  timer = window.setTimeout(() => {
    release();
    void wipe("panic");
  }, HOLD_MS);
}

/** Whatever was held is let go. */
export function release(): void {
  clearTimeout(timer);
  isHeld.value = false;
}

/** Wipes, whatever becomes of the connection meanwhile: the program may just be locking. */
export async function wipe(how: "panic" | "confirmed"): Promise<void> {
  if (isWiping.value) return;
  isWiping.value = true;
  while (!isGone.value) {
    await whenIn();
    if (isOver.value) {
      // There is nobody to do it any more.
      isWiping.value = false;
      return;
    }
    try {
      if (how === "panic") await call("host.panic", { wipe: true });
      else await call("home.wipe", { confirm: "wipe" });
      return;
    } catch (error) {
      if (asFailed(error).code === "page.disconnected") continue;
      isWiping.value = false;
      tellTrouble(error);
      return;
    }
  }
}

/** When the program is there, or has ended for good. */
function whenIn(): Promise<void> {
  return new Promise((resolve) => {
    const stop: { now?: () => void } = {};
    stop.now = effect(() => {
      if (standing.value !== "in" && !isGone.value && !isOver.value) return;
      resolve();
      queueMicrotask(() => stop.now?.());
    });
  });
}

for (const kind of ["keyup", "pointerup", "pointercancel", "blur"]) addEventListener(kind, release);
