// What people do every day besides talking: finding what was said, writing with marks and timers, keeping order in their chats, and being told
// of what comes.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, Server, befriend, bubble, bubbleMenu, chatRow, enter, filmOf, look, onboard, openBrowser, openChat, openPage, pressAt, rpc, say, toneFile } from "./stage.js";

const NOTES = 200;

let server, browser, ada, ben, page, benPage;
/** What the page asked its program. */
const asked = [];

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [page, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(JSON.parse(payload).method)));
  await benPage.addInitScript(standIns);
  await onboard(page, ada, server.invitation());
  await onboard(benPage, ben, server.invitation());
  await befriend(page, benPage);
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) {
    await page?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ada.png") });
    await benPage?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ben.png") });
  }
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** In a page: in place of the system's notifications and of loudspeakers, what was told and heard; whether somebody is there is said by the test;
 * and the connection to the program can be cut. */
function standIns() {
  window.sockets = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(address) {
      super(address);
      window.sockets.push(this);
    }
  };
  window.told = [];
  window.heard = 0;
  window.isAway = false;
  document.hasFocus = () => !window.isAway;
  window.Notification = class {
    static permission = "granted";
    static requestPermission = () => Promise.resolve("granted");
    constructor(title, options) {
      window.told.push({ title, body: options.body });
    }
    close() {}
  };
  const Real = window.AudioContext;
  window.AudioContext = class extends Real {
    constructor() {
      super();
      window.heard += 1;
    }
  };
}

/** The lines that are in the page: their places, and whether one says this. */
const shown = (text) =>
  page.evaluate((text) => {
    const rows = [...document.querySelectorAll("[data-line]")];
    return { rows: rows.length, has: rows.some((row) => row.querySelector(".text")?.textContent === text) };
  }, text);

/** The browser asks whether a page may hear or see, and has no answer until there is one. */
const nobodyAnswers = () =>
  page.evaluate(() => {
    delete navigator.mediaDevices.getUserMedia;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    const answer = new Promise((resolve) => (window.sayYes = resolve));
    window.given = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      if (wanted.audio !== undefined) await answer;
      const stream = await ask(wanted);
      if (wanted.audio !== undefined) window.given.push(...stream.getTracks());
      return stream;
    };
  });

async function chatMenu(one, item) {
  await one.locator(".pane-chat").getByRole("button", { name: "Chat menu" }).click();
  await one.getByRole("menuitem", { name: item, exact: true }).click();
}

test("an old message is found and shown without what lies between, and the chat goes on from there", async () => {
  const [notes] = await rpc(ada, [["chats.find", { selector: "notes" }]]);
  const note = (at) => ["messages.send", { chat: notes.id, text: at === 1 ? "The first thing of all" : `Note ${at}` }];
  await rpc(ada, Array.from({ length: NOTES }, (_, at) => note(at + 1)));
  await page.getByRole("button", { name: "New chat or contact" }).click();
  await page.getByRole("menuitem", { name: "Notes to self" }).click();
  await bubble(page, `Note ${NOTES}`).waitFor();
  await page.locator("#search").fill("first thing");
  await page.locator(".found .chat", { hasText: "The first thing of all" }).waitFor();
  asked.length = 0;
  await page.locator(".found .chat", { hasText: "The first thing of all" }).click();
  await page.locator(".line-row.marked", { hasText: "The first thing of all" }).waitFor();
  // Gone to again while it still is: it is marked for as long as if it had been the first time.
  await page.waitForTimeout(1200);
  await page.locator(".found .chat", { hasText: "The first thing of all" }).click();
  await page.waitForTimeout(800);
  assert.ok(await page.locator(".line-row.marked", { hasText: "The first thing of all" }).isVisible());
  await page.locator("#search").fill("");
  assert.ok(asked.filter((method) => method === "messages.list").length <= 3, String(asked));
  assert.ok((await shown("")).rows <= 160);
  // What comes meanwhile does not take anybody away from what they read.
  ada.command("send", "notes", "From the terminal");
  await chatRow(page, "Notes to self").locator(".chat-last", { hasText: "From the terminal" }).waitFor();
  assert.ok(await page.locator(".line-row", { hasText: "The first thing of all" }).isVisible());
  // Down to the newest by scrolling: every note once, in order.
  const seen = await page.evaluate(async () => {
    const box = document.querySelector(".lines");
    const seen = new Map();
    const texts = () => [...box.querySelectorAll("[data-line]")].map((row) => [row.dataset.line, row.querySelector(".text")?.textContent]);
    for (let turn = 0; turn < 3000; turn += 1) {
      for (const [line, text] of texts()) if (text) seen.set(line, text);
      if (seen.size > 0 && [...seen.values()].at(-1) === "From the terminal" && box.scrollHeight - box.scrollTop - box.clientHeight < 2) break;
      box.scrollTop += 600;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    return [...seen.values()];
  });
  assert.deepEqual(seen, ["The first thing of all", ...Array.from({ length: NOTES - 1 }, (_, at) => `Note ${at + 2}`), "From the terminal"]);
  // And what comes now is shown.
  ada.command("send", "notes", "While at the end");
  await bubble(page, "While at the end").waitFor();
});

test("a day of the chat is gone to, and the newest again by a button or by writing", async () => {
  const today = await page.evaluate(() => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10));
  const toToday = async () => {
    await chatMenu(page, "Go to a date");
    await page.getByLabel("Day", { exact: true }).fill(today);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.locator(".line-row.marked", { hasText: "The first thing of all" }).waitFor();
  };
  await chatMenu(page, "Go to a date");
  await look(page, "the date");
  await page.keyboard.press("Escape");
  await toToday();
  await page.getByRole("button", { name: "To the newest message" }).click();
  await bubble(page, "While at the end").waitFor();
  await page.getByRole("button", { name: "To the newest message" }).waitFor({ state: "detached" });
  await toToday();
  await say(page, "Written from far back");
  await bubble(page, "Written from far back").waitFor();
});

test("the search goes on after fifty, and is narrowed to a chat, a person, a kind, and days", async () => {
  await say(page, "Note for myself");
  await openChat(page, "Ben");
  await say(page, "Note for Ben");
  await openChat(benPage, "Ada");
  await bubble(benPage, "Note for Ben").waitFor();
  await say(benPage, "Note for Ada https://example.org/note");
  await bubble(page, "Note for Ada").waitFor();
  const found = page.locator(".found .chat");
  const finds = (count) => page.waitForFunction((count) => document.querySelectorAll(".found .chat").length === count, count);
  await page.locator("#search").fill("note");
  await found.nth(49).waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await found.nth(99).waitFor();
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await look(page, "the filter of the search");
  await page.getByLabel("In the chat").selectOption({ label: "Ben" });
  await finds(2);
  await page.getByLabel("Written by").selectOption({ label: "Ben" });
  await finds(1);
  await found.filter({ hasText: "Note for Ada" }).waitFor();
  await page.getByLabel("Written by").selectOption({ label: "You" });
  await found.filter({ hasText: "Note for Ben" }).waitFor();
  await page.getByLabel("Written by").selectOption("");
  await page.getByRole("combobox", { name: "What", exact: true }).selectOption({ label: "Links" });
  await finds(1);
  await page.getByRole("combobox", { name: "What", exact: true }).selectOption({ label: "Photos" });
  await page.getByText("Nothing found").waitFor();
  await page.getByRole("combobox", { name: "What", exact: true }).selectOption("");
  await finds(2);
  await page.getByLabel("Up to this day").fill("2020-01-01");
  await page.getByText("Nothing found").waitFor();
  await page.getByLabel("Up to this day").fill("");
  await page.getByLabel("From this day").fill("2020-01-01");
  await finds(2);
  await page.getByRole("button", { name: "Remove the filter" }).click();
  await found.nth(49).waitFor();
  await page.locator("#search").press("Escape");
  await found.first().waitFor({ state: "detached" });
  await chatMenu(page, "Search in this chat");
  await finds(2);
  await page.keyboard.press("Escape");
});

test("marks are set with keys, and shown as what they mean", async () => {
  const field = page.locator("#compose");
  await field.fill("bold italic struck code");
  const select = (word) => field.evaluate((area, word) => area.setSelectionRange(area.value.indexOf(word), area.value.indexOf(word) + word.length), word);
  for (const [word, keys] of [
    ["bold", "Control+b"],
    ["italic", "Control+i"],
    ["struck", "Control+Shift+x"],
    ["code", "Control+e"],
  ]) {
    await field.focus();
    await select(word);
    await page.keyboard.press(keys);
  }
  assert.equal(await field.inputValue(), "**bold** _italic_ ~~struck~~ `code`");
  await select("italic");
  await page.keyboard.press("Control+i");
  assert.equal(await field.inputValue(), "**bold** italic ~~struck~~ `code`");
  await page.keyboard.press("Control+i");
  await page.keyboard.press("Enter");
  const text = bubble(benPage, "bold italic struck code").locator(".text");
  await text.waitFor();
  for (const [element, word] of Object.entries({ strong: "bold", em: "italic", s: "struck", code: "code" })) {
    assert.equal(await text.locator(element).textContent(), word);
  }
});

test("who is writing is shown while they do, and their draft waits where they left it", async () => {
  await page.locator("#compose").pressSequentially("Half a thou");
  // It is told every four seconds at most, and was with the message before.
  const sign = benPage.locator(".chat-below", { hasText: "typing…" });
  for (let turn = 0; turn < 100 && !(await sign.isVisible()); turn += 1) {
    await page.locator("#compose").press("u");
    await page.locator("#compose").press("Backspace");
    await page.waitForTimeout(200);
  }
  await sign.waitFor();
  await page.locator("#compose").press("Shift+Enter");
  await page.locator("#compose").pressSequentially("ght");
  await openChat(page, "Notes to self");
  await chatRow(page, "Ben").getByText("Draft:").waitFor();
  await chatRow(page, "Ben").getByText("Half a thou").waitFor();
  await openChat(page, "Ben");
  assert.equal(await page.locator("#compose").inputValue(), "Half a thou\nght");
  await page.keyboard.press("Enter");
  await bubble(benPage, "Half a thou").waitFor();
  // It goes with what was written.
  await sign.waitFor({ state: "detached" });
  await openChat(page, "Notes to self");
  await chatRow(page, "Ben").locator(".chat-last", { hasText: "Half a thou" }).waitFor();
  assert.equal(await page.getByText("Draft:").count(), 0);
  await openChat(page, "Ben");
});

test("what comes is counted, told without its words, and not heard, unless that is wanted", async () => {
  const icon = () => benPage.locator("link[rel=icon]").evaluate((link) => new URL(link.href).pathname);
  const told = () => benPage.evaluate(() => window.told);
  const heard = () => benPage.evaluate(() => window.heard);
  const comes = async (text, count) => {
    await say(page, text);
    await chatRow(benPage, "Ada").getByRole("img", { name: count === 1 ? "1 unread message" : `${count} unread messages` }).waitFor();
  };
  // What was said before is read by now.
  await benPage.waitForFunction(() => document.title === "Undertone");
  await benPage.keyboard.press("Escape");
  await benPage.locator(".pane-chat.nothing").waitFor();
  assert.equal(await icon(), "/assets/icon.svg");
  await benPage.evaluate(() => (window.isAway = true));
  await comes("The garden gate at nine", 1);
  assert.equal(await benPage.title(), "(1) Undertone");
  assert.equal(await icon(), "/assets/icon-unread-1.svg");
  assert.match(await benPage.evaluate(async (icon) => (await fetch(icon)).text(), await icon()), />1</);
  assert.deepEqual([await told(), await heard()], [[], 0], "nothing of it unless somebody wants it");
  await benPage.keyboard.press("Alt+s");
  await benPage.getByRole("switch", { name: "Tell me about new messages" }).click();
  await comes("Bring the key", 2);
  assert.equal(await icon(), "/assets/icon-unread-2.svg");
  await benPage.waitForFunction(() => window.told.length === 1);
  const [first] = await told();
  assert.doesNotMatch(JSON.stringify(first), /Ada|key|gate/);
  assert.equal(await heard(), 0);
  await benPage.getByRole("switch", { name: "Show who wrote and what" }).click();
  await benPage.getByRole("switch", { name: "Play a sound" }).click();
  // Whoever turns it on hears what it is.
  await benPage.waitForFunction(() => window.heard === 1);
  await comes("And a lamp", 3);
  await benPage.waitForFunction(() => window.told.length === 2);
  assert.deepEqual((await told())[1], { title: "Ada", body: "And a lamp" });
  // What has no words of its own is told as the list of chats tells it.
  ada.command("send", "Ben", "--location", "52.3702,4.8952");
  await benPage.waitForFunction(() => window.told.length === 3);
  assert.match((await told())[2].body, /^Place .*52/);
  for (const name of ["Show who wrote and what", "Play a sound", "Tell me about new messages"]) await benPage.getByRole("switch", { name }).click();
  await benPage.keyboard.press("Escape");
  await benPage.evaluate(() => (window.isAway = false));
  await openChat(benPage, "Ada");
  await benPage.waitForFunction(() => document.title === "Undertone");
  assert.equal(await icon(), "/assets/icon.svg");
});

test("a chat is muted, kept at the top, archived and brought back from its menu", async () => {
  const row = chatRow(benPage, "Ada");
  const choose = async (item) => {
    await row.click({ button: "right" });
    await benPage.getByRole("menuitem", { name: item, exact: true }).click();
  };
  await benPage.keyboard.press("Escape");
  await row.click({ button: "right" });
  await benPage.getByRole("menu").waitFor();
  await look(benPage, "the menu of a chat");
  await benPage.keyboard.press("Escape");
  await choose("Mute");
  await row.getByRole("img", { name: "Muted" }).waitFor();
  await say(page, "Nobody is told of this");
  await row.getByRole("img", { name: "1 unread message" }).waitFor();
  assert.equal(await benPage.title(), "Undertone");
  await choose("Unmute");
  await benPage.waitForFunction(() => document.title === "(1) Undertone");
  ben.command("send", "notes", "Newer than the chat with Ada");
  await chatRow(benPage, "Notes to self").waitFor();
  await choose("Keep at the top");
  await row.getByRole("img", { name: "Kept at the top" }).waitFor();
  assert.match(await benPage.locator(".chats .chat").first().textContent(), /Ada/);
  await choose("Don't keep at the top");
  await benPage.waitForFunction(() => /Newer/.test(document.querySelector(".chats .chat").textContent));
  await choose("Archive");
  await row.waitFor({ state: "detached" });
  await benPage.getByRole("button", { name: "1 archived chat" }).click();
  await row.waitFor();
  await look(benPage, "the archive");
  await choose("Back from the archive");
  await benPage.getByRole("button", { name: /archived/ }).waitFor({ state: "detached" });
  await openChat(benPage, "Ada");
});

test("a message is pinned for both, and found by its pin", async () => {
  await bubbleMenu(page, "Note for Ben", "Pin for everybody");
  await bubble(benPage, "Note for Ben").getByRole("img", { name: "Pinned message" }).waitFor();
  await benPage.keyboard.press("Alt+i");
  const pinned = benPage.locator(".pane-details section", { has: benPage.getByRole("heading", { name: "Pinned messages" }) });
  await pinned.getByRole("button", { name: /Note for Ben/ }).click();
  await benPage.locator(".line-row.marked", { hasText: "Note for Ben" }).waitFor();
  await bubbleMenu(page, "Note for Ben", "Unpin");
  await pinned.waitFor({ state: "detached" });
  await benPage.keyboard.press("Alt+i");
});

test("a connection to the program that is lost comes back by itself, and nothing is missed", async () => {
  await benPage.locator("#compose").fill("Half a thought");
  await benPage.evaluate(() => {
    window.sameDocument = true;
    for (const socket of window.sockets) socket.close();
  });
  await say(page, "While nobody listened");
  await bubble(benPage, "While nobody listened").waitFor();
  assert.equal(await benPage.locator("#compose").inputValue(), "Half a thought");
  await say(benPage, "Heard all the same");
  await bubble(page, "Heard all the same").waitFor();
  assert.ok(await benPage.evaluate(() => window.sameDocument && window.sockets.length > 1));
});

/** A picture of one colour, as the clipboard or somebody's files have it. */
const picture = (one, colour) =>
  one.evaluate(async (colour) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 64, 64);
    return canvas.toDataURL("image/png").split(",")[1];
  }, colour);

async function send(one) {
  await one.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await one.getByRole("button", { name: "Send", exact: true }).click();
  await one.locator(".picked").waitFor({ state: "detached" });
}

test("pictures are pasted, come as an album, and stand in the gallery", async () => {
  ben.command("downloads", "--up-to", "12");
  for (const colour of ["red", "blue"]) {
    const base64 = await picture(page, colour);
    await page.locator("#compose").evaluate((field, base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, base64);
  }
  await page.locator(".picked-one img").nth(1).waitFor();
  await look(page, "picked pictures");
  await send(page);
  // Only what is in view is fetched.
  await benPage.locator(".photos.album").scrollIntoViewIfNeeded();
  await benPage.locator(".photos.album .photo-whole.shown").nth(1).waitFor();
  await benPage.keyboard.press("Alt+i");
  await benPage.locator(".gallery button").nth(1).waitFor();
  await look(benPage, "the details with a gallery");
  await pressAt(benPage, /^Show Photo/);
  await benPage.locator(".picture img").waitFor();
  await look(benPage, "a picture");
  await benPage.keyboard.press("Escape");
  ben.command("downloads", "--up-to", "0");
});

test("a voice message is sought in, and played faster", async () => {
  await page.locator("#files").setInputFiles(toneFile(ada.folder));
  await page.locator(".picked-one", { hasText: "tone.wav" }).waitFor();
  await send(page);
  const memo = benPage.locator(".memo").last();
  await memo.getByRole("button", { name: "Speed 1" }).click();
  await memo.getByRole("button", { name: "Speed 1.5" }).click();
  await memo.getByRole("button", { name: "Speed 2" }).waitFor();
  await memo.getByRole("button", { name: "Play" }).click();
  await benPage.waitForFunction(() => document.querySelector(".memo audio")?.currentTime > 0);
  assert.equal(await memo.locator("audio").evaluate((audio) => audio.playbackRate), 2);
  await memo.getByRole("button", { name: "Speed 2" }).click();
  assert.equal(await memo.locator("audio").evaluate((audio) => audio.playbackRate), 1);
  await memo.locator("audio").evaluate((audio) => audio.pause());
  await memo.getByRole("slider", { name: "Position in the recording" }).fill("1000");
  await benPage.waitForFunction(() => Math.abs(document.querySelector(".memo audio").currentTime - 1) < 0.01);
  // It is among the files of the chat, too.
  await benPage.locator(".pane-details .kept button", { hasText: "Voice message" }).waitFor();
  await benPage.keyboard.press("Alt+i");
});

test("whoever goes away while the browser asks leaves no microphone and no camera on", async () => {
  const microphone = page.getByRole("button", { name: "Hold to record a voice message" });
  const recording = page.getByRole("button", { name: "Record video" });
  for (const [begin, leave] of [
    [() => microphone.press("Enter"), () => openChat(page, "Notes to self")],
    [
      async () => {
        await page.getByRole("button", { name: "Take a photo" }).click();
        await recording.and(page.locator(":enabled")).waitFor();
        await nobodyAnswers();
        await recording.click();
      },
      () => page.keyboard.press("Escape"),
    ],
  ]) {
    await openChat(page, "Ben");
    await nobodyAnswers();
    await begin();
    await leave();
    await recording.waitFor({ state: "detached" });
    await page.evaluate(() => window.sayYes());
    await page.waitForFunction(() => window.given.length > 0 && window.given.every((track) => track.readyState === "ended"));
    await page.evaluate(() => delete navigator.mediaDevices.getUserMedia);
  }
  await openChat(page, "Ben");
});

test("a picture that may be opened once is opened once", async () => {
  const file = path.join(ada.folder, "once.png");
  writeFileSync(file, Buffer.from(await picture(page, "green"), "base64"));
  await page.locator("#files").setInputFiles(file);
  await page.getByRole("checkbox", { name: "Can be opened once" }).check();
  await send(page);
  const row = benPage.locator(".file-row", { hasText: "Can be opened once" });
  await row.getByRole("button").click();
  await benPage.locator(".picture img").waitFor();
  assert.equal(await benPage.getByRole("button", { name: /^Save/ }).and(benPage.locator("dialog button")).count(), 0);
  await benPage.keyboard.press("Escape");
  await benPage.locator(".bubble").getByText("Was opened, and is gone").waitFor();
  assert.equal(await row.count(), 0);
});

test("a message is given a timer of its own, and the next one has none", async () => {
  await page.getByRole("button", { name: "Contact or place" }).click();
  await page.getByRole("menuitem", { name: "Timer for this message" }).click();
  await page.getByRole("menu", { name: "Timer for this message" }).waitFor();
  await look(page, "the choice of a timer");
  await page.getByRole("menuitem", { name: "1 week" }).click();
  await page.getByText("Disappears 1 week after it was read").waitFor();
  await page.getByRole("button", { name: "Remove the timer" }).click();
  await page.getByText("Disappears 1 week after it was read").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Contact or place" }).press("Enter");
  await page.getByRole("menuitem", { name: "Timer for this message" }).press("Enter");
  await page.getByRole("menuitem", { name: "1 hour" }).press("Enter");
  await page.keyboard.type("For an hour");
  await page.keyboard.press("Enter");
  await bubble(benPage, "For an hour").locator(".meta-timer").waitFor();
  await say(page, "For good");
  await bubble(benPage, "For good").waitFor();
  assert.equal(await bubble(benPage, "For good").locator(".meta-timer").count(), 0);
});

test("a contact is verified by scanning the code on their screen", async () => {
  await page.locator(".chat-title").click();
  await page.locator("dialog .qr-dark").waitFor();
  const film = await filmOf(page, page.locator("dialog svg.qr"), path.join(ben.folder, "screen.mjpeg"));
  await page.keyboard.press("Escape");
  const withCamera = await openBrowser(film);
  try {
    ben.again();
    const other = await openPage(withCamera, ben);
    await enter(other, ben);
    await openChat(other, "Ada");
    await other.locator(".chat-title").click();
    await other.getByRole("button", { name: "Scan their code" }).click();
    await other.getByText("The codes fit: Ada is verified.").waitFor();
    await benPage.locator(".chat-below.verified").waitFor();
    assert.deepEqual(other.complaints, []);
  } finally {
    await withCamera.close();
  }
  // A camera that sees no code goes on looking.
  await page.locator(".chat-title").click();
  await page.getByRole("button", { name: "Scan their code" }).click();
  await page.waitForFunction(() => document.querySelector(".scanner video")?.videoWidth > 0);
  await look(page, "the scanner");
  await page.keyboard.press("Escape");
});

test("a contact is verified, that is withdrawn, and who is blocked can't write", async () => {
  await page.locator(".chat-title").click();
  const sheet = page.getByRole("dialog");
  await sheet.getByRole("button", { name: "They are the same" }).click();
  await sheet.getByRole("button", { name: "No longer verified" }).waitFor();
  await page.locator(".chat-below.verified").waitFor();
  assert.ok(ada.command("contacts").find((one) => one.name === "Ben").verified);
  await sheet.getByRole("button", { name: "No longer verified" }).click();
  await sheet.getByRole("button", { name: "They are the same" }).waitFor();
  await sheet.getByLabel("Read receipts with this person").selectOption({ label: "Off" });
  await sheet.getByRole("button", { name: "Block", exact: true }).click();
  await sheet.getByRole("button", { name: "Unblock" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("You have blocked this contact.").waitFor();
  await look(page, "a chat with somebody blocked");
  await page.locator(".chat-title").click();
  assert.equal(await sheet.getByLabel("Read receipts with this person").inputValue(), "off");
  await sheet.getByRole("button", { name: "Unblock" }).click();
  await sheet.getByRole("button", { name: "Block", exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#compose").waitFor();
  await say(page, "Welcome back");
  await bubble(benPage, "Welcome back").waitFor();
});

test("words of somebody with one's own name are not shown as one's own", async () => {
  ben.command("profile", "--name", "Ada");
  await page.locator(".chat-title strong", { hasText: "Ada" }).waitFor();
  await say(benPage, "I never said this");
  for (const [text, by] of [
    ["I never said this", "Ada"],
    ["Welcome back", "You"],
  ]) {
    await bubbleMenu(page, text, "Reply");
    await say(page, `About: ${text}`);
    await bubble(page, `About: ${text}`).locator(".quote strong", { hasText: new RegExp(`^${by}$`) }).waitFor();
  }
});

test("no page complained of anything", () => {
  for (const one of [page, benPage]) assert.deepEqual(one.complaints, []);
});
