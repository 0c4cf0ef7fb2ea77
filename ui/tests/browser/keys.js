// What is done in a page with the keyboard alone: going somewhere with Tab and the arrows, typing, and pressing what does it.

import assert from "node:assert/strict";
import { LONGEST_WAIT } from "./stage.js";

/** Presses Tab until something with this name has the focus, in a part of the page if one is given: as long as it takes to come. */
export async function tabTo(page, name, within = "body") {
  const until = Date.now() + LONGEST_WAIT;
  while (Date.now() < until) {
    const found = await page.evaluate((within) => {
      const element = document.activeElement;
      if (element === null || element === document.body || element.closest(within) === null) return null;
      return element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
    }, within);
    if (found !== null && name.test(found)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no way by keyboard to ${name}`);
}

/** Presses Tab until what is like this has the focus, in whatever language it is called something. */
export async function tabToThe(page, selector) {
  const until = Date.now() + LONGEST_WAIT;
  while (Date.now() < until) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no way by keyboard to ${selector}`);
}

/** Goes there with the keyboard, and presses what does it. */
export async function pressAt(page, name, key = "Enter", within = undefined) {
  await tabTo(page, name, within);
  await page.keyboard.press(key);
}

/** Goes to a field with the keyboard, and types this in place of what is there. */
export async function typeAt(page, name, text, within = undefined) {
  await tabTo(page, name, within);
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

/** Goes to a choice with the keyboard, and through it with the arrows until this is chosen. */
export async function chooseAt(page, name, option, within = undefined) {
  await tabTo(page, name, within);
  const chosen = () => page.evaluate(() => document.activeElement.selectedOptions[0]?.label ?? "");
  await page.keyboard.press("Home");
  for (let turn = 0; turn < 100 && (await chosen()) !== option; turn += 1) await page.keyboard.press("ArrowDown");
  // Where each choice is kept at once, what was passed by may be heard of after this.
  await page.waitForFunction((option) => document.activeElement.selectedOptions?.[0]?.label === option, option);
}

/** Goes through the menu that is open with the arrows, and takes this. */
export async function chooseItem(page, item) {
  await page.getByRole("menu").waitFor();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
  for (let turn = 0; turn < 40 && (await focused()) !== item; turn += 1) await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), item);
  await page.keyboard.press("Enter");
}

/** Goes to a chat of the list with the keyboard, and opens it. */
export async function openAt(page, name) {
  // Before the name stand the letters of its sign.
  await pressAt(page, new RegExp(`^\\S{0,2}${name}`, "u"), "Enter", ".chats");
  await page.locator(".chat-title strong", { hasText: name }).waitFor();
}

/** Writes this in the chat that is open with the keyboard, and sends it. */
export async function writeAt(page, text) {
  await typeAt(page, /^Message to/, text);
  await page.keyboard.press("Enter");
  await page.locator(".bubble", { hasText: text }).last().waitFor();
}

/** Goes through the lines of the chat with the arrows, from the last one up, to the one that says this. */
export async function lineAt(page, text) {
  await page.keyboard.press("Alt+m");
  await page.keyboard.press("End");
  const isHere = () => page.evaluate((text) => document.activeElement.matches(".line-focus") && document.activeElement.textContent.includes(text), text);
  for (let turn = 0; turn < 40 && !(await isHere()); turn += 1) await page.keyboard.press("ArrowUp");
  assert.ok(await isHere(), `no way by keyboard to the line with ${text}`);
}

/** Chooses this in the menu of the message that says this. */
export async function lineMenuAt(page, text, item) {
  await lineAt(page, text);
  await page.keyboard.press("Enter");
  await chooseItem(page, item);
}

/** Picks this file for the message that is written. */
export async function attachAt(page, file) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), pressAt(page, /^Attach files$/)]);
  await chooser.setFiles(file);
}
