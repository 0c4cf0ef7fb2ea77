// What protects a device and an account, as its owner sets it on the page with the keyboard alone: when the device is lost, taken, or its owner
// coerced; backups; and a contact who comes with another account.

import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, chatRow, chooseAt, enter, look, onboard, openAt, openBrowser, openPage, pressAt, rpc, typeAt, until } from "./stage.js";

const DURESS = "four kettles on a quiet tram";
const NEXT = "seven lamps along the harbour";
/** Long enough for a slow machine to press a key in time. */
const IDLE_S = 12;
const VISIT = "the other side of the hedge";

let server, browser, ada, second, third, page, secondPage, thirdPage, words;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, second, third] = await Promise.all([App.start("Ada"), App.start("Ada's second"), App.start("Ada's third")]);
  [page, secondPage, thirdPage] = await Promise.all([ada, second, third].map((app) => openPage(browser, app)));
  words = await onboard(page, ada, server.invitation());
  await page.keyboard.press("Escape");
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), second?.stop(), third?.stop()]);
  await server?.stop();
});

async function open() {
  await page.keyboard.press("Alt+s");
  await pressAt(page, /^Protection$/);
  await page.getByRole("heading", { name: "Wipe this device" }).waitFor();
}

const part = (name) => page.locator(`#protection-${name}`);

/** What the program says that is set. */
const set = () => ada.command("protection");

test("the page says what each protects from, and is used by keyboard", async () => {
  await open();
  assert.equal(await page.locator(".protection").count(), 8);
  assert.equal(await page.locator(".protection .limits").count(), 8);
  // Every form that the page has, open at once.
  await chooseAt(page, /^Wipe after/, "5 wrong passphrases", "#protection-attempts");
  for (const button of [/^Change the passphrase$/, /^Set a duress passphrase$/, /^Prepare the decoy$/, /^Accept a custodian$/, /^Wipe this device…$/]) await pressAt(page, button);
  await look(page, "protection");
  assert.ok(await part("wipe").getByRole("button", { name: "Wipe now" }).isDisabled());
  while (await page.getByRole("button", { name: "Cancel" }).count()) {
    await pressAt(page, /^Cancel$/);
    // Whoever uses the keyboard goes on where they were.
    await page.waitForFunction(() => document.activeElement?.closest(".protection") !== null);
  }
});

test("when the program locks by itself is chosen", async () => {
  const before = set();
  assert.equal(before.auto_lock_s, 0);
  await chooseAt(page, /^Lock by itself/, "5 minutes");
  await until(() => set().auto_lock_s === 300);
  await pressAt(page, /^Lock when the computer is suspended/, "Space");
  await until(() => set().lock_on_suspend !== before.lock_on_suspend);
  await pressAt(page, /^Lock with the screen/, "Space");
  await until(() => !set().lock_with_screen);
});

test("whoever uses the page is not locked out, and whoever leaves it is", async () => {
  await rpc(ada, [["protection.set", { change: { auto_lock_s: IDLE_S } }]]);
  const locked = page.getByRole("heading", { name: "Locked" });
  for (const last = Date.now() + 1500 * IDLE_S; Date.now() < last; ) {
    await page.keyboard.press("Shift");
    await page.waitForTimeout(500);
  }
  assert.equal(await locked.count(), 0);
  await locked.waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.throws(() => ada.command("--offline", "chats"), /passphrase/i);
  await typeAt(page, /^Passphrase/, PASSPHRASE);
  await page.keyboard.press("Enter");
  await locked.waitFor({ state: "detached" });
  await rpc(ada, [["protection.set", { change: { auto_lock_s: 300 } }]]);
  await open();
});

test("the desktop's keyring is asked for with the passphrase only", async () => {
  assert.equal(set().keyring, false);
  await pressAt(page, /^Need this desktop's keyring, too/, "Space");
  await part("lock").getByRole("textbox", { name: "Your passphrase" }).waitFor();
  await pressAt(page, /^Cancel$/, "Enter", "#protection-lock");
  await part("lock").getByRole("textbox", { name: "Your passphrase" }).waitFor({ state: "detached" });
  assert.equal(set().keyring, false);
});

test("what may wipe by itself is set with the passphrase only", async () => {
  for (const [name, option, field] of [
    ["attempts", "10 wrong passphrases", (now) => now.wrong_attempts_limit],
    ["deadman", "30 days", (now) => now.dead_man.days],
  ]) {
    await chooseAt(page, /^Wipe after/, option, `#protection-${name}`);
    await typeAt(page, /^Your passphrase/, "not this one at all", `#protection-${name}`);
    await page.keyboard.press("Enter");
    await part(name).getByRole("alert").getByText("Wrong passphrase.").waitFor();
    assert.equal(field(set()), 0);
    await typeAt(page, /^Your passphrase/, PASSPHRASE, `#protection-${name}`);
    await page.keyboard.press("Enter");
    await part(name).getByLabel("Your passphrase").waitFor({ state: "detached" });
    assert.equal(field(set()), Number.parseInt(option, 10));
  }
  await part("deadman").getByText("Unless you unlock, this device wipes itself in 30 days.").waitFor();
  assert.ok(await page.getByRole("switch", { name: "Count an unlock of another device" }).isDisabled(), "there is no kill code");
});

test("that the owner is there is confirmed with the passphrase", async () => {
  await pressAt(page, /^I am here$/, "Enter", "#protection-deadman");
  await typeAt(page, /^Your passphrase/, "not this one at all", "#protection-deadman");
  await page.keyboard.press("Enter");
  await part("deadman").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  await typeAt(page, /^Your passphrase/, PASSPHRASE, "#protection-deadman");
  await page.keyboard.press("Enter");
  await page.getByText("The timer begins anew.").waitFor();
});

test("the passphrase is changed by who knows it, and the old one counts for nothing then", async () => {
  const change = async (from, to) => {
    await pressAt(page, /^Change the passphrase$/, "Enter", "#protection-lock");
    await typeAt(page, /^Your passphrase/, from, "#protection-lock");
    await typeAt(page, /^New passphrase/, to, "#protection-lock");
    await typeAt(page, /^The same again/, to, "#protection-lock");
    await page.keyboard.press("Enter");
  };
  const isRefused = () => part("lock").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  const isDone = () => part("lock").getByLabel("Your passphrase", { exact: true }).waitFor({ state: "detached" });
  await change("not this one at all", NEXT);
  await isRefused();
  await pressAt(page, /^Cancel$/, "Enter", "#protection-lock");
  await change(PASSPHRASE, NEXT);
  await isDone();
  await change(PASSPHRASE, NEXT);
  await isRefused();
  await pressAt(page, /^Cancel$/, "Enter", "#protection-lock");
  await change(NEXT, PASSPHRASE);
  await isDone();
});

test("what becomes of a device that was wiped is chosen", async () => {
  assert.equal(set().remove_wiped, false);
  await pressAt(page, /^When a device of mine was wiped/, "Space");
  await until(() => set().remove_wiped);
  await pressAt(page, /^When a device of mine was wiped/, "Space");
  await until(() => !set().remove_wiped);
});

/** The twelve words that are shown, which only their button takes away. */
async function wordsShownOnce() {
  await page.locator(".shown-once li").nth(11).waitFor();
  const words = await page.locator(".shown-once li").allTextContents();
  for (let turn = 0; turn < 3; turn += 1) await page.keyboard.press("Escape");
  assert.ok(await page.locator(".shown-once").isVisible());
  await pressAt(page, /^I have them on paper$/);
  await page.locator(".shown-once").waitFor({ state: "detached" });
  assert.ok(!(await page.content()).includes(words.join("</li><li>")));
  return words;
}

test("a duress passphrase is set with a decoy to visit, and the decoy's words are shown once", async () => {
  await pressAt(page, /^Set a duress passphrase$/, "Enter", "#protection-duress");
  await typeAt(page, /^Your passphrase/, PASSPHRASE, "#protection-duress");
  await typeAt(page, /^Duress passphrase/, DURESS, "#protection-duress");
  await typeAt(page, /^The same again/, DURESS, "#protection-duress");
  await pressAt(page, /^Prepare the decoy$/, "Enter", "#protection-duress");
  await typeAt(page, /^Passphrase for visits/, VISIT, "#protection-duress");
  await typeAt(page, /^The same again/, VISIT, "#protection-duress");
  await typeAt(page, /^Name in the decoy/, "Adele", "#protection-duress");
  await pressAt(page, /^Save$/, "Enter", "#protection-duress");
  await wordsShownOnce();
  await part("duress").getByText("It is set.").waitFor();
  assert.equal(set().duress, true);
});

test("a kill code is made, shown once, and made anew only after a word was typed", async () => {
  await pressAt(page, /^Make a kill code$/, "Enter", "#protection-kill");
  await page.locator(".shown-once").waitFor();
  await look(page, "the words of the kill code");
  const first = await wordsShownOnce();
  await part("kill").getByText("Code number 1").waitFor();
  await part("kill").getByText("It reaches this device.").waitFor();
  await pressAt(page, /^Make a new code$/, "Enter", "#protection-kill");
  assert.ok(await part("kill").getByRole("button", { name: "Make a new code" }).isDisabled());
  await typeAt(page, /^Type .* to confirm/, "new", "#protection-kill");
  await page.keyboard.press("Enter");
  assert.notDeepEqual(await wordsShownOnce(), first);
  await part("kill").getByText("Code number 2").waitFor();
});

test("an unlock elsewhere counts for the timer once there is a kill code and the passphrase was given", async () => {
  const choice = page.getByRole("switch", { name: "Count an unlock of another device" });
  await pressAt(page, /^Count an unlock of another device/, "Space");
  await typeAt(page, /^Your passphrase/, "not this one at all", "#protection-deadman");
  await page.keyboard.press("Enter");
  await part("deadman").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  assert.equal(set().dead_man.heartbeats, false);
  await typeAt(page, /^Your passphrase/, PASSPHRASE, "#protection-deadman");
  await page.keyboard.press("Enter");
  await part("deadman").getByText("None has counted yet.").waitFor();
  assert.equal(set().dead_man.heartbeats, true);
  // Given up before the passphrase, it stays as it was.
  await pressAt(page, /^Count an unlock of another device/, "Space");
  await pressAt(page, /^Cancel$/, "Enter", "#protection-deadman");
  assert.ok(await choice.isChecked());
  assert.equal(set().dead_man.heartbeats, true);
});

test("a custodian is accepted by name, and stays on the page", async () => {
  const { key } = ada.command("custodian", "new", "--name", "Desk of the editor", "--words-file", path.join(ada.folder, "custodian"));
  await pressAt(page, /^Accept a custodian$/, "Enter", "#protection-custodians");
  await typeAt(page, /^Key of the custodian/, key, "#protection-custodians");
  await page.keyboard.press("Enter");
  await part("custodians").getByText("it belongs to Desk of the editor").waitFor();
  await typeAt(page, /^Type .* to confirm/, "accept", "#protection-custodians");
  await page.keyboard.press("Enter");
  assert.match(await part("custodians").getByLabel("Ticket").inputValue(), /^undertone:w:/);
  await look(page, "the ticket of a custodian");
  await pressAt(page, /^Done$/, "Enter", "#protection-custodians");
  await part("custodians").locator("li", { hasText: "Desk of the editor" }).waitFor();
});

test("another device is wiped from the list, and its page forgets everything", async () => {
  await pressAt(page, /^Devices$/, "Enter", "#protection-wipe");
  await pressAt(page, /^Link another device$/);
  const address = await page.getByLabel("Server of this account").inputValue();
  await enter(secondPage, second);
  await pressAt(secondPage, /^This is another device of mine$/);
  for (const [name, text] of [
    [/^Address of your server/, address],
    [/^Name of the device/, "Laptop"],
    [/^Passphrase/, PASSPHRASE],
    [/^The same again/, PASSPHRASE],
  ]) {
    await typeAt(secondPage, name, text);
  }
  await pressAt(secondPage, /^Make a code$/);
  await typeAt(page, /^Code that the other device shows/, await secondPage.getByLabel("Code of this device").inputValue());
  await pressAt(page, /^Continue$/);
  for (const one of [page, secondPage]) await pressAt(one, /^Yes, all six are the same$/);
  await secondPage.getByText("This device belongs to your account now.").waitFor();
  await pressAt(page, /^Wipe Laptop$/);
  await look(page, "wiping another device");
  await typeAt(page, /^Type “wipe” to confirm/, "wipe");
  await page.keyboard.press("Enter");
  await page.getByText("Laptop says, signed, that it is wiped.").waitFor();
  await secondPage.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  assert.equal(await secondPage.evaluate(() => sessionStorage.length), 0);
  await page.keyboard.press("Escape");
});

/** A contact link of somebody who uses no page. */
async function linkOf(name) {
  const app = await App.made(name, server.invitation());
  const { uri } = app.commandWithPassphrase("link");
  rmSync(app.folder, { recursive: true });
  return uri;
}

test("a contact's name with another account is warned of, in the chat and on its page, until it is accepted", async () => {
  ada.command("add", await linkOf("Ben"));
  await chatRow(page, "Ben").waitFor();
  await openAt(page, "Ben");
  assert.equal(await page.locator(".other-account").count(), 0);
  const { contact } = ada.command("add", await linkOf("Ben"));
  await page.waitForFunction(() => document.querySelectorAll(".pane-list .chat").length > 1);
  // Which of the two it is, shows in their chats.
  const warning = page.locator(".pane-chat .other-account");
  for (let turn = 0; turn < 3 && (await warning.count()) === 0; turn += 1) {
    await page.keyboard.press("Alt+ArrowDown");
    await page.waitForTimeout(300);
  }
  await warning.getByText("Ben has another account than your contact Ben.").waitFor();
  await look(page, "the warning in a chat");
  await pressAt(page, /^Compare the safety number$/);
  await page.locator("dialog .other-account").waitFor();
  await page.locator("dialog .safety").waitFor();
  await pressAt(page, /^I know of it$/, "Enter", "dialog");
  await page.locator(".other-account").first().waitFor({ state: "detached" });
  assert.equal(contact.verified, false);
  await page.keyboard.press("Escape");
});

test("a contact is chosen who is told when the duress passphrase is given", async () => {
  await open();
  await pressAt(page, /^Set another one$/, "Enter", "#protection-duress");
  // The decoy of before, in which there may be much by now, goes only once the word was typed.
  await part("duress").getByRole("button", { name: "Set another one" }).and(page.locator("[disabled]")).waitFor();
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await typeAt(page, /^Type “replace” to confirm/, "replace", "#protection-duress");
  await page.keyboard.press("Enter");
  await typeAt(page, /^Your passphrase/, PASSPHRASE, "#protection-duress");
  await typeAt(page, /^Duress passphrase/, DURESS, "#protection-duress");
  await typeAt(page, /^The same again/, DURESS, "#protection-duress");
  await pressAt(page, /^Alarm contacts silently$/, "Enter", "#protection-duress");
  await pressAt(page, /^BBen$/, "Space", "#protection-duress");
  await look(page, "choosing whom to alarm");
  await pressAt(page, /^Save$/, "Enter", "#protection-duress");
  await wordsShownOnce();
  await part("duress").getByText("Alarmed silently: Ben.").waitFor();
  assert.equal(set().alarm.length, 1);
});

test("the duress passphrase and its decoy are taken away with a word and the passphrase only", async () => {
  await pressAt(page, /^Take it away$/, "Enter", "#protection-duress");
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await typeAt(page, /^Type “remove” to confirm/, "remov", "#protection-duress");
  await page.keyboard.press("Enter");
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await page.keyboard.type("e");
  await page.keyboard.press("Enter");
  await typeAt(page, /^Your passphrase/, "not this one at all", "#protection-duress");
  await page.keyboard.press("Enter");
  await part("duress").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  assert.equal(set().duress, true);
  await typeAt(page, /^Your passphrase/, PASSPHRASE, "#protection-duress");
  await page.keyboard.press("Enter");
  await part("duress").getByText("It is not set.").waitFor();
  assert.equal(set().duress, false);
  await page.keyboard.press("Escape");
});

test("a backup is made, checked, and restored on another computer", async () => {
  const folder = path.join(ada.folder, "backup");
  await page.keyboard.press("Alt+s");
  await pressAt(page, /^Backup$/);
  await page.getByText("None was made on this device yet.").waitFor();
  await typeAt(page, /^Folder, with its whole path/, folder);
  await pressAt(page, /^Make a backup$/);
  await page.getByText("Last made on this device").waitFor();
  await typeAt(page, /^Recovery phrase/, words.toReversed().join(" "));
  await pressAt(page, /^Check a backup$/);
  await page.getByText("These are not the words of this account's recovery phrase.").or(page.getByText("The backup is damaged")).first().waitFor();
  await typeAt(page, /^Recovery phrase/, words.join(" "));
  await pressAt(page, /^Check a backup$/);
  await page.getByText("The backup of Ada, made").waitFor();
  await look(page, "the backup");
  await page.keyboard.press("Escape");
  await enter(thirdPage, third);
  await pressAt(thirdPage, /^I have a backup$/);
  await look(thirdPage, "restoring");
  for (const [name, text] of [
    [/^Folder, with its whole path/, folder],
    [/^Recovery phrase/, words.join(" ")],
    [/^Invitation or server address/, server.invitation()],
    [/^Passphrase/, PASSPHRASE],
    [/^The same again/, PASSPHRASE],
  ]) {
    await typeAt(thirdPage, name, text);
  }
  await pressAt(thirdPage, /^Restore$/);
  await thirdPage.getByText("Welcome back").waitFor();
  await chatRow(thirdPage, "Ben").first().waitFor();
  // A restored device has no kill code, and no duress passphrase.
  assert.equal(third.command("protection").duress, false);
  assert.equal(third.command("kill-code").code, false);
});

test("panic locks at once, and pressed again soon it wipes", async () => {
  await page.keyboard.press("Control+Shift+Escape");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await page.keyboard.press("Control+Shift+Escape");
  await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await ada.ended();
  // What is left says that the home was wiped, and is no secret.
  assert.deepEqual(readdirSync(ada.home).filter((name) => name !== "lock" && name !== "sentinel"), []);
});

test("no page complained of anything", () => {
  for (const one of [page, secondPage, thirdPage]) assert.deepEqual(one.complaints, []);
});
