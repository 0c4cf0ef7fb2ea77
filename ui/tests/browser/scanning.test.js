// What is scanned from another screen with the camera, and typed where there is none: a contact's link, and the code of another device. All of
// it with the keyboard alone.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, PASSPHRASE, Server, chatRow, filmOf, look, openBrowser, openPage, pressAt, tabTo, typeAt, unlock } from "./stage.js";

let server, browser, ada, ben, cleo, laptop, page, laptopPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben, cleo, laptop] = await Promise.all([...["Ada", "Ben", "Cleo"].map((name) => App.made(name, server.invitation())), App.start("Ada's laptop")]);
  await Promise.all([ada, ben, cleo].map((app) => app.run()));
  page = await openPage(browser, ada);
  await unlock(page, ada);
});

after(async () => {
  await browser?.close();
  await Promise.all([ada, ben, cleo, laptop].map((app) => app?.stop()));
  await server?.stop();
});

/** Somebody's page whose camera is held before a code. */
async function withCamera(film, app, work) {
  const browser = await openBrowser(film);
  try {
    const one = await openPage(browser, app);
    await unlock(one, app);
    await work(one);
    assert.deepEqual(one.complaints, []);
  } finally {
    await browser.close();
  }
}

/** The sheet for links, on the side where one is shown or one is used. */
async function openLinks(one, side) {
  await one.keyboard.press("Alt+n");
  await tabTo(one, /^Show my link$/);
  if (side === "I have a link") await one.keyboard.press("ArrowRight");
  await one.getByRole("tab", { name: side, selected: true }).waitFor();
}

/** A new link of Ada's, and the code that shows it. */
async function newLink() {
  await openLinks(page, "Show my link");
  const code = page.locator("dialog svg.qr");
  await code.waitFor();
  return { code, uri: await page.getByLabel("Contact link", { exact: true }).inputValue() };
}

test("two people become contacts by a code that one shows and the other scans", async () => {
  const { code } = await newLink();
  const film = await filmOf(page, code, path.join(ada.folder, "link.mjpeg"));
  await page.keyboard.press("Escape");
  await withCamera(film, ben, async (benPage) => {
    await openLinks(benPage, "I have a link");
    await look(benPage, "a link that somebody has");
    await pressAt(benPage, /^Scan a QR code$/);
    await benPage.getByText("Ada was added.").waitFor();
    await benPage.getByRole("dialog").waitFor({ state: "detached" });
    await chatRow(page, "Ben").waitFor();
    await tabTo(benPage, /^Message to Ada/);
    await benPage.keyboard.type("By the camera");
    await benPage.keyboard.press("Enter");
    await chatRow(page, "Ben").getByText("By the camera").waitFor();
  });
  assert.equal(ada.command("contacts").length, 1);
});

test("a camera that sees no code goes on looking, and a link can be typed all the same", async () => {
  const cleoPage = await openPage(browser, cleo);
  await unlock(cleoPage, cleo);
  const { uri } = await newLink();
  await page.keyboard.press("Escape");
  await openLinks(cleoPage, "I have a link");
  await pressAt(cleoPage, /^Scan a QR code$/);
  await cleoPage.waitForFunction(() => document.querySelector(".scanner video")?.videoWidth > 0);
  await look(cleoPage, "the scanner of a link");
  await typeAt(cleoPage, /^Contact link$/, uri.slice(0, -9));
  await cleoPage.keyboard.press("Enter");
  await cleoPage.getByRole("alert").getByText("This is not whole").waitFor();
  await typeAt(cleoPage, /^Contact link$/, uri);
  await pressAt(cleoPage, /^Add$/);
  await cleoPage.getByText("Ada was added.").waitFor();
  await chatRow(page, "Cleo").waitFor();
  assert.deepEqual(cleoPage.complaints, []);
});

test("another device comes into the account by a code that it shows and the first scans", async () => {
  laptopPage = await openPage(browser, laptop);
  await laptopPage.goto(laptop.address);
  await laptopPage.getByLabel("Six-digit code").waitFor();
  await laptopPage.keyboard.type(laptop.code);
  await laptopPage.keyboard.press("Enter");
  await laptopPage.getByRole("button", { name: "This is another device of mine" }).waitFor();
  await pressAt(laptopPage, /^This is another device of mine$/);
  for (const [name, text] of [
    [/^Address of your server$/, server.address()],
    [/^Name of the device$/, "Laptop"],
    [/^Passphrase$/, PASSPHRASE],
    [/^The same again$/, PASSPHRASE],
  ]) {
    await typeAt(laptopPage, name, text);
  }
  await laptopPage.keyboard.press("Enter");
  await laptopPage.locator("svg.qr .qr-dark").waitFor();
  const film = await filmOf(laptopPage, laptopPage.locator("svg.qr"), path.join(ada.folder, "device.mjpeg"));
  ada.again();
  await withCamera(film, ada, async (other) => {
    await other.keyboard.press("Alt+s");
    await pressAt(other, /^Devices$/);
    await pressAt(other, /^Link another device$/);
    await pressAt(other, /^Scan a QR code$/);
    for (const one of [other, laptopPage]) await one.locator(".six-words li").nth(5).waitFor();
    const [here, there] = await Promise.all([other, laptopPage].map((one) => one.locator(".six-words li").allTextContents()));
    assert.deepEqual(here, there);
    await pressAt(other, /^Yes, all six are the same$/);
    await other.getByText("Now say yes on the other device too.").waitFor();
    await look(other, "waiting for the other device's yes");
    await pressAt(laptopPage, /^Yes, all six are the same$/);
    await laptopPage.getByText("This device belongs to your account now.").waitFor();
    await other.locator(".devices li", { hasText: "Laptop" }).waitFor();
  });
  await chatRow(laptopPage, "Ben").waitFor();
  await laptopPage.keyboard.press("Alt+ArrowDown");
  await laptopPage.locator(".chat-title").waitFor();
});

test("no page complained of anything", () => {
  for (const one of [page, laptopPage]) assert.deepEqual(one.complaints, []);
});
