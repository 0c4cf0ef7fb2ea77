// The main ways in Firefox, with somebody in Chromium on the other side.

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { openFirefox, openFirefoxPage } from "./firefox.js";
import { FORBIDDEN, HARMLESS, corpus, hostileMessages, lookAtEveryLine, payloads, seen, words } from "./hostile.js";
import { App, PASSPHRASE, Server, befriend, bubble, bubbleMenu, chatRow, enter, heard, onboard, openBrowser, openChat, openPage, redSquare, rpc, say, speak, statusOf, temporary } from "./stage.js";

/** Long enough for more than a dozen attempts; what the page lets pass between two of them, and a little. */
const [AWAY_MS, SOON_MS] = [45_000, 7_000];

let server, firefox, chromium, ada, ben, page, benPage, downloads;

before(async () => {
  downloads = await temporary("downloads");
  [server, firefox, chromium, ada, ben] = await Promise.all([Server.start(), openFirefox(downloads), openBrowser(), App.start("Ada"), App.start("Ben")]);
  [page, benPage] = await Promise.all([openFirefoxPage(firefox), openPage(chromium, ben)]);
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) await page?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "firefox.png") });
  await Promise.all([firefox?.close(), chromium?.close()]);
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
  rmSync(downloads, { recursive: true, force: true });
});

test("somebody makes an account in Firefox, and a contact by a link", async () => {
  await Promise.all([onboard(page, ada, server.invitation()), onboard(benPage, ben, server.invitation())]);
  await befriend(page, benPage);
  await Promise.all([openChat(page, "Ben"), openChat(benPage, "Ada")]);
});

test("text goes both ways, and its state is told", async () => {
  await say(page, "Good morning");
  await bubble(benPage, "Good morning").waitFor();
  await say(benPage, "Hello Ada");
  await bubble(page, "Hello Ada").waitFor();
  await page.locator(".mine [data-state='state.read'], .mine [data-state='state.delivered']").first().waitFor();
});

test("a reply quotes, a reaction stands, an edit shows, a deleted message is gone", async () => {
  await bubbleMenu(page, "Hello Ada", "Reply");
  await say(page, "Hello indeed");
  await bubble(benPage, "Hello indeed").locator(".quote").getByText("Hello Ada").waitFor();
  await bubbleMenu(page, "Hello Ada", "React 👍");
  await benPage.locator(".reaction", { hasText: "👍" }).waitFor();
  await bubbleMenu(page, "Good morning", "Edit");
  await page.locator("#compose").fill("Good evening");
  await page.keyboard.press("Enter");
  await bubble(benPage, "Good evening").locator(".edited").waitFor();
  await bubble(page, "Good evening").locator(".edited").click();
  await page.getByRole("dialog").getByText("Good morning").waitFor();
  await page.keyboard.press("Escape");
  await say(page, "Take this back");
  await bubble(benPage, "Take this back").waitFor();
  await bubbleMenu(page, "Take this back", "Delete");
  await page.getByRole("button", { name: "Delete for everyone" }).click();
  await bubble(benPage, "This message was deleted.").waitFor();
  await bubble(page, "This message was deleted.").waitFor();
});

test("a file that is dropped arrives byte for byte, and one that comes is saved", async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 251));
  await page.evaluate((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (one) => one.charCodeAt(0))], "plan.bin"));
    document.querySelector(".pane-chat").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, bytes.toString("base64"));
  await page.locator(".picked-one", { hasText: "plan.bin" }).waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  const [download] = await Promise.all([benPage.waitForEvent("download"), benPage.getByRole("button", { name: "Save plan.bin" }).click()]);
  const saved = path.join(ben.folder, "saved.bin");
  await download.saveAs(saved);
  assert.ok(readFileSync(saved).equals(bytes));
  ben.command("send", "Ada", "And back", "--attach", saved);
  await page.getByRole("button", { name: "Save saved.bin" }).click();
  const here = path.join(downloads, "saved.bin");
  await page.waitFor(() => existsSync(here) && readFileSync(here).equals(bytes));
});

test("a picture that is picked is painted whole on both sides", async () => {
  for (const one of [ada, ben]) one.command("downloads", "--up-to", "12");
  const picture = path.join(ada.folder, "red.png");
  writeFileSync(picture, await redSquare(page));
  await page.locator(".composer input[type=file]").setInputFiles(picture);
  await page.locator(".picked-one img").waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  for (const one of [page, benPage]) {
    const photo = one.locator(".photo-whole.shown").last();
    await photo.waitFor();
    assert.equal(await photo.evaluate((image) => image.naturalWidth), 400);
  }
});

/** The newest voice message says before it is played how long it is, plays to its end, and was no longer or shorter. */
async function hear(one) {
  const memo = one.locator(".memo").last();
  await memo.waitFor();
  assert.match(await memo.locator(".memo-time").textContent(), /0:0[2-5]/);
  const told = (await memo.locator("input[type=range]").evaluate((range) => Number(range.max))) / 1000;
  await memo.getByRole("button", { name: "Play" }).click();
  // Where there is no loudspeaker, Firefox plays as quickly as it can.
  await one.waitForFunction(() => [...document.querySelectorAll(".memo")].at(-1).querySelector("audio")?.ended === true);
  await memo.getByRole("button", { name: "Play" }).waitFor();
  const [seconds, played] = await memo.locator("audio").evaluate((audio) => [audio.duration, audio.played.end(0) - audio.played.start(0)]);
  const sound = await heard(one);
  const all = JSON.stringify({ told, seconds, played, ...sound });
  assert.ok(seconds > 2 && [told, played, sound.seconds].every((other) => Math.abs(other - seconds) < 0.15), all);
  assert.ok(sound.tone > 0.002 && sound.tone > 8 * sound.other, all);
}

test("a voice message recorded in Firefox has its length and its sound in both browsers", async () => {
  await speak(page);
  await Promise.all([hear(page), hear(benPage)]);
});

test("a voice message recorded in Chromium has its length and its sound in Firefox", async () => {
  await speak(benPage);
  await page.locator(".memo").nth(1).waitFor();
  await hear(page);
});

test("hostile texts and names of files run nothing and break nothing in Firefox either", async () => {
  const [chat] = await rpc(ben, [["chats.find", { selector: "Ada" }]]);
  const texts = payloads();
  const messages = hostileMessages(chat.id, corpus(), path.join(ben.folder, "hostile")).filter(({ text }) => texts.includes(text));
  assert.equal(messages.length, 40);
  const sent = await rpc(ben, messages.map((message) => ["messages.send", message]));
  const [{ id }] = await rpc(ada, [["chats.find", { selector: "Ben" }]]);
  let come = [];
  while (!sent.every(({ message }) => come.some((line) => line.id === message))) [come] = await rpc(ada, [["messages.list", { chat: id, limit: 500 }]]);
  const { read, ...found } = await page.evaluate(lookAtEveryLine, [come.at(-1).local_id, FORBIDDEN]);
  assert.deepEqual(found, HARMLESS);
  const names = new Map(read);
  for (const [at, { attachments }] of messages.entries()) {
    const line = come.find((one) => one.id === sent[at].message);
    assert.deepEqual(names.get(line.local_id).names, [seen(line.attachments[0].name)]);
    assert.equal(words(seen(line.attachments[0].name)), words(attachments[0].name));
  }
});

test("locking takes everything from the page; unlocking brings it back", async () => {
  const address = await page.locator(".memo audio").last().evaluate((audio) => audio.src);
  await page.keyboard.press("Control+Shift+L");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  assert.doesNotMatch(await page.evaluate(() => document.body.innerHTML), /Ben|Good evening/);
  assert.notEqual(await statusOf(page, address), 200);
  await page.waitForFunction(async (url) => (await fetch(url).catch(() => null))?.status === 404, address);
  await page.getByLabel("Passphrase").fill("not the passphrase");
  await page.keyboard.press("Enter");
  await page.getByText("Wrong passphrase.").waitFor();
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await openChat(page, "Ben");
  await bubble(page, "Good evening").waitFor();
});

test("the page sees soon that another program is where its own was, and asks for nothing; a fresh one opens", async () => {
  await ada.end("SIGKILL");
  await page.locator(".banner").waitFor();
  await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
  await ada.run(["--port", new URL(ada.address).port]);
  const from = performance.now();
  await page.waitForFunction(() => document.querySelector("h1")?.textContent === "Undertone has ended");
  const waited = performance.now() - from;
  assert.ok(waited < SOON_MS, `${waited} ms`);
  assert.equal(await page.evaluate(() => document.querySelectorAll("input").length), 0);
  await enter(page, ada);
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await openChat(page, "Ben");
  await bubble(page, "Good evening").waitFor();
});

test("no string becomes markup or script in Firefox either", async () => {
  const tried = await page.evaluate(() => {
    const outcome = {};
    const attempt = (name, work) => {
      try {
        work();
        outcome[name] = "done";
      } catch (error) {
        outcome[name] = error.name;
      }
    };
    const { length } = window.refused;
    attempt("innerHTML", () => (document.createElement("div").innerHTML = "<b>x</b>"));
    attempt("policy", () => trustedTypes.createPolicy("own", { createHTML: (text) => text }));
    attempt("src", () => (document.createElement("script").src = "/assets/app.js"));
    attempt("write", () => document.write("x"));
    attempt("srcdoc", () => (document.createElement("iframe").srcdoc = "x"));
    const inline = document.createElement("style");
    inline.textContent = "body { display: none }";
    document.head.append(inline);
    outcome.style = getComputedStyle(document.body).display;
    return { ...outcome, before: length };
  });
  assert.deepEqual(tried, { innerHTML: "TypeError", policy: "TypeError", src: "TypeError", write: "TypeError", srcdoc: "TypeError", style: "block", before: 0 });
});

test("no page complained of anything", () => {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(benPage.complaints, []);
});
