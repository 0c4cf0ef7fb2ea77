// What others may have written that a page can't show, or should not show as it is: it takes nothing else from the screen, and hides nothing.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, bubble, chatRow, enter, openBrowser, openChat, openPage, rpc, say } from "./stage.js";

let server, browser, ada, ben, page;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = [await App.made("Ada", server.invitation()), await App.made("Ben", server.invitation())];
  await ada.run();
  page = await openPage(browser, ada);
  await page.addInitScript(hostile);
  await enter(page, ada);
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Lock now" }).waitFor();
  ben.commandWithPassphrase("add", ada.command("link").uri);
  await chatRow(page, "Ben").waitFor();
  const [{ id }] = await rpc(ada, [["contacts.find", { selector: "Ben" }]]);
  await rpc(
    ada,
    ["Far desk", "Bad desk", "Good desk"].map((name) => ["groups.create", { name, members: [id] }]),
  );
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** In a page: what the program answers is changed into what no version of it should answer. */
function hostile() {
  const spoil = (line) => {
    if (line?.text?.startsWith("Far")) Object.assign(line, { sent_ms: 2 ** 60, edited_ms: 2 ** 63 });
    if (line?.text?.startsWith("Bad")) Object.assign(line, { reactions: null, attachments: null, rich: null, card: undefined });
  };
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    set onmessage(handler) {
      super.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        const { result } = message;
        if (Array.isArray(result)) for (const one of result) spoil(one?.last === undefined ? one : one.last);
        else if (result?.last !== undefined) spoil(result.last);
        else if (result?.local_id !== undefined) spoil(result);
        handler({ data: JSON.stringify(message) });
      };
    }
  };
}

test("a line that can't be shown says so, and all others are there", async () => {
  await openChat(page, "Good desk");
  for (const text of ["Before", "Far away", "Bad one", "After"]) await say(page, text);
  await bubble(page, "After").waitFor();
  await bubble(page, "Far away").waitFor();
  await bubble(page, "Before").waitFor();
  await page.locator(".line-row", { hasText: "This can't be shown." }).waitFor();
  assert.equal(await page.locator(".line-row", { hasText: "This can't be shown." }).count(), 1);
});

test("a chat that can't be shown says so, and all others are there", async () => {
  for (const [name, text] of [["Far desk", "Far away"], ["Bad desk", "Bad one"]]) {
    const [found] = (await rpc(ada, [["chats.list", {}]]))[0].filter((chat) => chat.name === name);
    await rpc(ada, [["messages.send", { chat: found.id, text }]]);
  }
  await page.locator(".chats li", { hasText: "This can't be shown." }).waitFor();
  await chatRow(page, "Far desk").waitFor();
  await openChat(page, "Good desk");
  await bubble(page, "After").waitFor();
});

test("a link says where it leads unless its words are nothing but that", async () => {
  const [good] = (await rpc(ada, [["chats.list", {}]]))[0].filter((chat) => chat.name === "Good desk");
  const texts = [
    "see [`https://bank.example/login?next=`evil.example](https://evil.example)",
    "see [**bank**evil.example](https://evil.example)",
    "see [plain.example](https://plain.example)",
  ];
  await rpc(
    ada,
    texts.map((text) => ["messages.send", { chat: good.id, text, markdown: true }]),
  );
  await bubble(page, "plain.example").waitFor();
  const shown = await page.locator(".bubble a[target]").evaluateAll((links) => links.map((link) => [link.textContent, link.nextElementSibling?.textContent.trim() ?? ""]));
  assert.deepEqual(shown, [
    ["https://bank.example/login?next=evil.example", "(https://evil.example)"],
    ["bankevil.example", "(https://evil.example)"],
    ["plain.example", ""],
  ]);
});

test("no page complained of anything", () => assert.deepEqual(page.complaints, []));
