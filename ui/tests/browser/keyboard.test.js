// What is done with the keyboard alone beside an account and a conversation: pictures from the camera, files, cards and places, passing on, looking
// through a chat's files, and coming back from a backup.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  App,
  PASSPHRASE,
  Server,
  attachAt,
  befriend,
  bubble,
  chatRow,
  chooseAt,
  chooseItem,
  lineMenuAt,
  look,
  onboard,
  openAt,
  openBrowser,
  openPage,
  pressAt,
  redSquare,
  rpc,
  tabTo,
  typeAt,
} from "./stage.js";

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

/** Whether there is still a picture at an address of the page's own. */
const canBePainted = (one, address) =>
  one.evaluate(
    (address) =>
      new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve(true);
        image.onerror = () => resolve(false);
        image.src = address;
      }),
    address,
  );

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
  const picked = await page.locator(".picked-one img").evaluate((image) => image.src);
  assert.match(picked, /^blob:/);
  assert.equal(await canBePainted(page, picked), true);
  // The words that go with it are written at once.
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await focused(page), /^Message to Ben/);
  await page.keyboard.type("From the window");
  await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await page.keyboard.press("Enter");
  await bubble(benPage, "From the window").locator(".photo-whole.shown").waitFor();
  // What was shown of it before it went is let go of.
  assert.equal(await canBePainted(page, picked), false);
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
  await look(benPage, "a video that plays");
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
  await tabTo(one, /^Chat menu$/);
  const way = [];
  for (;;) {
    await one.keyboard.press("Tab");
    const here = await one.evaluate(() => {
      const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
      return document.activeElement.closest(".compose-row") === null ? null : { left, right, top, bottom };
    });
    if (here !== null) way.push(here);
    else if (way.length > 0) return way;
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
    await typeAt(page, /^Message to Ben/, "x");
    await page.keyboard.press("Backspace");
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
  await typeAt(page, /^Message to Ben/, "Some more words than there is room for in a line of a phone");
  const height = await compose.evaluate((field) => field.clientHeight);
  await page.setViewportSize({ width: 1280, height: 820 });
  await page.waitForFunction((before) => document.querySelector("#compose").clientHeight < before, height);
  await typeAt(page, /^Message to Ben/, " ");
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
  await chooseItem(page, "Forward");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("self");
  await pressAt(page, /^Notes to self$/);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // Back where it began.
  assert.ok(await page.evaluate(() => document.activeElement.matches(".line-focus")));
  await page.locator("[role=status]", { hasText: "Notes to self" }).first().waitFor();
  await chatRow(page, "Notes to self").getByText("The key is under the mat").waitFor();
});

test("a chat and its pictures are looked through as far back as they go", async () => {
  const square = await redSquare(page);
  const [{ id: chat }] = await rpc(ada, [["chats.find", { selector: "notes" }]]);
  const messages = Array.from({ length: PICTURES }, (_, at) => {
    const file = path.join(ada.folder, `${at}.png`);
    writeFileSync(file, square);
    return ["messages.send", { chat, attachments: [{ path: file, keep_metadata: false }] }];
  });
  await rpc(ada, messages);
  await pressAt(page, /^Notes to self/, "Enter", ".chats");
  await page.locator(".chat-title strong", { hasText: "Notes to self" }).waitFor();
  await page.locator(".lines .photo").first().waitFor();
  await page.keyboard.press("Alt+m");
  for (let turn = 0; turn < 100 && !/Something to begin with/.test(await focused(page)); turn += 1) {
    await page.keyboard.press("Home");
    await page.waitForTimeout(100);
  }
  await page.getByText("Only the people in it can read what is said here.").waitFor();
  await page.keyboard.press("Alt+i");
  const shown = (count) => page.waitForFunction((count) => document.querySelectorAll(".gallery button").length === count, count);
  await shown(60);
  await pressAt(page, /^Earlier photos$/);
  await shown(PICTURES);
  await page.getByRole("button", { name: "Earlier photos" }).waitFor({ state: "detached" });
  // What comes now is added to it, and nothing is lost.
  await rpc(ada, [messages[0]]);
  await shown(PICTURES + 1);
  await pressAt(page, /^Show Photo/, "Enter", ".gallery");
  await page.locator(".picture img").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
});

test("a contact is verified by the safety number, and that is withdrawn", async () => {
  await page.keyboard.press("Escape");
  await pressAt(page, /^BBen/, "Enter", ".chats");
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

test("a contact card and a place are sent", async () => {
  const share = async (item) => {
    await pressAt(page, /^Contact or place/);
    await chooseItem(page, item);
    await page.getByRole("dialog").waitFor();
  };
  await openAt(benPage, "Ada");
  await share("Contact card");
  await pressAt(page, /^BBen$/, "Enter", "dialog");
  await pressAt(page, /^Send$/, "Enter", "dialog");
  await benPage.locator(".card", { hasText: "This is you." }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await share("Place");
  await page.keyboard.type("somewhere");
  await page.keyboard.press("Enter");
  await page.getByText("Give two numbers").waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("52.3702, 4.8952");
  await page.keyboard.press("Enter");
  await benPage.locator(".place", { hasText: "52.3702, 4.8952" }).waitFor();
  // Whoever sent it goes on writing.
  await page.waitForFunction(() => document.activeElement?.id === "compose");
});

test("a file goes with marked words and a timer of their own, and is deleted for everyone", async () => {
  const file = path.join(ada.folder, "seats.txt");
  writeFileSync(file, "Four in a row");
  await attachAt(page, file);
  await page.locator(".picked-one", { hasText: "seats.txt" }).waitFor();
  await pressAt(page, /^Contact or place/);
  await chooseItem(page, "Timer for this message");
  await page.getByRole("menu", { name: "Timer for this message" }).waitFor();
  await chooseItem(page, "1 hour");
  await page.getByText("Disappears 1 hour after it was read").waitFor();
  await page.keyboard.type("The seats");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+b");
  await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await page.keyboard.press("Enter");
  const come = bubble(benPage, "The seats");
  await come.locator("strong", { hasText: "The seats" }).waitFor();
  await come.locator(".meta-timer").waitFor();
  await come.locator(".file-row", { hasText: "seats.txt" }).waitFor();
  await lineMenuAt(page, "The seats", "Delete");
  await pressAt(page, /^Delete for everyone$/, "Enter", "dialog");
  await come.waitFor({ state: "detached" });
  await bubble(benPage, "This message was deleted.").waitFor();
});

test("a chat is exported", async () => {
  const folder = path.join(ada.folder, "the chat with Ben");
  await pressAt(page, /^Chat menu$/);
  await chooseItem(page, "Export");
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

test("the lists of who is blocked and of what was recorded are used in the settings", async () => {
  await page.keyboard.press("Alt+s");
  await page.getByRole("heading", { name: "Records you kept" }).waitFor();
  await look(page, "the settings with somebody blocked and a record");
  await pressAt(page, /^Unblock$/);
  await page.getByRole("button", { name: "Unblock" }).waitFor({ state: "detached" });
  await pressAt(page, /^Delete the record of Cleo$/);
  await page.getByRole("heading", { name: "Records you kept" }).waitFor({ state: "detached" });
  assert.equal(ada.command("report", "list").length, 0);
  await page.keyboard.press("Escape");
});

test("what a message said before is read, and several are picked and copied", async () => {
  await pressAt(page, /^BBen/, "Enter", ".chats");
  await page.locator(".chat-title strong", { hasText: "Ben" }).waitFor();
  await typeAt(page, /^Message to Ben/, "We meet at ten");
  await page.keyboard.press("Enter");
  await bubble(page, "We meet at ten").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator(".about").waitFor();
  await page.keyboard.type(" or so");
  await page.keyboard.press("Enter");
  await bubble(page, "We meet at ten or so").waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await chooseItem(page, "Info");
  await page.getByRole("dialog").locator(".versions", { hasText: "We meet at ten" }).waitFor();
  await look(page, "what a message said before");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await chooseItem(page, "Select");
  await page.getByText("1 message selected").waitFor();
  await pressAt(page, /^Select.*The key is under the mat/, "Space");
  await page.getByText("2 messages selected").waitFor();
  await pressAt(page, /^Copy texts$/);
  await page.locator(".selection-bar").waitFor({ state: "detached" });
  await typeAt(page, /^Message to Ben/, " ");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+v");
  assert.equal(await page.locator("#compose").inputValue(), "You: The key is under the mat\nYou: We meet at ten or so");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Backspace");
});

test("what is searched for is narrowed, and a day of the chat gone to", async () => {
  await page.keyboard.press("Control+k");
  await page.keyboard.type("the");
  await pressAt(page, /^Filter$/);
  await chooseAt(page, /^In the chat/, "Ben");
  await chooseAt(page, /^Written by/, "You");
  await page.locator(".found .chat", { hasText: "The key is under the mat" }).waitFor();
  assert.equal(await page.locator(".found .chat", { hasText: "Notes to self" }).count(), 0);
  await pressAt(page, /^Remove the filter$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Escape");
  await page.locator(".found").waitFor({ state: "detached" });
  await pressAt(page, /^Chat menu$/);
  await chooseItem(page, "Go to a date");
  await tabTo(page, /^Day$/);
  const [year, month, day] = await page.evaluate(() => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10).split("-"));
  const typed = () => page.evaluate(() => document.activeElement.value);
  // The parts stand as the browser's own language has them.
  for (const parts of [
    [month, day, year],
    [day, month, year],
  ]) {
    for (let turn = 0; turn < 3; turn += 1) await page.keyboard.press("ArrowLeft");
    await page.keyboard.type(parts.join(""));
    if ((await typed()) === [year, month, day].join("-")) break;
  }
  assert.equal(await typed(), [year, month, day].join("-"));
  await pressAt(page, /^Show$/);
  await page.locator(".line-row.marked").waitFor();
});

test("a chat is put away and brought back, and given a timer", async () => {
  await pressAt(page, /^Chat menu$/);
  await chooseItem(page, "Archive");
  await chatRow(page, "Ben").waitFor({ state: "detached" });
  await pressAt(page, /^1 archived chat$/);
  await tabTo(page, /^BBen/, ".chats");
  await page.keyboard.press("Shift+F10");
  await chooseItem(page, "Back from the archive");
  await page.getByRole("button", { name: /archived/ }).waitFor({ state: "detached" });
  await page.keyboard.press("Alt+i");
  await chooseAt(page, /^Disappearing messages/, "1 day");
  await page.locator(".chat-head").getByRole("img", { name: "Messages disappear after 1 day" }).waitFor();
  await chooseAt(page, /^Disappearing messages/, "Off");
  await page.locator(".head-timer").waitFor({ state: "detached" });
  await page.keyboard.press("Alt+i");
});

test("a name and a picture are chosen, and what is told, shown and dialled is set", async () => {
  const picture = path.join(ada.folder, "me.png");
  writeFileSync(picture, await redSquare(page));
  await page.keyboard.press("Alt+s");
  const sheet = page.getByRole("dialog");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), pressAt(page, /^Choose a picture$/)]);
  await chooser.setFiles(picture);
  await sheet.locator(".avatar.large img").waitFor();
  await pressAt(page, /^Remove the picture$/);
  await sheet.locator(".avatar.large img").waitFor({ state: "detached" });
  await pressAt(page, /^Change your name$/);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Adele");
  await page.keyboard.press("Enter");
  await chatRow(benPage, "Adele").waitFor();
  for (const name of ["Show that you are typing", "Tell me about new messages", "Show who wrote and what"]) {
    const setting = page.getByRole("switch", { name });
    const before = await setting.isChecked();
    for (const next of [!before, before]) {
      await pressAt(page, new RegExp(`^${name}`), "Space");
      await setting.and(page.locator(next ? ":checked" : ":not(:checked)")).waitFor();
    }
  }
  await typeAt(page, /^SOCKS5 proxy/, "somewhere");
  await pressAt(page, /^Connect this way$/);
  await sheet.getByRole("alert").filter({ hasText: "A proxy is given as host:port." }).waitFor();
  await page.keyboard.press("Escape");
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
    await pressAt(newPage, /^BBen/, "Enter", ".chats");
    await bubble(newPage, "The key is under the mat").waitFor();
    assert.deepEqual(newPage.complaints, []);
  } finally {
    await restored.stop();
  }
});

test("no page complained of anything", () => {
  for (const one of [page, benPage]) assert.deepEqual(one.complaints, []);
});
