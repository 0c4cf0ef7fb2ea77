// Groups, with the keyboard alone: who is let in by a link, who may do what, and whom a message mentions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, Server, bubble, chatRow, chooseAt, chooseItem, lineAt, look, meet, openAt, openBrowser, openPage, pressAt, tabTo, typeAt, unlock, writeAt } from "./stage.js";

const DETAILS = ".pane-details";

let server, browser, ada, ben, cleo, page, benPage, cleoPage;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  [ada, ben, cleo] = await Promise.all(["Ada", "Ben", "Cleo"].map((name) => App.made(name, server.invitation())));
  meet(ada, ben);
  await Promise.all([ada, ben, cleo].map((app) => app.run()));
  [page, benPage, cleoPage] = await Promise.all([ada, ben, cleo].map((app) => openPage(browser, app)));
  await Promise.all([unlock(page, ada), unlock(benPage, ben), unlock(cleoPage, cleo)]);
  await chatRow(page, "Ben").waitFor();
  ada.command("group", "create", "Night desk", "Ben");
});

after(async () => {
  await browser?.close();
  await Promise.all([ada?.stop(), ben?.stop(), cleo?.stop()]);
  await server?.stop();
});

test("somebody asks for a group by its link, and is let in", async () => {
  await openAt(page, "Night desk");
  await page.keyboard.press("Alt+i");
  await pressAt(page, /^Make a link$/, "Enter", DETAILS);
  await pressAt(page, /^Make a link$/, "Enter", `${DETAILS} form`);
  await page.locator(".invites .qr-dark").waitFor();
  const link = await page.getByLabel("Link to the group", { exact: true }).inputValue();
  await cleoPage.keyboard.press("Alt+n");
  await tabTo(cleoPage, /^Show my link$/);
  await cleoPage.keyboard.press("ArrowRight");
  await typeAt(cleoPage, /^Contact link$/, link);
  await pressAt(cleoPage, /^Add$/);
  await cleoPage.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Let Cleo in", exact: true }).waitFor();
  await look(page, "who asks to be let in");
  await pressAt(page, /^Let Cleo in$/, "Enter", DETAILS);
  await page.locator(".members li", { hasText: "Cleo" }).waitFor();
  await openAt(cleoPage, "Night desk");
  await writeAt(cleoPage, "Here I am");
  await openAt(benPage, "Night desk");
  await bubble(benPage, "Here I am").waitFor();
});

test("a group is for announcements only: members react and do not write, and an admin does", async () => {
  const quiet = page.getByRole("switch", { name: "For announcements only" });
  await pressAt(page, /^For announcements only/, "Space", DETAILS);
  await quiet.and(page.locator(":checked")).waitFor();
  await benPage.getByText("Only admins and owners write here.").waitFor();
  assert.equal(await benPage.locator("#compose").count(), 0);
  await lineAt(benPage, "Here I am");
  await benPage.keyboard.press("Enter");
  await benPage.getByRole("menu").waitFor();
  assert.equal(await benPage.getByRole("menuitem", { name: "Reply", exact: true }).count(), 0);
  await chooseItem(benPage, "React 👍");
  await page.locator(".reaction", { hasText: "👍" }).waitFor();
  // The first letter of a choice chooses it.
  await pressAt(page, /^Role of Ben$/, "a", DETAILS);
  await writeAt(benPage, "The desk is open");
  await bubble(cleoPage, "The desk is open").waitFor();
  assert.equal(await cleoPage.locator("#compose").count(), 0);
  await pressAt(page, /^For announcements only/, "Space", DETAILS);
  await quiet.and(page.locator(":not(:checked)")).waitFor();
  await writeAt(cleoPage, "Thank you");
  await bubble(page, "Thank you").waitFor();
});

test("who may do what is chosen, and members follow it", async () => {
  await benPage.keyboard.press("Alt+i");
  const rename = benPage.locator(DETAILS).getByRole("button", { name: "Rename" });
  await rename.waitFor();
  await chooseAt(page, /^Rename the group/, "Owners only", DETAILS);
  await rename.waitFor({ state: "detached" });
  await chooseAt(page, /^Rename the group/, "All members", DETAILS);
  await chooseAt(page, /^Set the timer/, "All members", DETAILS);
  await look(page, "the rules of a group");
  await cleoPage.keyboard.press("Alt+i");
  await pressAt(cleoPage, /^Rename$/, "Enter", DETAILS);
  await typeAt(cleoPage, /^Name of the group/, "Morning desk", DETAILS);
  await cleoPage.keyboard.press("Enter");
  await chatRow(page, "Morning desk").waitFor();
  await chooseAt(cleoPage, /^Disappearing messages/, "1 day", DETAILS);
  await page.locator(".chat-head").getByRole("img", { name: "Messages disappear after 1 day" }).waitFor();
  // Whoever may not set them sees the rules, and that they are not theirs to set.
  assert.ok(await cleoPage.getByRole("combobox", { name: "Pin messages" }).isDisabled());
  await look(cleoPage, "the rules of a group, as a member sees them");
});

test("somebody is mentioned", async () => {
  await pressAt(page, /^Message to/, "End");
  await page.keyboard.type("Are you there, @Be");
  await page.locator(".mentions button", { hasText: "Ben" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await bubble(benPage, "Are you there").locator(".mention.me").waitFor();
});

test("no page complained of anything", () => {
  for (const one of [page, benPage, cleoPage]) assert.deepEqual(one.complaints, []);
});
