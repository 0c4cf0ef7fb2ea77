// What protects a device and an account, as its owner sets it on the page: when the device is lost, taken, or its owner coerced; backups;
// and a contact who comes with another account.

import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, chatRow, enter, look, onboard, openBrowser, openChat, openPage, rpc, until } from "./stage.js";

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
  await page.getByRole("button", { name: "Protection" }).press("Enter");
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
  await part("attempts").locator("select").selectOption("5");
  for (const button of ["Change the passphrase", "Set a duress passphrase", "Accept a custodian", "Wipe this device…"]) {
    await page.getByRole("button", { name: button }).press("Enter");
  }
  await page.getByText("Prepare the decoy").press("Enter");
  await look(page, "protection");
  assert.ok(await part("wipe").getByRole("button", { name: "Wipe now" }).isDisabled());
  while (await page.getByRole("button", { name: "Cancel" }).count()) {
    await page.getByRole("button", { name: "Cancel" }).first().press("Enter");
    // Whoever uses the keyboard goes on where they were.
    await page.waitForFunction(() => document.activeElement?.closest(".protection") !== null);
  }
});

test("when the program locks by itself is chosen", async () => {
  const before = set();
  assert.equal(before.auto_lock_s, 0);
  await page.getByLabel("Lock by itself").selectOption("300");
  await until(() => set().auto_lock_s === 300);
  await page.getByRole("switch", { name: "Lock when the computer is suspended" }).press("Space");
  await until(() => set().lock_on_suspend !== before.lock_on_suspend);
  await page.getByRole("switch", { name: "Lock with the screen" }).press("Space");
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
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await locked.waitFor({ state: "detached" });
  await rpc(ada, [["protection.set", { change: { auto_lock_s: 300 } }]]);
  await open();
});

test("the desktop's keyring is asked for with the passphrase only", async () => {
  assert.equal(set().keyring, false);
  await page.getByRole("switch", { name: "Need this desktop's keyring, too" }).press("Space");
  await part("lock").getByRole("textbox", { name: "Your passphrase" }).waitFor();
  await part("lock").getByRole("button", { name: "Cancel" }).press("Enter");
  await part("lock").getByRole("textbox", { name: "Your passphrase" }).waitFor({ state: "detached" });
  assert.equal(set().keyring, false);
});

test("what may wipe by itself is set with the passphrase only", async () => {
  for (const [name, choice, field] of [
    ["attempts", "10", (now) => now.wrong_attempts_limit],
    ["deadman", "30", (now) => now.dead_man.days],
  ]) {
    await part(name).locator("select").selectOption(choice);
    await part(name).getByLabel("Your passphrase").fill("not this one at all");
    await page.keyboard.press("Enter");
    await part(name).getByRole("alert").getByText("Wrong passphrase.").waitFor();
    assert.equal(field(set()), 0);
    await part(name).getByLabel("Your passphrase").fill(PASSPHRASE);
    await page.keyboard.press("Enter");
    await part(name).getByLabel("Your passphrase").waitFor({ state: "detached" });
    assert.equal(field(set()), Number(choice));
  }
  await part("deadman").getByText("Unless you unlock, this device wipes itself in 30 days.").waitFor();
  assert.ok(await page.getByRole("switch", { name: "Count an unlock of another device" }).isDisabled(), "there is no kill code");
});

test("that the owner is there is confirmed with the passphrase", async () => {
  await part("deadman").getByRole("button", { name: "I am here" }).click();
  await part("deadman").getByLabel("Your passphrase").fill("not this one at all");
  await page.keyboard.press("Enter");
  await part("deadman").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  await part("deadman").getByLabel("Your passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await page.getByText("The timer begins anew.").waitFor();
});

test("the passphrase is changed by who knows it, and the old one counts for nothing then", async () => {
  const change = async (from, to) => {
    await part("lock").getByRole("button", { name: "Change the passphrase" }).click();
    await part("lock").getByLabel("Your passphrase", { exact: true }).fill(from);
    await part("lock").getByLabel("New passphrase", { exact: true }).fill(to);
    await part("lock").getByLabel("The same again").fill(to);
    await page.keyboard.press("Enter");
  };
  const isRefused = () => part("lock").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  const isDone = () => part("lock").getByLabel("Your passphrase", { exact: true }).waitFor({ state: "detached" });
  await change("not this one at all", NEXT);
  await isRefused();
  await part("lock").getByRole("button", { name: "Cancel" }).click();
  await change(PASSPHRASE, NEXT);
  await isDone();
  await change(PASSPHRASE, NEXT);
  await isRefused();
  await part("lock").getByRole("button", { name: "Cancel" }).click();
  await change(NEXT, PASSPHRASE);
  await isDone();
});

test("what becomes of a device that was wiped is chosen", async () => {
  assert.equal(set().remove_wiped, false);
  await page.getByRole("switch", { name: "When a device of mine was wiped" }).press("Space");
  await until(() => set().remove_wiped);
  await page.getByRole("switch", { name: "When a device of mine was wiped" }).press("Space");
  await until(() => !set().remove_wiped);
});

/** The twelve words that are shown, which only their button takes away. */
async function wordsShownOnce() {
  await page.locator(".shown-once li").nth(11).waitFor();
  const words = await page.locator(".shown-once li").allTextContents();
  for (let turn = 0; turn < 3; turn += 1) await page.keyboard.press("Escape");
  assert.ok(await page.locator(".shown-once").isVisible());
  await page.getByRole("button", { name: "I have them on paper" }).click();
  await page.locator(".shown-once").waitFor({ state: "detached" });
  assert.ok(!(await page.content()).includes(words.join("</li><li>")));
  return words;
}

test("a duress passphrase is set with a decoy to visit, and the decoy's words are shown once", async () => {
  await part("duress").getByRole("button", { name: "Set a duress passphrase" }).click();
  await part("duress").getByLabel("Your passphrase").fill(PASSPHRASE);
  await part("duress").getByLabel("Duress passphrase", { exact: true }).fill(DURESS);
  await part("duress").getByLabel("The same again").first().fill(DURESS);
  await part("duress").getByText("Prepare the decoy").click();
  await part("duress").getByLabel("Passphrase for visits").fill(VISIT);
  await part("duress").getByLabel("The same again").last().fill(VISIT);
  await part("duress").getByLabel("Name in the decoy").fill("Adele");
  await part("duress").getByRole("button", { name: "Save" }).click();
  await wordsShownOnce();
  await part("duress").getByText("It is set.").waitFor();
  assert.equal(set().duress, true);
});

test("a kill code is made, shown once, and made anew only after a word was typed", async () => {
  await part("kill").getByRole("button", { name: "Make a kill code" }).click();
  await page.locator(".shown-once").waitFor();
  await look(page, "the words of the kill code");
  const first = await wordsShownOnce();
  await part("kill").getByText("Code number 1").waitFor();
  await part("kill").getByText("It reaches this device.").waitFor();
  await part("kill").getByRole("button", { name: "Make a new code" }).click();
  assert.ok(await part("kill").getByRole("button", { name: "Make a new code" }).isDisabled());
  await part("kill").getByLabel("to confirm").fill("new");
  await page.keyboard.press("Enter");
  assert.notDeepEqual(await wordsShownOnce(), first);
  await part("kill").getByText("Code number 2").waitFor();
});

test("an unlock elsewhere counts for the timer once there is a kill code and the passphrase was given", async () => {
  const choice = page.getByRole("switch", { name: "Count an unlock of another device" });
  await choice.press("Space");
  await part("deadman").getByLabel("Your passphrase").fill("not this one at all");
  await page.keyboard.press("Enter");
  await part("deadman").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  assert.equal(set().dead_man.heartbeats, false);
  await part("deadman").getByLabel("Your passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await part("deadman").getByText("None has counted yet.").waitFor();
  assert.equal(set().dead_man.heartbeats, true);
  // Given up before the passphrase, it stays as it was.
  await choice.press("Space");
  await part("deadman").getByRole("button", { name: "Cancel" }).press("Enter");
  assert.ok(await choice.isChecked());
  assert.equal(set().dead_man.heartbeats, true);
});

test("a custodian is accepted by name, and stays on the page", async () => {
  const { key } = ada.command("custodian", "new", "--name", "Desk of the editor", "--words-file", path.join(ada.folder, "custodian"));
  await part("custodians").getByRole("button", { name: "Accept a custodian" }).click();
  await part("custodians").getByLabel("Key of the custodian").fill(key);
  await page.keyboard.press("Enter");
  await part("custodians").getByText("it belongs to Desk of the editor").waitFor();
  await part("custodians").getByLabel("to confirm").fill("accept");
  await page.keyboard.press("Enter");
  assert.match(await part("custodians").getByLabel("Ticket").inputValue(), /^undertone:w:/);
  await part("custodians").getByRole("button", { name: "Done" }).click();
  await part("custodians").locator("li", { hasText: "Desk of the editor" }).waitFor();
});

test("another device is wiped from the list, and its page forgets everything", async () => {
  await part("wipe").getByRole("button", { name: "Devices" }).click();
  await page.getByRole("button", { name: "Link another device" }).click();
  await enter(secondPage, second);
  await secondPage.getByRole("button", { name: "This is another device of mine" }).click();
  await secondPage.getByLabel("Address of your server").fill(await page.getByLabel("Server of this account").inputValue());
  await secondPage.getByLabel("Name of the device").fill("Laptop");
  await secondPage.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await secondPage.getByLabel("The same again").fill(PASSPHRASE);
  await secondPage.getByRole("button", { name: "Make a code" }).click();
  await page.getByLabel("Code that the other device shows").fill(await secondPage.getByLabel("Code of this device").inputValue());
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Yes, all six are the same" }).click();
  await secondPage.getByRole("button", { name: "Yes, all six are the same" }).click();
  await secondPage.getByText("This device belongs to your account now.").waitFor();
  await page.getByRole("button", { name: "Wipe Laptop" }).click();
  await look(page, "wiping another device");
  await page.getByLabel("to confirm").fill("wipe");
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
  await openChat(page, "Ben");
  assert.equal(await page.locator(".other-account").count(), 0);
  const { contact } = ada.command("add", await linkOf("Ben"));
  await page.waitForFunction(() => document.querySelectorAll(".pane-list .chat").length > 1);
  for (const at of [0, 1]) {
    await chatRow(page, "Ben").nth(at).click();
    if (await page.locator(".other-account").count()) break;
  }
  await page.locator(".other-account").getByText("Ben has another account than your contact Ben.").waitFor();
  await look(page, "the warning in a chat");
  await page.getByRole("button", { name: "Compare the safety number" }).click();
  await page.locator("dialog .other-account").waitFor();
  await page.locator("dialog .safety").waitFor();
  await page.locator("dialog").getByRole("button", { name: "I know of it" }).click();
  await page.locator(".other-account").first().waitFor({ state: "detached" });
  assert.equal(contact.verified, false);
  await page.keyboard.press("Escape");
});

test("a contact is chosen who is told when the duress passphrase is given", async () => {
  await open();
  await part("duress").getByRole("button", { name: "Set another one" }).press("Enter");
  // The decoy of before, in which there may be much by now, goes only once the word was typed.
  await part("duress").getByRole("button", { name: "Set another one" }).and(page.locator("[disabled]")).waitFor();
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await part("duress").getByLabel("Type “replace” to confirm").fill("replace");
  await page.keyboard.press("Enter");
  await part("duress").getByLabel("Your passphrase").fill(PASSPHRASE);
  await part("duress").getByLabel("Duress passphrase", { exact: true }).fill(DURESS);
  await part("duress").getByLabel("The same again").first().fill(DURESS);
  await part("duress").getByText("Alarm contacts silently").click();
  await part("duress").getByRole("checkbox", { name: "Ben" }).first().check();
  await look(page, "choosing whom to alarm");
  await part("duress").getByRole("button", { name: "Save" }).click();
  await wordsShownOnce();
  await part("duress").getByText("Alarmed silently: Ben.").waitFor();
  assert.equal(set().alarm.length, 1);
});

test("the duress passphrase and its decoy are taken away with a word and the passphrase only", async () => {
  await part("duress").getByRole("button", { name: "Take it away" }).press("Enter");
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await part("duress").getByLabel("Type “remove” to confirm").fill("remov");
  await page.keyboard.press("Enter");
  assert.equal(await part("duress").getByLabel("Your passphrase").count(), 0);
  await part("duress").getByLabel("Type “remove” to confirm").fill("remove");
  await page.keyboard.press("Enter");
  await part("duress").getByLabel("Your passphrase").fill("not this one at all");
  await page.keyboard.press("Enter");
  await part("duress").getByRole("alert").getByText("Wrong passphrase.").waitFor();
  assert.equal(set().duress, true);
  await part("duress").getByLabel("Your passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await part("duress").getByText("It is not set.").waitFor();
  assert.equal(set().duress, false);
  await page.keyboard.press("Escape");
});

test("a backup is made, checked, and restored on another computer", async () => {
  const folder = path.join(ada.folder, "backup");
  await page.keyboard.press("Alt+s");
  await page.getByRole("button", { name: "Backup" }).press("Enter");
  await page.getByText("None was made on this device yet.").waitFor();
  await page.getByLabel("Folder, with its whole path").fill(folder);
  await page.getByRole("button", { name: "Make a backup" }).click();
  await page.getByText("Last made on this device").waitFor();
  await page.getByLabel("Recovery phrase").fill(words.toReversed().join(" "));
  await page.getByRole("button", { name: "Check a backup" }).click();
  await page.getByText("These are not the words of this account's recovery phrase.").or(page.getByText("The backup is damaged")).first().waitFor();
  await page.getByLabel("Recovery phrase").fill(words.join(" "));
  await page.getByRole("button", { name: "Check a backup" }).click();
  await page.getByText("The backup of Ada, made").waitFor();
  await look(page, "the backup");
  await page.keyboard.press("Escape");
  await enter(thirdPage, third);
  await thirdPage.getByRole("button", { name: "I have a backup" }).press("Enter");
  await look(thirdPage, "restoring");
  await thirdPage.getByLabel("Folder, with its whole path").fill(folder);
  await thirdPage.getByLabel("Recovery phrase").fill(words.join(" "));
  await thirdPage.getByLabel("Invitation or server address").fill(server.invitation());
  await thirdPage.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await thirdPage.getByLabel("The same again").fill(PASSPHRASE);
  await thirdPage.getByRole("button", { name: "Restore" }).click();
  await thirdPage.getByText("Welcome back").waitFor();
  await chatRow(thirdPage, "Ben").first().waitFor();
  // A restored device has no kill code, and no duress passphrase.
  assert.equal(third.command("protection").duress, false);
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
