// The devices of one account, through the pages that their owner would use, and with the keyboard alone: a second one is linked, says no, is named,
// and is removed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, befriend, bubble, enter, look, onboard, openAt, openBrowser, openChat, openPage, pressAt, say, typeAt, writeAt } from "./stage.js";

let server, browser, ada, ben, second, page, benPage, secondPage, words;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben, second] = await Promise.all([App.start("Ada"), App.start("Ben"), App.start("Ada's second")]);
  [page, benPage, secondPage] = await Promise.all([ada, ben, second].map((app) => openPage(browser, app)));
  words = await onboard(page, ada, server.invitation());
  await onboard(benPage, ben, server.invitation());
  await befriend(page, benPage);
  await openChat(page, "Ben");
  await openChat(benPage, "Ada");
  await say(page, "From before");
  await bubble(benPage, "From before").waitFor();
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop(), second?.stop()]);
  await server?.stop();
});

/** The code of a new device, from its page. */
async function askToJoin(address) {
  await typeAt(secondPage, /^Address of your server/, address);
  await typeAt(secondPage, /^Name of the device/, "Laptop");
  await typeAt(secondPage, /^Passphrase/, PASSPHRASE);
  await typeAt(secondPage, /^The same again/, PASSPHRASE);
  await pressAt(secondPage, /^Make a code$/);
  const code = secondPage.getByLabel("Code of this device");
  await code.waitFor();
  await secondPage.locator(".qr-dark").waitFor();
  return code.inputValue();
}

/** Opens the sheet of devices and asks for the code of another one. Gives the server's address as it is shown there. */
async function beginLinking() {
  await page.keyboard.press("Alt+s");
  await pressAt(page, /^Devices$/);
  await pressAt(page, /^Link another device$/);
  return page.getByLabel("Server of this account").inputValue();
}

async function giveCode(code) {
  await typeAt(page, /^Code that the other device shows/, code);
  await pressAt(page, /^Continue$/);
  await page.locator(".six-words li").nth(5).waitFor();
  await secondPage.locator(".six-words li").nth(5).waitFor();
  const [here, there] = await Promise.all([page, secondPage].map((one) => one.locator(".six-words li").allTextContents()));
  assert.equal(here.length, 6);
  assert.deepEqual(here, there);
}

test("who says no to the words leaves nothing linked, and no home", async () => {
  await enter(secondPage, second);
  await pressAt(secondPage, /^This is another device of mine$/);
  await look(secondPage, "the form of another device");
  const address = await beginLinking();
  await look(page, "the code of another device");
  const code = await askToJoin(address);
  await look(secondPage, "the code that is shown");
  await giveCode(code);
  await look(page, "the words");
  await look(secondPage, "the words on the other side");
  await pressAt(secondPage, /^No$/);
  await secondPage.getByLabel("Address of your server").waitFor();
  await page.getByRole("alert").getByText("The other device said no").waitFor();
  await pressAt(page, /^Close$/, "Enter", ".linking");
  await page.getByRole("button", { name: "Link another device" }).waitFor();
  await look(page, "the devices");
  assert.equal(await page.locator(".devices li").count(), 1);
});

test("what is no code is refused in plain words", async () => {
  await pressAt(page, /^Link another device$/);
  await typeAt(page, /^Code that the other device shows/, "undertone:c:nothing");
  await pressAt(page, /^Continue$/);
  await page.getByText("This is no whole device code.").waitFor();
});

test("a second device is linked, survives a restart on the way, and has the conversations", async () => {
  const address = await page.getByLabel("Server of this account").inputValue();
  const code = await askToJoin(address);
  // Whoever locks in the middle goes on after unlocking, with the same code.
  await secondPage.keyboard.press("Control+Shift+L");
  await typeAt(secondPage, /^Passphrase/, PASSPHRASE);
  await pressAt(secondPage, /^Unlock$/);
  await secondPage.getByLabel("Code of this device").waitFor();
  assert.equal(await secondPage.getByLabel("Code of this device").inputValue(), code);
  await giveCode(code);
  await page.getByText("It calls itself Laptop.").waitFor();
  await pressAt(page, /^Yes, all six are the same$/);
  await pressAt(secondPage, /^Yes, all six are the same$/);
  await secondPage.getByText("This device belongs to your account now.").waitFor();
  await page.locator(".devices li", { hasText: "Laptop" }).waitFor();
  await page.keyboard.press("Escape");
  await openAt(secondPage, "Ben");
  await bubble(secondPage, "From before").waitFor();
  await writeAt(page, "From the first");
  await bubble(secondPage, "From the first").waitFor();
  await say(benPage, "To both of you");
  await Promise.all([page, secondPage].map((one) => bubble(one, "To both of you").waitFor()));
  await writeAt(secondPage, "From the second");
  await bubble(benPage, "From the second").waitFor();
  await bubble(page, "From the second").waitFor();
  await page.locator(".message.mine", { hasText: "From the second" }).waitFor();
});

test("a device is renamed, and its other devices see it", async () => {
  await page.keyboard.press("Alt+s");
  await pressAt(page, /^Devices$/);
  await pressAt(page, /^Rename Laptop$/);
  await typeAt(page, /^Name of the device$/, "Kitchen");
  await page.keyboard.press("Enter");
  await page.locator(".devices li", { hasText: "Kitchen" }).waitFor();
  await secondPage.keyboard.press("Alt+s");
  await pressAt(secondPage, /^Devices$/);
  await secondPage.locator(".devices li", { hasText: "Kitchen" }).getByText("This device").waitFor();
  await secondPage.keyboard.press("Escape");
});

test("a device is removed with the recovery phrase, and receives nothing any more", async () => {
  await pressAt(page, /^Remove Kitchen$/);
  await look(page, "removing a device");
  await typeAt(page, /^Recovery phrase/, words.toReversed().join(" "));
  await pressAt(page, /^Remove with the phrase$/);
  await page.getByText("These are not the words of this account's recovery phrase.").waitFor();
  await typeAt(page, /^Recovery phrase/, words.join(" "));
  await pressAt(page, /^Remove with the phrase$/);
  await page.locator(".devices li", { hasText: "Kitchen" }).getByText("Removed").waitFor();
  await page.keyboard.press("Escape");
  await secondPage.getByText("This device was removed from the account.").waitFor();
  await look(secondPage, "a device that was removed");
  await say(benPage, "Only for the first");
  await bubble(page, "Only for the first").waitFor();
  assert.equal(await bubble(secondPage, "Only for the first").count(), 0);
});

test("no page complained of anything", () => {
  for (const one of [page, benPage, secondPage]) assert.deepEqual(one.complaints, []);
});
