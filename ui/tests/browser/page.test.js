// What a page must do for everybody: it is used with the keyboard alone, and by those who don't see the screen.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, befriend, bubble, chatRow, chooseItem, look, onboard, openBrowser, openChat, openPage, pressAt, redSquare, rpc, tabTo } from "./stage.js";

let server, browser, ada, ben, page, benPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [page, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

test("an account is made with the keyboard alone, and every step can be heard", async () => {
  await page.goto(ada.address);
  await page.getByLabel("Six-digit code").waitFor();
  await look(page, "the code");
  await page.keyboard.type(ada.code === "000000" ? "000001" : "000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await look(page, "a wrong code");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(ada.code);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Make a new account" }).waitFor();
  await look(page, "the welcome");
  await tabTo(page, /Make a new account/);
  await page.keyboard.press("Enter");
  await page.getByLabel("Invitation or server address with pin").waitFor();
  await look(page, "the server");
  await pressAt(page, /^Advanced$/);
  await page.getByLabel("SOCKS5 proxy, host and port").waitFor();
  await look(page, "the server through a proxy");
  await tabTo(page, /^Invitation or server address/);
  await page.keyboard.insertText(server.invitation());
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).waitFor();
  await look(page, "the name");
  await page.keyboard.type("Ada");
  const picture = path.join(ada.folder, "me.png");
  writeFileSync(picture, await redSquare(page));
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), pressAt(page, /^Choose a picture$/)]);
  await chooser.setFiles(picture);
  await page.locator(".gate-card .avatar img").waitFor();
  await look(page, "the name with a picture");
  await pressAt(page, /^Continue$/);
  await page.getByLabel("The same again").waitFor();
  await page.keyboard.type(PASSPHRASE);
  await look(page, "the passphrase");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press("Enter");
  await page.locator(".phrase li").nth(11).waitFor();
  await look(page, "the phrase");
  const words = await page.locator(".phrase li").allTextContents();
  await tabTo(page, /I have them on paper/);
  await page.keyboard.press("Enter");
  await page.locator("form input").nth(2).waitFor();
  await look(page, "the check");
  for (const field of await page.locator("form input").all()) {
    const label = await field.evaluate((input) => input.labels[0].textContent);
    await page.keyboard.type(words[Number(label.match(/\d+/)[0]) - 1]);
    await page.keyboard.press("Tab");
  }
  await tabTo(page, /Done/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Kill code" }).waitFor();
  await look(page, "the kill code");
  await tabTo(page, /Make a kill code/);
  await page.keyboard.press("Enter");
  await page.locator(".shown-once li").nth(11).waitFor();
  await tabTo(page, /I have them on paper/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Add a contact" }).waitFor();
  await page.locator(".qr-dark").waitFor();
  await look(page, "the first contact");
  await page.keyboard.press("Escape");
});

test("somebody else becomes a contact", async () => {
  await onboard(benPage, ben, server.invitation());
  await befriend(page, benPage);
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
});

test("a conversation is led with the keyboard alone", async () => {
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator(".chat-title strong", { hasText: "Ben" }).waitFor();
  await tabTo(page, /Message to Ben/);
  await page.keyboard.type("From the keyboard");
  await page.keyboard.press("Enter");
  await bubble(page, "From the keyboard").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator(".about").waitFor();
  await page.keyboard.type(", changed");
  await page.keyboard.press("Enter");
  await bubble(page, "From the keyboard, changed").waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await look(page, "the menu");
  await page.keyboard.press("Enter");
  await page.locator(".reaction", { hasText: "👍" }).waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  for (let turn = 0; turn < 7; turn += 1) await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Reply");
  await page.keyboard.press("Enter");
  await page.locator(".about").waitFor();
  await page.keyboard.type("An answer");
  await page.keyboard.press("Enter");
  await bubble(page, "An answer").locator(".quote").waitFor();
  await look(page, "the conversation");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("changed");
  await page.locator(".found .chat").first().waitFor();
  await look(page, "the search");
  await page.keyboard.press("Escape");
});

test("every sheet opens by keyboard, closes by Escape, and can be heard", async () => {
  for (const [open, title] of [
    ["Alt+n", "Add a contact"],
    ["Alt+s", "Settings"],
  ]) {
    await page.keyboard.press(open);
    await page.getByRole("dialog").getByRole("heading", { name: title }).waitFor();
    if (title === "Add a contact") await page.locator(".qr-dark").waitFor();
    await look(page, title);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await page.locator("#search").blur();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByRole("heading", { name: "Keyboard" }).waitFor();
  await look(page, "the keyboard's list");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await look(page, "the details");
  await page.keyboard.press("Alt+i");
  await pressAt(page, /^BBenNot verified/, "Enter", ".chat-head");
  await page.locator("dialog .qr-dark").waitFor();
  await look(page, "the contact");
  await page.keyboard.press("Escape");
  await tabTo(page, /Emoji/);
  await page.keyboard.press("Enter");
  await page.locator(".emoji-one").first().waitFor();
  await look(page, "the emoji");
  await page.keyboard.type("thumbs up");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#compose").inputValue(), "👍");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Backspace");
  for (const chosen of ["Info", "Forward", "Delete"]) {
    await page.keyboard.press("Alt+m");
    await page.keyboard.press("Enter");
    await chooseItem(page, chosen);
    await page.getByRole("dialog").waitFor();
    await look(page, chosen);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("what hangs over the composer can be heard: an answer, a recording, a card, a place", async () => {
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Reply", exact: true }).press("Enter");
  await page.locator(".about").waitFor();
  await pressAt(page, /Hold to record/, "Space");
  await page.locator(".recording").waitFor();
  await look(page, "a recording and an answer");
  await page.keyboard.press("Escape");
  await page.locator(".recording").waitFor({ state: "detached" });
  await page.locator("#compose").focus();
  await page.keyboard.press("Escape");
  await page.locator(".about").waitFor({ state: "detached" });
  for (const [item, what] of [
    ["Contact card", "a contact card"],
    ["Place", "a place"],
  ]) {
    await pressAt(page, /Contact or place/);
    await page.getByRole("menuitem", { name: item }).press("Enter");
    await page.getByRole("dialog").waitFor();
    if (item === "Contact card") await pressAt(page, /Ben/);
    await look(page, what);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("a group is made, named, linked to, given roles and left with the keyboard alone", async () => {
  await pressAt(page, /New chat or contact/);
  await page.getByRole("menu").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await look(page, "a new group");
  await tabTo(page, /Name of the group/);
  await page.keyboard.type("Watch");
  await pressAt(page, /Ben/, "Space");
  await pressAt(page, /Make the group/);
  await page.locator(".chat-title strong", { hasText: "Watch" }).waitFor();
  await page.keyboard.press("Alt+i");
  await page.locator(".members li", { hasText: "Ben" }).waitFor();
  await pressAt(page, /^Rename$/);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Night watch");
  await page.keyboard.press("Enter");
  await page.locator(".chat-title strong", { hasText: "Night watch" }).waitFor();
  await pressAt(page, /Role of Ben/, "a");
  await openChat(benPage, "Night watch");
  await benPage.keyboard.press("Alt+i");
  await benPage.locator(".members li", { hasText: "You" }).getByText("Admin").waitFor();
  await benPage.keyboard.press("Alt+i");
  await pressAt(page, /Make a link/);
  await pressAt(page, /Make a link/);
  await page.locator(".invites .qr-dark").waitFor();
  await pressAt(page, /Hand the group over to Ben/);
  await page.getByRole("alertdialog").waitFor();
  await look(page, "handing a group over");
  await pressAt(page, /^Hand over$/);
  await page.locator(".members li", { hasText: "Ben" }).getByText("Owner").waitFor();
  await pressAt(page, /Leave the group/);
  await page.getByText("Somebody in it has to let you in again").waitFor();
  await look(page, "leaving a group");
  await tabTo(page, /^Cancel$/);
  await pressAt(page, /Leave the group/);
  await page.getByText("You left this group.").waitFor();
  await page.keyboard.press("Alt+i");
});

test("devices, linking, storage and backup are reached and used with the keyboard alone", async () => {
  const sheet = async (name, title) => {
    await page.keyboard.press("Alt+s");
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    await pressAt(page, name);
    await page.getByRole("heading", { name: title, exact: true }).waitFor();
  };
  const shut = async () => {
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  };
  await sheet(/^Devices$/, "Devices");
  await pressAt(page, /^Rename/);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Desk");
  await page.keyboard.press("Enter");
  await page.locator(".devices li", { hasText: "Desk" }).waitFor();
  await pressAt(page, /Link another device/);
  await tabTo(page, /Code that the other device shows/);
  await page.keyboard.type("undertone:nothing");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await shut();
  const file = path.join(ada.folder, "plan.bin");
  writeFileSync(file, Buffer.alloc(2000, 7));
  ada.command("send", "Ben", "The plan", "--attach", file);
  await sheet(/^Storage$/, "Storage");
  await tabTo(page, /Which files/);
  await page.keyboard.press("ArrowDown");
  await pressAt(page, /Remove from this device/);
  await page.getByText("0 files removed").waitFor();
  await shut();
  await sheet(/^Backup$/, "Backup");
  await tabTo(page, /Folder/);
  await page.keyboard.type("nowhere");
  await look(page, "the backup");
  await shut();
});

test("nothing is hard to see in high contrast", async () => {
  await page.keyboard.press("Alt+s");
  await tabTo(page, /^Colours/);
  await page.keyboard.press("End");
  await page.locator("html[data-theme=contrast]").waitFor();
  await look(page, "the settings in high contrast");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+n");
  await page.locator("dialog .qr-dark").waitFor();
  await look(page, "a link in high contrast");
  await page.keyboard.press("Escape");
  await chatRow(page, "Ben").press("Enter");
  await bubble(page, "An answer").press("Enter");
  await page.getByRole("menu").waitFor();
  await look(page, "a menu in high contrast");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await look(page, "a conversation in high contrast");
  await page.keyboard.press("Alt+i");
  await page.keyboard.press("Alt+s");
  await tabTo(page, /^Colours/);
  await page.keyboard.press("Home");
  await page.locator("html:not([data-theme])").waitFor();
  await page.keyboard.press("Escape");
});

/** In the page: the longest that anything on it moves by itself or changes its looks, in seconds. */
const longestMove = () =>
  Math.max(
    ...[...document.querySelectorAll("*")].flatMap((one) =>
      [undefined, "::before", "::after"].flatMap((part) => {
        const { animationDuration, animationName, transitionDuration } = getComputedStyle(one, part);
        return [...transitionDuration.split(","), ...(animationName === "none" ? [] : animationDuration.split(","))].map(Number.parseFloat);
      }),
    ),
  );

test("nothing moves for whoever wants no motion", async () => {
  for (const [reducedMotion, isStill] of [
    ["no-preference", false],
    ["reduce", true],
  ]) {
    await page.emulateMedia({ reducedMotion });
    await page.keyboard.press("Alt+s");
    await page.getByRole("dialog").waitFor();
    const longest = await page.evaluate(longestMove);
    assert.equal(longest <= 0.01, isStill, `${reducedMotion}: ${longest} s`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior === "smooth"), false);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("the locked screen can be heard, and is used by keyboard", async () => {
  const picture = path.join(ada.folder, "picked.png");
  writeFileSync(picture, await redSquare(page));
  await page.locator("#files").setInputFiles(picture);
  const shown = await page.locator(".picked-one img").evaluate((image) => image.src);
  assert.match(shown, /^blob:/);
  await page.keyboard.press("Control+Shift+l");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.matches("input[type=password]"));
  await look(page, "the lock");
  // What was picked and not sent is nowhere in the page any more.
  const outcome = await page.evaluate(
    (address) =>
      new Promise((resolve) => {
        const image = new Image();
        image.onload = image.onerror = ({ type }) => resolve(type);
        image.src = address;
      }),
    shown,
  );
  assert.equal(outcome, "error");
  await page.keyboard.type("not the passphrase");
  await page.keyboard.press("Enter");
  await page.getByText("Wrong passphrase.").waitFor();
  await look(page, "a wrong passphrase");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press("Enter");
  await chatRow(page, "Ben").waitFor();
});

test("the first chats are painted before the others come, and none is missing", async () => {
  ben.command("send", "Ada", "Still there?");
  await page.waitForFunction(() => document.title.startsWith("("));
  const [{ id }] = await rpc(ada, [["contacts.find", { selector: "Ben" }]]);
  await rpc(ada, Array.from({ length: 42 }, (_, at) => ["groups.create", { name: `Desk ${at}`, members: [id] }]));
  await page.keyboard.press("Control+Shift+l");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  const asked = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(JSON.parse(payload))));
  await page.locator("input[type=password]").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await chatRow(page, "Desk").first().waitFor();
  // Ben's message is told of although his chat is the last.
  await page.waitForFunction(() => document.title.startsWith("("));
  const [first, others] = asked.filter(({ method }) => method === "chats.list").map(({ params }) => params);
  assert.equal(first.limit, 40);
  assert.equal(others.except.length, 40);
  await page.waitForFunction((all) => {
    const list = document.querySelector(".chats");
    list.scrollTop = list.scrollHeight;
    return list.querySelectorAll(".chat-row").length === all;
  }, ada.command("chats").length);
  await chatRow(page, "Ben").locator(".count").waitFor();
});
