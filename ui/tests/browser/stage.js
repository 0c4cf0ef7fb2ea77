// A real server, real apps, and a real browser for each person: what the browser tests play on.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export * from "./keys.js";
export * from "./looks.js";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
const CHROMIUM = "/usr/bin/chromium";
export const PASSPHRASE = "correct horse battery staple";
export const TONE_HZ = 440;
/** How many times slower pages are to run, to find what leans on a quick machine: UI_TEST_SLOWER=6. */
const SLOWER = Number(process.env.UI_TEST_SLOWER ?? 1);
/** However slow the machine is: only something that never comes is waited for so long. */
export const LONGEST_WAIT = Number(process.env.UI_TEST_WAIT ?? 60_000);

export function binary(name) {
  const found = path.join(target, process.env.UI_TEST_PROFILE ?? "debug", name);
  if (!existsSync(found)) throw new Error(`${name} is not built; ./dev test does`);
  return found;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function run(program, args) {
  const done = spawnSync(binary(program), args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

/** The first line that a program prints, as JSON. */
function firstLine(child) {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));
}

export async function temporary(name) {
  return mkdtempSync(path.join(os.tmpdir(), `undertone-ui-${name}-`));
}

export class Server {
  static async start() {
    const server = new Server();
    server.folder = path.join(await temporary("server"), "server");
    const address = `127.0.0.1:${await freePort()}`;
    server.origin = address;
    run("undertone-server", ["init", server.folder, "--json", "--listen", address, "--origin", address]);
    await server.goOn();
    return server;
  }

  async goOn() {
    this.child = spawn(binary("undertone-server"), ["run", this.folder, "--json", "--listen", this.origin], { stdio: ["ignore", "pipe", "ignore"] });
    await firstLine(this.child);
  }

  /** Away, until it goes on. */
  async halt() {
    this.child.kill("SIGKILL");
    await ended(this.child);
  }

  /** There, and answering nobody, until it wakes. */
  freeze() {
    this.child.kill("SIGSTOP");
  }

  wake() {
    this.child.kill("SIGCONT");
  }

  /** As somebody types it. */
  address() {
    return this.origin;
  }

  invitation(uses = 10) {
    return run("undertone-server", ["invite", "create", this.folder, "--uses", String(uses), "--json"]).invitation;
  }

  /** The operator tells everybody something, or takes it back. */
  announce(...args) {
    return run("undertone-server", ["announce", this.folder, ...args, "--json"]).announcements[0];
  }

  async stop() {
    await this.halt();
    rmSync(path.dirname(this.folder), { recursive: true, force: true });
  }
}

/** A SOCKS5 proxy that gives each connection a way, and counts them. */
export class Proxy {
  static async start() {
    const proxy = new Proxy();
    proxy.ways = 0;
    proxy.sockets = new Set();
    proxy.listening = createServer((socket) => void proxy.serve(socket).catch(() => socket.destroy()));
    await new Promise((resolve) => proxy.listening.listen(0, "127.0.0.1", resolve));
    proxy.address = `127.0.0.1:${proxy.listening.address().port}`;
    return proxy;
  }

  async serve(socket) {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const read = (length) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const bytes = socket.read(length);
          if (bytes === null) socket.once("readable", look);
          else resolve(bytes);
        };
        socket.once("close", () => reject(new Error("closed")));
        look();
      });
    const [, methods] = await read(2);
    await read(methods);
    socket.write(Buffer.from([5, 2]));
    const [, user] = await read(2);
    await read(user);
    const [password] = await read(1);
    await read(password);
    socket.write(Buffer.from([1, 0]));
    const [, , , kind] = await read(4);
    const host = kind === 1 ? [...(await read(4))].join(".") : (await read((await read(1))[0])).toString();
    const port = (await read(2)).readUInt16BE();
    this.ways += 1;
    const onward = connect(port, host);
    onward.on("error", () => socket.destroy());
    onward.once("connect", () => {
      socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
      socket.pipe(onward);
      onward.pipe(socket);
    });
    socket.on("close", () => onward.destroy());
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.listening.close(resolve));
  }
}

/** Somebody's app, and what its program said. */
export class App {
  /** With a home of its own, unless there is one. */
  static async start(name, args = [], home) {
    const app = new App();
    app.name = name;
    app.folder = await temporary(name);
    app.runtime = path.join(app.folder, "runtime");
    mkdirSync(app.runtime, { mode: 0o700 });
    app.home = home ?? path.join(app.folder, "home");
    await app.run(args);
    return app;
  }

  /** Somebody whose home was made by a command; nothing runs yet. */
  static async made(name, invitation) {
    const app = new App();
    app.name = name;
    app.folder = await temporary(name);
    app.runtime = path.join(app.folder, "runtime");
    mkdirSync(app.runtime, { mode: 0o700 });
    app.home = path.join(app.folder, "home");
    app.commandWithPassphrase("init", "--server", invitation, "--name", name, "--recovery-file", path.join(app.folder, "words"), "--no-kill-code");
    return app;
  }

  get environment() {
    return {
      ...process.env,
      XDG_RUNTIME_DIR: this.runtime,
      UNDERTONE_TEST_CHEAP_KDF: "1",
      UNDERTONE_TEST_PACE: "fast",
      UNDERTONE_TEST_CLOCK_OFF_S: String(this.clockOff ?? 0),
    };
  }

  /** On the port where its page looks for it. */
  async runAgain(args = []) {
    await this.run(["--port", new URL(this.address).port, ...args]);
  }

  async run(args = []) {
    this.child = spawn(binary("undertone"), ["--home", this.home, "--json", "--no-browser", ...args], {
      env: this.environment,
      stdio: ["ignore", "pipe", process.env.UI_TEST_LOG === undefined ? "ignore" : "inherit"],
    });
    const said = await firstLine(this.child);
    this.address = said.address;
    this.code = said.code;
  }

  /** A new code, from starting the app a second time. */
  again() {
    const done = spawnSync(binary("undertone"), ["--home", this.home, "--json", "--no-browser"], { encoding: "utf8", env: this.environment });
    if (done.status !== 0) throw new Error(done.stderr);
    const said = JSON.parse(done.stdout);
    this.code = said.code;
    return said;
  }

  /** A command of the app beside the page, through the home that the page has open. */
  command(...args) {
    const done = spawnSync(binary("undertone"), ["--home", this.home, "--json", ...args], { encoding: "utf8", env: this.environment });
    if (done.status !== 0) throw new Error(done.stderr);
    return JSON.parse(done.stdout);
  }

  /** A command that the passphrase is given to, by a file as scripts do. */
  commandWithPassphrase(...args) {
    const file = path.join(this.folder, "passphrase");
    writeFileSync(file, `${PASSPHRASE}\n`, { mode: 0o600 });
    return this.command("--passphrase-file", file, ...args);
  }

  async end(signal = "SIGTERM") {
    if (this.child === undefined) return;
    this.child.kill(signal);
    await ended(this.child);
  }

  /** When it has ended by itself. */
  ended() {
    return ended(this.child);
  }

  async stop() {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until a program says so. Between two looks the proxy of the tests, which is in this process, has its turn. */
export async function until(isSo) {
  const last = Date.now() + LONGEST_WAIT;
  while (!(await isSo()) && Date.now() < last) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(await isSo());
}

/** Requests to a person's app by another program beside its page. */
export async function rpc(app, requests) {
  const child = spawn(binary("undertone"), ["--home", app.home, "rpc"], { env: app.environment, stdio: ["pipe", "pipe", "ignore"] });
  const answers = new Map();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const answer = JSON.parse(line);
    answers.set(answer.id, answer);
  });
  requests.forEach(([method, params], id) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`));
  child.stdin.end();
  await new Promise((resolve) => child.once("exit", resolve));
  return requests.map((_, id) => {
    const answer = answers.get(id);
    if (answer?.error !== undefined) throw new Error(JSON.stringify(answer.error));
    return answer?.result;
  });
}

/** A second of tone, a second of silence, for the microphone. */
export function toneFile(folder) {
  const rate = 48_000;
  const samples = rate * 2;
  const wave = Buffer.alloc(44 + samples * 2);
  wave.write("RIFF", 0);
  wave.writeUInt32LE(36 + samples * 2, 4);
  wave.write("WAVEfmt ", 8);
  wave.writeUInt32LE(16, 16);
  wave.writeUInt16LE(1, 20);
  wave.writeUInt16LE(1, 22);
  wave.writeUInt32LE(rate, 24);
  wave.writeUInt32LE(rate * 2, 28);
  wave.writeUInt16LE(2, 32);
  wave.writeUInt16LE(16, 34);
  wave.write("data", 36);
  wave.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at += 1) {
    const isOn = at < samples * 0.7;
    wave.writeInt16LE(isOn ? Math.round(14_000 * Math.sin((2 * Math.PI * TONE_HZ * at) / rate)) : 0, 44 + at * 2);
  }
  const file = path.join(folder, "tone.wav");
  writeFileSync(file, wave);
  return file;
}

/** How Chromium is started. With a film for the camera, if there is one; otherwise it shows a moving pattern. */
function chromiumOptions(folder, film) {
  return {
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      `--use-file-for-fake-audio-capture=${toneFile(folder)}`,
      ...(film === undefined ? [] : [`--use-file-for-fake-video-capture=${film}`]),
      // A page out of a test's hands is not known to be from this computer.
      ...(process.env.UI_TEST_DIST === undefined ? [] : ["--disable-features=LocalNetworkAccessChecks"]),
    ],
  };
}

/** Whose windows keep nothing. */
export async function openBrowser(film) {
  const folder = await temporary("browser");
  const browser = await chromium.launch(chromiumOptions(folder, film));
  browser.once("disconnected", () => rmSync(folder, { recursive: true, force: true }));
  return browser;
}

const WINDOW = { viewport: { width: 1280, height: 820 }, locale: "en-GB" };

/** Whose windows keep in this folder what people's browsers keep. */
export async function openProfile(folder) {
  return chromium.launchPersistentContext(folder, { ...chromiumOptions(await temporary("browser")), ...WINDOW });
}

/** A window of its own, with nothing of anybody else's. */
export async function openPage(browser, app, options = {}) {
  return openPageOf(await browser.newContext({ ...WINDOW, ...options }), app);
}

/** A page that gathers what it complains of. */
export async function openPageOf(context, app) {
  const origin = new URL(app.address).origin;
  await context.grantPermissions(["camera", "microphone", "clipboard-read", "clipboard-write", "notifications"], { origin });
  if (process.env.UI_TEST_DIST !== undefined) await context.route(/^http:\/\/127\.0\.0\.1:\d+\/(assets\/.*|)(\?.*)?$/, fromDist);
  const page = await context.newPage();
  page.setDefaultTimeout(LONGEST_WAIT);
  if (SLOWER > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // A lost connection is told on the page; the browser says it too.
    if (message.type() === "error" && !/WebSocket connection|Failed to load resource/.test(message.text())) page.complaints.push(message.text());
  });
  return page;
}

/** With UI_TEST_DIST=1 pages get ui/dist as it is now, instead of what was in it when the program was built. */
async function fromDist(route) {
  const asked = new URL(route.request().url()).pathname;
  const file = path.join(root, "ui/dist", asked);
  const response = await route.fetch({ url: new URL("/", route.request().url()).href }).catch(() => null);
  // The program is away.
  if (response === null) return route.abort("connectionrefused");
  // The page itself has a key of the program's in it.
  if (asked === "/" || response.status() !== 200 || !existsSync(file)) return route.fulfill({ response });
  const kinds = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };
  const headers = { ...response.headers(), "content-type": kinds[path.extname(file)] };
  delete headers["content-length"];
  return route.fulfill({ status: 200, headers, body: readFileSync(file) });
}

export async function enter(page, app) {
  await page.goto(app.address);
  await page.getByLabel("Six-digit code").fill(app.code);
  await page.getByRole("button", { name: "Open" }).click();
}

/** Makes an account through the page, as somebody new does; with a picture if there is a file with one, through a proxy if there is one. */
export async function onboard(page, app, invitation, picture, proxy) {
  await enter(page, app);
  await page.getByRole("button", { name: "Make a new account" }).click();
  await page.getByLabel("Invitation or server address with pin").fill(invitation);
  if (proxy !== undefined) {
    await page.getByText("Advanced", { exact: true }).click();
    await page.getByLabel("SOCKS5 proxy, host and port").fill(proxy);
  }
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Name", { exact: true }).fill(app.name);
  if (picture !== undefined) {
    await page.locator(".gate-card input[type=file]").setInputFiles(picture);
    await page.locator(".gate-card .avatar img").waitFor();
  }
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByLabel("The same again").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.locator(".phrase li").nth(11).waitFor();
  const words = await page.locator(".phrase li").allTextContents();
  await page.getByRole("button", { name: "I have them on paper" }).click();
  for (const field of await page.locator("form input").all()) {
    const label = await field.evaluate((input) => input.labels[0].textContent);
    await field.fill(words[Number(label.match(/\d+/)[0]) - 1]);
  }
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Not now" }).click();
  await page.getByRole("heading", { name: "Add a contact" }).waitFor();
  return words;
}

/** Two whose homes were made by commands, and nothing runs yet: contacts by a link, as scripts do it. */
export function meet(one, other) {
  other.commandWithPassphrase("add", one.commandWithPassphrase("link").uri);
}

/** The page of a home that was made by a command. */
export async function unlock(page, app) {
  await enter(page, app);
  const isOpen = page.getByRole("button", { name: "Lock now" });
  const passphrase = page.getByLabel("Passphrase", { exact: true });
  await isOpen.or(passphrase).waitFor();
  // It is open on another page already.
  if (await isOpen.isVisible()) return;
  await passphrase.fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await isOpen.waitFor();
}

/** The first gives a link, the second uses it. */
export async function befriend(one, other) {
  if (!(await one.getByRole("tab", { name: "Show my link" }).isVisible())) await one.keyboard.press("Alt+n");
  const link = one.getByLabel("Contact link", { exact: true });
  await link.waitFor();
  const text = await link.inputValue();
  await one.keyboard.press("Escape");
  if (!(await other.getByRole("tab", { name: "I have a link" }).isVisible())) await other.keyboard.press("Alt+n");
  await other.getByRole("tab", { name: "I have a link" }).click();
  await other.getByLabel("Contact link", { exact: true }).fill(text);
  await other.getByRole("button", { name: "Add", exact: true }).click();
  return text;
}

export const chatRow = (page, name) => page.locator(".pane-list .chat").filter({ has: page.locator(".chat-name", { hasText: name }) });

export async function openChat(page, name) {
  await chatRow(page, name).first().click();
  await page.locator(".chat-title strong", { hasText: name }).waitFor();
}

export async function say(page, text) {
  await page.locator("#compose").fill(text);
  await page.keyboard.press("Enter");
}

/** The newest message that says this itself, not in its quote. */
export const bubble = (page, text) => page.locator(".bubble").filter({ has: page.locator(".text, .deleted", { hasText: text }) }).last();

export async function bubbleMenu(page, text, item) {
  await bubble(page, text).click({ button: "right", position: { x: 12, y: 10 } });
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

/** What a camera sees that is held before a code on somebody's screen. */
export async function filmOf(page, code, file) {
  const jpeg = await code.screenshot({ type: "jpeg", quality: 100 });
  const text = await page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/jpeg;base64,${base64}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 480];
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, 640, 480);
    context.drawImage(image, 100, 20, 440, 440);
    return canvas.toDataURL("image/jpeg", 1).split(",")[1];
  }, jpeg.toString("base64"));
  writeFileSync(file, Buffer.from(text, "base64"));
  return file;
}

/** Holds the microphone's button until three seconds were recorded. */
export async function speak(page) {
  await page.getByRole("button", { name: "Hold to record a voice message" }).hover();
  await page.mouse.down();
  await page.waitForFunction(() => /0:0[3-9]/.test(document.querySelector(".recording")?.textContent ?? ""));
  await page.mouse.up();
}

/** What the page's own decoder makes of the voice message that was played last: is the microphone's tone in it, and stronger than its neighbours? */
export const heard = (page) =>
  page.evaluate(async (tone) => {
    const source = [...document.querySelectorAll(".memo audio")].at(-1).src;
    const bytes = await (await fetch(source)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 48_000, 48_000).decodeAudioData(bytes);
    const samples = sound.getChannelData(0);
    const power = (hertz) => {
      let [best, size] = [0, 4800];
      for (let from = 0; from + size < samples.length; from += size) {
        let [real, imaginary] = [0, 0];
        for (let at = 0; at < size; at += 1) {
          const angle = (2 * Math.PI * hertz * at) / sound.sampleRate;
          real += samples[from + at] * Math.cos(angle);
          imaginary += samples[from + at] * Math.sin(angle);
        }
        best = Math.max(best, Math.hypot(real, imaginary) / size);
      }
      return best;
    };
    return { tone: power(tone), other: Math.max(power(tone * 1.37), power(tone * 0.61)), seconds: sound.duration };
  }, TONE_HZ);

/** What the program answers to a page that asks for an address; null if it does not. */
export const statusOf = (page, address) => page.evaluate(async (url) => (await fetch(url).catch(() => null))?.status ?? null, address);

/** A picture as somebody has it in their files. */
export async function redSquare(page) {
  const text = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = 400;
    canvas.height = 300;
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(240, 0, 0)";
    context.fillRect(0, 0, 400, 300);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  return Buffer.from(text, "base64");
}
