// What a page must never do for others, and must do for everybody: a hostile neighbour, hostile messages, the keyboard alone, and
// what helps those who don't see the screen.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { App, PASSPHRASE, Server, befriend, binary, bubble, chatRow, look, onboard, openBrowser, openChat, openPage } from "./stage.js";

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

/** Presses Tab until something with this name has the focus. */
async function tabTo(page, name, most = 40) {
  for (let turn = 0; turn < most; turn += 1) {
    const found = await page.evaluate(() => {
      const element = document.activeElement === document.body ? null : document.activeElement;
      return element?.getAttribute("aria-label") ?? element?.labels?.[0]?.textContent ?? element?.textContent ?? "";
    });
    if (name.test(found)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no way by keyboard to ${name}`);
}

test("an account is made with the keyboard alone, and every step can be heard", async () => {
  await page.goto(ada.address);
  await page.getByLabel("Six-digit code").waitFor();
  await look(page, "the code");
  await page.keyboard.type(ada.code);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Make a new account" }).waitFor();
  await look(page, "the welcome");
  await tabTo(page, /Make a new account/);
  await page.keyboard.press("Enter");
  await page.getByLabel("Invitation or server address with pin").waitFor();
  await look(page, "the server");
  await page.keyboard.insertText(server.invitation());
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).waitFor();
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
  await page.locator(".chat-title").focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog .qr-dark").waitFor();
  await look(page, "the contact");
  await page.keyboard.press("Escape");
  await tabTo(page, /Emoji/, 60);
  await page.keyboard.press("Enter");
  await page.locator(".emoji-one").first().waitFor();
  await look(page, "the emoji");
  await page.keyboard.type("thumbs up");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#compose").inputValue(), "👍");
  await page.locator("#compose").fill("");
  for (const chosen of ["Info", "Forward", "Delete"]) {
    await page.keyboard.press("Alt+m");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: chosen, exact: true }).press("Enter");
    await page.getByRole("dialog").waitFor();
    await look(page, chosen);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

/** 200 texts that would like to be more than text. */
function corpus() {
  const payloads = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<a href=javascript:window.hacked=1>x</a>",
    "[x](javascript:window.hacked=1)",
    "[x](JaVaScRiPt:window.hacked=1)",
    "[x](data:text/html,<script>window.hacked=1</script>)",
    "[x](vbscript:msgbox)",
    "![x](https://example.invalid/tracker.png)",
    "<javascript:window.hacked=1>",
    "<body onload=window.hacked=1>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<meta http-equiv=refresh content='0;url=https://example.invalid'>",
    "<base href=https://example.invalid/>",
    "<form action=https://example.invalid><input autofocus onfocus=window.hacked=1></form>",
    "<details open ontoggle=window.hacked=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "{{constructor.constructor('window.hacked=1')()}}",
    "${window.hacked=1}",
    "';window.hacked=1;//",
    "\"><script>window.hacked=1</script>",
    "</p></div></main><h1>outside</h1>",
    "<!--",
    "]]>",
    "\u202eevil\u202c txet",
    "\u2066\u2067\u2068 never closed",
    "\u200b\u200c\u200d\ufeff hidden",
    "Z\u0335\u0321\u0322\u0316\u0317\u0318\u0319\u031c".repeat(40),
    "W".repeat(3000),
    "👩‍👩‍👧‍👦".repeat(200),
    "|a|b|\n|-|-|\n|" + "c".repeat(600) + "|d|",
    "> ".repeat(60) + "deep",
    "- ".repeat(60) + "deep",
    "```html\n<script>window.hacked=1</script>\n```",
    "`" + "x".repeat(500) + "`",
    "https://example.invalid/" + "a".repeat(900),
  ];
  const wrap = [(text) => text, (text) => `**${text}**`, (text) => `> ${text}`, (text) => `- ${text}\n- ${text}`, (text) => `Look: ${text} !`];
  return payloads.flatMap((payload) => wrap.map((one) => one(payload)));
}

/** Requests to a person's app by another program beside its page. */
async function rpc(app, requests) {
  const child = spawn(binary("undertone"), ["--home", app.home, "rpc"], { env: app.environment, stdio: ["pipe", "pipe", "ignore"] });
  const answers = new Map();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const answer = JSON.parse(line);
    answers.set(answer.id, answer);
  });
  requests.forEach(([method, params], id) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`));
  child.stdin.end();
  await new Promise((resolve) => child.once("exit", resolve));
  return requests.map((_, id) => {
    const answer = answers.get(id);
    if (answer?.error !== undefined) throw new Error(JSON.stringify(answer.error));
    return answer?.result;
  });
}

/** Messages of an app's chat, the oldest first, as another program beside its page reads them. */
async function linesWith(app, selector) {
  const [chat] = await rpc(app, [["chats.find", { selector }]]);
  const [lines] = await rpc(app, [["messages.list", { chat: chat.id, limit: 1000 }]]);
  return lines.filter((line) => line.kind === "message");
}

/** In the page: goes from the first line to the newest, and gathers every text on the way and everything that must not be. The page holds only
 * the lines around those that are looked at. */
async function lookAtEveryLine(newest) {
  const lines = document.querySelector(".lines");
  const frames = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const found = { texts: new Set(), elements: new Set(), images: new Set(), links: new Set(), over: new Set(), wide: 0 };
  const look = () => {
    for (const text of lines.querySelectorAll(".bubble .text")) found.texts.add(text.textContent);
    const forbidden = ".app script, .app iframe, .app object, .app embed, .app style, .app link, .app meta, .app base, .lines form, .lines svg script, .lines [onerror], .lines [onload]";
    for (const one of document.querySelectorAll(forbidden)) found.elements.add(one.outerHTML);
    for (const image of lines.querySelectorAll("img")) if (!/^(data:image\/jpeg;|http:\/\/127\.0\.0\.1:\d+\/media\/)/.test(image.src)) found.images.add(image.src);
    for (const link of lines.querySelectorAll("a")) if (!["http:", "https:", "mailto:"].includes(link.protocol)) found.links.add(link.protocol);
    for (const one of lines.querySelectorAll(".bubble")) {
      const at = one.getBoundingClientRect();
      if (at.right > innerWidth + 1 || at.left < -1) found.over.add(one.textContent);
    }
    found.wide = Math.max(found.wide, document.documentElement.scrollWidth - innerWidth);
  };
  while (lines.querySelector(".beginning svg") === null) {
    lines.scrollTop = 0;
    await frames();
  }
  do {
    look();
    lines.scrollTop = lines.scrollHeight;
    await frames();
  } while (lines.querySelector(`[data-line="${newest}"]`) === null);
  look();
  const plain = Object.entries(found).map(([name, of]) => [name, of instanceof Set ? [...of] : of]);
  return { hacked: window.hacked ?? null, ...Object.fromEntries(plain) };
}

test("two hundred hostile texts and file names run nothing, break nothing, and are shown as text", { timeout: 240_000 }, async () => {
  const texts = corpus();
  assert.equal(texts.length, 200);
  const [chat] = await rpc(ben, [["chats.find", { selector: "Ada" }]]);
  const files = path.join(ben.folder, "files");
  mkdirSync(files);
  const contents = ["<html><script>parent.hacked=1</script>", "<svg xmlns='http://www.w3.org/2000/svg'><script>window.hacked=1</script></svg>"];
  const messages = texts.map((text, at) => {
    if (at % 10 !== 3) return { chat: chat.id, text, markdown: at % 2 === 0 };
    const file = path.join(files, `${at}`);
    writeFileSync(file, contents[at % 2]);
    return { chat: chat.id, text: `file ${at}`, attachments: [{ path: file, name: `${text.replaceAll("/", "∕").slice(0, 110)}.svg`, keep_metadata: false }] };
  });
  await openChat(page, "Ben");
  const before = (await linesWith(ada, "Ben")).length;
  for (let from = 0; from < messages.length; from += 25) {
    await rpc(ben, messages.slice(from, from + 25).map((message) => ["messages.send", message]));
  }
  // What has a file goes out when the file is up, after texts that were sent later.
  let come = [];
  while (come.length < before + messages.length) come = await linesWith(ada, "Ben");
  const newest = come.at(-1).local_id;
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 820 });
    const found = await page.evaluate(lookAtEveryLine, newest);
    const texts = new Set(found.texts);
    delete found.texts;
    assert.deepEqual(found, { hacked: null, elements: [], images: [], links: [], wide: 0, over: [] }, `${width}`);
    for (const { text, markdown } of messages.filter((message) => message.attachments === undefined)) {
      // A plain text comes back as it went, whatever is in it.
      if (!markdown) assert.ok(texts.has(text.trim()), `${width}: ${JSON.stringify(text.slice(0, 80))}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 820 });
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
  await other.goto(`http://127.0.0.1:${neighbour.address().port}/`);
  const got = await other.evaluate(async (host) => {
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
      put: await by(fetch(`http://${host}/upload/x`, { method: "PUT", body: "x" }).then(() => "put")),
      script: await element("script", (one) => (one.src = `http://${host}/assets/app.js`)),
      image: await element("img", (one) => (one.src = `http://${host}/assets/icon.svg`)),
      socket: await socket,
    };
  }, target.host);
  assert.deepEqual(got, { read: "refused", blind: "refused", post: "refused", put: "refused", script: "refused", image: "refused", socket: "refused" });
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
  await page.keyboard.press("Control+Shift+l");
  await page.getByRole("heading", { name: "Locked" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.matches("input[type=password]"));
  await look(page, "the lock");
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press("Enter");
  await chatRow(page, "Ben").waitFor();
});
