// Two people, from nothing to everything a conversation can do, through the pages that they would use.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  App,
  PASSPHRASE,
  Server,
  TONE_HZ,
  befriend,
  bubble,
  bubbleMenu,
  chatRow,
  enter,
  look,
  onboard,
  openBrowser,
  openChat,
  openPage,
  say,
} from "./stage.js";

let server, browser, ada, ben, adaPage, benPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben] = await Promise.all([App.start("Ada"), App.start("Ben")]);
  [adaPage, benPage] = await Promise.all([openPage(browser, ada), openPage(browser, ben)]);
});

after(async () => {
  if (process.env.UI_TEST_SHOTS !== undefined) {
    await adaPage?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ada.png") });
    await benPage?.screenshot({ path: path.join(process.env.UI_TEST_SHOTS, "ben.png") });
  }
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop()]);
  await server?.stop();
});

test("two people make accounts and become contacts by a link", async () => {
  const words = await onboard(adaPage, ada, server.invitation());
  assert.equal(new Set(words).size > 8 && words.length, 12);
  await onboard(benPage, ben, server.invitation());
  await befriend(adaPage, benPage);
  await chatRow(adaPage, "Ben").waitFor();
  await openChat(adaPage, "Ben");
  await openChat(benPage, "Ada");
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
  writeFileSync(picture, Buffer.from(await redSquare(benPage)));
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

/** A picture as somebody has it in their files. */
async function redSquare(page) {
  const text = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = 400;
    canvas.height = 300;
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(240, 0, 0)";
    context.fillRect(0, 0, 400, 300);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  return Buffer.from(text, "base64");
}

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
  const until = Date.now() + 20_000;
  let told = ben.command("downloads");
  while (JSON.stringify(told) !== JSON.stringify(set) && Date.now() < until) told = ben.command("downloads");
  assert.deepEqual(told, set);
  await sheet.getByLabel(/^Up to/).selectOption("0");
  await sheet.getByRole("switch", { name: "This network is metered" }).click();
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

test("a photo from the camera arrives and is painted whole", async () => {
  await adaPage.getByRole("button", { name: "Take a photo" }).click();
  await adaPage.getByRole("button", { name: "Take photo" }).click();
  await adaPage.locator(".picked-one img").waitFor();
  await adaPage.getByRole("button", { name: "Send", exact: true }).click();
  const photo = benPage.locator(".photo-whole.shown").last();
  await photo.waitFor();
  const [width, painted] = await photo.evaluate((image) => [image.naturalWidth, image.complete]);
  assert.ok(width > 100 && painted, `${width}`);
  await benPage.locator(".photo").last().click();
  await benPage.locator(".picture img").waitFor();
  await benPage.keyboard.press("Escape");
});

test("a voice message arrives with its length, and sounds as it was spoken", async () => {
  const button = adaPage.getByRole("button", { name: "Hold to record a voice message" });
  await button.hover();
  await adaPage.mouse.down();
  await adaPage.locator(".recording").waitFor();
  await adaPage.waitForFunction(() => /0:0[3-9]/.test(document.querySelector(".recording")?.textContent ?? ""));
  await adaPage.mouse.up();
  const memo = benPage.locator(".memo").last();
  await memo.waitFor();
  assert.match(await memo.locator(".memo-time").textContent(), /0:0[2-9]/);
  assert.ok((await memo.locator(".bar").count()) > 20);
  await memo.getByRole("button", { name: "Play" }).click();
  await memo.locator("audio").waitFor({ state: "attached" });
  // What came out of the other side's decoder: is the microphone's tone in it, and stronger than its neighbours?
  const heard = await benPage.evaluate(async (tone) => {
    const source = document.querySelector(".memo audio").src;
    const bytes = await (await fetch(source)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 48_000, 48_000).decodeAudioData(bytes);
    const samples = sound.getChannelData(0);
    const power = (hertz) => {
      let [best, size] = [0, 4800];
      for (let from = 0; from + size < samples.length; from += size) {
        let [real, imaginary] = [0, 0];
        for (let at = 0; at < size; at += 1) {
          const angle = (2 * Math.PI * hertz * at) / sound.sampleRate;
          real += samples[from + at] * Math.cos(angle);
          imaginary += samples[from + at] * Math.sin(angle);
        }
        best = Math.max(best, Math.hypot(real, imaginary) / size);
      }
      return best;
    };
    return { tone: power(tone), other: Math.max(power(tone * 1.37), power(tone * 0.61)), seconds: sound.duration };
  }, TONE_HZ);
  assert.ok(heard.seconds > 1.5, JSON.stringify(heard));
  assert.ok(heard.tone > 0.002 && heard.tone > 8 * heard.other, JSON.stringify(heard));
});

test("a file that is dropped arrives byte for byte", async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 251));
  const data = await adaPage.evaluateHandle((numbers) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(numbers)], "plan.bin"));
    return transfer;
  }, [...bytes]);
  await adaPage.dispatchEvent(".pane-chat", "drop", { dataTransfer: data });
  await adaPage.locator(".picked-one", { hasText: "plan.bin" }).waitFor();
  await adaPage.getByRole("button", { name: "Send", exact: true }).click();
  const row = benPage.locator(".file-row", { hasText: "plan.bin" });
  await row.waitFor();
  const [download] = await Promise.all([benPage.waitForEvent("download"), row.getByRole("button", { name: "Save plan.bin" }).click()]);
  const saved = path.join(ben.folder, "saved.bin");
  await download.saveAs(saved);
  assert.equal(download.suggestedFilename(), "plan.bin");
  assert.ok(readFileSync(saved).equals(bytes));
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

test("several messages are picked with the keyboard, copied, forwarded in order, and deleted", async () => {
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
  ada.command("send", "Ben", "Soon gone", "--expires", "2s");
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

test("the page survives the loss of its program without a reload", async () => {
  await benPage.evaluate(() => (window.sameDocument = true));
  const port = new URL(ben.address).port;
  await ben.end("SIGKILL");
  await benPage.locator(".banner").waitFor();
  await ben.run(["--port", port]);
  // Another process knows nothing of the session: a code has to be typed, and the home unlocked.
  await benPage.getByLabel("Six-digit code").fill(ben.code);
  await benPage.getByRole("button", { name: "Open" }).click();
  await benPage.getByLabel("Passphrase").fill(PASSPHRASE);
  await benPage.getByRole("button", { name: "Unlock" }).click();
  await openChat(benPage, "Ada");
  await bubble(benPage, "Good evening").waitFor();
  assert.equal(await benPage.evaluate(() => window.sameDocument), true);
});

test("locking takes everything from the page and ends every address; unlocking brings it back", async () => {
  await adaPage.locator(".memo").last().getByRole("button", { name: "Play" }).click();
  const address = await adaPage.locator(".memo audio").last().evaluate((audio) => audio.src);
  assert.equal(await adaPage.evaluate(async (url) => (await fetch(url)).status, address), 200);
  const before = ada.child.pid;
  await adaPage.keyboard.press("Control+Shift+L");
  await adaPage.getByRole("heading", { name: "Locked" }).waitFor();
  assert.doesNotMatch(await adaPage.locator("body").innerHTML(), /Ben|Good evening/);
  await adaPage.getByRole("button", { name: "Unlock" }).waitFor();
  await adaPage.waitForFunction(() => !document.querySelector(".banner"));
  assert.equal(await adaPage.evaluate(async (url) => (await fetch(url)).status, address), 404);
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
