// Every way to wipe this device from the page: the lock button and the panic keys held, and the word typed. What only looks like one locks.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, chatRow, enter, look, meet, openBrowser, openPage, pressAt, typeAt, until } from "./stage.js";

/** As long as the page wants a key or the button to be held. */
const HELD_MS = 3000;

let server, browser;
const running = [];

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await Promise.all(running.map((app) => app.stop()));
  await server?.stop();
});

/** Somebody whose account is open on a page, with a friend to write to them if one is wanted. */
async function somebody(name, friend) {
  const app = await App.made(name, server.invitation());
  running.push(app);
  if (friend !== undefined) meet(app, friend);
  await app.run();
  const page = await openPage(browser, app);
  await page.addInitScript(standIn);
  await enter(page, app);
  await unlock(page);
  return { app, page };
}

/** In a page: in place of the system's notifications, what was told and is still to be seen. */
function standIn() {
  window.told = 0;
  window.shown = new Set();
  window.isAway = false;
  document.hasFocus = () => !window.isAway;
  window.Notification = class {
    static permission = "granted";
    static requestPermission = () => Promise.resolve("granted");
    constructor(title, { body }) {
      this.says = `${title}: ${body}`;
      window.told += 1;
      window.shown.add(this);
    }
    close() {
      window.shown.delete(this);
    }
  };
}

const FRIEND = "Dorothea";
const SECRET = "The lamp in the harbour";

/** What a friend writes is told, with its words, to somebody who looks elsewhere, and stands in the list and in the chat. */
async function isTold({ app, page }, friend) {
  await chatRow(page, FRIEND).click();
  await page.keyboard.press("Alt+s");
  for (const name of ["Tell me about new messages", "Show who wrote and what"]) await page.getByRole("switch", { name }).click();
  await page.keyboard.press("Escape");
  await page.evaluate(() => (window.isAway = true));
  friend.commandWithPassphrase("send", app.name, SECRET);
  await page.waitForFunction(() => window.told > 0);
  await page.locator(".bubble", { hasText: SECRET }).waitFor();
  assert.deepEqual(await page.evaluate(() => [...window.shown].map(({ says }) => says)), [`${FRIEND}: ${SECRET}`]);
}

/** Nobody's name and nothing of what they wrote is on the page, nor in what it told; and none of it in what it still remembers. */
async function nothingIsLeft(page) {
  await until(async () => (await page.evaluate(() => window.shown.size)) === 0);
  const seen = await page.evaluate(() => document.documentElement.outerHTML + document.title);
  for (const word of [FRIEND, SECRET]) assert.ok(!seen.includes(word), word);
  const remembered = await memoryOf(page);
  // What is looked for would be found.
  assert.ok(remembered.includes("Undertone has ended"));
  for (const word of [FRIEND, SECRET]) assert.ok(!remembered.includes(word), `${word} in the tab's memory`);
}

/** All that a page's scripts can still reach, as text. */
async function memoryOf(page) {
  const session = await page.context().newCDPSession(page);
  const pieces = [];
  session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => pieces.push(chunk));
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  await session.detach();
  return JSON.parse(pieces.join("")).strings.join("\n");
}

async function unlock(page) {
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("button", { name: "Lock now" }).waitFor();
}

/** Nothing is left on the disk, in the page, or of the program. */
async function isWiped({ app, page }) {
  await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await app.ended();
  assert.deepEqual(readdirSync(app.home).filter((name) => name !== "lock" && name !== "sentinel"), []);
  assert.deepEqual(page.complaints, []);
}

/** In a page: what is held may be looked at for a while. */
function holdStill() {
  const later = window.setTimeout;
  window.setTimeout = (work, ms, ...more) => later(work, ms === 3000 ? 60_000 : ms, ...more);
  window.goOn = () => (window.setTimeout = later);
}

test("the lock button locks, and wipes only if it is held", async () => {
  const ada = await somebody("Ada");
  const { app, page } = ada;
  const press = async () => {
    await page.getByRole("button", { name: "Lock now" }).hover();
    await page.mouse.down();
  };
  await page.evaluate(holdStill);
  await press();
  await page.getByText("Keep holding, and this device is wiped.").waitFor();
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await look(page, "what comes if it is held");
  await page.evaluate(() => window.goOn());
  await page.mouse.up();
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await page.getByText("Keep holding, and this device is wiped.").waitFor({ state: "detached" });
  // Longer than it would have had to be held.
  await page.waitForTimeout(HELD_MS + 500);
  assert.ok(existsSync(path.join(app.home, "keys")));
  await unlock(page);
  await press();
  await isWiped(ada);
  await page.mouse.up();
});

test("the panic keys, held, wipe, and nothing stays on the page, in its memory or among what was told", async () => {
  const friend = await App.made(FRIEND, server.invitation());
  running.push(friend);
  const ben = await somebody("Ben", friend);
  const { page } = ben;
  await isTold(ben, friend);
  for (const key of ["Control", "Shift", "Escape"]) await page.keyboard.down(key);
  await page.getByText("Keep holding, and this device is wiped.").waitFor();
  await isWiped(ben);
  await nothingIsLeft(page);
  await look(page, "that it has ended");
});

test("what another program wipes leaves nothing on the page, in its memory or among what was told", async () => {
  const friend = await App.made(FRIEND, server.invitation());
  running.push(friend);
  const eve = await somebody("Eve", friend);
  await isTold(eve, friend);
  eve.app.command("panic", "--wipe");
  await isWiped(eve);
  await nothingIsLeft(eve.page);
});

test("the device is wiped with the keyboard alone once the word was typed, and not before", async () => {
  const cleo = await somebody("Cleo");
  const { app, page } = cleo;
  await page.keyboard.press("Alt+s");
  await pressAt(page, /^Protection$/);
  await pressAt(page, /^Wipe this device…$/);
  for (const typed of ["", "wip", "yes"]) {
    await typeAt(page, /^Type “wipe” to confirm/, typed, "#protection-wipe");
    if (typed === "") await page.keyboard.press("Backspace");
    assert.ok(await page.getByRole("button", { name: "Wipe now" }).isDisabled());
    await page.keyboard.press("Enter");
  }
  assert.ok(existsSync(path.join(app.home, "keys")));
  await typeAt(page, /^Type “wipe” to confirm/, "wipe", "#protection-wipe");
  await page.keyboard.press("Enter");
  await isWiped(cleo);
});
