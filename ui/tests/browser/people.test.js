// Strangers who ask to be contacts, and groups: their rules, roles, links, and who is let in by them; and what files take.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App, Server, bubble, chatRow, look, onboard, openBrowser, openChat, openPage, pressAt, say } from "./stage.js";

let server, browser, ada, ben, cleo, page, benPage, cleoPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben, cleo] = await Promise.all([App.start("Ada"), App.start("Ben"), App.start("Cleo")]);
  [page, benPage, cleoPage] = await Promise.all([ada, ben, cleo].map((app) => openPage(browser, app)));
  for (const [one, app] of [
    [page, ada],
    [benPage, ben],
    [cleoPage, cleo],
  ]) {
    await onboard(one, app, server.invitation());
    await one.keyboard.press("Escape");
    await one.getByRole("dialog").waitFor({ state: "detached" });
  }
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop(), cleo?.stop()]);
  await server?.stop();
});

/** Uses a link, of a person or a group. */
async function useLink(one, link) {
  await one.keyboard.press("Alt+n");
  await one.getByRole("tab", { name: "I have a link" }).click();
  await one.getByLabel("Contact link", { exact: true }).fill(link);
  await one.getByRole("button", { name: "Add", exact: true }).click();
  await one.getByRole("dialog").waitFor({ state: "detached" });
}

const LONG_ARABIC = "سنلتقي مساء الغد عند البوابة القديمة قرب النهر، ومن يصل أولا ينتظر الآخرين هناك حتى يحل الظلام ثم نمشي معا";

/** Where in a row of the list its two parts begin: who says it, and what is said; all of what is said, and the box that it has. */
const sides = (row) =>
  row.evaluate((row) => {
    const begins = (element) => {
      const range = document.createRange();
      const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
      range.setStart(text, 0);
      range.setEnd(text, 1);
      const { left, right } = range.getBoundingClientRect();
      return { left, right };
    };
    const all = document.createRange();
    all.selectNodeContents(row.querySelector(".chat-preview"));
    const whole = all.getBoundingClientRect();
    const words = row.querySelector(".chat-preview");
    const { left, right } = words.getBoundingClientRect();
    return { by: begins(row.querySelector(".chat-by")), said: begins(words), whole: { left: whole.left, right: whole.right }, words: { left, right } };
  });

function assertOrder({ by, said, whole, words }, direction) {
  const what = JSON.stringify({ by, said, whole, words, direction });
  if (direction === "rtl") assert.ok(by.left >= words.right, what);
  else assert.ok(by.right <= words.left, what);
  // What has room stands beside who says it.
  const isShort = whole.right - whole.left < words.right - words.left;
  if (isShort) assert.ok(Math.abs(direction === "rtl" ? whole.right - words.right : whole.left - words.left) < 2, what);
  // The beginning is what is seen of something long.
  assert.ok(said.left >= words.left - 1 && said.right <= words.right + 1, what);
}

test("a link for several people: each waits until accepted", async () => {
  await page.keyboard.press("Alt+n");
  await page.getByRole("checkbox", { name: "For several people" }).check();
  await page.getByText("Up to 10 people may use this link").waitFor();
  const link = await page.getByLabel("Contact link", { exact: true }).inputValue();
  await page.keyboard.press("Escape");
  await useLink(benPage, link);
  await useLink(cleoPage, link);
  // Requests are answered with the keyboard alone.
  await pressAt(page, /^2 message requests/);
  await chatRow(page, "Ben").waitFor();
  await chatRow(page, "Cleo").waitFor();
  await look(page, "the requests");
});

test("what a stranger wrote is read without their knowing, and kept on record", async () => {
  await openChat(benPage, "Ada");
  await say(benPage, "Hello, it is Ben from the train");
  await openChat(page, "Ben");
  await bubble(page, "Hello, it is Ben from the train").waitFor();
  await page.getByText("Ben is not one of your contacts.").waitFor();
  assert.equal(await page.locator("#compose").count(), 0);
  await look(page, "a request");
  await pressAt(page, /^Keep a record$/);
  await page.getByLabel("What happened, in your own words").fill("Wrote out of nowhere");
  await look(page, "a record");
  await page.getByRole("dialog").getByRole("button", { name: "Keep a record" }).click();
  await page.getByText("The record was kept on this device.").waitFor();
  assert.equal(ada.command("report", "list").length, 1);
  assert.equal(await benPage.locator("[data-state='state.read'], [data-state='state.delivered']").count(), 0);
});

test("who is accepted is a contact; who is blocked is gone, and can be unblocked", async () => {
  await pressAt(page, /^Accept$/);
  await page.getByText("Ben is a contact now, not verified yet.").waitFor();
  await say(page, "Of course, good to hear from you");
  await bubble(benPage, "Of course").waitFor();
  await chatRow(page, "Cleo").click();
  await page.getByText("Cleo is not one of your contacts.").waitFor();
  await pressAt(page, /^Refuse and block$/);
  await page.getByText("The request was deleted.").waitFor();
  await chatRow(page, "Cleo").waitFor({ state: "detached" });
  await chatRow(page, "Ben").waitFor();
  await page.keyboard.press("Alt+s");
  const row = page.locator(".members li", { hasText: "Cleo" });
  await row.getByRole("button", { name: "Unblock" }).click();
  await row.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Delete the record of Ben" }).click();
  await page.getByRole("heading", { name: "Records you kept" }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
});

test("somebody comes into a group by a link, after a yes", async () => {
  await page.getByRole("button", { name: "New chat or contact" }).click();
  await page.getByRole("menuitem", { name: "New group" }).click();
  await page.getByLabel("Name of the group").fill("Night desk");
  await page.locator(".person-check", { hasText: "Ben" }).getByRole("checkbox").check();
  await page.getByRole("button", { name: "Make the group" }).click();
  await page.locator(".chat-title strong", { hasText: "Night desk" }).waitFor();
  await chatRow(benPage, "Night desk").waitFor();
  await page.keyboard.press("Alt+i");
  await page.getByRole("button", { name: "Make a link" }).click();
  await look(page, "a new link to a group");
  await page.getByRole("button", { name: "Make a link" }).click();
  await page.locator(".invites .qr-dark").waitFor();
  const link = await page.getByLabel("Link to the group", { exact: true }).inputValue();
  assert.match(link, /^undertone:g:/);
  await look(page, "a link to a group");
  await useLink(cleoPage, link);
  await page.getByRole("button", { name: "Let Cleo in", exact: true }).click();
  await chatRow(cleoPage, "Night desk").waitFor();
  await openChat(cleoPage, "Night desk");
  await page.locator(".members li", { hasText: "Cleo" }).waitFor();
  await say(cleoPage, "Here I am");
  await openChat(benPage, "Night desk");
  await bubble(benPage, "Here I am").waitFor();
});

test("an admin sees the link that somebody else made, and withdraws it", async () => {
  await page.getByRole("button", { name: "Make a link" }).click();
  await page.getByRole("button", { name: "Make a link" }).click();
  await page.locator(".invites li").waitFor();
  await page.getByRole("combobox", { name: "Role of Ben" }).selectOption("admin");
  await benPage.keyboard.press("Alt+i");
  const line = benPage.locator(".invites li", { hasText: "made by Ada" });
  await line.waitFor();
  assert.equal(await line.getByRole("button", { name: "Show link and QR code" }).count(), 0);
  await look(benPage, "a link that somebody else made");
  await line.getByRole("button", { name: "Withdraw" }).click();
  await line.waitFor({ state: "detached" });
  await page.locator(".invites li").waitFor({ state: "detached" });
  await benPage.keyboard.press("Alt+i");
  await page.getByRole("combobox", { name: "Role of Ben" }).selectOption("member");
});

test("a group for announcements: members react and do not write, and an admin does", async () => {
  await page.getByRole("switch", { name: "For announcements only" }).click();
  await benPage.getByText("Only admins and owners write here.").waitFor();
  assert.equal(await benPage.locator("#compose").count(), 0);
  await bubble(benPage, "Here I am").click({ button: "right", position: { x: 12, y: 10 } });
  assert.equal(await benPage.getByRole("menuitem", { name: "Reply", exact: true }).count(), 0);
  await benPage.getByRole("menuitem", { name: "React 👍" }).click();
  await page.locator(".reaction", { hasText: "👍" }).waitFor();
  await page.getByRole("combobox", { name: "Role of Ben" }).selectOption("admin");
  await benPage.locator("#compose").waitFor();
  await say(benPage, "The desk is open");
  await bubble(cleoPage, "The desk is open").waitFor();
  await cleoPage.getByText("Only admins and owners write here.").waitFor();
  await page.getByRole("switch", { name: "For announcements only" }).click();
  await cleoPage.locator("#compose").waitFor();
});

test("who may rename is a rule, and members follow it", async () => {
  await benPage.keyboard.press("Alt+i");
  await benPage.locator(".pane-details").getByRole("button", { name: "Rename" }).waitFor();
  await page.getByLabel("Rename the group").selectOption("owner");
  await benPage.locator(".pane-details").getByRole("button", { name: "Rename" }).waitFor({ state: "detached" });
  await page.getByLabel("Rename the group").selectOption("member");
  await cleoPage.keyboard.press("Alt+i");
  await cleoPage.locator(".pane-details").getByRole("button", { name: "Rename" }).click();
  await cleoPage.locator(".pane-details").getByLabel("Name of the group").fill("Morning desk");
  await cleoPage.keyboard.press("Enter");
  await chatRow(page, "Morning desk").waitFor();
  await look(page, "the details of a group");
});

test("what happened in the group is said in the language of the page", async () => {
  const lines = cleoPage.locator(".notice-line");
  const line = (text) => lines.filter({ hasText: text });
  await line("Ada let everybody rename the group.").waitFor();
  await line("You named the group “Morning desk”.").waitFor();
  await cleoPage.keyboard.press("Alt+s");
  await cleoPage.getByLabel("Language").selectOption("ar");
  await cleoPage.waitForFunction(() => document.documentElement.dir === "rtl");
  await line("سمح Ada للجميع بإعادة تسمية المجموعة.").waitFor();
  await line("سمّيت المجموعة «Morning desk».").waitFor();
  // A name keeps its own direction within the line.
  await line("سمّيت المجموعة").locator("bdi", { hasText: "Morning desk" }).waitFor();
  assert.equal(await line(/group|message/).count(), 0);
  await cleoPage.keyboard.press("Escape");
  await cleoPage.getByRole("dialog").waitFor({ state: "detached" });
  // Who says it stands where the line begins, and what is said is cut at its other end, whatever language it is in.
  await cleoPage.locator("#search").fill("Here I am");
  assertOrder(await sides(cleoPage.locator(".found .chat", { hasText: "Here I am" })), "rtl");
  await cleoPage.locator("#search").fill("");
  await say(benPage, LONG_ARABIC);
  for (const [one, direction] of [
    [cleoPage, "rtl"],
    [page, "ltr"],
  ]) {
    const row = chatRow(one, "Morning desk").filter({ hasText: LONG_ARABIC.slice(0, 20) });
    await row.waitFor();
    assertOrder(await sides(row), direction);
  }
  await cleoPage.keyboard.press("Alt+s");
  await cleoPage.locator("dialog select:has(option[value=nl])").selectOption("en");
  await line("You named the group “Morning desk”.").waitFor();
  await cleoPage.keyboard.press("Escape");
  await cleoPage.getByRole("dialog").waitFor({ state: "detached" });
});

test("who is taken out of a group writes no more, and is let in again, with the keyboard alone", async () => {
  const inDetails = ".pane-details";
  await pressAt(page, /^Remove Ben from the group$/, "Enter", inDetails);
  await page.locator(".members li", { hasText: "Ben" }).waitFor({ state: "detached" });
  await benPage.locator(".closed", { hasText: "You are not in this group any more." }).waitFor();
  assert.equal(await benPage.locator("#compose").count(), 0);
  await look(benPage, "a group that somebody was removed from");
  await pressAt(page, /^Add members$/, "Enter", inDetails);
  await pressAt(page, /^BBen$/, "Space", inDetails);
  await look(page, "adding members");
  await pressAt(page, /^Add members$/, "Enter", ".pane-details form");
  await page.locator(".members li", { hasText: "Ben" }).waitFor();
  await benPage.locator("#compose").waitFor();
  await pressAt(benPage, /^Message to/, "End");
  await benPage.keyboard.type("Back at the desk");
  await benPage.keyboard.press("Enter");
  await bubble(page, "Back at the desk").waitFor();
});

test("an owner hands the group over, and leaves", async () => {
  await page.getByRole("button", { name: "Hand the group over to Ben" }).click();
  await page.getByRole("button", { name: "Hand over", exact: true }).click();
  await page.locator(".members li", { hasText: "Ben" }).getByText("Owner").waitFor();
  await page.locator(".members li", { hasText: "You" }).getByText("Admin").waitFor();
  await page.getByRole("button", { name: "Leave the group" }).click();
  await page.getByRole("button", { name: "Leave the group" }).click();
  await page.getByText("You left this group.").waitFor();
  // The last owner names a successor.
  await benPage.getByRole("button", { name: "Leave the group" }).click();
  await benPage.getByLabel("Who is to be owner then").selectOption({ label: "Cleo" });
  await benPage.getByRole("button", { name: "Leave the group" }).click();
  await benPage.getByText("You left this group.").waitFor();
  await cleoPage.locator(".members li", { hasText: "You" }).getByText("Owner").waitFor();
});

test("what the server's operator announces is shown as theirs, as text, until it is dismissed or taken back", async () => {
  const said = server.announce("Maintenance on Sunday.\nhttps://example.org <b>now</b>");
  for (const one of [page, benPage]) {
    const shown = one.locator(".announcement", { hasText: "<b>now</b>" });
    await shown.getByText(`From the operator of the server ${server.origin}`).waitFor();
    assert.equal(await shown.locator("a, b").count(), 0);
  }
  await look(page, "an announcement");
  await page.locator(".announcement").getByRole("button", { name: "Dismiss" }).click();
  await page.locator(".announcement").waitFor({ state: "detached" });
  assert.ok(ada.command("status").announcements[0].dismissed);
  assert.equal(await benPage.locator(".announcement").count(), 1);
  server.announce("--remove", said.id.slice(0, 12));
  await benPage.locator(".announcement").waitFor({ state: "detached" });
});

test("what files take is shown by chat, and they are removed from this device", async () => {
  const file = path.join(ben.folder, "plan.bin");
  writeFileSync(file, Buffer.alloc(1_400_000, 7));
  ben.command("send", "Ada", "The plan", "--attach", file);
  await openChat(page, "Ben");
  const row = page.locator(".file-row", { hasText: "plan.bin" });
  const [download] = await Promise.all([page.waitForEvent("download"), row.getByRole("button", { name: "Save plan.bin" }).click()]);
  await download.saveAs(path.join(ada.folder, "saved.bin"));
  await page.keyboard.press("Alt+s");
  await page.getByRole("button", { name: "Storage" }).click();
  await page.getByRole("dialog").getByText("1 file, 1.4 MB").first().waitFor();
  await page.locator(".storage summary").click();
  await page.locator(".storage .kept").getByText("plan.bin").waitFor();
  await look(page, "the storage");
  await page.getByLabel("Which files").selectOption({ label: "Larger than 10 MB" });
  await page.getByRole("button", { name: "Remove from this device" }).click();
  await page.getByText("0 files removed").waitFor();
  await page.getByLabel("Which files").selectOption({ label: "All files" });
  await page.getByRole("button", { name: "Remove from this device" }).click();
  await page.getByText("1 file removed, 1.4 MB freed.").waitFor();
  await page.getByText("No files on this device.").waitFor();
  await page.keyboard.press("Escape");
});

test("no page complained of anything", () => {
  for (const one of [page, benPage, cleoPage]) assert.deepEqual(one.complaints, []);
});
