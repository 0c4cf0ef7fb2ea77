// What is done with the keyboard alone beside an account and a conversation: pictures from the camera, passing on, looking through a chat's files, and
// coming back from a backup.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, befriend, bubble, chatRow, look, onboard, openBrowser, openPage, pressAt, redSquare, rpc, tabTo } from "./stage.js";

const PICTURES = 65;

let server, browser, ada, ben, page, benPage, words;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [page, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
  words = await onboard(page, ada, server.invitation());
  await onboard(benPage, ben, server.invitation());
  await befriend(page, benPage);
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
  for (const one of [ada, ben]) one.command("downloads", "--up-to", "12");
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) await page?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "keyboard.png") });
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** What has the focus, by its name. */
const focused = (one) => one.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);

test("a photo is taken and sent", async () => {
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator(".chat-title strong", { hasText: "Ben" }).waitFor();
  await benPage.keyboard.press("Alt+ArrowDown");
  await benPage.locator(".chat-title strong", { hasText: "Ada" }).waitFor();
  await pressAt(page, /^Take a photo/);
  await page.getByRole("button", { name: "Take photo" }).and(page.locator(":enabled")).waitFor();
  await look(page, "the camera");
  await pressAt(page, /^Take photo$/);
  await page.locator(".picked-one img").waitFor();
  // The words that go with it are written at once.
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await focused(page), /^Message to Ben/);
  await page.keyboard.type("From the window");
  await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await page.keyboard.press("Enter");
  await bubble(benPage, "From the window").locator(".photo-whole.shown").waitFor();
});

test("a video is recorded, stopped and sent", async () => {
  await pressAt(page, /^Take a photo/);
  await page.getByRole("button", { name: "Record video" }).and(page.locator(":enabled")).waitFor();
  await pressAt(page, /^Record video$/);
  await page.getByRole("button", { name: "Stop and attach" }).waitFor();
  // The button that it is now has the focus.
  assert.equal(await focused(page), "Stop and attach");
  const from = await page.locator("video.camera").evaluate((video) => video.currentTime);
  await page.waitForFunction((from) => document.querySelector("video.camera")?.currentTime > from + 1.5, from);
  await look(page, "the camera, recording");
  await page.keyboard.press("Enter");
  await page.locator(".picked-one", { hasText: "video." }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await pressAt(page, /^Send$/);
  await benPage.locator(".film").waitFor();
  await pressAt(benPage, /^Play$/);
  await benPage.waitForFunction(() => document.querySelector(".video-box video")?.currentTime > 0.2);
  await benPage.keyboard.press("Escape");
});

test("a voice message is spoken while the space bar is held", async () => {
  await tabTo(page, /^Hold to record/);
  await page.keyboard.down("Space");
  await page.locator(".recording", { hasText: "0:02" }).waitFor();
  await page.keyboard.up("Space");
  await page.locator(".recording").waitFor({ state: "detached" });
  await page.locator(".memo").waitFor();
  await chatRow(benPage, "Ada").getByText("Voice message").waitFor();
  // Another key says that it is not wanted.
  await tabTo(page, /^Hold to record/);
  await page.keyboard.down("Space");
  await page.locator(".recording", { hasText: "0:01" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".recording").waitFor({ state: "detached" });
  await page.keyboard.up("Space");
});

/** What is in the composer, in the order in which the keyboard goes through it, with the place of each. */
async function wayThroughComposer(one) {
  await one.locator(".composer").evaluate((composer) => {
    composer.tabIndex = -1;
    composer.focus();
  });
  const way = [];
  for (;;) {
    await one.keyboard.press("Tab");
    const here = await one.evaluate(() => {
      const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
      return document.activeElement.closest(".compose-row") === null ? null : { left, right, top, bottom };
    });
    if (here === null) return way;
    way.push(here);
  }
}

test("the keyboard goes through the composer as the eye does, on a phone and on a wide screen", async () => {
  const compose = page.locator("#compose");
  for (const [width, text, rows] of [
    [1280, "", 1],
    [1280, "On a wide screen", 1],
    [390, "", 1],
    [390, "On a phone", 2],
  ]) {
    await page.setViewportSize({ width, height: 820 });
    await compose.fill("");
    await compose.press("x");
    await compose.press("Backspace");
    // Whoever is writing goes on while the buttons make room.
    await page.keyboard.type(text);
    assert.equal(await compose.inputValue(), text);
    const way = await wayThroughComposer(page);
    const what = `${width} ${text}: ${JSON.stringify(way)}`;
    assert.equal(way.length, 6, what);
    let found = 1;
    way.slice(1).forEach((here, at) => {
      const before = way[at];
      if (here.top >= before.bottom - 1) found += 1;
      else assert.ok(here.left >= before.right - 1, what);
    });
    assert.equal(found, rows, what);
  }
  // A phone that is turned has fewer lines of it.
  await compose.fill("Some more words than there is room for in a line of a phone");
  const height = await compose.evaluate((field) => field.clientHeight);
  await page.setViewportSize({ width: 1280, height: 820 });
  await page.waitForFunction((before) => document.querySelector("#compose").clientHeight < before, height);
  await compose.fill("");
});

test("a message is passed on to a chat that is found by its name", async () => {
  await pressAt(page, /^Message to Ben/, "x");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("The key is under the mat");
  await page.keyboard.press("Enter");
  await bubble(page, "The key is under the mat").waitFor();
  ada.command("send", "notes", "Something to begin with");
  await chatRow(page, "Notes to self").waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  for (let turn = 0; turn < 20 && (await focused(page)) !== "Forward"; turn += 1) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("self");
  await pressAt(page, /^Notes to self$/);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // Back where it began.
  assert.ok(await page.evaluate(() => document.activeElement.matches(".line-focus")));
  await page.locator("[role=status]", { hasText: "Notes to self" }).first().waitFor();
  await chatRow(page, "Notes to self").getByText("The key is under the mat").waitFor();
});

test("the pictures of a chat are looked through as far back as they go", async () => {
  const square = await redSquare(page);
  const [{ id: chat }] = await rpc(ada, [["chats.find", { selector: "notes" }]]);
  const messages = Array.from({ length: PICTURES }, (_, at) => {
    const file = path.join(ada.folder, `${at}.png`);
    writeFileSync(file, square);
    return ["messages.send", { chat, attachments: [{ path: file, keep_metadata: false }] }];
  });
  await rpc(ada, messages);
  await chatRow(page, "Notes to self").press("Enter");
  await page.locator(".chat-title strong", { hasText: "Notes to self" }).waitFor();
  await page.keyboard.press("Alt+i");
  const shown = (count) => page.waitForFunction((count) => document.querySelectorAll(".gallery button").length === count, count);
  await shown(60);
  await pressAt(page, /^Earlier photos$/);
  await shown(PICTURES);
  await page.getByRole("button", { name: "Earlier photos" }).waitFor({ state: "detached" });
  // What comes now is added to it, and nothing is lost.
  await rpc(ada, [messages[0]]);
  await shown(PICTURES + 1);
  await page.locator(".gallery button").last().press("Enter");
  await page.locator(".picture img").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
});

test("a contact is verified by the safety number, and that is withdrawn", async () => {
  await page.keyboard.press("Escape");
  await chatRow(page, "Ben").press("Enter");
  await page.locator(".chat-title strong", { hasText: "Ben" }).waitFor();
  await pressAt(page, /^BBenNot verified/);
  const sheet = page.getByRole("dialog");
  await sheet.locator(".safety").waitFor();
  const isVerified = () => ada.command("contacts").find((one) => one.name === "Ben").verified;
  await pressAt(page, /^They are the same$/);
  await sheet.getByText("Verified", { exact: true }).waitFor();
  assert.equal(isVerified(), true);
  // The same place of the sheet takes it back.
  assert.equal(await focused(page), "No longer verified");
  await page.keyboard.press("Enter");
  await sheet.getByRole("button", { name: "They are the same" }).waitFor();
  assert.equal(isVerified(), false);
  await page.keyboard.press("Escape");
  await sheet.waitFor({ state: "detached" });
  assert.match(await focused(page), /^BBenNot verified/);
});

test("a chat is exported", async () => {
  const folder = path.join(ada.folder, "the chat with Ben");
  await pressAt(page, /^Chat menu$/);
  await page.getByRole("menu").waitFor();
  for (let turn = 0; turn < 20 && !/^Export/.test(await focused(page)); turn += 1) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  // What is to be given is asked for at once.
  assert.match(await page.evaluate(() => document.activeElement.labels?.[0]?.textContent ?? ""), /^Folder/);
  await page.keyboard.insertText(folder);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText(path.join(folder, "index.html")).waitFor();
  assert.match(readFileSync(path.join(folder, "index.html"), "utf8"), /The key is under the mat/);
  await pressAt(page, /^Close$/);
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("a record of a stranger is kept", async () => {
  const { uri } = ada.command("link", "--uses", "5");
  const cleo = await App.made("Cleo", server.invitation());
  try {
    cleo.commandWithPassphrase("add", uri);
    cleo.commandWithPassphrase("send", "Ada", "You don't know me");
    await pressAt(page, /^1 message request/);
    await chatRow(page, "Cleo").waitFor();
    await pressAt(page, /^CCleo/);
    await bubble(page, "You don't know me").waitFor();
    await pressAt(page, /^Keep a record$/);
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("Nobody I know");
    await pressAt(page, /^Keep a record$/);
    await page.getByText("The record was kept on this device.").waitFor();
    assert.equal(ada.command("report", "list").length, 1);
    await pressAt(page, /^Refuse and block$/);
    await page.getByText("The request was deleted.").waitFor();
  } finally {
    await cleo.stop();
  }
});

test("what the server's operator announces is dismissed", async () => {
  server.announce("Maintenance on Sunday.");
  await page.locator(".announcement").waitFor();
  await pressAt(page, /^Dismiss$/);
  await page.locator(".announcement").waitFor({ state: "detached" });
  assert.ok(ada.command("status").announcements[0].dismissed);
});

test("an account comes back from its backup", async () => {
  const folder = path.join(ben.folder, "adas backup");
  ada.command("backup", "make", folder);
  const restored = await App.start("Ada's new computer");
  const newPage = await openPage(browser, restored);
  try {
    await newPage.goto(restored.address);
    await newPage.getByLabel("Six-digit code").waitFor();
    await newPage.keyboard.type(restored.code);
    await newPage.keyboard.press("Enter");
    await newPage.getByRole("button", { name: "I have a backup" }).waitFor();
    await pressAt(newPage, /^I have a backup$/);
    await newPage.getByLabel("Folder, with its whole path").waitFor();
    await newPage.keyboard.type(folder);
    for (const [name, text] of [
      [/^Recovery phrase/, words.join(" ")],
      [/^Invitation or server address/, server.invitation()],
      [/^Passphrase/, PASSPHRASE],
      [/^The same again/, PASSPHRASE],
    ]) {
      await tabTo(newPage, name);
      await newPage.keyboard.insertText(text);
    }
    await pressAt(newPage, /^Restore$/);
    await newPage.getByText("Welcome back").waitFor();
    await chatRow(newPage, "Ben").waitFor();
    await chatRow(newPage, "Ben").press("Enter");
    await bubble(newPage, "The key is under the mat").waitFor();
    assert.deepEqual(newPage.complaints, []);
  } finally {
    await restored.stop();
  }
});

test("no page complained of anything", () => {
  for (const one of [page, benPage]) assert.deepEqual(one.complaints, []);
});
