// What the whole page stands on: how far the program and its home are, this account, the connection to the server.

import { batch, computed, signal, type Signal } from "@preact/signals";
import type { AccountInfo, DeadManStanding, Event, HostState, JoiningInfo, Settings, Status } from "../../../crates/app/bindings/rpc.ts";
import { Failed, Socket, asFailed, type MethodName, type Params, type Result, type Standing } from "../host/socket.ts";

export const standing = signal<Standing>("connecting");
export const hostState = signal<HostState | null>(null);
export const phraseWaits = signal(false);
/** How far linking this device to an account is, or why it came to nothing. */
export const joining = signal<JoiningInfo | null>(null);
/** How often the program heard, while it was locked, that something came. */
export const rings = signal(0);
/** How the dead-man timer stands, while the home is locked. */
export const lockedDeadMan = signal<DeadManStanding | null>(null);
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
/** The program has ended: this page never comes back. */
export const isOver = signal(false);
/** The program has not been there for a while, and may never be again: nothing is shown until it is. */
export const isAway = signal(false);

/** How long the connection may be lost before everything goes from the screen. */
const AWAY_MS = 5000;

export type Phase = "connecting" | "code" | "onboarding" | "locked" | "open" | "away" | "ended" | "gone";

export const phase = computed<Phase>(() => {
  if (isGone.value) return "gone";
  if (isOver.value) return "ended";
  if (standing.value === "refused") return "code";
  if (isLocking.value) return "locked";
  const state = hostState.value;
  if (isAway.value && state !== "locked") return "away";
  if (state === null) return "connecting";
  if (state === "new" || state === "joining" || phraseWaits.value) return "onboarding";
  return state === "locked" ? "locked" : "open";
});

type Handler = (event: Event) => void;
type Step = () => void | Promise<void>;

/** Why everything is forgotten: it is not to be seen any more, or the program is away and may come back. */
export type Closing = "locked" | "away";

const handlers: Handler[] = [];
const returners: Step[] = [];
const openers: Step[] = [];
const closers: ((why: Closing) => void)[] = [];

/** What is to be done with events; each state file looks for its own. */
export function onEvent(handler: Handler): void {
  handlers.push(handler);
}

/** What the program is to be told before it locks, and when the connection is back before anything is read. */
export function onReturn(step: Step): void {
  returners.push(step);
}

/** What is to be read when the home opens, or the connection is back. */
export function onOpen(step: Step): void {
  openers.push(step);
}

/** What is to be forgotten when the home is locked, or the program is away. */
export function onClose(step: (why: Closing) => void): void {
  closers.push(step);
}

/** From when everything was forgotten until the program says how it stands: nothing of the home may come in. */
let isShut = false;
/** Changes whenever everything is forgotten: answers to questions of before are nobody's. */
let epoch = 0;
/** Somebody locked, and the program has not heard of it. */
let mustLock = false;
let awayTimer = 0;

/** Whether what comes now would be shown over a lock. */
export const isClosed = (): boolean => isShut;

const socket = new Socket({
  standing(next) {
    standing.value = next;
    if (next === "in") {
      clearTimeout(awayTimer);
      awayTimer = 0;
      void greet();
    } else if (next === "lost" && awayTimer === 0) {
      awayTimer = window.setTimeout(away, AWAY_MS);
    } else if (next === "refused" && hostState.value !== null) {
      away();
    }
  },
  event(event) {
    if (isShut) return;
    batch(() => {
      for (const handler of handlers) handler(event);
    });
  },
  host() {
    void greet();
  },
  locked() {
    mustLock = false;
    clearScreen();
  },
  wiped: () => leave(isGone),
  ended: () => leave(isOver),
});

/** Takes everything from the page for good. */
function leave(how: Signal<boolean>): void {
  clearTimeout(awayTimer);
  batch(() => {
    shut("locked");
    hostState.value = null;
    how.value = true;
  });
}

function away(): void {
  batch(() => {
    if (!isLocking.value) shut("away");
    isAway.value = true;
  });
}

/** What is asked and told whether or not anything is shown. */
const ALWAYS: ReadonlySet<MethodName> = new Set(["host.state", "host.unlock", "host.lock", "host.panic", "home.wipe"] as const);

/** Asks the program. What is asked or answered after everything was forgotten comes to nothing. */
export async function call<M extends MethodName>(method: M, params: Params<M>): Promise<Result<M>> {
  if (ALWAYS.has(method)) return socket.call(method, params);
  const asked = epoch;
  if (isShut) throw closed();
  const answer = await socket.call(method, params);
  if (asked !== epoch) throw closed();
  return answer;
}

const closed = (): Failed => new Failed("page.disconnected", "Nothing is shown any more.");

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

/** How often it is looked, while it is locked, how near the end of the dead-man timer is. */
const LOOK_MS = 15 * 60_000;
setInterval(() => {
  if (phase.value === "locked" && standing.value === "in") void greet();
}, LOOK_MS);

let isReading = false;
let readAgain = false;

async function greet(): Promise<void> {
  if (isReading) {
    readAgain = true;
    return;
  }
  isReading = true;
  const begun = epoch;
  try {
    const info = await call("host.state", {});
    if (begun !== epoch) throw closed();
    version.value = info.version;
    // Somebody locked while it could not hear of that.
    if (mustLock && (info.state === "open" || info.state === "joining")) return void tellLock();
    mustLock = false;
    isShut = false;
    if (info.state === "open") {
      await call("events.subscribe", {});
      await Promise.all(returners.map((step) => step()));
      // All at once: what somebody waits for is as long as the slowest of them.
      await Promise.all([readAccount(), readStatus(), readSettings(), ...openers.map((step) => step())]);
      if (begun !== epoch) throw closed();
    } else {
      forget("locked");
    }
    batch(() => {
      isAway.value = false;
      hostState.value = info.state;
      phraseWaits.value = info.phrase_waits;
      if (joining.value !== null && joining.value.step !== "failed" && info.state === "open") hasJoined.value = true;
      joining.value = info.joining;
      machine.value = info.machine;
      rings.value = info.rings;
      lockedDeadMan.value = info.dead_man;
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

function forget(why: Closing): void {
  batch(() => {
    account.value = null;
    status.value = null;
    settings.value = null;
    for (const step of closers) step(why);
  });
}

/** Forgets everything, and takes nothing in until the program says how it stands. */
function shut(why: Closing): void {
  isShut = true;
  epoch += 1;
  forget(why);
}

/** Takes everything from the screen that only an open home may show. True if there was something. */
export function clearScreen(): boolean {
  if ((hostState.value !== "open" && hostState.value !== "joining") || isLocking.value) return false;
  isLocking.value = true;
  shut("locked");
  return true;
}

/** How long what was just typed may hold up the lock, which nobody sees. */
const LAST_WORDS_MS = 500;

/** Locks: first everything goes from the screen, then the program is told. */
export function lock(): void {
  const isOpen = hostState.value === "open" && !isLocking.value && !isShut;
  // Told in this moment, while it may be.
  const told = isOpen ? Promise.all(returners.map((step) => step())) : Promise.resolve();
  if (!clearScreen()) return;
  mustLock = true;
  const enough = new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
  void Promise.race([told, enough]).then(tellLock, tellLock);
}

function tellLock(): void {
  call("host.lock", {}).catch(() => {
    // The connection went first: the program locks or has ended, or is told when it is back.
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
