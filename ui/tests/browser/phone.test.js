// On a screen as narrow as a phone's, from left to right and from right to left: every screen is gone to with the keyboard alone, nothing of it
// stands outside, and nothing keeps those from it who see or hear otherwise.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, Server, attachAt, bubble, chatRow, chooseItem, lineMenuAt, look, meet, openAt, openBrowser, openPage, pressAt, redSquare, tabTo, tabToThe, unlock } from "./stage.js";

const PHONE = { width: 390, height: 800 };

let server, browser, ada, ben, page;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.made("Ada", server.invitation()), App.made("Ben", server.invitation())]);
  meet(ada, ben);
  await ada.run();
  page = await openPage(browser, ada, { viewport: PHONE });
  await unlock(page, ada);
  await chatRow(page, "Ben").waitFor();
  ada.command("downloads", "--up-to", "12");
  ada.command("group", "create", "Night desk", "Ben");
  const [photo, report] = ["window.png", "Annual report, second draft.pdf"].map((name) => path.join(ben.folder, name));
  writeFileSync(photo, await redSquare(page));
  writeFileSync(report, Buffer.alloc(20_000, 7));
  ben.commandWithPassphrase("send", "Ada", "From the window, https://example.org/", "--attach", photo);
  ben.commandWithPassphrase("send", "Ada", "The report", "--attach", report);
  ben.commandWithPassphrase("send", "Night desk", "Half past ten");
  ada.command("send", "Ben", "Thursday it is");
  await chatRow(page, "Night desk").getByText("Half past ten").waitFor();
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) await page?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "phone.png") });
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** This screen, as it is now. */
async function lookNarrow(what) {
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(await wide(), 0, what);
  await look(page, `${what}, on a phone`);
}

async function shut() {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** The sheets that keys open from everywhere, and those that the settings lead to: the same in every language. */
async function lookAtSheets() {
  await page.keyboard.press("Alt+n");
  await page.locator("dialog .qr-dark").waitFor();
  await lookNarrow("a link of one's own");
  await shut();
  await page.keyboard.press("Alt+s");
  await page.locator("dialog .ways").waitFor();
  await lookNarrow("the settings");
  await shut();
  for (const [way, shown] of [
    [2, ".devices li"],
    [3, ".storage summary"],
    [4, ".protection"],
    [5, ".limits"],
  ]) {
    await page.keyboard.press("Alt+s");
    await tabToThe(page, `.ways .button:nth-child(${way})`);
    await page.keyboard.press("Enter");
    await page.locator(`dialog ${shown}`).first().waitFor();
    await lookNarrow(`the sheet with ${shown}`);
    await shut();
  }
}

/** What belongs to a chat: the same in every language. */
async function lookAtChat() {
  await page.locator(".photo-whole.shown").waitFor();
  await lookNarrow("a conversation");
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await lookNarrow("the menu of a message");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details .gallery button").first().waitFor();
  await lookNarrow("the details");
  await page.keyboard.press("Alt+i");
}

test("the list of chats, what it is searched with, and what begins there", async () => {
  assert.equal(await page.locator(".pane-chat").isVisible(), false);
  await lookNarrow("the list");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("half");
  await page.locator(".found .chat").first().waitFor();
  await pressAt(page, /^Filter$/);
  await page.locator("form.filter").waitFor();
  await lookNarrow("the search and its filter");
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Escape");
  await pressAt(page, /^New chat or contact$/);
  await page.getByRole("menu").waitFor();
  await lookNarrow("the menu of what is new");
  await chooseItem(page, "New group");
  await page.getByRole("dialog").waitFor();
  await lookNarrow("a new group");
  await shut();
});

test("a conversation, its composer, and the sheets of a chat", async () => {
  await openAt(page, "Ben");
  assert.equal(await page.locator(".pane-list").isVisible(), false);
  await lookAtChat();
  await lineMenuAt(page, "Thursday it is", "Reply");
  await page.locator(".about").waitFor();
  await attachAt(page, path.join(ben.folder, "window.png"));
  await page.locator(".picked-one img").waitFor();
  await tabTo(page, /^Message to Ben/);
  await page.keyboard.type("Bring the second draft, please, and the plan of the seats");
  await lookNarrow("the composer with an answer and a picture");
  await pressAt(page, /^Remove window\.png$/);
  await tabTo(page, /^Message to Ben/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Backspace");
  await pressAt(page, /^Emoji$/);
  await page.locator(".emoji-one").first().waitFor();
  await lookNarrow("the emoji");
  await page.keyboard.press("Escape");
  for (const item of ["Forward", "Info", "Delete"]) {
    await lineMenuAt(page, "Thursday it is", item);
    await page.getByRole("dialog").waitFor();
    await lookNarrow(item);
    await shut();
  }
  await tabToThe(page, ".chat-title");
  await page.keyboard.press("Enter");
  await page.locator("dialog .qr-dark").waitFor();
  await lookNarrow("a contact");
  await shut();
});

test("the sheets that the settings lead to", lookAtSheets);

test("the way back leads to the list, and a group is gone to from there", async () => {
  await page.keyboard.press("Escape");
  await page.locator(".pane-list").waitFor();
  await openAt(page, "Night desk");
  await bubble(page, "Half past ten").waitFor();
  await page.keyboard.press("Alt+i");
  await page.locator(".members li", { hasText: "Ben" }).waitFor();
  await lookNarrow("the details of a group");
  for (let turn = 0; turn < 2; turn += 1) await page.keyboard.press("Escape");
  await page.locator(".pane-list").waitFor();
});

test("all of it from right to left", async () => {
  await page.keyboard.press("Alt+s");
  await tabTo(page, /^Language/);
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.dir === "rtl");
  await shut();
  await lookNarrow("the list, in Arabic");
  await lookAtSheets();
  // The chat that something came to last is the first.
  await openAt(page, "Ben");
  await lookAtChat();
  await tabToThe(page, "#compose");
  await page.keyboard.type("مساء الخير");
  await lookNarrow("the composer, in Arabic");
});

test("a wide screen from right to left", async () => {
  await page.setViewportSize({ width: 1280, height: 820 });
  await page.locator(".pane-list").waitFor();
  await look(page, "a conversation, in Arabic");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details .gallery button").first().waitFor();
  await look(page, "the details, in Arabic");
});

test("no page complained of anything", () => assert.deepEqual(page.complaints, []));
