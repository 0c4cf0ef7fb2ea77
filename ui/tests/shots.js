// Pictures of every screen, for people to look at: phone and wide, in light, dark and high contrast, and from right to left.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { App, PASSPHRASE, Server, befriend, bubble, bubbleMenu, chatRow, onboard, openBrowser, openChat, openPage, say, speak } from "./browser/stage.js";
import { PHONE_ONLY, SCREENS } from "./screens.js";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../shots");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const LOOKS = [
  { name: "wide-light", width: 1280, height: 820, theme: "light" },
  { name: "wide-dark", width: 1280, height: 820, theme: "dark" },
  { name: "phone-light", width: 390, height: 800, theme: "light" },
  { name: "phone-dark", width: 390, height: 800, theme: "dark" },
  { name: "wide-contrast", width: 1280, height: 820, theme: "contrast" },
  { name: "phone-contrast", width: 390, height: 800, theme: "contrast" },
  { name: "wide-rtl", width: 1280, height: 820, theme: "light", language: "ar" },
  { name: "phone-rtl", width: 390, height: 800, theme: "dark", language: "ar" },
];
const isNarrow = (look) => look.width < 760;

const server = await Server.start();
const browser = await openBrowser();
const [ada, ben, cleo, dee] = await Promise.all([App.start("Ada Vermeer"), App.start("Ben Okafor"), App.start("Cléo Martin"), App.start("Dee Novak")]);
const [page, benPage, cleoPage, deePage] = await Promise.all([ada, ben, cleo, dee].map((app) => openPage(browser, app, app === dee ? { locale: "ar" } : {})));

/** Something that looks like a picture of somebody. */
async function paintFace(page) {
  const text = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 400;
    const context = canvas.getContext("2d");
    const sky = context.createLinearGradient(0, 0, 0, 400);
    sky.addColorStop(0, "#7fa8c9");
    sky.addColorStop(1, "#d9c3a0");
    context.fillStyle = sky;
    context.fillRect(0, 0, 400, 400);
    context.fillStyle = "#40362f";
    context.fillRect(90, 300, 220, 100);
    context.beginPath();
    context.fillStyle = "#8a5a3c";
    context.ellipse(200, 190, 85, 110, 0, 0, 2 * Math.PI);
    context.fill();
    return canvas.toDataURL("image/jpeg").split(",")[1];
  });
  return Buffer.from(text, "base64");
}

/** A file that is let go over the conversation. */
async function drop(page, name, size) {
  const given = [name, size];
  const dataTransfer = await page.evaluateHandle(([name, size]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(size)], name));
    return transfer;
  }, given);
  await page.dispatchEvent(".pane-chat", "drop", { dataTransfer });
}

/** What stands in the menu that is open. */
const menuItem = (page, at) => page.locator("[role=menu]").last().locator("[role=menuitem]").nth(at);

async function shot(look, name, of = page) {
  // What was just touched has its colours, and what slides in is there.
  await of.waitForTimeout(250);
  await of.screenshot({ path: path.join(folder, `${look.name}-${name}.png`) });
}

/** A page in the size and colours of a look. */
async function wear(of, { width, height, theme }) {
  await of.setViewportSize({ width, height });
  await of.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
}

/** The same screen in several looks. */
async function shots(looks, name, of = page) {
  for (const look of looks) {
    await wear(of, look);
    await shot(look, name, of);
  }
}

const OWN = LOOKS.filter(({ language }) => language === undefined);
const RTL = LOOKS.filter(({ language }) => language !== undefined);

/** The way in, a step at a time, in whatever language the browser has. */
async function walkIn(of, app, looks, picture) {
  const go = of.locator(".gate-card .button.main");
  await of.goto(app.address);
  const code = of.locator(".gate-card input");
  await code.waitFor();
  await shots(looks, "00-code", of);
  await code.fill(app.code === "000000" ? "000001" : "000000");
  await go.click();
  await of.locator(".trouble-text:not(:empty)").waitFor();
  await shots(looks, "00-code-wrong", of);
  await code.fill(app.code);
  await go.click();
  await of.locator(".gate-card select:has(option[value=ar])").waitFor();
  await shots(looks, "01-welcome", of);
  await go.click();
  const invitation = of.locator(".gate-card textarea");
  await invitation.waitFor();
  await shots(looks, "02-server", of);
  await invitation.fill(server.invitation());
  await of.locator(".gate-card summary").click();
  await of.locator(".gate-card details input").fill("127.0.0.1:9050");
  await shots(looks, "02-server-proxy", of);
  await of.locator(".gate-card details input").fill("");
  await go.click();
  await invitation.waitFor({ state: "detached" });
  await of.locator(".gate-card input:not([type=file])").fill(app.name);
  await shots(looks, "02-name", of);
  await of.locator(".gate-card input[type=file]").setInputFiles(picture);
  await of.locator(".gate-card .avatar img").waitFor();
  await shots(looks, "02-name-picture", of);
  await go.click();
  const passphrases = of.locator(".gate-card input[type=password]");
  await passphrases.first().fill("it rained on my way to the harbour museum this grey Tuesday");
  await shots(looks, "03-passphrase-sentence", of);
  await passphrases.first().fill("kelp orbit violin dusk marrow fence");
  await shots(looks, "03-passphrase", of);
  for (const at of [0, 1]) await passphrases.nth(at).fill(PASSPHRASE);
  await go.click();
  await of.locator(".phrase li").nth(11).waitFor();
  const words = await of.locator(".phrase li").allTextContents();
  await shots(looks, "04-phrase", of);
  await go.click();
  await of.locator("form input").nth(2).waitFor();
  await shots(looks, "05-check", of);
  for (const field of await of.locator("form input").all()) {
    const label = await field.evaluate((input) => input.labels[0].textContent);
    // In the digits of the language.
    const place = Number([...label.match(/\p{N}+/u)[0]].map((digit) => (/[٠-٩]/u.test(digit) ? digit.codePointAt(0) - 0x660 : digit)).join(""));
    await field.fill(words[place - 1]);
  }
  await go.click();
  await of.locator("form input").waitFor({ state: "detached" });
  await shots(looks, "05-kill-code", of);
  await go.click();
  await of.locator(".shown-once li").nth(11).waitFor();
  await shots(looks, "05-kill-words", of);
  await go.click();
  await of.locator("dialog .qr-dark").waitFor();
  await shots(looks, "06-first-contact", of);
  await wear(of, LOOKS[0]);
}

const own = path.join(ada.folder, "own.jpg");
writeFileSync(own, await paintFace(page));
await walkIn(page, ada, OWN, own);
await walkIn(deePage, dee, RTL, own);

// Something to look at.
await onboard(benPage, ben, server.invitation());
await onboard(cleoPage, cleo, server.invitation());
await befriend(page, benPage);
await befriend(page, cleoPage);
for (const one of [ada, ben]) one.command("downloads", "--up-to", "12");
await chatRow(page, "Ben").waitFor();
await chatRow(page, "Cléo").waitFor();
await openChat(page, "Ben");
await openChat(benPage, "Ada");
await say(page, "Good morning Ben. Did the documents arrive?");
await bubble(benPage, "Good morning").waitFor();
await say(benPage, "They did, all of them.");
await say(benPage, "I read half on the train. It is worse than we thought, and better written.");
await bubble(page, "worse than").waitFor();
await bubble(page, "worse than").click({ button: "right", position: { x: 12, y: 10 } });
await page.getByRole("menuitem", { name: "React 😮" }).click();
await bubble(benPage, "Good morning").click({ button: "right", position: { x: 12, y: 10 } });
await benPage.getByRole("menuitem", { name: "Reply" }).click();
await say(benPage, "Shall we meet?\n\n- Thursday at **eleven**\n- or Friday, `platform 4`\n\nhttps://example.org/timetable");
await page.getByRole("button", { name: "Take a photo" }).click();
await page.getByRole("button", { name: "Take photo" }).click();
await page.locator(".picked-one img").waitFor();
await page.locator("#compose").fill("From the window, just now");
await page.waitForFunction(() => !document.querySelector(".send")?.disabled);
await page.keyboard.press("Enter");
await benPage.locator(".photo-whole.shown").last().waitFor();
await speak(benPage);
await page.locator(".memo").waitFor();
await drop(page, "Annual report, second draft.pdf", 1_300_000);
await page.getByRole("button", { name: "Send", exact: true }).click();
await page.locator(".file-row", { hasText: "Annual report" }).waitFor();
await say(page, "Thursday it is");
await bubble(benPage, "Thursday it is").waitFor();
// Files on their way: one that waits, one that goes no more.
await server.halt();
for (const [name, verb] of [
  ["Interview, uncut.wav", "Pause"],
  ["Wrong one.zip", "Cancel"],
]) {
  await drop(page, name, 900_000);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("button", { name: `${verb} the transfer of ${name}` }).click();
}
await page.locator(".transfer[data-state=cancelled]").waitFor();
await server.goOn();
const face = path.join(ben.folder, "face.jpg");
writeFileSync(face, await paintFace(benPage));
ben.command("profile", "--picture", face);
await page.locator(".avatar img").first().waitFor();
ada.command("timer", "Ben Okafor", "1d");
ada.command("group", "create", "Night desk", "Ben Okafor", "Cléo Martin");
await chatRow(cleoPage, "Night desk").waitFor();
await openChat(cleoPage, "Night desk");
await say(cleoPage, "مرحبا بالجميع! هل أنتم جاهزون لهذه الليلة؟");
await say(cleoPage, "The page is at the printer's 🖨️");
await openChat(benPage, "Night desk");
await say(benPage, "On my way");
await openChat(cleoPage, "Ada");
await say(cleoPage, "Are you coming on Thursday?");
await chatRow(page, "Cléo").locator(".count").waitFor();
await openChat(benPage, "Ada");
await openChat(benPage, "Night desk");
await say(benPage, "Half past nine");
await bubbleMenu(benPage, "Half past nine", "Edit");
await benPage.locator("#compose").fill("Half past ten, I am afraid");
await benPage.keyboard.press("Enter");
await openChat(benPage, "Ada");
ada.command("send", "notes", "Ask the printer about the paper for Thursday");
ada.command("chats");
// Two accounts under one name; a stranger who was put on record.
for (const name of ["Eva Lind", "Eva Lind"]) {
  const eva = await App.made(name, server.invitation());
  ada.command("add", eva.commandWithPassphrase("link").uri);
  await eva.stop();
}
// Somebody unknown, and a link to the group.
const link = ada.command("link", "--uses", "3").uri;
await deePage.keyboard.press("Escape");
dee.command("add", link);
await page.locator(".requests-open").waitFor();
await openChat(deePage, "Ada");
await say(deePage, "Hello! Ben gave me this link. May I ask you about the reading on Friday?");
ada.command("group", "invite", "Night desk", "--uses", "5", "--approve");
await page.keyboard.press("Alt+s");
await page.getByLabel("Colours").waitFor();
await page.keyboard.press("Escape");

// Another device of the account, and coming back from a backup: in English it is let in, in Arabic it is told no.
for (const [name, looks, locale] of [
  ["Laptop", OWN, "en-GB"],
  ["Tablet", RTL, "ar"],
]) {
  const other = await App.start(name);
  const otherPage = await openPage(browser, other, { locale });
  await otherPage.goto(other.address);
  await otherPage.locator(".gate-card input").fill(other.code);
  await otherPage.locator(".gate-card .button.main").click();
  const way = otherPage.locator(".gate-card > .button");
  await way.nth(2).click();
  await shots(looks, "36-restore", otherPage);
  await otherPage.locator(".gate-card .row.end .button.quiet").click();
  await way.nth(1).click();
  await otherPage.locator(".gate-card input[type=password]").first().waitFor();
  await shots(looks, "31-another-device", otherPage);
  const fields = otherPage.locator(".gate-card input:not([type=password]):visible");
  await fields.first().fill(server.address());
  await fields.nth(1).fill(name);
  for (const at of [0, 1]) await otherPage.locator(".gate-card input[type=password]").nth(at).fill(PASSPHRASE);
  await otherPage.locator(".gate-card .button.main").click();
  await otherPage.locator(".qr-dark").waitFor();
  await shots(looks, "32-device-code", otherPage);
  const code = await otherPage.locator(".gate-card textarea").first().inputValue();
  await page.keyboard.press("Alt+s");
  await page.locator("dialog .ways .button").nth(1).click();
  await page.locator("dialog .button.main").click();
  await page.locator("dialog textarea").nth(1).fill(code);
  await page.locator("dialog .button.main").click();
  for (const one of [page, otherPage]) await one.locator(".six-words li").nth(5).waitFor();
  await shots(looks, "33-words", otherPage);
  if (name === "Laptop") {
    await page.locator("dialog .button.main").click();
    await otherPage.locator(".gate-card .button.main").click();
    await otherPage.locator(".list-head").waitFor();
    // With its three buttons: the kill code reaches it.
    await page.locator(".devices li", { hasText: name }).locator("button").nth(2).waitFor();
  } else {
    await page.locator("dialog .button.danger").click();
    await page.locator("dialog .linking").waitFor({ state: "detached" });
  }
  await page.keyboard.press("Escape");
  await otherPage.context().close();
  await other.stop();
}
ada.command("report", "make", "Dee Novak", "Wrote to me out of nowhere");
ada.command("archive", "Cléo Martin");

for (const look of LOOKS) {
  await wear(page, look);
  const narrow = isNarrow(look);
  if (look.language !== undefined) {
    await page.keyboard.press("Alt+s");
    await page.locator("dialog select:has(option[value=ar])").selectOption(look.language);
    await page.waitForFunction(() => document.dir === "rtl");
    await page.keyboard.press("Escape");
  }
  if (narrow) await page.keyboard.press("Escape");
  if (narrow) await shot(look, "10-list");
  const { id } = server.announce("Maintenance on Sunday, from nine to ten in the evening.\nhttps://example.org/plan");
  await page.locator(".announcement").waitFor();
  await shot(look, "40-announcement");
  server.announce("--remove", id.slice(0, 12));
  await page.locator(".announcement").waitFor({ state: "detached" });
  await openChat(page, "Ben");
  await page.locator(".photo").first().scrollIntoViewIfNeeded();
  await page.locator(".photo-whole.shown").waitFor();
  await page.locator(".lines").evaluate((lines) => (lines.scrollTop = 0));
  await shot(look, "11-conversation-top");
  await page.locator(".lines").evaluate((lines) => (lines.scrollTop = lines.scrollHeight));
  // That somebody writes is told once, and not again if it is lost: he goes on.
  for (const words of ["I will b", "e there", " at nine", ", or a", " little", " later"]) {
    await benPage.locator("#compose").pressSequentially(words);
    const isTold = await page.locator(".chat-below.typing").waitFor({ timeout: 6000 }).then(() => true, () => false);
    if (isTold) break;
  }
  await page.locator(".chat-below.typing").waitFor();
  await shot(look, "12-conversation");
  await benPage.locator("#compose").fill("");
  await bubble(page, "Thursday it is").click({ button: "right", position: { x: 12, y: 10 } });
  await shot(look, "13-menu");
  await page.keyboard.press("Escape");
  await page.locator(".compose-row [aria-expanded]").first().click();
  await shot(look, "41-share-menu");
  await menuItem(page, 2).click();
  await shot(look, "41-own-timer-menu");
  await menuItem(page, 4).click();
  await page.locator("#compose").fill("**Bring** the _second_ `draft`, please");
  await drop(page, "Seating plan.odt", 40_000);
  await page.locator(".picked-one").waitFor();
  await shot(look, "41-composer");
  await page.locator(".picked-one button").click();
  await page.locator(".about button").click();
  await page.locator("#compose").fill("");
  await page.locator(".photo-whole.shown").first().click();
  await page.locator(".picture img").waitFor();
  await shot(look, "51-picture");
  await page.keyboard.press("Escape");
  await bubble(page, "Thursday it is").click({ button: "right", position: { x: 12, y: 10 } });
  await menuItem(page, 12).click();
  await page.locator(".pick-box").nth(1).check();
  await shot(look, "52-selection");
  await page.keyboard.press("Escape");
  await page.locator("#compose").waitFor();
  await page.locator(".compose-row .record").hover();
  await page.mouse.down();
  await page.locator(".recording").waitFor();
  await shot(look, "54-recording");
  await page.keyboard.press("Escape");
  await page.mouse.up();
  await page.locator(".recording").waitFor({ state: "detached" });
  for (const [at, name] of [
    [10, "42-forward"],
    [13, "43-info"],
    [14, "44-delete"],
  ]) {
    await bubble(page, "Thursday it is").click({ button: "right", position: { x: 12, y: 10 } });
    await menuItem(page, at).click();
    await page.locator("dialog").waitFor();
    await shot(look, name);
    await page.keyboard.press("Escape");
  }
  await page.locator(".compose-row .icon-button").nth(1).click();
  await page.locator("dialog video").waitFor();
  await page.waitForFunction(() => document.querySelector("dialog video")?.currentTime > 0);
  await shot(look, "45-camera");
  await page.keyboard.press("Escape");
  await page.locator(".chat-head [aria-expanded]").last().click();
  await shot(look, "46-chat-menu");
  await page.keyboard.press("Escape");
  await page.locator(".compose-row [aria-expanded]").nth(1).click();
  await page.locator(".emoji-one").first().waitFor();
  await shot(look, "14-emoji");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await shot(look, "15-details");
  await page.locator(".pane-details .gallery").scrollIntoViewIfNeeded();
  await page.locator(".pane-details .details-body").evaluate((body) => (body.scrollTop = body.scrollHeight));
  await shot(look, "15-details-gallery");
  await page.keyboard.press("Alt+i");
  await page.locator(".chat-title").click();
  await page.locator("dialog .qr-dark").waitFor();
  await shot(look, "16-contact");
  await page.keyboard.press("Escape");
  await page.locator(".chat-head [aria-expanded]").last().click();
  await menuItem(page, 2).click();
  await page.locator("dialog input[type=date]").waitFor();
  await shot(look, "48-date");
  await page.keyboard.press("Escape");
  if (narrow) await page.keyboard.press("Escape");
  await openChat(page, "Night desk");
  await shot(look, "17-group");
  await page.locator(".edited").first().click();
  await page.locator("dialog .versions li").first().waitFor();
  await shot(look, "43-history");
  await page.keyboard.press("Escape");
  await page.locator("#compose").pressSequentially("Did you see it, @");
  await page.locator(".mentions button").first().waitFor();
  await shot(look, "55-mentions");
  await page.locator("#compose").fill("");
  await page.keyboard.press("Alt+i");
  await page.locator(".members li").nth(2).waitFor();
  await shot(look, "18-group-details");
  await page.locator(".pane-details .members ~ .button").first().click();
  await page.locator(".pane-details form .person-check").first().waitFor();
  await page.locator(".pane-details form").scrollIntoViewIfNeeded();
  await shot(look, "58-add-members");
  await page.keyboard.press("Alt+i");
  for (const [keys, name] of [
    ["Alt+n", "19-add"],
    ["Alt+s", "20-settings"],
  ]) {
    await page.keyboard.press(keys);
    await page.locator("dialog").waitFor();
    if (name === "19-add") await page.locator("dialog .qr-dark").waitFor();
    await shot(look, name);
    if (name === "19-add") {
      await page.locator("dialog [role=tab]").nth(1).click();
      await page.locator("dialog textarea").waitFor();
      await shot(look, "19-add-given");
      await page.locator("dialog form .button:not(.main)").click();
      await page.waitForFunction(() => document.querySelector(".scanner video")?.currentTime > 0);
      await shot(look, "19-add-scan");
    } else {
      await page.locator("dialog section").nth(2).evaluate((one) => one.scrollIntoView());
      await shot(look, "20-settings-more");
      await page.locator("dialog section").last().evaluate((one) => one.previousElementSibling.scrollIntoView());
      await shot(look, "20-settings-lists");
    }
    await page.keyboard.press("Escape");
  }
  for (const [at, name] of [
    [0, "37-share-contact"],
    [1, "38-share-place"],
  ]) {
    await page.locator(".compose-row [aria-expanded]").first().click();
    await page.locator("[role=menuitem]").nth(at).click();
    await page.locator("dialog").waitFor();
    if (at === 0) {
      await shot(look, "37-share-whom");
      await page.locator("dialog .chat").first().click();
      await page.locator("dialog textarea").waitFor();
    }
    await shot(look, name);
    await page.keyboard.press("Escape");
  }
  await page.locator(".chat-head [aria-expanded]").last().click();
  await page.locator("[role=menuitem]").last().click();
  await page.locator("dialog .limits").waitFor();
  await shot(look, "39-export");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details .invites .icon-button").first().click();
  await page.locator(".invites .qr-dark").waitFor();
  await page.locator(".invites").scrollIntoViewIfNeeded();
  await shot(look, "23-group-link");
  await page.locator(".pane-details select").last().scrollIntoViewIfNeeded();
  await shot(look, "24-group-rules");
  await page.keyboard.press("Alt+i");
  for (const [at, name] of [
    [1, "25-devices"],
    [2, "26-storage"],
    [3, "34-protection"],
    [4, "35-backup"],
  ]) {
    await page.keyboard.press("Alt+s");
    await page.locator("dialog .ways .button").nth(at).click();
    if (at === 1) await page.locator(".devices li").first().waitFor();
    else if (at === 2) await page.locator(".storage summary").first().waitFor();
    else await page.locator("dialog .limits").first().waitFor();
    await shot(look, name);
    if (at === 3) {
      for (const [part, text] of [
        ["duress", "34-protection-duress"],
        ["kill", "34-protection-kill"],
        ["wipe", "34-protection-wipe"],
      ]) {
        await page.locator(`#protection-${part}`).evaluate((one) => one.scrollIntoView());
        await shot(look, text);
      }
    }
    if (at === 1) {
      await page.locator(".devices li", { hasText: "Laptop" }).locator("button").nth(2).waitFor();
      await page.locator(".devices li", { hasText: "Laptop" }).locator("button").nth(1).click();
      await page.locator("dialog form input").first().waitFor();
      await shot(look, "25-devices-wipe");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Alt+s");
      await page.locator("dialog .ways .button").nth(at).click();
      await page.locator(".devices li").nth(1).waitFor();
      await page.locator("dialog .button.main").click();
      await page.locator("dialog .linking textarea").first().waitFor();
      await shot(look, "27-link-device");
    }
    await page.keyboard.press("Escape");
  }
  if (narrow) await page.keyboard.press("Escape");
  await page.locator(".requests-open").click();
  await shot(look, "28-requests");
  await chatRow(page, "Dee").click();
  await page.locator(".request-bar").waitFor();
  await shot(look, "29-request");
  await page.locator(".request-bar .button").last().click();
  await page.locator("dialog").waitFor();
  await shot(look, "29-record");
  await page.keyboard.press("Escape");
  if (narrow) await page.keyboard.press("Escape");
  await page.locator(".archive-back").click();
  await openChat(page, "Night desk");
  await page.locator("#compose").blur();
  await page.keyboard.press("?");
  await shot(look, "21-shortcuts");
  await page.locator("dialog").locator(".shortcuts > :last-child").scrollIntoViewIfNeeded();
  await shot(look, "21-shortcuts-more");
  await page.keyboard.press("Escape");
  if (narrow) await page.keyboard.press("Escape");
  await page.locator("#search").fill("thu");
  await page.locator(".found .chat").first().waitFor();
  await shot(look, "22-search");
  await page.locator(".search-filter").click();
  await page.locator("form.filter").waitFor();
  await shot(look, "22-search-filter");
  await page.locator(".search-filter").click();
  await page.locator("#search").fill("");
  await page.locator(".list-head [aria-expanded]").click();
  await shot(look, "47-new-menu");
  await menuItem(page, 1).click();
  await page.locator("dialog input").first().waitFor();
  await shot(look, "47-new-group");
  await page.keyboard.press("Escape");
  if (narrow) await page.keyboard.press("Escape");
  await page.locator(".archive-open").click();
  await chatRow(page, "Cléo").waitFor();
  await shot(look, "53-archive");
  await page.locator(".archive-back").click();
  await page.locator(".list-head [aria-expanded]").click();
  await menuItem(page, 2).click();
  await page.locator(".chat-title").waitFor();
  await shot(look, "56-notes");
  if (narrow) await page.keyboard.press("Escape");
  for (const at of [0, 1]) {
    await chatRow(page, "Eva").nth(at).click();
    await page.locator(".chat-title strong", { hasText: "Eva" }).waitFor();
    if (await page.locator(".pane-chat .other-account").count()) break;
    if (narrow) await page.keyboard.press("Escape");
  }
  await shot(look, "57-other-account");
  if (narrow) await page.keyboard.press("Escape");
  await server.halt();
  await page.locator(".connection-line").waitFor();
  await shot(look, "50-offline");
  await server.goOn();
  await page.locator(".connection-line").waitFor({ state: "detached" });
  // The lock button is held for as long as it takes to look.
  await page.evaluate(() => {
    const later = window.setTimeout;
    window.setTimeout = (work, ms, ...more) => later(work, ms === 3000 ? 60_000 : ms, ...more);
    window.goOn = () => (window.setTimeout = later);
  });
  await page.locator(".list-head .icon-button").first().hover();
  await page.mouse.down();
  await page.locator(".panic").waitFor();
  await page.locator("form input[type=password]").waitFor();
  await shot(look, "49-panic");
  await page.evaluate(() => window.goOn());
  await page.mouse.up();
  await page.locator(".panic").waitFor({ state: "detached" });
  await shot(look, "30-locked");
  await page.locator("form input[type=password]").fill("not the passphrase");
  await page.keyboard.press("Enter");
  await page.locator("#unlock-trouble:not(:empty)").waitFor();
  await shot(look, "30-locked-wrong");
  await page.locator("form input[type=password]").fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await page.locator(".list-head").waitFor();
}

// What is left on the page of a device that was wiped.
for (const [app, of, looks] of [
  [cleo, cleoPage, OWN],
  [dee, deePage, RTL],
]) {
  app.command("panic", "--wipe");
  await of.locator(".gate-card h1").waitFor();
  await shots(looks, "59-ended", of);
}

await browser.close();
await Promise.all([ada, ben, cleo, dee].map((app) => app.stop()));
await server.stop();
const wanted = LOOKS.flatMap((look) => [...Object.values(SCREENS).flat(), ...(isNarrow(look) ? PHONE_ONLY : [])].map((screen) => `${look.name}-${screen}.png`));
assert.deepEqual(readdirSync(folder).sort(), wanted.sort(), "every screen is there in every look");
console.log(`${wanted.length} pictures are in ${path.relative(process.cwd(), folder)}.`);
