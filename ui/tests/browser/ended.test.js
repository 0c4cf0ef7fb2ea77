// What is on the screen, and what leaves it, when the connection to the program is lost: for a moment, for longer, for good, or to somebody else who has
// taken the port.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, chatRow, enter, look, openBrowser, openChat, openPage, rpc, say } from "./stage.js";

const SAID = /Night desk|Good evening|Half a thought/;

let server, browser, ada, ben, page;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = [await App.made("Ada", server.invitation()), await App.made("Ben", server.invitation())];
  await ada.run();
  page = await openPage(browser, ada);
  await page.addInitScript(standIns);
  await enter(page, ada);
  await unlock(page);
  ben.commandWithPassphrase("add", ada.command("link").uri);
  await chatRow(page, "Ben").waitFor();
  const [{ id }] = await rpc(ada, [["contacts.find", { selector: "Ben" }]]);
  await rpc(
    ada,
    ["Night desk", "Day desk"].map((name) => ["groups.create", { name, members: [id] }]),
  );
  await openChat(page, "Night desk");
  await say(page, "Good evening");
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** In a page: its connections can be cut, and whether a secret was ever asked for is noted. */
function standIns() {
  window.sockets = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(address) {
      super(address);
      window.sockets.push(this);
    }
  };
  window.watchFields = () => {
    window.offered = [];
    const note = () => {
      for (const field of document.querySelectorAll("input[type=password], .code-input")) window.offered.push(field.outerHTML);
    };
    new MutationObserver(note).observe(document, { childList: true, subtree: true, attributes: true });
  };
}

async function unlock(one) {
  await one.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await one.keyboard.press("Enter");
  await one.getByRole("button", { name: "Lock now" }).waitFor();
}

const banner = () => page.locator(".banner");
const cut = () => page.evaluate(() => window.sockets.at(-1).close());
/** What the page looks for before it connects again. */
const away = () => page.route("**/assets/icon.svg", (route) => route.abort());
const back = () => page.unroute("**/assets/icon.svg");
const drafts = async () => (await rpc(ada, [["chats.list", {}]]))[0].map(({ draft }) => draft?.text).filter((text) => text !== undefined);
const isBare = (one) => one.waitForFunction((said) => !new RegExp(said).test(document.body.innerHTML) && document.querySelector(".panes") === null, SAID.source);

test("what is typed while the connection is lost is kept once it is back, and nothing else happens", async () => {
  await page.evaluate(() => (window.sameDocument = true));
  await away();
  await cut();
  await banner().waitFor();
  await page.locator("#compose").fill("Half a thought");
  // As long as it takes until it would have been kept.
  await page.waitForTimeout(800);
  assert.deepEqual(await drafts(), []);
  await back();
  await banner().waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector("#compose")?.value === "Half a thought");
  assert.equal(await page.getByRole("heading", { name: "Locked" }).count(), 0);
  const from = Date.now();
  while ((await drafts()).length === 0 && Date.now() - from < 20_000) await page.waitForTimeout(100);
  assert.deepEqual(await drafts(), ["Half a thought"]);
  await openChat(page, "Day desk");
  await openChat(page, "Night desk");
  assert.equal(await page.locator("#compose").inputValue(), "Half a thought");
});

test("after some seconds without the program nothing is on the screen, and it is back with it", async () => {
  await away();
  await page.locator("#compose").fill("Half a thought more");
  await cut();
  await isBare(page);
  await page.getByText("Connection to the Undertone program lost. Trying again…").waitFor();
  await look(page, "without the program");
  assert.equal(await page.locator("input").count(), 0);
  await back();
  await openChat(page, "Night desk");
  assert.equal(await page.locator("#compose").inputValue(), "Half a thought more");
  assert.ok(await page.evaluate(() => window.sameDocument));
});

test("what was typed in the moment before the lock is there after it", async () => {
  await page.locator("#compose").fill("Half a thought at last");
  await page.keyboard.press("Control+Shift+L");
  await isBare(page);
  await unlock(page);
  await openChat(page, "Night desk");
  assert.equal(await page.locator("#compose").inputValue(), "Half a thought at last");
  assert.ok(await page.evaluate(() => window.sameDocument));
});

test("a lock that the program could not hear of is told to it once it is back", async () => {
  await away();
  await cut();
  await banner().waitFor();
  await page.keyboard.press("Control+Shift+L");
  await isBare(page);
  assert.equal(await page.locator("input").count(), 0);
  await back();
  await page.getByLabel("Passphrase", { exact: true }).waitFor();
  assert.throws(() => ada.command("--offline", "chats"), /assphrase/);
  await unlock(page);
});

test("a program that ends takes everything from the screen at once, and the page never comes back", async () => {
  await openChat(page, "Night desk");
  await page.evaluate(() => window.watchFields());
  await ada.end();
  await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  assert.doesNotMatch(await page.locator("body").innerHTML(), SAID);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await look(page, "ended");
  await ada.runAgain();
  await page.waitForTimeout(1000);
  await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  assert.deepEqual(await page.evaluate(() => window.offered), []);
});

/** Somebody who has taken the port, and says this to whoever comes; what they hear is kept. */
async function stranger(port, says) {
  const heard = [];
  const sockets = new Set();
  const server = createServer((_, response) => response.setHeader("content-type", "image/svg+xml").end("<svg xmlns='http://www.w3.org/2000/svg'/>"));
  server.on("connection", (socket) => sockets.add(socket));
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      if ((bytes[0] & 15) !== 1) return;
      const [from, length] = (bytes[1] & 127) === 126 ? [4, bytes.readUInt16BE(2)] : [2, bytes[1] & 127];
      const mask = bytes.subarray(from, from + 4);
      heard.push(Buffer.from(bytes.subarray(from + 4, from + 4 + length).map((byte, at) => byte ^ mask[at % 4])).toString());
      for (const one of says) {
        const text = Buffer.from(JSON.stringify(one));
        assert.ok(text.length < 126);
        socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
      }
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return { heard, close };
}

for (const [what, says] of [
  ["lets everybody in and says that it is locked", [{ admitted: true, session: null }, { jsonrpc: "2.0", id: 1, result: { state: "locked", rings: 0 } }]],
  ["lets nobody in", [{ admitted: false, error: { code: "host.refused", sentence: "" } }]],
  ["gives a proof of their own", [{ proof: "0".repeat(64) }]],
]) {
  test(`somebody on the port of a program that was killed who ${what} gets neither token, code nor passphrase`, async () => {
    await enter(page, ada);
    await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
    await page.keyboard.press("Enter");
    await openChat(page, "Night desk");
    const token = await page.evaluate(() => sessionStorage.getItem("session"));
    await page.evaluate(() => window.watchFields());
    await ada.end("SIGKILL");
    const other = await stranger(new URL(ada.address).port, says);
    await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
    assert.doesNotMatch(await page.locator("body").innerHTML(), SAID);
    await page.waitForTimeout(500);
    assert.deepEqual(await page.evaluate(() => window.offered), []);
    assert.equal(other.heard.length, 1, other.heard);
    assert.deepEqual(Object.keys(JSON.parse(other.heard[0])), ["page", "nonce"]);
    assert.ok(!other.heard[0].includes(token) && token.length === 64);
    await other.close();
    await ada.runAgain();
  });
}

test("a program that was killed takes everything from the screen within seconds, also the place for a passphrase", async () => {
  await enter(page, ada);
  await unlock(page);
  await openChat(page, "Night desk");
  await ada.end("SIGKILL");
  await isBare(page);
  await ada.runAgain();
  await enter(page, ada);
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await ada.end("SIGKILL");
  await page.locator("input").waitFor({ state: "detached" });
  await ada.runAgain();
  await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
});

test("no page complained of anything", () => assert.deepEqual(page.complaints, []));
