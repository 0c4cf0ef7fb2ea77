// How messages stand in a chat, and what is done with one from its menu; what a chat's timer leaves; and what is set about writing and reading.

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, Server, bubble, bubbleMenu, chatRow, look, meet, openBrowser, openChat, openPage, rpc, say, unlock, until } from "./stage.js";

const DAY_S = 86_400;
/** More than comes in one piece. */
const LARGE = 24_000_000;

let server, browser, ada, ben, page, benPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.made("Ada", server.invitation()), App.made("Ben", server.invitation())]);
  meet(ada, ben);
  // Ada reads what was said two days ago, and has not seen what was said today.
  for (const [text, ago] of [
    ["Two days ago", 2 * DAY_S],
    ["A minute later", 2 * DAY_S - 60],
    ["Ten minutes later", 2 * DAY_S - 660],
  ]) {
    ben.clockOff = -ago;
    ben.commandWithPassphrase("send", "Ada", text);
  }
  ben.clockOff = 0;
  ada.commandWithPassphrase("read", "Ben");
  ben.commandWithPassphrase("send", "Ada", "Today");
  await Promise.all([ada.run(), ben.run()]);
  [page, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
  await Promise.all([unlock(page, ada), unlock(benPage, ben)]);
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) await page?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "messages.png") });
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

/** What an app has of a chat, by a command beside its page. */
const texts = (app, name) => app.command("read", name, "--peek").messages.map(({ text }) => text);

/** The attachments that a home has, under names that say nothing. */
const filesOf = ({ home }) => (existsSync(path.join(home, "attachments")) ? readdirSync(path.join(home, "attachments")) : []).map((name) => path.join(home, name));
/** Those of what goes by its timer. */
const goingFiles = new Set();

/** What was picked is in the home, and goes with these words. */
async function sayWithFile(name, text) {
  await page.locator(".picked-one", { hasText: name }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
  await say(page, text);
}

test("days are told apart, lines of one person stand together, and what is new begins with a line", async () => {
  await chatRow(page, "Ben").getByRole("img", { name: "1 unread message" }).waitFor();
  await openChat(page, "Ben");
  await bubble(page, "Today").waitFor();
  const stands = await page.locator("[data-line]:has(.bubble)").evaluateAll((rows) =>
    rows.map((row) => ({
      text: row.querySelector(".text").textContent,
      day: row.querySelector(".day") !== null,
      unread: row.querySelector(".unread-line") !== null,
      first: row.querySelector(".message.first") !== null,
      last: row.querySelector(".message.last") !== null,
    })),
  );
  assert.deepEqual(stands, [
    { text: "Two days ago", day: stands[0].day, unread: false, first: true, last: false },
    { text: "A minute later", day: false, unread: false, first: false, last: true },
    { text: "Ten minutes later", day: false, unread: false, first: true, last: true },
    { text: "Today", day: true, unread: true, first: true, last: true },
  ]);
  const days = await page.locator(".day").allTextContents();
  assert.equal(days.length, 2, String(days));
  assert.notEqual(days[0], days[1]);
  assert.match(days[1], /^(Today|Yesterday)$/);
  await look(page, "days, and what is new");
  // What was seen is not new the next time.
  await page.getByRole("img", { name: "1 unread message" }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.locator(".pane-chat.nothing").waitFor();
  await openChat(page, "Ben");
  await bubble(page, "Today").waitFor();
  assert.equal(await page.locator(".unread-line").count(), 0);
  await openChat(benPage, "Ada");
});

test("a chat's timer is set on the page, shown on both sides, and its messages begin to go", async () => {
  await page.keyboard.press("Alt+i");
  await page.getByLabel("Disappearing messages").selectOption({ label: "30 seconds" });
  for (const one of [page, benPage]) {
    await one.locator(".chat-head").getByRole("img", { name: "Messages disappear after 30 seconds" }).waitFor();
    await one.locator(".pane-list").getByRole("img", { name: "Messages disappear after 30 seconds" }).waitFor();
  }
  assert.equal(ben.command("chats").find(({ name }) => name === "Ada").timer_s, 30);
  await look(page, "a chat with a timer");
  // What goes by it is looked for at the end.
  ben.command("downloads", "--up-to", "12");
  const file = path.join(ada.folder, "gone soon.bin");
  writeFileSync(file, Buffer.alloc(700_000, 3));
  await page.locator("#files").setInputFiles(file);
  await sayWithFile("gone soon.bin", "Burn after reading");
  await bubble(benPage, "Burn after reading").locator(".file-row", { hasText: "gone soon.bin" }).waitFor();
  await until(() => ben.command("read", "Ada", "--peek").messages.at(-1).attachments[0]?.here === true);
  for (const app of [ada, ben]) {
    const files = filesOf(app);
    assert.equal(files.length, 1, app.name);
    goingFiles.add(files[0]);
  }
  await page.getByLabel("Disappearing messages").selectOption({ label: "Off" });
  for (const one of [page, benPage]) await one.locator(".head-timer").waitFor({ state: "detached" });
  await page.keyboard.press("Alt+i");
});

test("a message that is deleted only here stays with the other", async () => {
  await say(page, "Not for my eyes");
  await bubble(benPage, "Not for my eyes").waitFor();
  await bubbleMenu(page, "Not for my eyes", "Delete");
  await page.getByRole("button", { name: "Delete only for me" }).click();
  await bubble(page, "Not for my eyes").waitFor({ state: "detached" });
  assert.ok(!texts(ada, "Ben").includes("Not for my eyes"));
  // Whatever went out because of it would have come before this.
  await say(page, "What was I saying?");
  await bubble(benPage, "What was I saying?").waitFor();
  assert.ok(await bubble(benPage, "Not for my eyes").isVisible());
  assert.ok(texts(ben, "Ada").includes("Not for my eyes"));
});

test("any emoji is a reaction, and a text is copied as it was written", async () => {
  await bubble(page, "What was I saying?").click({ button: "right", position: { x: 12, y: 10 } });
  await page.getByRole("menuitem", { name: "More reactions" }).click();
  await page.locator(".emoji-one").first().waitFor();
  await look(page, "more reactions");
  await page.keyboard.type("penguin");
  await page.keyboard.press("Enter");
  await benPage.locator(".reaction", { hasText: "🐧" }).waitFor();
  await say(benPage, "**Bold**, and\nanother line");
  await bubble(page, "another line").waitFor();
  await bubbleMenu(page, "another line", "Copy text");
  await page.getByText("Copied", { exact: true }).first().waitFor();
  await page.locator("#compose").focus();
  await page.keyboard.press("Control+v");
  assert.equal(await page.locator("#compose").inputValue(), "**Bold**, and\nanother line");
  await page.locator("#compose").fill("");
});

test("a message that was cancelled is sent again from its menu", async () => {
  await server.halt();
  const file = path.join(ada.folder, "second try.bin");
  writeFileSync(file, Buffer.alloc(600_000, 7));
  await page.locator("#files").setInputFiles(file);
  await sayWithFile("second try.bin", "The second try");
  await page.getByRole("button", { name: "Cancel the transfer of second try.bin" }).click();
  await page.locator(".transfer[data-state=cancelled]").waitFor();
  await server.goOn();
  await bubbleMenu(page, "The second try", "Send again");
  await bubble(benPage, "The second try").waitFor();
  await page.locator(".transfer").waitFor({ state: "detached" });
});

/** In a page: notes how far files were said to be, from now on. */
function watchProgress() {
  window.progress = [];
  const note = () => {
    for (const bar of document.querySelectorAll("progress.progress")) window.progress.push({ value: bar.value, max: bar.max, said: bar.getAttribute("aria-label") });
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["value"] });
}

test("how far a file is on its way is shown on both sides", async () => {
  const file = path.join(ada.folder, "large.bin");
  writeFileSync(file, Buffer.alloc(LARGE, 9));
  await page.evaluate(watchProgress);
  await benPage.evaluate(watchProgress);
  await page.locator("#files").setInputFiles(file);
  await sayWithFile("large.bin", "A large one");
  await benPage.getByRole("button", { name: "Save large.bin" }).click();
  await until(() => ben.command("read", "Ada", "--peek").messages.at(-1).attachments[0].here);
  for (const one of [page, benPage]) {
    await one.locator("progress.progress").waitFor({ state: "detached" });
    const steps = await one.evaluate(() => window.progress);
    const values = steps.map(({ value }) => value);
    assert.ok(new Set(values).size > 2, JSON.stringify(steps.slice(0, 5)));
    assert.deepEqual(values, values.toSorted((a, b) => a - b));
    for (const { value, max, said } of steps) {
      assert.ok(max >= LARGE && max < 1.2 * LARGE && value < max, String(max));
      assert.match(said, /^[\d.]+ ([kM]?B|byte) of 2\d(\.\d)? MB$/);
    }
  }
});

test("whoever wants it has lines made by Enter, and sends with another key", async () => {
  const enterSends = page.getByRole("switch", { name: "Enter sends the message" });
  await page.keyboard.press("Alt+s");
  await enterSends.click();
  await page.keyboard.press("Escape");
  await page.locator("#compose").fill("One line");
  await page.keyboard.press("Enter");
  await page.keyboard.type("and another");
  assert.equal(await page.locator("#compose").inputValue(), "One line\nand another");
  await page.keyboard.press("Control+Enter");
  await bubble(benPage, "and another").waitFor();
  assert.equal(await page.locator("#compose").inputValue(), "");
  await page.keyboard.press("Alt+s");
  await enterSends.click();
  await page.keyboard.press("Escape");
});

test("whoever says so tells nobody what they read, until they do again", async () => {
  const receipts = page.getByRole("switch", { name: "Read receipts" });
  const [{ id: chat }] = await rpc(ada, [["chats.find", { selector: "Ben" }]]);
  await page.keyboard.press("Alt+s");
  await receipts.click();
  await page.locator("input[role=switch]:not(:checked)").and(receipts).waitFor();
  assert.equal((await rpc(ada, [["settings.get", {}]]))[0].read_receipts, false);
  await page.keyboard.press("Escape");
  await say(benPage, "Read in silence");
  await bubble(page, "Read in silence").waitFor();
  await until(() => ada.command("chats").find(({ id }) => id === chat).unread === 0);
  await say(page, "An answer all the same");
  await bubble(benPage, "An answer all the same").waitFor();
  const ticks = (text) => bubble(benPage, text).locator("[data-state]");
  assert.notEqual(await ticks("Read in silence").getAttribute("data-state"), "state.read");
  await page.keyboard.press("Alt+s");
  await receipts.click();
  await page.keyboard.press("Escape");
  await say(benPage, "Read aloud");
  await bubble(benPage, "Read aloud").locator("[data-state='state.read']").waitFor();
});

test("a contact link is withdrawn, and of no use to anybody then", async () => {
  await page.keyboard.press("Alt+n");
  const link = page.getByLabel("Contact link", { exact: true });
  await link.waitFor();
  const uri = await link.inputValue();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+s");
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("No open links.").waitFor();
  await page.keyboard.press("Escape");
  await benPage.keyboard.press("Alt+n");
  await benPage.getByRole("tab", { name: "I have a link" }).click();
  await benPage.getByLabel("Contact link", { exact: true }).fill(uri);
  await benPage.getByRole("button", { name: "Add", exact: true }).click();
  // Ben is a contact already; nobody else becomes one either.
  await benPage.getByRole("alert").getByText("This person is a contact already.").waitFor();
  await look(benPage, "a link that is of no use");
  await benPage.keyboard.press("Escape");
  const cleo = await App.made("Cleo", server.invitation());
  try {
    assert.throws(() => cleo.commandWithPassphrase("add", uri), /link\.used/);
  } finally {
    await cleo.stop();
  }
});

test("what goes by its timer leaves nothing with either of them: no line, no file, nothing to be found", async () => {
  for (const [one, app, name] of [
    [page, ada, "Ben"],
    [benPage, ben, "Ada"],
  ]) {
    await bubble(one, "Burn after reading").waitFor({ state: "detached" });
    await until(() => !texts(app, name).includes("Burn after reading"));
    assert.equal(app.command("search", "burn").length, 0);
    await one.locator("#search").fill("burn after");
    await one.getByText("Nothing found").waitFor();
    await one.locator("#search").fill("");
    assert.deepEqual(filesOf(app).filter((file) => goingFiles.has(file)), []);
  }
});

test("no page complained of anything", () => {
  for (const one of [page, benPage]) assert.deepEqual(one.complaints, []);
});
