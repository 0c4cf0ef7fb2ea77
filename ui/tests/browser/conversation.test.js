// Two people, from nothing to everything a conversation can do, through the pages that they would use.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  App,
  PASSPHRASE,
  Proxy,
  Server,
  befriend,
  bubble,
  bubbleMenu,
  chatRow,
  enter,
  heard,
  look,
  onboard,
  openBrowser,
  openChat,
  openPage,
  redSquare,
  say,
  speak,
  statusOf,
  until,
} from "./stage.js";

let server, proxy, browser, ada, ben, adaPage, benPage;
/** How often Ben's page has asked for a file. */
let filesAskedFor = 0;

/** As if somebody drew it over the page and let it go. */
async function drop(page, name, bytes) {
  const data = await page.evaluateHandle(
    ([name, numbers]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(numbers)], name));
      return transfer;
    },
    [name, [...bytes]],
  );
  await page.dispatchEvent(".pane-chat", "drop", { dataTransfer: data });
  await page.locator(".picked-one", { hasText: name }).waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Presses a button of somebody who has no mouse. */
async function press(page, name) {
  await page.getByRole("button", { name, exact: true }).focus();
  await page.keyboard.press("Enter");
}

before(async () => {
  server = await Server.start();
  proxy = await Proxy.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [adaPage, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
  benPage.on("websocket", (socket) => socket.on("framesent", ({ payload }) => String(payload).includes('"host.media"') && (filesAskedFor += 1)));
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) {
    await adaPage?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ada.png") });
    await benPage?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ben.png") });
  }
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
  await proxy?.stop();
});

test("two people make accounts and become contacts by a link; one has a picture from the beginning", async () => {
  const picture = path.join(ada.folder, "me.png");
  writeFileSync(picture, await redSquare(adaPage));
  const words = await onboard(adaPage, ada, server.invitation(), picture);
  assert.equal(new Set(words).size > 8 && words.length, 12);
  // Ben's computer reaches servers through a proxy only.
  await onboard(benPage, ben, server.invitation(), undefined, proxy.address);
  assert.ok(proxy.ways > 0);
  assert.equal(ben.command("proxy").proxy, proxy.address);
  await befriend(adaPage, benPage);
  await chatRow(adaPage, "Ben").waitFor();
  await openChat(adaPage, "Ben");
  await openChat(benPage, "Ada");
  await chatRow(benPage, "Ada").locator(".avatar img").waitFor();
});

test("text goes both ways, and its state is told", async () => {
  await say(adaPage, "Good morning");
  await bubble(benPage, "Good morning").waitFor();
  await say(benPage, "Hello Ada");
  await bubble(adaPage, "Hello Ada").waitFor();
  await adaPage.locator(".mine [data-state='state.read'], .mine [data-state='state.delivered']").first().waitFor();
});

test("a place is numbers, and a contact card says whose it is", async () => {
  const share = async (what) => {
    await adaPage.getByRole("button", { name: "Contact or place" }).click();
    await adaPage.getByRole("menuitem", { name: what }).click();
    return adaPage.getByRole("dialog");
  };
  let sheet = await share("Place");
  await sheet.getByLabel("Latitude, longitude").fill("somewhere");
  await sheet.getByRole("button", { name: "Send" }).click();
  await sheet.getByText("Give two numbers").waitFor();
  await sheet.getByLabel("Latitude, longitude").fill("52.3702, 4.8952");
  await sheet.getByRole("button", { name: "Send" }).click();
  await benPage.locator(".place", { hasText: "52.3702, 4.8952" }).waitFor();

  sheet = await share("Contact card");
  await sheet.getByRole("button", { name: "Ben" }).click();
  await sheet.getByLabel("A contact link").fill("undertone:c:nonsense");
  await sheet.getByRole("button", { name: "Send" }).click();
  await sheet.locator(".trouble-text:not(:empty)").waitFor();
  await sheet.getByLabel("A contact link").fill("");
  await sheet.getByRole("button", { name: "Send" }).click();
  await benPage.locator(".card", { hasText: "This is you." }).waitFor();
  await adaPage.locator(".card").getByRole("button", { name: "Your contact Ben" }).waitFor();
});

test("a name and a picture are chosen, and the other side shows them", async () => {
  const picture = path.join(ben.folder, "me.png");
  writeFileSync(picture, await redSquare(benPage));
  await benPage.keyboard.press("Alt+s");
  const sheet = benPage.getByRole("dialog");
  const [chooser] = await Promise.all([benPage.waitForEvent("filechooser"), sheet.getByRole("button", { name: "Choose a picture" }).click()]);
  await chooser.setFiles(picture);
  await sheet.locator(".avatar.large img").waitFor();
  await look(benPage, "the own picture");
  await sheet.getByRole("button", { name: "Change your name" }).click();
  await sheet.getByLabel("Name", { exact: true }).fill("Benjamin");
  await benPage.keyboard.press("Enter");
  await sheet.getByRole("heading", { name: "Benjamin" }).waitFor();
  await chatRow(adaPage, "Benjamin").locator(".avatar img").waitFor();
  await adaPage.getByText("Ben is now called “Benjamin”.").first().waitFor();
  // It is the picture, and it was encoded on Ada's side.
  const red = await chatRow(adaPage, "Benjamin")
    .locator(".avatar img")
    .evaluate(async (image) => {
      await image.decode();
      const canvas = new OffscreenCanvas(1, 1);
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    });
  assert.ok(red[0] > 180 && red[1] < 80 && red[2] < 80, String(red));
  assert.ok(ada.command("contacts").some((one) => one.name === "Benjamin"));
  await sheet.getByRole("button", { name: "Remove the picture" }).click();
  await chatRow(adaPage, "Benjamin").locator(".avatar img").waitFor({ state: "detached" });
  ben.command("profile", "--name", "Ben");
  await sheet.locator(".person").getByText("Ben", { exact: true }).waitFor();
  await chatRow(adaPage, "Benjamin").waitFor({ state: "detached" });
  await benPage.keyboard.press("Escape");
});

test("a chat is exported to a folder by the program, and not through the browser", async () => {
  const folder = path.join(ada.folder, "exported");
  await adaPage.locator(".pane-chat").getByRole("button", { name: "Chat menu" }).click();
  await adaPage.getByRole("menuitem", { name: "Export" }).click();
  const sheet = adaPage.getByRole("dialog");
  await look(adaPage, "the export");
  await sheet.getByLabel("Folder, with its whole path").fill(folder);
  await sheet.getByRole("button", { name: "Export" }).click();
  await sheet.getByText(path.join(folder, "index.html")).waitFor();
  assert.ok(readFileSync(path.join(folder, "index.html"), "utf8").includes("Good"));
  await sheet.getByRole("button", { name: "Close" }).last().click();
  await sheet.waitFor({ state: "detached" });
  // A folder that something is in is left alone.
  await adaPage.locator(".pane-chat").getByRole("button", { name: "Chat menu" }).click();
  await adaPage.getByRole("menuitem", { name: "Export" }).click();
  await sheet.getByLabel("Folder, with its whole path").fill(folder);
  await sheet.getByRole("button", { name: "Export" }).click();
  await sheet.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await adaPage.keyboard.press("Escape");
});

test("which files come by themselves is set on the page and in the terminal", async () => {
  await benPage.keyboard.press("Alt+s");
  const sheet = benPage.getByRole("dialog");
  await sheet.getByLabel(/^Up to/).selectOption("1000000");
  await sheet.getByRole("switch", { name: "This network is metered" }).click();
  const set = { download_bytes: 1_000_000, download_metered_bytes: 0, metered: true };
  await until(() => JSON.stringify(ben.command("downloads")) === JSON.stringify(set));
  await sheet.getByLabel(/^Up to/).selectOption("0");
  await sheet.getByRole("switch", { name: "This network is metered" }).click();
  await benPage.keyboard.press("Escape");
});

test("the proxy is set on the page and used at once; what is none is refused", async () => {
  await benPage.keyboard.press("Alt+s");
  const sheet = benPage.getByRole("dialog");
  const field = sheet.getByLabel("SOCKS5 proxy, host and port");
  const connect = sheet.getByRole("button", { name: "Connect this way" });
  assert.equal(await field.inputValue(), proxy.address);
  await field.fill("somewhere");
  await connect.click();
  await sheet.getByRole("alert").filter({ hasText: "A proxy is given as host:port." }).waitFor();
  assert.equal(ben.command("proxy").proxy, proxy.address);
  await field.fill("");
  await benPage.keyboard.press("Enter");
  await sheet.getByText("None: the server sees your address").waitFor();
  await say(adaPage, "Still there?");
  await bubble(benPage, "Still there?").waitFor({ state: "attached" });
  const before = proxy.ways;
  await field.fill(proxy.address);
  await connect.click();
  await sheet.locator("dd", { hasText: proxy.address }).waitFor();
  await say(adaPage, "And now?");
  await bubble(benPage, "And now?").waitFor({ state: "attached" });
  assert.ok(proxy.ways > before);
  await benPage.keyboard.press("Escape");
});

test("what is set in a terminal or on another page shows on this one at once", async () => {
  await benPage.keyboard.press("Alt+s");
  const sheet = benPage.getByRole("dialog");
  const typing = sheet.getByRole("switch", { name: "Show that you are typing" });
  assert.ok(await typing.isChecked());
  ben.command("typing", "off");
  await sheet.locator("input[role=switch]:not(:checked)").and(typing).waitFor();
  ben.command("downloads", "--up-to", "12");
  await sheet.locator("select:has(option[value='12000000']:checked)").first().waitFor();
  ben.again();
  const other = await openPage(browser, ben);
  await enter(other, ben);
  await chatRow(other, "Ada").waitFor();
  await other.keyboard.press("Alt+s");
  await other.getByLabel("Colours").selectOption("contrast");
  await benPage.locator("html[data-theme=contrast]").waitFor();
  await other.getByRole("switch", { name: "Show that you are typing" }).click();
  await sheet.locator("input[role=switch]:checked").and(typing).waitFor();
  await other.getByLabel("Colours").selectOption("system");
  await benPage.locator("html:not([data-theme])").waitFor();
  await other.context().close();
  ben.command("downloads", "--up-to", "0");
  await benPage.keyboard.press("Escape");
  await benPage.keyboard.press("Alt+s");
  await sheet.getByRole("button", { name: "Protection" }).click();
  ben.command("protection", "--auto-lock", "5m");
  await benPage.locator("select:has(option[value='300']:checked)").first().waitFor();
  ben.command("protection", "--auto-lock", "off");
  await benPage.locator("select:has(option[value='0']:checked)").first().waitFor();
  await benPage.keyboard.press("Escape");
});

test("what was begun on one page goes on on another, and ends where it is sent", async () => {
  const reads = (one, text) => one.waitForFunction((text) => document.querySelector("#compose")?.value === text, text);
  ben.again();
  const other = await openPage(browser, ben);
  await enter(other, ben);
  await openChat(other, "Ada");
  await other.locator("#compose").fill("Dear Ada,");
  await reads(benPage, "Dear Ada,");
  await benPage.locator("#compose").press("End");
  await benPage.keyboard.type(" it is sunny");
  await reads(other, "Dear Ada, it is sunny");
  await bubbleMenu(other, "Good morning", "Reply");
  await benPage.locator(".about", { hasText: "Good morning" }).waitFor();
  // Who writes is not interrupted: what stands there last is what is written last.
  await benPage.locator("#compose").fill("Dear Ada, it rains");
  await reads(other, "Dear Ada, it rains");
  await other.locator("#compose").press("Enter");
  await bubble(adaPage, "Dear Ada, it rains").locator(".quote").waitFor();
  await reads(benPage, "");
  await benPage.locator(".about").waitFor({ state: "detached" });
  await other.context().close();
});

test("a reply quotes, a reaction stands, an edit shows, a deleted message is gone", async () => {
  await bubbleMenu(benPage, "Good morning", "Reply");
  await say(benPage, "Morning indeed");
  const quote = bubble(adaPage, "Morning indeed").locator(".quote");
  await quote.waitFor();
  assert.match(await quote.textContent(), /Good morning/);

  await bubble(adaPage, "Hello Ada").click({ button: "right", position: { x: 12, y: 10 } });
  await adaPage.getByRole("menuitem", { name: "React 👍" }).click();
  await benPage.locator(".reaction", { hasText: "👍" }).waitFor();
  await adaPage.locator(".reaction", { hasText: "👍" }).click();
  await benPage.locator(".reaction", { hasText: "👍" }).waitFor({ state: "detached" });

  await bubbleMenu(adaPage, "Good morning", "Edit");
  await adaPage.locator("#compose").fill("Good evening");
  await adaPage.keyboard.press("Enter");
  await bubble(benPage, "Good evening").locator(".edited").click();
  await benPage.getByRole("dialog").getByText("Good morning").waitFor();
  await benPage.keyboard.press("Escape");

  await say(adaPage, "Take this back");
  await bubble(benPage, "Take this back").waitFor();
  await bubbleMenu(adaPage, "Take this back", "Delete");
  await adaPage.getByRole("button", { name: "Delete for everyone" }).click();
  await bubble(benPage, "Take this back").waitFor({ state: "detached" });
  await bubble(benPage, "This message was deleted.").waitFor();
});

test("marks of formatting become elements, and nothing else", async () => {
  await say(adaPage, "This is **strong** and `code` <b>not</b>");
  const text = bubble(benPage, "This is strong").locator(".text");
  await text.waitFor();
  assert.equal(await text.locator("strong").textContent(), "strong");
  assert.equal(await text.locator("code").textContent(), "code");
  assert.equal(await text.locator("b").count(), 0);
});

test("a photo from the camera arrives; it is fetched when the limit lets it, and painted whole", async () => {
  assert.equal(ben.command("downloads").download_bytes, 0);
  const before = filesAskedFor;
  await adaPage.getByRole("button", { name: "Take a photo" }).click();
  await adaPage.getByRole("button", { name: "Take photo" }).click();
  await adaPage.locator(".picked-one img").waitFor();
  await adaPage.getByRole("button", { name: "Send", exact: true }).click();
  // None comes by itself here: what is shown is the preview, and how large the rest would be.
  await benPage.locator(".photo .film-sign", { hasText: "kB" }).waitFor();
  await say(adaPage, "There it is");
  await bubble(benPage, "There it is").waitFor();
  assert.equal(filesAskedFor, before);
  assert.equal(await benPage.locator(".photo-whole").count(), 0);
  ben.command("downloads", "--up-to", "12");
  const photo = benPage.locator(".photo-whole.shown").last();
  await photo.waitFor();
  const [width, painted] = await photo.evaluate((image) => [image.naturalWidth, image.complete]);
  assert.ok(width > 100 && painted, `${width}`);
  assert.equal(filesAskedFor, before + 1);
  ben.command("downloads", "--up-to", "0");
  await benPage.locator(".photo").last().click();
  await benPage.locator(".picture img").waitFor();
  await benPage.keyboard.press("Escape");
});

test("a voice message arrives with its length, and sounds as it was spoken", async () => {
  await speak(adaPage);
  const memo = benPage.locator(".memo").last();
  await memo.waitFor();
  assert.match(await memo.locator(".memo-time").textContent(), /0:0[2-9]/);
  assert.ok((await memo.locator(".bar").count()) > 20);
  await memo.getByRole("button", { name: "Play" }).click();
  await memo.locator("audio").waitFor({ state: "attached" });
  const sound = await heard(benPage);
  assert.ok(sound.seconds > 1.5, JSON.stringify(sound));
  assert.ok(sound.tone > 0.002 && sound.tone > 8 * sound.other, JSON.stringify(sound));
});

test("a file that is dropped arrives byte for byte", async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 251));
  await drop(adaPage, "plan.bin", bytes);
  const row = benPage.locator(".file-row", { hasText: "plan.bin" });
  await row.waitFor();
  const [download] = await Promise.all([benPage.waitForEvent("download"), row.getByRole("button", { name: "Save plan.bin" }).click()]);
  const saved = path.join(ben.folder, "saved.bin");
  await download.saveAs(saved);
  assert.equal(download.suggestedFilename(), "plan.bin");
  assert.ok(readFileSync(saved).equals(bytes));
});

test("a file on its way is paused, goes on, is cancelled and begun again without a mouse", async () => {
  const bytes = Buffer.alloc(600_000, 7);
  const states = (page) => page.locator(".transfer").evaluateAll((bars) => bars.map((bar) => bar.dataset.state));
  const bar = (page, state) => page.locator(`.transfer[data-state=${state}]`);

  await server.halt();
  await drop(adaPage, "slow.bin", bytes);
  await bar(adaPage, "waiting").waitFor();
  await press(adaPage, "Pause the transfer of slow.bin");
  await bar(adaPage, "paused").waitFor();
  // The button that it is now has the focus.
  assert.equal(await adaPage.evaluate(() => document.activeElement.getAttribute("aria-label")), "Resume the transfer of slow.bin");
  await look(adaPage, "a paused transfer");
  await server.goOn();
  await say(adaPage, "Meanwhile");
  await bubble(benPage, "Meanwhile").waitFor();
  assert.deepEqual(await states(adaPage), ["paused"]);
  assert.equal(await benPage.locator(".file-row", { hasText: "slow.bin" }).count(), 0);
  await press(adaPage, "Resume the transfer of slow.bin");
  await benPage.locator(".file-row", { hasText: "slow.bin" }).waitFor();
  await bar(adaPage, "waiting").waitFor({ state: "detached" });

  await server.halt();
  await drop(adaPage, "wrong.bin", bytes);
  await press(adaPage, "Cancel the transfer of wrong.bin");
  await bar(adaPage, "cancelled").waitFor();
  await look(adaPage, "a cancelled transfer");
  await server.goOn();
  await press(adaPage, "Send wrong.bin again");
  // A file that waits for another network can be stopped, and fetched all the same.
  ben.command("downloads", "--up-to", "12", "--metered", "on");
  await benPage.locator(".file-row", { hasText: "wrong.bin" }).waitFor();
  await bar(adaPage, "cancelled").waitFor({ state: "detached" });
  const { id } = ben.command("read", "Ada", "--peek", "--limit", "1").messages.at(-1);
  ben.command("transfer", "pause", "Ada", id);
  await bar(benPage, "paused").waitFor();
  await press(benPage, "Cancel the transfer of wrong.bin");
  await bar(benPage, "cancelled").waitFor();
  await press(benPage, "Fetch wrong.bin");
  await bar(benPage, "cancelled").waitFor({ state: "detached" });
  await until(() => ben.command("read", "Ada", "--peek", "--limit", "1").messages.at(-1).attachments[0].here);
  await benPage.locator(".transfer").waitFor({ state: "detached" });
  ben.command("downloads", "--up-to", "0", "--metered", "off");
});

test("a video from the camera arrives and plays", async () => {
  await adaPage.getByRole("button", { name: "Take a photo" }).click();
  await adaPage.getByRole("button", { name: "Record video" }).click();
  // There is something in it once the camera has been seen for a while.
  const from = await adaPage.locator("video.camera").evaluate((video) => video.currentTime);
  await adaPage.waitForFunction((from) => document.querySelector("video.camera")?.currentTime > from + 1.5, from);
  await adaPage.getByRole("button", { name: "Stop and attach" }).click();
  await adaPage.locator(".picked-one", { hasText: "video." }).waitFor();
  await adaPage.getByRole("button", { name: "Send", exact: true }).click();
  // A frame and the length are there before the video is.
  const film = benPage.locator(".film").last();
  await film.locator("img").waitFor();
  assert.match(await film.locator(".film-sign").textContent(), /^0:0[1-9]/);
  await film.click();
  await benPage.waitForFunction(() => document.querySelector(".video-box video")?.currentTime > 0.2);
});

test("several messages are picked, copied, forwarded in order, and deleted", async () => {
  await say(adaPage, "First of two");
  await say(adaPage, "Second of two");
  await bubble(benPage, "Second of two").waitFor();
  await bubbleMenu(benPage, "First of two", "Select");
  await benPage.getByText("1 message selected").waitFor();
  await benPage.getByRole("checkbox", { name: /Second of two/ }).press("Space");
  await benPage.getByText("2 messages selected").waitFor();
  await look(benPage, "picked messages");
  await benPage.getByRole("button", { name: "Copy texts" }).click();
  await benPage.locator(".selection-bar").waitFor({ state: "detached" });
  await benPage.locator("#compose").focus();
  await benPage.keyboard.press("Control+v");
  assert.equal(await benPage.locator("#compose").inputValue(), "Ada: First of two\nAda: Second of two");
  await benPage.locator("#compose").fill("");

  await bubbleMenu(benPage, "Second of two", "Select");
  await benPage.getByRole("checkbox", { name: /First of two/ }).check();
  await benPage.getByRole("button", { name: "Forward", exact: true }).click();
  await benPage.getByRole("dialog").getByRole("button", { name: "Ada" }).click();
  await adaPage.locator(".message.theirs", { hasText: "Second of two" }).locator(".forwarded").waitFor();
  const order = await adaPage.locator(".message.theirs .bubble", { has: adaPage.locator(".forwarded") }).allTextContents();
  assert.match(order[0], /First of two/);
  assert.match(order[1], /Second of two/);

  await bubbleMenu(adaPage, "First of two", "Select");
  await adaPage.keyboard.press("Escape");
  await adaPage.locator("#compose").waitFor();
  await adaPage.locator(".message.mine .bubble", { hasText: "First of two" }).click({ button: "right", position: { x: 12, y: 10 } });
  await adaPage.getByRole("menuitem", { name: "Select", exact: true }).click();
  await adaPage.locator(".message.mine", { hasText: "Second of two" }).getByRole("checkbox").check();
  await adaPage.getByRole("button", { name: "Delete", exact: true }).click();
  await adaPage.getByRole("heading", { name: "Delete 2 messages?" }).waitFor();
  await adaPage.getByRole("button", { name: "Delete for everyone" }).click();
  await benPage.locator(".message.theirs .deleted").nth(2).waitFor();
});

test("what is written in a terminal beside the page appears in it", async () => {
  ada.command("send", "Ben", "From the terminal");
  await bubble(adaPage, "From the terminal").waitFor();
  await bubble(benPage, "From the terminal").waitFor();
});

test("a group is made, named, and mentions somebody", async () => {
  await adaPage.getByRole("button", { name: "New chat or contact" }).click();
  await adaPage.getByRole("menuitem", { name: "New group" }).click();
  await adaPage.getByLabel("Name of the group").fill("Night desk");
  await adaPage.getByRole("checkbox").first().check();
  await adaPage.getByRole("button", { name: "Make the group" }).click();
  await adaPage.locator(".chat-title strong", { hasText: "Night desk" }).waitFor();
  await chatRow(benPage, "Night desk").waitFor();
  await openChat(benPage, "Night desk");
  await adaPage.locator("#compose").pressSequentially("Are you there, @Be");
  await adaPage.locator(".mentions button", { hasText: "Ben" }).waitFor();
  await look(adaPage, "whom to mention");
  await adaPage.keyboard.press("Tab");
  await adaPage.keyboard.press("Enter");
  await bubble(benPage, "Are you there").waitFor();
  await bubble(benPage, "Are you there").locator(".mention.me").waitFor();
  await adaPage.keyboard.press("Alt+i");
  await adaPage.locator(".members li", { hasText: "Ben" }).getByRole("combobox").selectOption("admin");
  await adaPage.getByRole("button", { name: "Rename" }).click();
  await adaPage.locator(".pane-details").getByLabel("Name of the group").fill("Day desk");
  await adaPage.getByRole("button", { name: "Save" }).click();
  await chatRow(benPage, "Day desk").waitFor();
  await adaPage.keyboard.press("Alt+i");
});

test("a message with a timer really goes", async () => {
  await openChat(adaPage, "Ben");
  await openChat(benPage, "Ada");
  await adaPage.getByRole("button", { name: "Contact or place" }).click();
  await adaPage.getByRole("menuitem", { name: "Timer for this message" }).click();
  await adaPage.getByRole("menuitem", { name: "5 seconds" }).click();
  await adaPage.getByText("Disappears 5 seconds after it was read").waitFor();
  await say(adaPage, "Soon gone");
  await bubble(benPage, "Soon gone").waitFor();
  await bubble(benPage, "Soon gone").waitFor({ state: "detached" });
  await bubble(adaPage, "Soon gone").waitFor({ state: "detached" });
});

test("search finds what was said, and leads to it", async () => {
  await benPage.locator("#search").fill("evening");
  await benPage.locator(".found .chat", { hasText: "Good evening" }).click();
  await benPage.locator(".line-row.marked", { hasText: "Good evening" }).waitFor();
  await benPage.locator("#search").fill("");
});

test("the page survives it without a reload that its program begins anew", async () => {
  await benPage.evaluate(() => (window.sameDocument = true));
  ben.command("lock");
  await benPage.getByLabel("Passphrase").fill(PASSPHRASE);
  await benPage.getByRole("button", { name: "Unlock" }).click();
  await openChat(benPage, "Ada");
  await bubble(benPage, "Good evening").waitFor();
  assert.equal(await benPage.evaluate(() => window.sameDocument), true);
});

test("a page whose program was killed says so once there is another, which has to be opened anew", async () => {
  await ben.end("SIGKILL");
  await ben.runAgain();
  await benPage.getByRole("heading", { name: "Undertone has ended" }).waitFor();
  await enter(benPage, ben);
  await benPage.getByLabel("Passphrase").fill(PASSPHRASE);
  await benPage.getByRole("button", { name: "Unlock" }).click();
  await openChat(benPage, "Ada");
  await bubble(benPage, "Good evening").waitFor();
});

test("locking takes everything from the page and ends every address; unlocking brings it back", async () => {
  await adaPage.locator(".memo").last().getByRole("button", { name: "Play" }).click();
  const address = await adaPage.locator(".memo audio").last().evaluate((audio) => audio.src);
  assert.equal(await statusOf(adaPage, address), 200);
  const before = ada.child.pid;
  await adaPage.keyboard.press("Control+Shift+L");
  await adaPage.getByRole("heading", { name: "Locked" }).waitFor();
  assert.doesNotMatch(await adaPage.locator("body").innerHTML(), /Ben|Good evening/);
  await adaPage.getByRole("button", { name: "Unlock" }).waitFor();
  assert.notEqual(await statusOf(adaPage, address), 200);
  // The program that begins anew has never heard of it.
  await adaPage.waitForFunction(async (url) => (await fetch(url).catch(() => null))?.status === 404, address);
  assert.equal(ada.child.pid, before);
  assert.equal(ada.child.exitCode, null);
  // Nothing of the keys is left: the process began anew, and its socket is gone.
  assert.throws(() => ada.command("--offline", "chats"), /passphrase|Passphrase/);

  await adaPage.getByLabel("Passphrase").fill("not the passphrase");
  await adaPage.keyboard.press("Enter");
  await adaPage.getByText("Wrong passphrase.").waitFor();
  await adaPage.getByLabel("Passphrase").fill(PASSPHRASE);
  await adaPage.keyboard.press("Enter");
  await openChat(adaPage, "Ben");
  await bubble(adaPage, "Good evening").waitFor();
});

test("colours and language are kept in the home", async () => {
  await adaPage.keyboard.press("Alt+s");
  await adaPage.getByLabel("Colours").selectOption("dark");
  await adaPage.getByLabel("Language").selectOption("ar");
  await adaPage.waitForFunction(() => document.documentElement.dir === "rtl");
  await adaPage.locator("dialog select:has(option[value=ar])").selectOption("en");
  await adaPage.waitForFunction(() => document.documentElement.dir === "ltr");
  await adaPage.keyboard.press("Escape");
  assert.equal(await adaPage.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("no page complained of anything", () => {
  assert.deepEqual(adaPage.complaints, []);
  assert.deepEqual(benPage.complaints, []);
});
