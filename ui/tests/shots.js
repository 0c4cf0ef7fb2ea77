// Pictures of every screen, for people to look at: phone and wide, in light, dark and high contrast, and from right to left.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { App, PASSPHRASE, Server, befriend, bubble, chatRow, enter, onboard, openBrowser, openChat, openPage, say, speak } from "./browser/stage.js";

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

const server = await Server.start();
const browser = await openBrowser();
const [ada, ben, cleo, dee] = await Promise.all([App.start("Ada Vermeer"), App.start("Ben Okafor"), App.start("Cléo Martin"), App.start("Dee Novak")]);
const [page, benPage, cleoPage, deePage] = await Promise.all([ada, ben, cleo, dee].map((app) => openPage(browser, app)));

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

async function shot(look, name) {
  // What was just touched has its colours, and what slides in is there.
  await page.waitForTimeout(250);
  await page.screenshot({ path: path.join(folder, `${look}-${name}.png`) });
}

// The way in, before there is anything: in both colours.
for (const theme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme: theme });
  await page.goto(ada.address);
  await page.getByLabel("Six-digit code").waitFor();
  await shot(`wide-${theme}`, "00-code");
}
await page.emulateMedia({ colorScheme: "light" });
await enter(page, ada);
await page.getByRole("button", { name: "Make a new account" }).waitFor();
await shot("wide-light", "01-welcome");
await page.getByRole("button", { name: "Make a new account" }).click();
await shot("wide-light", "02-server");
await page.reload();
await page.getByRole("button", { name: "Make a new account" }).waitFor();
await page.setViewportSize({ width: 390, height: 800 });
await page.getByRole("button", { name: "Make a new account" }).click();
await page.getByLabel("Invitation or server address with pin").fill(server.invitation());
await page.getByText("Advanced", { exact: true }).click();
await page.getByLabel("SOCKS5 proxy, host and port").fill("127.0.0.1:9050");
await shot("phone-light", "02-server-proxy");
await page.setViewportSize({ width: 1280, height: 820 });
await shot("wide-light", "02-server-proxy");
await page.setViewportSize({ width: 390, height: 800 });
await page.getByLabel("SOCKS5 proxy, host and port").fill("");
await page.getByRole("button", { name: "Continue" }).click();
await page.getByLabel("Name", { exact: true }).fill("Ada Vermeer");
const own = path.join(ada.folder, "own.jpg");
writeFileSync(own, await paintFace(page));
await shot("phone-light", "02-name");
await page.locator(".gate-card input[type=file]").setInputFiles(own);
await page.locator(".gate-card .avatar img").waitFor();
await shot("phone-light", "02-name-picture");
await page.getByRole("button", { name: "Continue" }).click();
await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
await shot("phone-light", "03-passphrase");
await page.getByLabel("The same again").fill(PASSPHRASE);
await page.getByRole("button", { name: "Make the account" }).click();
await page.locator(".phrase li").nth(11).waitFor();
await shot("phone-light", "04-phrase");
await page.setViewportSize({ width: 1280, height: 820 });
await shot("wide-light", "04-phrase");
const words = await page.locator(".phrase li").allTextContents();
await page.getByRole("button", { name: "I have them on paper" }).click();
await shot("wide-light", "05-check");
for (const field of await page.locator("form input").all()) {
  const label = await field.evaluate((input) => input.labels[0].textContent);
  await field.fill(words[Number(label.match(/\d+/)[0]) - 1]);
}
await page.getByRole("button", { name: "Done" }).click();
await shot("wide-light", "05-kill-code");
await page.getByRole("button", { name: "Not now" }).click();
await page.getByRole("heading", { name: "Add a contact" }).waitFor();
await page.locator(".qr-dark").waitFor();
await shot("wide-light", "06-first-contact");

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
// Somebody unknown, and a link to the group.
await onboard(deePage, dee, server.invitation());
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

for (const look of LOOKS) {
  await page.setViewportSize({ width: look.width, height: look.height });
  await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), look.theme);
  const isNarrow = look.width < 760;
  if (look.language !== undefined) {
    await page.keyboard.press("Alt+s");
    await page.locator("dialog select:has(option[value=ar])").selectOption(look.language);
    await page.waitForFunction(() => document.dir === "rtl");
    await page.keyboard.press("Escape");
  }
  if (isNarrow) await page.keyboard.press("Escape");
  if (isNarrow) await shot(look.name, "10-list");
  const { id } = server.announce("Maintenance on Sunday, from nine to ten in the evening.\nhttps://example.org/plan");
  await page.locator(".announcement").waitFor();
  await shot(look.name, "40-announcement");
  server.announce("--remove", id.slice(0, 12));
  await page.locator(".announcement").waitFor({ state: "detached" });
  await openChat(page, "Ben");
  await page.locator(".photo").first().scrollIntoViewIfNeeded();
  await page.locator(".photo-whole.shown").waitFor();
  await page.locator(".lines").evaluate((lines) => (lines.scrollTop = 0));
  await shot(look.name, "11-conversation-top");
  await page.locator(".lines").evaluate((lines) => (lines.scrollTop = lines.scrollHeight));
  await benPage.locator("#compose").pressSequentially("I will b");
  await page.locator(".chat-below.typing").waitFor();
  await shot(look.name, "12-conversation");
  await benPage.locator("#compose").fill("");
  await bubble(page, "Thursday it is").click({ button: "right", position: { x: 12, y: 10 } });
  await shot(look.name, "13-menu");
  await page.keyboard.press("Escape");
  await page.locator(".compose-row [aria-expanded]").first().click();
  await shot(look.name, "41-share-menu");
  await menuItem(page, 2).click();
  await shot(look.name, "41-own-timer-menu");
  await menuItem(page, 4).click();
  await page.locator("#compose").fill("**Bring** the _second_ `draft`, please");
  await drop(page, "Seating plan.odt", 40_000);
  await page.locator(".picked-one").waitFor();
  await shot(look.name, "41-composer");
  await page.locator(".picked-one button").click();
  await page.locator(".about button").click();
  await page.locator("#compose").fill("");
  for (const [at, name] of [
    [10, "42-forward"],
    [13, "43-info"],
    [14, "44-delete"],
  ]) {
    await bubble(page, "Thursday it is").click({ button: "right", position: { x: 12, y: 10 } });
    await menuItem(page, at).click();
    await page.locator("dialog").waitFor();
    await shot(look.name, name);
    await page.keyboard.press("Escape");
  }
  await page.locator(".compose-row .icon-button").nth(1).click();
  await page.locator("dialog video").waitFor();
  await page.waitForFunction(() => document.querySelector("dialog video")?.currentTime > 0);
  await shot(look.name, "45-camera");
  await page.keyboard.press("Escape");
  await page.locator(".chat-head [aria-expanded]").last().click();
  await shot(look.name, "46-chat-menu");
  await page.keyboard.press("Escape");
  await page.locator(".compose-row [aria-expanded]").nth(1).click();
  await page.locator(".emoji-one").first().waitFor();
  await shot(look.name, "14-emoji");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details").waitFor();
  await shot(look.name, "15-details");
  await page.locator(".pane-details .gallery").scrollIntoViewIfNeeded();
  await page.locator(".pane-details .details-body").evaluate((body) => (body.scrollTop = body.scrollHeight));
  await shot(look.name, "15-details-gallery");
  await page.keyboard.press("Alt+i");
  await page.locator(".chat-title").click();
  await page.locator("dialog .qr-dark").waitFor();
  await shot(look.name, "16-contact");
  await page.keyboard.press("Escape");
  await page.locator(".chat-head [aria-expanded]").last().click();
  await menuItem(page, 2).click();
  await page.locator("dialog input[type=date]").waitFor();
  await shot(look.name, "48-date");
  await page.keyboard.press("Escape");
  if (isNarrow) await page.keyboard.press("Escape");
  await openChat(page, "Night desk");
  await shot(look.name, "17-group");
  await page.keyboard.press("Alt+i");
  await page.locator(".members li").nth(2).waitFor();
  await shot(look.name, "18-group-details");
  await page.keyboard.press("Alt+i");
  for (const [keys, name] of [
    ["Alt+n", "19-add"],
    ["Alt+s", "20-settings"],
  ]) {
    await page.keyboard.press(keys);
    await page.locator("dialog").waitFor();
    if (name === "19-add") await page.locator("dialog .qr-dark").waitFor();
    await shot(look.name, name);
    if (name === "20-settings") {
      await page.locator("dialog section").nth(2).evaluate((one) => one.scrollIntoView());
      await shot(look.name, "20-settings-more");
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
      await shot(look.name, "37-share-whom");
      await page.locator("dialog .chat").first().click();
      await page.locator("dialog textarea").waitFor();
    }
    await shot(look.name, name);
    await page.keyboard.press("Escape");
  }
  await page.locator(".chat-head [aria-expanded]").last().click();
  await page.locator("[role=menuitem]").last().click();
  await page.locator("dialog .limits").waitFor();
  await shot(look.name, "39-export");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+i");
  await page.locator(".pane-details .invites .icon-button").first().click();
  await page.locator(".invites .qr-dark").waitFor();
  await page.locator(".invites").scrollIntoViewIfNeeded();
  await shot(look.name, "23-group-link");
  await page.locator(".pane-details select").last().scrollIntoViewIfNeeded();
  await shot(look.name, "24-group-rules");
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
    await shot(look.name, name);
    if (at === 3) {
      for (const [part, text] of [
        ["duress", "34-protection-duress"],
        ["kill", "34-protection-kill"],
        ["wipe", "34-protection-wipe"],
      ]) {
        await page.locator(`#protection-${part}`).evaluate((one) => one.scrollIntoView());
        await shot(look.name, text);
      }
    }
    if (at === 1) {
      await page.locator("dialog .button.main").click();
      await page.locator("dialog .linking textarea").first().waitFor();
      await shot(look.name, "27-link-device");
    }
    await page.keyboard.press("Escape");
  }
  if (isNarrow) await page.keyboard.press("Escape");
  await page.locator(".requests-open").click();
  await shot(look.name, "28-requests");
  await chatRow(page, "Dee").click();
  await page.locator(".request-bar").waitFor();
  await shot(look.name, "29-request");
  if (isNarrow) await page.keyboard.press("Escape");
  await page.locator(".archive-back").click();
  await openChat(page, "Night desk");
  await page.locator("#compose").blur();
  await page.keyboard.press("?");
  await shot(look.name, "21-shortcuts");
  await page.locator("dialog").locator(".shortcuts > :last-child").scrollIntoViewIfNeeded();
  await shot(look.name, "21-shortcuts-more");
  await page.keyboard.press("Escape");
  if (isNarrow) await page.keyboard.press("Escape");
  await page.locator("#search").fill("thu");
  await page.locator(".found .chat").first().waitFor();
  await shot(look.name, "22-search");
  await page.locator(".search-filter").click();
  await page.locator("form.filter").waitFor();
  await shot(look.name, "22-search-filter");
  await page.locator(".search-filter").click();
  await page.locator("#search").fill("");
  await page.locator(".list-head [aria-expanded]").click();
  await shot(look.name, "47-new-menu");
  await menuItem(page, 1).click();
  await page.locator("dialog input").first().waitFor();
  await shot(look.name, "47-new-group");
  await page.keyboard.press("Escape");
}
// This device as another one of an account, in the colours of a phone and of a wide screen.
const other = await App.start("Ada's laptop");
const otherPage = await openPage(browser, other);
await enter(otherPage, other);
for (const look of LOOKS.slice(0, 4)) {
  await otherPage.emulateMedia({ colorScheme: look.theme });
  await otherPage.setViewportSize({ width: look.width, height: look.height });
  await otherPage.getByRole("button", { name: "This is another device of mine" }).click();
  await otherPage.waitForTimeout(250);
  await otherPage.screenshot({ path: path.join(folder, `${look.name}-31-another-device.png`) });
  await otherPage.getByRole("button", { name: "Back" }).click();
}
for (const look of LOOKS.slice(0, 4)) {
  await otherPage.emulateMedia({ colorScheme: look.theme });
  await otherPage.setViewportSize({ width: look.width, height: look.height });
  await otherPage.getByRole("button", { name: "I have a backup" }).click();
  await otherPage.waitForTimeout(250);
  await otherPage.screenshot({ path: path.join(folder, `${look.name}-36-restore.png`) });
  await otherPage.getByRole("button", { name: "Back" }).click();
}
await otherPage.getByRole("button", { name: "This is another device of mine" }).click();
await otherPage.getByLabel("Address of your server").fill(server.address());
await otherPage.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
await otherPage.getByLabel("The same again").fill(PASSPHRASE);
await otherPage.getByRole("button", { name: "Make a code" }).click();
await otherPage.locator(".qr-dark").waitFor();
for (const look of LOOKS.slice(0, 4)) {
  await otherPage.emulateMedia({ colorScheme: look.theme });
  await otherPage.setViewportSize({ width: look.width, height: look.height });
  await otherPage.waitForTimeout(250);
  await otherPage.screenshot({ path: path.join(folder, `${look.name}-32-device-code.png`) });
}
const code = await otherPage.getByLabel("Code of this device").inputValue();
await page.setViewportSize({ width: 1280, height: 820 });
await page.keyboard.press("Alt+s");
await page.locator("dialog .ways .button").nth(1).click();
await page.locator("dialog .button.main").click();
await page.locator("dialog textarea").nth(1).fill(code);
await page.locator("dialog .button.main").click();
await page.locator(".six-words li").nth(5).waitFor();
await otherPage.locator(".six-words li").nth(5).waitFor();
await shot("wide-rtl", "33-words");
await otherPage.screenshot({ path: path.join(folder, "phone-dark-33-words.png") });
await page.keyboard.press("Escape");
await other.stop();
await page.keyboard.press("Control+Shift+L");
await page.locator("form input[type=password]").waitFor();
for (const theme of ["light", "dark"]) {
  await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
  await shot(`wide-${theme}`, "30-locked");
}

await browser.close();
await Promise.all([ada, ben, cleo, dee].map((app) => app.stop()));
await server.stop();
console.log(`The pictures are in ${path.relative(process.cwd(), folder)}.`);
