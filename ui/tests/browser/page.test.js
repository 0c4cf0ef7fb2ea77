// What a page must never do for others, and must do for everybody: a hostile neighbour, hostile messages, the keyboard alone, and
// what helps those who don't see the screen.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FORBIDDEN, HARMLESS, compact, corpus, hostileMessages, lookAtEveryLine, seen, textOf, words } from "./hostile.js";
import { App, PASSPHRASE, Server, befriend, bubble, chatRow, chooseItem, look, onboard, openBrowser, openChat, openPage, pressAt, redSquare, rpc, tabTo, until } from "./stage.js";

let server, browser, ada, ben, page, benPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [page, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

test("an account is made with the keyboard alone, and every step can be heard", async () => {
  await page.goto(ada.address);
  await page.getByLabel("Six-digit code").waitFor();
  await look(page, "the code");
  await page.keyboard.type(ada.code === "000000" ? "000001" : "000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await look(page, "a wrong code");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(ada.code);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Make a new account" }).waitFor();
  await look(page, "the welcome");
  await tabTo(page, /Make a new account/);
  await page.keyboard.press("Enter");
  await page.getByLabel("Invitation or server address with pin").waitFor();
  await look(page, "the server");
  await pressAt(page, /^Advanced$/);
  await page.getByLabel("SOCKS5 proxy, host and port").waitFor();
  await look(page, "the server through a proxy");
  await tabTo(page, /^Invitation or server address/);
  await page.keyboard.insertText(server.invitation());
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).waitFor();
  await look(page, "the name");
  await page.keyboard.type("Ada");
  await page.keyboard.press("Enter");
  await page.getByLabel("The same again").waitFor();
  await page.keyboard.type(PASSPHRASE);
  await look(page, "the passphrase");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press("Enter");
  await page.locator(".phrase li").nth(11).waitFor();
  await look(page, "the phrase");
  const words = await page.locator(".phrase li").allTextContents();
  await tabTo(page, /I have them on paper/);
  await page.keyboard.press("Enter");
  await page.locator("form input").nth(2).waitFor();
  await look(page, "the check");
  for (const field of await page.locator("form input").all()) {
    const label = await field.evaluate((input) => input.labels[0].textContent);
    await page.keyboard.type(words[Number(label.match(/\d+/)[0]) - 1]);
    await page.keyboard.press("Tab");
  }
  await tabTo(page, /Done/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Kill code" }).waitFor();
  await look(page, "the kill code");
  await tabTo(page, /Make a kill code/);
  await page.keyboard.press("Enter");
  await page.locator(".shown-once li").nth(11).waitFor();
  await tabTo(page, /I have them on paper/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Add a contact" }).waitFor();
  await page.locator(".qr-dark").waitFor();
  await look(page, "the first contact");
  await page.keyboard.press("Escape");
});

test("somebody else becomes a contact", async () => {
  await onboard(benPage, ben, server.invitation());
  await befriend(page, benPage);
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
});

test("a conversation is led with the keyboard alone", async () => {
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator(".chat-title strong", { hasText: "Ben" }).waitFor();
  await tabTo(page, /Message to Ben/);
  await page.keyboard.type("From the keyboard");
  await page.keyboard.press("Enter");
  await bubble(page, "From the keyboard").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator(".about").waitFor();
  await page.keyboard.type(", changed");
  await page.keyboard.press("Enter");
  await bubble(page, "From the keyboard, changed").waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await look(page, "the menu");
  await page.keyboard.press("Enter");
  await page.locator(".reaction", { hasText: "👍" }).waitFor();
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  for (let turn = 0; turn < 7; turn += 1) await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Reply");
  await page.keyboard.press("Enter");
  await page.locator(".about").waitFor();
  await page.keyboard.type("An answer");
  await page.keyboard.press("Enter");
  await bubble(page, "An answer").locator(".quote").waitFor();
  await look(page, "the conversation");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("changed");
  await page.locator(".found .chat").first().waitFor();
  await look(page, "the search");
  await page.keyboard.press("Escape");
});

test("every sheet opens by keyboard, closes by Escape, and can be heard", async () => {
  for (const [open, title] of [
    ["Alt+n", "Add a contact"],
    ["Alt+s", "Settings"],
  ]) {
    await page.keyboard.press(open);
    await page.getByRole("dialog").getByRole("heading", { name: title }).waitFor();
    if (title === "Add a contact") await page.locator(".qr-dark").waitFor();
    await look(page, title);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await page.locator("#search").blur();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByRole("heading", { name: "Keyboard" }).waitFor();
  await look(page, "the keyboard's list");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await look(page, "the details");
  await page.keyboard.press("Alt+i");
  await pressAt(page, /^BBenNot verified/, "Enter", ".chat-head");
  await page.locator("dialog .qr-dark").waitFor();
  await look(page, "the contact");
  await page.keyboard.press("Escape");
  await tabTo(page, /Emoji/);
  await page.keyboard.press("Enter");
  await page.locator(".emoji-one").first().waitFor();
  await look(page, "the emoji");
  await page.keyboard.type("thumbs up");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#compose").inputValue(), "👍");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Backspace");
  for (const chosen of ["Info", "Forward", "Delete"]) {
    await page.keyboard.press("Alt+m");
    await page.keyboard.press("Enter");
    await chooseItem(page, chosen);
    await page.getByRole("dialog").waitFor();
    await look(page, chosen);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("what hangs over the composer can be heard: an answer, a recording, a card, a place", async () => {
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Reply", exact: true }).press("Enter");
  await page.locator(".about").waitFor();
  await pressAt(page, /Hold to record/, "Space");
  await page.locator(".recording").waitFor();
  await look(page, "a recording and an answer");
  await page.keyboard.press("Escape");
  await page.locator(".recording").waitFor({ state: "detached" });
  await page.locator("#compose").focus();
  await page.keyboard.press("Escape");
  await page.locator(".about").waitFor({ state: "detached" });
  for (const [item, what] of [
    ["Contact card", "a contact card"],
    ["Place", "a place"],
  ]) {
    await pressAt(page, /Contact or place/);
    await page.getByRole("menuitem", { name: item }).press("Enter");
    await page.getByRole("dialog").waitFor();
    if (item === "Contact card") await pressAt(page, /Ben/);
    await look(page, what);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("a group is made, named, linked to, given roles and left with the keyboard alone", async () => {
  await pressAt(page, /New chat or contact/);
  await page.getByRole("menu").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await look(page, "a new group");
  await tabTo(page, /Name of the group/);
  await page.keyboard.type("Watch");
  await pressAt(page, /Ben/, "Space");
  await pressAt(page, /Make the group/);
  await page.locator(".chat-title strong", { hasText: "Watch" }).waitFor();
  await page.keyboard.press("Alt+i");
  await page.locator(".members li", { hasText: "Ben" }).waitFor();
  await pressAt(page, /^Rename$/);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Night watch");
  await page.keyboard.press("Enter");
  await page.locator(".chat-title strong", { hasText: "Night watch" }).waitFor();
  await pressAt(page, /Role of Ben/, "a");
  await openChat(benPage, "Night watch");
  await benPage.keyboard.press("Alt+i");
  await benPage.locator(".members li", { hasText: "You" }).getByText("Admin").waitFor();
  await benPage.keyboard.press("Alt+i");
  await pressAt(page, /Make a link/);
  await pressAt(page, /Make a link/);
  await page.locator(".invites .qr-dark").waitFor();
  await pressAt(page, /Hand the group over to Ben/);
  await page.getByRole("alertdialog").waitFor();
  await look(page, "handing a group over");
  await pressAt(page, /^Hand over$/);
  await page.locator(".members li", { hasText: "Ben" }).getByText("Owner").waitFor();
  await pressAt(page, /Leave the group/);
  await page.getByText("Somebody in it has to let you in again").waitFor();
  await look(page, "leaving a group");
  await tabTo(page, /^Cancel$/);
  await pressAt(page, /Leave the group/);
  await page.getByText("You left this group.").waitFor();
  await page.keyboard.press("Alt+i");
});

test("devices, linking, storage and backup are reached and used with the keyboard alone", async () => {
  const sheet = async (name, title) => {
    await page.keyboard.press("Alt+s");
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    await pressAt(page, name);
    await page.getByRole("heading", { name: title, exact: true }).waitFor();
  };
  const shut = async () => {
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  };
  await sheet(/^Devices$/, "Devices");
  await pressAt(page, /^Rename/);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Desk");
  await page.keyboard.press("Enter");
  await page.locator(".devices li", { hasText: "Desk" }).waitFor();
  await pressAt(page, /Link another device/);
  await tabTo(page, /Code that the other device shows/);
  await page.keyboard.type("undertone:nothing");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await shut();
  const file = path.join(ada.folder, "plan.bin");
  writeFileSync(file, Buffer.alloc(2000, 7));
  ada.command("send", "Ben", "The plan", "--attach", file);
  await sheet(/^Storage$/, "Storage");
  await tabTo(page, /Which files/);
  await page.keyboard.press("ArrowDown");
  await pressAt(page, /Remove from this device/);
  await page.getByText("0 files removed").waitFor();
  await shut();
  await sheet(/^Backup$/, "Backup");
  await tabTo(page, /Folder/);
  await page.keyboard.type("nowhere");
  await look(page, "the backup");
  await shut();
});

test("nothing is hard to see in high contrast", async () => {
  await page.keyboard.press("Alt+s");
  await tabTo(page, /^Colours/);
  await page.keyboard.press("End");
  await page.locator("html[data-theme=contrast]").waitFor();
  await look(page, "the settings in high contrast");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+n");
  await page.locator("dialog .qr-dark").waitFor();
  await look(page, "a link in high contrast");
  await page.keyboard.press("Escape");
  await chatRow(page, "Ben").press("Enter");
  await bubble(page, "An answer").press("Enter");
  await page.getByRole("menu").waitFor();
  await look(page, "a menu in high contrast");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await look(page, "a conversation in high contrast");
  await page.keyboard.press("Alt+i");
  await page.keyboard.press("Alt+s");
  await tabTo(page, /^Colours/);
  await page.keyboard.press("Home");
  await page.locator("html:not([data-theme])").waitFor();
  await page.keyboard.press("Escape");
});

/** Messages of an app's chat, the oldest first, as another program beside its page reads them. */
async function linesWith(app, selector) {
  const [chat] = await rpc(app, [["chats.find", { selector }]]);
  const [lines] = await rpc(app, [["messages.list", { chat: chat.id, limit: 1000 }]]);
  return lines.filter((line) => line.kind === "message");
}

/** The page in another language, and with it from another side. */
async function speakOf(language) {
  await page.keyboard.press("Alt+s");
  await page.locator("dialog select:has(option[value=ar])").selectOption(language);
  await page.waitForFunction((direction) => document.dir === direction, language === "ar" ? "rtl" : "ltr");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** In the page: the longest that anything on it moves by itself or changes its looks, in seconds. */
const longestMove = () =>
  Math.max(
    ...[...document.querySelectorAll("*")].flatMap((one) =>
      [undefined, "::before", "::after"].flatMap((part) => {
        const { animationDuration, animationName, transitionDuration } = getComputedStyle(one, part);
        return [...transitionDuration.split(","), ...(animationName === "none" ? [] : animationDuration.split(","))].map(Number.parseFloat);
      }),
    ),
  );

test("nothing moves for whoever wants no motion", async () => {
  for (const [reducedMotion, isStill] of [
    ["no-preference", false],
    ["reduce", true],
  ]) {
    await page.emulateMedia({ reducedMotion });
    await page.keyboard.press("Alt+s");
    await page.getByRole("dialog").waitFor();
    const longest = await page.evaluate(longestMove);
    assert.equal(longest <= 0.01, isStill, `${reducedMotion}: ${longest} s`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior === "smooth"), false);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("two hundred hostile texts and file names run nothing, break nothing, and are shown as text", { timeout: 240_000 }, async () => {
  const texts = corpus();
  assert.equal(texts.length, 200);
  const [chat] = await rpc(ben, [["chats.find", { selector: "Ada" }]]);
  const messages = hostileMessages(chat.id, texts, path.join(ben.folder, "files"));
  assert.equal(messages.filter(({ attachments }) => attachments !== undefined).length, 40);
  await openChat(page, "Ben");
  const before = (await linesWith(ada, "Ben")).length;
  const sent = [];
  for (let from = 0; from < messages.length; from += 25) {
    sent.push(...(await rpc(ben, messages.slice(from, from + 25).map((message) => ["messages.send", message]))));
  }
  // What has a file goes out when the file is up, after texts that were sent later.
  let come = [];
  while (come.length < before + messages.length) come = await linesWith(ada, "Ben");
  const newest = come.at(-1).local_id;
  const lineOf = new Map(come.map((line) => [line.id, line]));
  for (const [width, language] of [
    [1280, "en"],
    [390, "en"],
    [390, "ar"],
  ]) {
    await speakOf(language);
    await page.setViewportSize({ width, height: 820 });
    const { read: gathered, ...found } = await page.evaluate(lookAtEveryLine, [newest, FORBIDDEN]);
    assert.deepEqual(found, HARMLESS, `${width} ${language}`);
    const read = new Map(gathered);
    messages.forEach(({ text, markdown, attachments }, at) => {
      const line = lineOf.get(sent[at].message);
      const shown = read.get(line.local_id);
      const what = `${width} ${language}: ${JSON.stringify((attachments?.[0].name ?? text).slice(0, 80))}`;
      assert.equal(shown.names.length, attachments?.length ?? 0, what);
      // All words of a name are there, and what else of it a file's name may have.
      if (attachments !== undefined) {
        assert.equal(shown.names[0], seen(line.attachments[0].name), what);
        assert.equal(words(shown.names[0]), words(attachments[0].name), what);
      }
      // A plain text comes back as it went, whatever is in it; so does one that only looks like more.
      if (!markdown || line.rich === null) return assert.equal(shown.text, text.trim(), what);
      // Of a formatted one everything that is in the core's tree, and markup that is not Markdown is in it as it was written.
      assert.equal(compact(shown.text), compact(textOf(line.rich)), what);
      const [markup] = text.includes("](") || text.includes("<javascript:") ? [] : (/<[a-z!].*>/u.exec(text) ?? []);
      if (markup !== undefined) assert.ok(compact(shown.text).includes(compact(markup)), `${what} is not in ${shown.text}`);
    });
  }
  await speakOf("en");
  await page.setViewportSize({ width: 1280, height: 820 });
  assert.deepEqual(page.complaints, []);
});

test("hostile names of people and groups are shown as text wherever a name stands", async () => {
  const names = [
    "<img src=x onerror=window.hacked=1>",
    "<script>window.hacked=1</script>",
    "[x](javascript:window.hacked=1) **b**",
    "\u202eevil\u202c \u2066\u200b\ufeff",
    "&lt;b&gt; {{7*7}} ${7*7}",
    "W".repeat(64),
  ];
  const [{ id: account }] = ada.command("contacts");
  const [{ chat }] = await rpc(ada, [["groups.create", { name: "Desk", members: [account] }]]);
  const row = (name) => page.locator(".pane-list .chat").filter({ has: page.locator(".chat-name").getByText(seen(name), { exact: true }) });
  const isHarmless = async (name) => {
    const found = await page.evaluate((forbidden) => {
      const wide = document.documentElement.scrollWidth - innerWidth;
      return { hacked: window.hacked ?? null, elements: [...document.querySelectorAll(forbidden)].map((one) => one.outerHTML), wide };
    }, FORBIDDEN);
    assert.deepEqual(found, { hacked: null, elements: [], wide: 0 }, name);
  };
  for (const [at, name] of names.entries()) {
    ben.command("profile", "--name", name);
    await rpc(ada, [["groups.rename", { chat, name: `${name} desk` }]]);
    await row(name).waitFor();
    await row(`${name} desk`).click();
    await page.locator(".chat-title strong").getByText(seen(`${name} desk`), { exact: true }).waitFor();
    await page.locator(".notice-line bdi").getByText(seen(`${name} desk`), { exact: true }).first().waitFor();
    await isHarmless(name);
    // Said under that name, found by it, answered, and passed on.
    ben.command("send", seen(name) === name ? `${name} desk` : chat, `Known by name ${at}`);
    await bubble(page, `Known by name ${at}`).locator(".sender").getByText(seen(name), { exact: true }).waitFor();
    await page.locator("#search").fill(`known by name ${at}`);
    await page.locator(".found .chat-last").getByText(seen(name), { exact: true }).waitFor();
    await page.locator("#search").fill("");
    await bubble(page, `Known by name ${at}`).press("Enter");
    await page.getByRole("menuitem", { name: "Reply", exact: true }).press("Enter");
    await page.locator(".about strong", { hasText: seen(name) }).waitFor();
    await page.keyboard.type(`To name ${at}`);
    await page.keyboard.press("Enter");
    await bubble(page, `To name ${at}`).locator(".quote").getByText(seen(name), { exact: true }).waitFor();
    await isHarmless(name);
  }
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 820 });
    await isHarmless(`${width}`);
  }
  ben.command("profile", "--name", "Ben");
  await chatRow(page, "Ben").waitFor();
  await openChat(page, "Ben");
  assert.deepEqual(page.complaints, []);
});

test("no string becomes markup or script in this page, whoever asks", async () => {
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
    attempt("innerHTML", () => (document.createElement("div").innerHTML = "<b>x</b>"));
    attempt("policy", () => trustedTypes.createPolicy("own", { createHTML: (text) => text }));
    attempt("src", () => (document.createElement("script").src = "/assets/app.js"));
    attempt("write", () => document.write("x"));
    attempt("srcdoc", () => (document.createElement("iframe").srcdoc = "x"));
    const inline = document.createElement("style");
    inline.textContent = "body { display: none }";
    document.head.append(inline);
    outcome.style = getComputedStyle(document.body).display;
    return outcome;
  });
  assert.deepEqual(tried, { innerHTML: "TypeError", policy: "TypeError", src: "TypeError", write: "TypeError", srcdoc: "TypeError", style: "block" });
  assert.equal((await page.context().cookies()).length, 0);
  assert.equal(new URL(page.url()).hash, "");
});

test("a page of another port, or another name for this computer, gets nothing", async () => {
  const target = new URL(ada.address);
  const neighbour = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>neighbour</title>");
  });
  await new Promise((resolve) => neighbour.listen(0, "127.0.0.1", resolve));
  const context = await browser.newContext();
  const other = await context.newPage();
  // What the program answers, whatever of it the browser keeps from the page: by method and address, as it went over the wire.
  const wire = await context.newCDPSession(other);
  const [requests, answers] = [new Map(), new Map()];
  wire.on("Network.requestWillBeSent", ({ requestId, request }) => new URL(request.url).host === target.host && requests.set(requestId, `${request.method} ${new URL(request.url).pathname}`));
  wire.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) => answers.set(requestId, statusCode));
  wire.on("Network.webSocketCreated", ({ requestId }) => requests.set(requestId, "socket"));
  wire.on("Network.webSocketHandshakeResponseReceived", ({ requestId, response }) => answers.set(requestId, response.status));
  wire.on("Network.webSocketFrameError", ({ requestId, errorMessage }) => answers.set(requestId, Number(/response code: (\d+)/u.exec(errorMessage)?.[1])));
  await wire.send("Network.enable");
  await other.goto(`http://127.0.0.1:${neighbour.address().port}/`);
  requests.clear();
  // A file of Ada's is on its way, and its address is known to the neighbour.
  const upload = new Promise((resolve) => page.route("**/upload/*", (route) => resolve(route), { times: 1 }));
  await openChat(page, "Ben");
  const file = path.join(ada.folder, "mine.bin");
  writeFileSync(file, "mine");
  await page.locator("#files").setInputFiles(file);
  const held = await upload;
  const uploadPath = new URL(held.request().url()).pathname;
  const got = await other.evaluate(async ([host, uploadPath]) => {
    const by = (work) => work.then(
      (value) => value,
      () => "refused",
    );
    const element = (name, change) =>
      new Promise((resolve) => {
        const one = document.createElement(name);
        one.onload = () => resolve("loaded");
        one.onerror = () => resolve("refused");
        change(one);
        document.body.append(one);
      });
    const socket = new Promise((resolve) => {
      const one = new WebSocket(`ws://${host}/rpc`);
      one.onopen = () => resolve("open");
      one.onerror = () => resolve("refused");
    });
    return {
      read: await by(fetch(`http://${host}/`).then(() => "read")),
      blind: await by(fetch(`http://${host}/assets/app.js`, { mode: "no-cors" }).then(() => "loaded")),
      post: await by(fetch(`http://${host}/rpc`, { method: "POST", body: "{}" }).then(() => "posted")),
      put: await by(fetch(`http://${host}${uploadPath}`, { method: "PUT", body: "evil" }).then(() => "put")),
      simple: await by(fetch(`http://${host}${uploadPath}`, { method: "POST", body: "evil", mode: "no-cors" }).then(() => "posted")),
      script: await element("script", (one) => (one.src = `http://${host}/assets/style.css`)),
      image: await element("img", (one) => (one.src = `http://${host}/assets/icon.svg`)),
      socket: await socket,
    };
  }, [target.host, uploadPath]);
  for (const [what, came] of Object.entries(got)) assert.equal(came, "refused", what);
  const statuses = () => [...requests].flatMap(([id, what]) => (answers.has(id) ? [`${what}: ${answers.get(id)}`] : [])).sort();
  // The program itself refused each of them: not only the browser, which would have kept an answer from its page.
  const refused = ["GET /", "GET /assets/app.js", "POST /rpc", `OPTIONS ${uploadPath}`, `POST ${uploadPath}`, "GET /assets/style.css", "GET /assets/icon.svg", "socket"];
  await until(() => statuses().length >= refused.length);
  assert.deepEqual(statuses(), refused.map((what) => `${what}: 403`).sort());
  // And the file's own address was not used up.
  await held.continue();
  await page.locator(".picked-one", { hasText: "4 byte" }).waitFor();
  await page.getByRole("button", { name: "Remove mine.bin" }).click();
  const isThere = other.waitForEvent("framenavigated", (frame) => frame !== other.mainFrame() && frame.url() !== "about:blank");
  await other.evaluate((address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    document.body.append(frame);
  }, ada.address);
  // The browser's own page of refusal, which counts as navigated too.
  await isThere;
  const framed = other.frames().find((frame) => frame !== other.mainFrame());
  assert.ok(framed === undefined || (await framed.locator("#app").count().catch(() => 0)) === 0);
  await context.close();
  neighbour.close();

  const rebound = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP evil.test 127.0.0.1"],
  });
  const evil = await rebound.newPage();
  const answered = evil.waitForResponse(/evil\.test/);
  await evil.goto(`http://evil.test:${target.port}/`).catch(() => undefined);
  assert.equal((await answered).status(), 421);
  await rebound.close();
});

test("the locked screen can be heard, and is used by keyboard", async () => {
  const picture = path.join(ada.folder, "picked.png");
  writeFileSync(picture, await redSquare(page));
  await page.locator("#files").setInputFiles(picture);
  const shown = await page.locator(".picked-one img").evaluate((image) => image.src);
  assert.match(shown, /^blob:/);
  await page.keyboard.press("Control+Shift+l");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.matches("input[type=password]"));
  await look(page, "the lock");
  // What was picked and not sent is nowhere in the page any more.
  const outcome = await page.evaluate(
    (address) =>
      new Promise((resolve) => {
        const image = new Image();
        image.onload = image.onerror = ({ type }) => resolve(type);
        image.src = address;
      }),
    shown,
  );
  assert.equal(outcome, "error");
  await page.keyboard.type("not the passphrase");
  await page.keyboard.press("Enter");
  await page.getByText("Wrong passphrase.").waitFor();
  await look(page, "a wrong passphrase");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press("Enter");
  await chatRow(page, "Ben").waitFor();
});

test("the first chats are painted before the others come, and none is missing", async () => {
  ben.command("send", "Ada", "Still there?");
  await page.waitForFunction(() => document.title.startsWith("("));
  const [{ id }] = await rpc(ada, [["contacts.find", { selector: "Ben" }]]);
  await rpc(ada, Array.from({ length: 42 }, (_, at) => ["groups.create", { name: `Desk ${at}`, members: [id] }]));
  await page.keyboard.press("Control+Shift+l");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  const asked = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(JSON.parse(payload))));
  await page.locator("input[type=password]").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await chatRow(page, "Desk").first().waitFor();
  // Ben's message is told of although his chat is the last.
  await page.waitForFunction(() => document.title.startsWith("("));
  const [first, others] = asked.filter(({ method }) => method === "chats.list").map(({ params }) => params);
  assert.equal(first.limit, 40);
  assert.equal(others.except.length, 40);
  await page.waitForFunction((all) => {
    const list = document.querySelector(".chats");
    list.scrollTop = list.scrollHeight;
    return list.querySelectorAll(".chat-row").length === all;
  }, ada.command("chats").length);
  await chatRow(page, "Ben").locator(".count").waitFor();
});
