// What the whole page stands on: how far the program and its home are, this account, the connection to the server.

import { batch, computed, signal, type Signal } from "@preact/signals";
import type { AccountInfo, Event, HostState, JoiningInfo, Settings, Status } from "../../../crates/app/bindings/rpc.ts";
import { Socket, asFailed, type MethodName, type Params, type Result, type Standing } from "../host/socket.ts";

export const standing = signal<Standing>("connecting");
export const hostState = signal<HostState | null>(null);
export const phraseWaits = signal(false);
/** How far linking this device to an account is, or why it came to nothing. */
export const joining = signal<JoiningInfo | null>(null);
/** How often the program heard, while it was locked, that something came. */
export const rings = signal(0);
/** What this computer is called. */
export const machine = signal("");
export const version = signal("");
export const account = signal<AccountInfo | null>(null);
export const status = signal<Status | null>(null);
export const settings = signal<Settings | null>(null);
/** Whether the account came to this device just now. */
export const hasJoined = signal(false);
/** True from the moment somebody locks: nothing of anybody is shown from then on. */
export const isLocking = signal(false);
/** The home was wiped: there is nothing to come back to. */
export const isGone = signal(false);

export type Phase = "connecting" | "code" | "onboarding" | "locked" | "open" | "gone";

export const phase = computed<Phase>(() => {
  if (isGone.value) return "gone";
  if (standing.value === "refused") return "code";
  if (isLocking.value) return "locked";
  const state = hostState.value;
  if (state === null) return "connecting";
  if (state === "new" || state === "joining" || phraseWaits.value) return "onboarding";
  return state === "locked" ? "locked" : "open";
});

type Handler = (event: Event) => void;
type Step = () => void | Promise<void>;

const handlers: Handler[] = [];
const openers: Step[] = [];
const closers: (() => void)[] = [];

/** What is to be done with events; each state file looks for its own. */
export function onEvent(handler: Handler): void {
  handlers.push(handler);
}

/** What is to be read when the home opens, or the connection is back. */
export function onOpen(step: Step): void {
  openers.push(step);
}

/** What is to be forgotten when the home is locked. */
export function onClose(step: () => void): void {
  closers.push(step);
}

const socket = new Socket({
  standing(next) {
    standing.value = next;
    if (next === "in") void greet();
  },
  event(event) {
    batch(() => {
      for (const handler of handlers) handler(event);
    });
  },
  host() {
    void greet();
  },
  locked() {
    clearScreen();
  },
  wiped() {
    batch(() => {
      forget();
      hostState.value = null;
      isGone.value = true;
    });
  },
});

export function call<M extends MethodName>(method: M, params: Params<M>): Promise<Result<M>> {
  return socket.call(method, params);
}

/** Reads what a signal holds. Of several readings on their way the one that was asked for last counts: it may be newer than what another waits with. */
function reading<T>(into: Signal<T | null>, ask: () => Promise<T>): () => Promise<void> {
  let turn = 0;
  onClose(() => (turn += 1));
  return async () => {
    const mine = ++turn;
    const found = await ask();
    if (mine === turn) into.value = found;
  };
}

export const readAccount = reading(account, () => call("account.get", {}));
export const readSettings = reading(settings, () => call("settings.get", {}));
const readStatus = reading(status, () => call("status.get", {}));

export const start = (): void => socket.start();
export const enterCode = (code: string): Promise<void> => socket.enter(code);

let isReading = false;
let readAgain = false;

async function greet(): Promise<void> {
  if (isReading) {
    readAgain = true;
    return;
  }
  isReading = true;
  try {
    const info = await call("host.state", {});
    version.value = info.version;
    if (info.state === "open") {
      await call("events.subscribe", {});
      // All at once: what somebody waits for is as long as the slowest of them.
      await Promise.all([readAccount(), readStatus(), readSettings(), ...openers.map((step) => step())]);
    } else {
      forget();
    }
    batch(() => {
      hostState.value = info.state;
      phraseWaits.value = info.phrase_waits;
      if (joining.value !== null && joining.value.step !== "failed" && info.state === "open") hasJoined.value = true;
      joining.value = info.joining;
      machine.value = info.machine;
      rings.value = info.rings;
      isLocking.value = false;
    });
  } catch (error) {
    // A lost connection is told by itself, and comes back; anything else is tried with the next one.
    if (asFailed(error).code !== "page.disconnected") console.warn(asFailed(error).code);
  } finally {
    isReading = false;
    if (readAgain) {
      readAgain = false;
      void greet();
    }
  }
}

function forget(): void {
  batch(() => {
    account.value = null;
    status.value = null;
    settings.value = null;
    for (const step of closers) step();
  });
}

/** Takes everything from the screen that only an open home may show. True if there was something. */
export function clearScreen(): boolean {
  if ((hostState.value !== "open" && hostState.value !== "joining") || isLocking.value) return false;
  isLocking.value = true;
  forget();
  return true;
}

/** Locks: first everything goes from the screen, then the program is told. */
export function lock(): void {
  if (!clearScreen()) return;
  call("host.lock", {}).catch(() => {
    // The connection went first; the program locks or has ended.
  });
}

export async function unlock(passphrase: string): Promise<void> {
  await call("host.unlock", { passphrase });
}

export async function phraseKept(): Promise<void> {
  await call("host.phrase_kept", {});
  phraseWaits.value = false;
}

onEvent((event) => {
  if (event.event === "connection" && status.value !== null) {
    status.value = { ...status.value, inbox: event.inbox, outbox: event.outbox, problem: event.problem };
  }
  // Also while it is being read for the first time: what is on its way may be what was before. A connection that is lost is told by itself.
  if (event.event === "connection" || event.event === "clock_warning" || event.event === "lagged") readStatus().catch(() => undefined);
});

addEventListener("online", () => socket.hurry());
addEventListener("focus", () => socket.hurry());
