// How it stands with the program and with the server is said in plain words: while all is well, on the way there, and in each kind of trouble.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, enter, look, onboard, openBrowser, openPage, until } from "./stage.js";

const AWAY = "The server cannot be reached.";
const TWO_DAYS_S = 2 * 86_400;

let server, browser, ada, page;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  ada = await App.start("Ada");
  page = await openPage(browser, ada);
  await page.addInitScript(slowChats);
  await onboard(page, ada, server.invitation());
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

after(async () => {
  await browser?.close();
  await ada?.stop();
  await server?.stop();
});

/** In a page: while it is said so, what the program answers about the chats is on its way, and only that. */
function slowChats() {
  const asked = new Set();
  let waiting = [];
  window.isSlow = false;
  window.hurry = () => {
    window.isSlow = false;
    for (const go of waiting.splice(0)) go();
  };
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    send(text) {
      const { id, method } = JSON.parse(text);
      if (window.isSlow && method === "chats.list") asked.add(id);
      super.send(text);
    }
    set onmessage(handler) {
      super.onmessage = (event) => {
        if (asked.delete(JSON.parse(event.data).id)) waiting.push(() => handler(event));
        else handler(event);
      };
    }
  };
}

/** What stands above the chats. */
const lines = () => page.locator(".connection-line");
const line = (text) => page.getByRole("status").getByText(text, { exact: true }).and(lines());

async function allIsWell() {
  await lines().first().waitFor({ state: "detached" });
  await page.keyboard.press("Alt+s");
  await page.getByRole("dialog").getByText("Connected", { exact: true }).waitFor();
  assert.equal(await lines().count(), 0);
}

async function shut() {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** The program ends, and whoever is at the page starts and opens it again. */
async function programAnew({ meanwhile = () => undefined, args = [], before = () => undefined, afterwards = () => undefined } = {}) {
  await ada.end();
  await meanwhile();
  await ada.runAgain(args);
  await enter(page, ada);
  await page.getByLabel("Passphrase").waitFor();
  await before();
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await afterwards();
  await page.getByRole("heading", { name: "Locked" }).waitFor({ state: "detached" });
}

test("while all is well the settings say so, and nothing stands in the way", async () => {
  await allIsWell();
  await look(page, "connected");
  await shut();
});

test("a server that is away is told, and that it is back", async () => {
  await server.halt();
  await line(AWAY).waitFor();
  await look(page, "offline");
  await page.keyboard.press("Alt+s");
  await page.getByRole("dialog").getByText(AWAY).waitFor();
  await shut();
  await server.goOn();
  await allIsWell();
  await shut();
});

test("a program that has ended is told in place of everything, and that the server is being reached once it was started again", async () => {
  await programAnew({
    meanwhile: async () => {
      await page.getByRole("heading", { name: "Undertone has ended" }).waitFor();
      server.freeze();
    },
  });
  await line("Connecting to your server…").waitFor();
  assert.equal(await page.locator(".banner").count(), 0);
  await look(page, "connecting");
  server.wake();
  await allIsWell();
  await shut();
});

test("what changes while the page reads everything anew is not missed", async () => {
  const heard = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => heard.push(JSON.parse(payload))));
  const isHeard = (found) => until(() => heard.some(found));
  await programAnew({
    meanwhile: () => server.freeze(),
    before: () => page.evaluate(() => (window.isSlow = true)),
    afterwards: async () => {
      await isHeard(({ result }) => result?.inbox === "connecting");
      server.wake();
      await isHeard(({ params }) => params?.inbox === "online");
      await page.evaluate(() => window.hurry());
    },
  });
  await allIsWell();
  await shut();
});

test("a clock that is days off is told until it is right again", async () => {
  ada.clockOff = TWO_DAYS_S;
  await programAnew();
  await line("This computer's clock and the server's are far apart. Please set the clock.").waitFor();
  // It goes on all the same.
  await page.waitForFunction(() => document.querySelectorAll(".connection-line").length === 1);
  await look(page, "a clock that is off");
  ada.clockOff = 0;
  await programAnew();
  await allIsWell();
  await shut();
});

test("a program that was started without the server says that it is offline", async () => {
  await programAnew({ args: ["--offline"] });
  await line("Offline").waitFor();
  await programAnew();
  await allIsWell();
  await shut();
});

test("no page complained of anything", () => assert.deepEqual(page.complaints, []));
