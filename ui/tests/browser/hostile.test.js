// What a page must never do for others: hostile messages and names are only text, and a hostile neighbour gets nothing.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FORBIDDEN, HARMLESS, compact, corpus, hostileMessages, lookAtEveryLine, seen, textOf, words } from "./hostile.js";
import { App, Server, bubble, chatRow, meet, openBrowser, openChat, openPage, rpc, unlock, until } from "./stage.js";

let server, browser, ada, ben, page;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.made("Ada", server.invitation()), App.made("Ben", server.invitation())]);
  meet(ada, ben);
  await Promise.all([ada.run(), ben.run()]);
  const benPage = await openPage(browser, ben);
  page = await openPage(browser, ada);
  for (const [one, app] of [
    [page, ada],
    [benPage, ben],
  ]) {
    await unlock(one, app);
  }
  await chatRow(page, "Ben").waitFor();
  await chatRow(benPage, "Ada").waitFor();
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
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
