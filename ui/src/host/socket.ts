// The one connection to the undertone program on this computer: who we are, requests, answers, events.
//
// It is made again whenever it is lost, for as long as the program lets this session in. The session's token is kept in the tab's
// own storage, so that a reload comes back; it is worth nothing once the program has ended.
//
// Once it has ended, anybody on this computer may have its port. So whoever answers there has to prove first that they are the program that
// this page came from, which alone knows the key in it: until then they are told nothing, and if they can't the page never connects again.

import type { ErrorData, Event, HostMethods, Methods } from "../../../crates/app/bindings/rpc.ts";

export type AnyMethods = Methods & HostMethods;
export type MethodName = keyof AnyMethods;
export type Params<M extends MethodName> = AnyMethods[M]["params"];
export type Result<M extends MethodName> = AnyMethods[M]["result"];

/** Why a request failed; `code` is stable, `sentence` is the program's own. */
export class Failed extends Error {
  readonly code: string;
  readonly data: ErrorData | null;

  constructor(code: string, sentence: string, data: ErrorData | null = null) {
    super(sentence);
    this.code = code;
    this.data = data;
  }
}

export function asFailed(error: unknown): Failed {
  return error instanceof Failed ? error : new Failed("page.fault", error instanceof Error ? error.message : "");
}

/** How the connection stands. `in`: with the program that this page came from, and no other. `refused`: this page may not come in; a code has to be typed. */
export type Standing = "connecting" | "in" | "refused" | "lost";

type Key = { launch: string } | { code: string } | { session: string };

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (reason: Failed) => void;
}

const STORED = "session";
/** Close codes of the program: the home was locked; it was wiped, or the program has ended, and nothing will answer any more. */
const LOCKED = 4423;
const WIPED = 4410;
const ENDED = 4411;
const FIRST_PAUSE = 150;
const LONGEST_PAUSE = 5000;
/** Something small that the program has for everybody who may load its page. */
const KNOCK = "/assets/icon.svg";

export interface Listener {
  standing(standing: Standing): void;
  event(event: Event): void;
  host(state: string): void;
  /** The home was locked: nothing of it may stay on the screen, whether or not the program comes back. */
  locked(): void;
  /** The home was wiped, and the program has ended. */
  wiped(): void;
  /** The program has ended, or somebody else is in its place. */
  ended(): void;
}

/** This page, as only the program that it came from knows it. */
interface Proof {
  page: string;
  key: Promise<CryptoKey>;
}

const hexadecimal = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Takes the key out of the page. */
function takeProof(): Proof | null {
  const place = document.querySelector<HTMLMetaElement>("meta[name=proof]");
  const [page = "", key = ""] = place?.content.split(".") ?? [];
  place?.remove();
  if (page === "" || key === "") return null;
  return { page, key: crypto.subtle.importKey("raw", bytesOf(key), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]) };
}

export class Socket {
  #listener: Listener;
  #socket: WebSocket | null = null;
  #waiting = new Map<number, Waiting>();
  #next = 1;
  #pause = FIRST_PAUSE;
  #timer = 0;
  #isOver = false;
  #enteringByCode: Waiting | null = null;
  #proof: Proof | null = null;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** Takes the token out of the address bar, before anything else, and comes in with it. */
  start(): void {
    const launch = location.hash.slice(1);
    if (location.hash !== "" || location.search !== "") history.replaceState(null, "", "/");
    this.#proof = takeProof();
    if (/^[0-9a-f]{64}$/.test(launch)) {
      this.#connect({ launch });
      return;
    }
    this.#again();
  }

  /** Comes in by the digits that the terminal shows. */
  enter(code: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enteringByCode = { resolve: () => resolve(), reject };
      this.#connect({ code });
    });
  }

  /** Never comes back, and leaves nothing in the tab's storage. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#socket?.close();
    this.#socket = null;
    sessionStorage.clear();
  }

  /** Tries at once, when there is reason to think that it works now. */
  hurry(): void {
    if (this.#timer !== 0) {
      clearTimeout(this.#timer);
      this.#pause = FIRST_PAUSE;
      void this.#knock();
    }
  }

  call<M extends MethodName>(method: M, params: Params<M>): Promise<Result<M>> {
    const socket = this.#socket;
    if (socket === null || socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new Failed("page.disconnected", "The connection to the Undertone program is lost."));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Comes back as soon as the program answers. A WebSocket that fails has Firefox hold up the next ones, longer each time and up to a minute, whether
   * or not the program is there by then; asking for a file costs nothing. */
  async #knock(): Promise<void> {
    this.#timer = 0;
    const isThere = await fetch(KNOCK).then(
      ({ ok }) => ok,
      () => false,
    );
    // Somebody came in by a code meanwhile, or nothing is to come back to.
    if (this.#socket !== null || this.#isOver) return;
    if (isThere) this.#again();
    else this.#later();
  }

  #later(): void {
    this.#timer = window.setTimeout(() => void this.#knock(), this.#pause);
    this.#pause = Math.min(this.#pause * 1.7, LONGEST_PAUSE);
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const session = sessionStorage.getItem(STORED);
    if (session === null) this.#listener.standing("refused");
    else this.#connect({ session });
  }

  #connect(key: Key): void {
    this.#socket?.close();
    const proof = this.#proof;
    if (proof === null || this.#isOver) return this.#end();
    this.#listener.standing("connecting");
    const socket = new WebSocket(`ws://${location.host}/rpc`);
    this.#socket = socket;
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    let isProven = false;
    let admitted = false;
    let answered = false;
    socket.onopen = () => socket.send(JSON.stringify({ page: proof.page, nonce: hexadecimal(nonce) }));
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      if (this.#socket !== socket) return;
      if (!isProven) {
        void isFrom(proof, nonce, data).then((is) => {
          if (this.#socket !== socket) return;
          if (!is) return this.#end();
          isProven = true;
          if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(key));
        });
        return;
      }
      const message: unknown = JSON.parse(data);
      if (admitted) {
        this.#take(message);
        return;
      }
      answered = true;
      const first = message as { admitted: boolean; session?: string | null; error?: ErrorData };
      admitted = first.admitted;
      if (admitted) {
        if (typeof first.session === "string") sessionStorage.setItem(STORED, first.session);
        this.#pause = FIRST_PAUSE;
        this.#enteringByCode?.resolve(null);
        this.#enteringByCode = null;
        this.#listener.standing("in");
        return;
      }
      if ("session" in key) sessionStorage.removeItem(STORED);
      const failed = new Failed(first.error?.code ?? "host.refused", first.error?.sentence ?? "", first.error ?? null);
      this.#enteringByCode?.reject(failed);
      this.#enteringByCode = null;
      // A launch token is used up after a reload; the session it became may still be there.
      if ("launch" in key && sessionStorage.getItem(STORED) !== null) this.#again();
      else this.#listener.standing("refused");
    };
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (code === LOCKED) this.#listener.locked();
      const failed = new Failed("page.disconnected", "The connection to the Undertone program is lost.");
      for (const waiting of this.#waiting.values()) waiting.reject(failed);
      this.#waiting.clear();
      this.#enteringByCode?.reject(failed);
      this.#enteringByCode = null;
      if (answered && !admitted) return;
      if (code === WIPED) {
        this.stop();
        this.#listener.wiped();
        return;
      }
      if (code === ENDED) return this.#end();
      this.#listener.standing("lost");
      this.#later();
    };
  }

  #end(): void {
    this.stop();
    const failed = new Failed("page.disconnected", "The Undertone program has ended.");
    this.#enteringByCode?.reject(failed);
    this.#enteringByCode = null;
    this.#listener.ended();
  }

  #take(message: unknown): void {
    const { id, method, params, result, error } = message as {
      id?: number;
      method?: string;
      params?: unknown;
      result?: unknown;
      error?: { message: string; data?: ErrorData };
    };
    if (method === "event") {
      this.#listener.event(params as Event);
    } else if (method === "host") {
      this.#listener.host((params as { state: string }).state);
    } else if (typeof id === "number") {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Failed(error.data?.code ?? "rpc.failed", error.message, error.data ?? null));
    }
  }
}

/** Whether somebody who says this has the key of this page. */
async function isFrom({ key }: Proof, nonce: Uint8Array<ArrayBuffer>, said: unknown): Promise<boolean> {
  try {
    const { proof } = JSON.parse(String(said)) as { proof: string };
    return await crypto.subtle.verify("HMAC", await key, bytesOf(proof), nonce);
  } catch {
    return false;
  }
}
