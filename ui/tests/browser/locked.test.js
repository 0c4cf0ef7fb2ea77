// What a lock takes from the screen, what it must not take away for good, and what the lock screen warns of.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, enter, look, openBrowser, openPage } from "./stage.js";

const DAY_S = 86_400;

let server, browser, ada, page, words;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  ada = await App.start("Ada");
  page = await openPage(browser, ada);
  await page.addInitScript(standIns);
});

after(async () => {
  await browser?.close();
  await ada?.stop();
  await server?.stop();
});

/** In a page: notes what the system is told, hands out what hears the program, and can keep the program from hearing of a lock. */
function standIns() {
  const Socket = window.WebSocket;
  window.isDeaf = false;
  window.WebSocket = class extends Socket {
    send(text) {
      if (!(window.isDeaf && text.includes("host.lock"))) super.send(text);
    }
    set onmessage(handler) {
      window.hear = (message) => handler({ data: JSON.stringify(message) });
      super.onmessage = handler;
    }
  };
  window.told = [];
  document.hasFocus = () => false;
  window.Notification = class {
    static permission = "granted";
    static requestPermission = () => Promise.resolve("granted");
    constructor(title, options) {
      window.told.push(`${title} ${options.body}`);
    }
    close() {}
  };
}

async function unlock() {
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.keyboard.press("Enter");
}

const isLocked = () => page.getByRole("heading", { name: "Locked" }).waitFor();

test("the recovery phrase that was on the screen when something locked is shown again, until it is on paper", async () => {
  await enter(page, ada);
  await page.getByRole("button", { name: "Make a new account" }).click();
  await page.getByLabel("Invitation or server address with pin").fill(server.invitation());
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Ada");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByLabel("The same again").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Make the account" }).click();
  const phrase = async () => {
    await page.locator(".phrase li").nth(11).waitFor();
    return page.locator(".phrase li").allTextContents();
  };
  words = await phrase();
  await page.keyboard.press("Control+Shift+L");
  await isLocked();
  assert.equal(await page.locator(".phrase").count(), 0);
  await unlock();
  assert.deepEqual(await phrase(), words);
  // Also over the end of the program, and in the step after.
  await page.getByRole("button", { name: "I have them on paper" }).click();
  await ada.end("SIGKILL");
  await ada.runAgain();
  await enter(page, ada);
  await unlock();
  assert.deepEqual(await phrase(), words);
  await page.getByRole("button", { name: "I have them on paper" }).click();
  for (const field of await page.locator("form input").all()) {
    const label = await field.evaluate((input) => input.labels[0].textContent);
    await field.fill(words[Number(label.match(/\d+/)[0]) - 1]);
  }
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Not now" }).click();
  await page.getByRole("heading", { name: "Add a contact" }).waitFor();
  await page.keyboard.press("Control+Shift+L");
  await isLocked();
  await unlock();
  await page.getByRole("button", { name: "Lock now" }).waitFor();
  assert.equal(await page.locator(".phrase").count(), 0);
});

test("a notice goes with the lock, and what still comes is neither shown nor told", async () => {
  await page.keyboard.press("Alt+s");
  await page.getByRole("switch", { name: "Tell me about new messages" }).click();
  await page.getByRole("switch", { name: "Show who wrote and what" }).click();
  await page.keyboard.press("Escape");
  const message = { event: "message", chat: "x", message: { mine: false, kind: "message", notice: null, sender_name: "Ben", text: "Good evening", attachments: [], card: null, location: null, opened: false, deleted: false } };
  const hear = () => page.evaluate((params) => window.hear({ jsonrpc: "2.0", method: "event", params }), message);
  await hear();
  assert.deepEqual(await page.evaluate(() => window.told), ["Ben Good evening"]);
  await page.keyboard.press("Alt+n");
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.locator(".toast").waitFor();
  await page.evaluate(() => (window.isDeaf = true));
  await page.keyboard.press("Control+Shift+L");
  await isLocked();
  assert.equal(await page.locator(".toast").count(), 0);
  await hear();
  assert.deepEqual(await page.evaluate(() => window.told), ["Ben Good evening"]);
  assert.doesNotMatch(await page.locator("body").innerHTML(), /Ben|Good evening/);
  await page.evaluate(() => (window.isDeaf = false));
  ada.command("lock");
  await unlock();
  await page.getByRole("button", { name: "Lock now" }).waitFor();
});

/** Somebody starts the program after so many days. */
async function daysLater(days) {
  await ada.end();
  ada.clockOff = days * DAY_S;
  await ada.runAgain();
  await enter(page, ada);
  await isLocked();
}

test("that the dead-man timer is near its end is said on the lock screen, and above the chats", async () => {
  ada.commandWithPassphrase("protection", "--dead-man", "30d");
  const line = page.locator(".deadman-line");
  await daysLater(20);
  await page.getByLabel("Passphrase", { exact: true }).waitFor();
  assert.equal(await line.count(), 0);
  await daysLater(29.5);
  await line.getByText("Unless you unlock, this device wipes itself in 12 hours.").waitFor();
  await look(page, "a warning on the lock screen");
  await unlock();
  await page.getByRole("button", { name: "Lock now" }).waitFor();
  assert.equal(await line.count(), 0);
  // A day is all that there is.
  ada.commandWithPassphrase("protection", "--dead-man", "1d");
  await page.locator(".pane-list .deadman-line").getByText(/Unless you unlock, this device wipes itself in 2\d hours\./).waitFor();
  await look(page, "a warning above the chats");
});

test("a clock that was set back is said on the lock screen, and above the chats", async () => {
  await daysLater(0);
  const line = page.locator(".deadman-line");
  const says = "The clock of this computer may have been set back. Say within 72 hours that you are here.";
  await line.getByText(says).waitFor();
  await look(page, "a clock that was set back");
});

test("no page complained of anything", () => assert.deepEqual(page.complaints, []));
