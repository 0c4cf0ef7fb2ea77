// What stays of a conversation in the folders of the browsers that showed it: nothing of what was said, typed or looked at.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { openFirefox, openFirefoxPage } from "./firefox.js";
import { App, Server, befriend, bubble, chatRow, onboard, openChat, openPageOf, openProfile, say, speak, temporary } from "./stage.js";

/** So much of a file is unmistakable. */
const WINDOW = 48;
const ways = ["Ada in Chromium", "Ben in Firefox"];

let server, neighbour, folders, chromium, firefox, ada, ben, page, benPage;
/** What each page showed that nobody's disk may have: by name, as bytes. */
const secrets = new Map();
/** Unlike anything else. */
const token = () => randomBytes(12).toString("hex");
const kept = { cached: token(), typed: token() };

before(async () => {
  folders = await Promise.all([temporary("chromium-profile"), temporary("firefox-profile")]);
  // Another page in the same browsers, of the usual kind: what it shows may be kept, and is typed into.
  neighbour = createServer((request, response) => {
    const isPage = request.url === "/page";
    response.setHeader("content-type", isPage ? "text/html" : "text/plain");
    response.setHeader("cache-control", "max-age=3600");
    response.end(isPage ? "<!doctype html><title>neighbour</title><textarea id=draft></textarea>" : kept.cached.repeat(2000));
  });
  await new Promise((resolve) => neighbour.listen(0, "127.0.0.1", resolve));
  [server, ada, ben] = await Promise.all([Server.start(), App.start("Ada"), App.start("Ben")]);
  [chromium, firefox] = await Promise.all([openProfile(folders[0]), openFirefox(folders[1], folders[1])]);
  // It stays open behind the others.
  for (const one of await Promise.all([openPageOf(chromium, ada), openFirefoxPage(firefox)])) await visitNeighbour(one);
  [page, benPage] = await Promise.all([openPageOf(chromium, ada), openFirefoxPage(firefox)]);
  for (const words of [await onboard(page, ada, server.invitation()), await onboard(benPage, ben, server.invitation())]) {
    secrets.set(`a recovery phrase (${secrets.size})`, words.slice(3, 7).join(" "));
  }
  await befriend(page, benPage);
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
  for (const one of [ada, ben]) one.command("downloads", "--up-to", "12");
  await Promise.all([openChat(page, "Ben"), openChat(benPage, "Ada")]);
});

after(async () => {
  await Promise.all([chromium?.close(), firefox?.close()]);
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
  neighbour?.close();
  for (const folder of folders ?? []) rmSync(folder, { recursive: true, force: true });
});

async function visitNeighbour(one) {
  await one.goto(`http://127.0.0.1:${neighbour.address().port}/page`);
  await one.evaluate(() => fetch("/kept").then((answer) => answer.text()));
  await one.locator("#draft").fill(kept.typed);
}

/** A photo that nothing else is like, as somebody has it in their files. */
async function noise(one) {
  const text = await one.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 300;
    const context = canvas.getContext("2d");
    const image = context.createImageData(300, 300);
    crypto.getRandomValues(new Uint8Array(image.data.buffer, 0, 65_536));
    for (let at = 65_536; at < image.data.length; at += 1) image.data[at] = image.data[at % 65_536] ^ at;
    for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
    context.putImageData(image, 0, 0);
    return canvas.toDataURL("image/jpeg", 0.95).split(",")[1];
  });
  return Buffer.from(text, "base64");
}

/** The bytes that a page got for what it shows. */
async function got(one, selector) {
  const text = await one.evaluate(async (selector) => {
    const { src } = [...document.querySelectorAll(selector)].at(-1);
    const bytes = new Uint8Array(await (await fetch(src)).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, selector);
  return Buffer.from(text, "base64");
}

/** From all over a file. */
function piecesOf(bytes) {
  const pieces = [];
  for (let at = 256; at + WINDOW < bytes.length; at += Math.max(WINDOW, Math.floor(bytes.length / 40))) pieces.push(bytes.subarray(at, at + WINDOW));
  return pieces;
}

/** Everything in a folder and below. */
function* filesOf(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(file);
    // What the browser takes away meanwhile is gone, and a lock says nothing.
    else if (entry.isFile()) {
      try {
        yield [path.relative(folder, file), readFileSync(file)];
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
    }
  }
}

/** Where a folder has any of these, as text in either of the codings that browsers use, or as bytes. */
function found(folder, wanted) {
  const all = [...wanted].flatMap(([name, secret]) => {
    const forms = Buffer.isBuffer(secret) ? piecesOf(secret) : [Buffer.from(secret, "utf8"), Buffer.from(secret, "utf16le")];
    assert.ok(forms.length > 0, name);
    return forms.map((form) => [name, form]);
  });
  const hits = new Set();
  for (const [file, bytes] of filesOf(folder)) for (const [name, form] of all) if (bytes.includes(form)) hits.add(`${name} in ${file}`);
  return [...hits];
}

test("texts, a draft, a search, a photo and a voice message are shown in both browsers", async () => {
  for (const [one, other, name] of [
    [page, benPage, "Ada"],
    [benPage, page, "Ben"],
  ]) {
    const said = token();
    secrets.set(`what ${name} said`, said);
    await say(one, `The word is ${said}`);
    await bubble(other, said).waitFor();
    const picture = path.join(name === "Ada" ? ada.folder : ben.folder, "noise.jpg");
    writeFileSync(picture, await noise(one));
    await one.locator("#files").setInputFiles(picture);
    await one.locator(".picked-one img").waitFor();
    await one.getByRole("button", { name: "Send", exact: true }).click();
    await other.locator(".theirs .photo-whole.shown").last().waitFor();
    secrets.set(`the photo of ${name}`, await got(other, ".theirs .photo-whole.shown"));
    await speak(one);
    const memo = other.locator(".theirs .memo").last();
    await memo.waitFor();
    await memo.getByRole("button", { name: "Play" }).click();
    await other.locator(".theirs .memo audio").last().waitFor({ state: "attached" });
    secrets.set(`the voice of ${name}`, await got(other, ".theirs .memo audio"));
    const typed = token();
    secrets.set(`the draft of ${name}`, typed);
    await one.locator("#compose").fill(`Not sent yet: ${typed}`);
    const searched = token();
    secrets.set(`what ${name} searched for`, searched);
    await one.locator("#search").fill(searched);
    await one.getByText("Nothing found").waitFor();
  }
});

test("none of it is in the folders of the browsers, while they run and afterwards", async () => {
  // What people type and load elsewhere is there: what is looked for would be found.
  const control = [
    ["what the neighbour let it keep", kept.cached],
    ["what was typed at the neighbour's", kept.typed],
  ];
  const until = Date.now() + 30_000;
  let there = [];
  while (there.length === 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    there = found(folders[1], control.slice(1));
  }
  for (const [at, folder] of folders.entries()) assert.deepEqual(found(folder, secrets), [], `${ways[at]}, while it runs`);
  await Promise.all([chromium.close(), firefox.close()]);
  for (const [at, folder] of folders.entries()) {
    assert.deepEqual(found(folder, secrets), [], `${ways[at]}, afterwards`);
    assert.ok(found(folder, control.slice(0, 1)).length > 0, `${ways[at]} keeps what it may`);
  }
  assert.ok(there.length > 0, "Firefox keeps what is typed where nobody says otherwise");
});
