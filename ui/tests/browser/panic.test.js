// Every way to wipe this device from the page: the lock button and the panic keys held, and the word typed. What only looks like one locks.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, enter, openBrowser, openPage } from "./stage.js";

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

/** Somebody whose account is open on a page. */
async function somebody(name) {
  const app = await App.made(name, server.invitation());
  await app.run();
  running.push(app);
  const page = await openPage(browser, app);
  await enter(page, app);
  await unlock(page);
  return { app, page };
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

test("the lock button locks, and wipes only if it is held", async () => {
  const ada = await somebody("Ada");
  const { app, page } = ada;
  const press = async () => {
    await page.getByRole("button", { name: "Lock now" }).hover();
    await page.mouse.down();
  };
  await press();
  await page.getByText("Keep holding, and this device is wiped.").waitFor();
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

test("the panic keys, held, wipe", async () => {
  const ben = await somebody("Ben");
  const { page } = ben;
  for (const key of ["Control", "Shift", "Escape"]) await page.keyboard.down(key);
  await page.getByText("Keep holding, and this device is wiped.").waitFor();
  await isWiped(ben);
});

test("the device is wiped once the word was typed, and not before", async () => {
  const cleo = await somebody("Cleo");
  const { app, page } = cleo;
  await page.keyboard.press("Alt+s");
  await page.getByRole("button", { name: "Protection" }).press("Enter");
  await page.getByRole("button", { name: "Wipe this device…" }).press("Enter");
  const word = page.locator("#protection-wipe").getByLabel("to confirm");
  for (const typed of ["", "wip", "yes"]) {
    await word.fill(typed);
    assert.ok(await page.getByRole("button", { name: "Wipe now" }).isDisabled());
    await word.press("Enter");
  }
  assert.ok(existsSync(path.join(app.home, "keys")));
  await word.fill("wipe");
  await word.press("Enter");
  await isWiped(cleo);
});
