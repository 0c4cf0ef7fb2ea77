// A test that says that something is done with the keyboard does it with keys: whatever a script can reach without them is not used there.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../browser");
/** Where every test is one of those; of other files those that say so in their name. */
const WHOLE = ["keyboard.test.js", "scanning.test.js"];
/** In the sheet of protection all but what is done outside of it. */
const OUTSIDE = { "protection.test.js": [/^another device is wiped/, /^a contact's name with another account/, /^a backup is made/] };

/** What puts the focus somewhere, or changes something, without a key; a key that is pressed at an element has put the focus there. */
const WITHOUT_KEYS =
  /\.(fill|click|dblclick|tap|check|uncheck|setChecked|selectOption|selectText|focus|hover|dragTo|pressSequentially|dispatchEvent|clear)\(|(?<!keyboard)\.press\(|\b(say|openChat|bubbleMenu|befriend|drop|send)\((page|one|other|cleoPage|laptopPage|newPage)\b/u;

const tests = readdirSync(folder)
  .filter((file) => file.endsWith(".test.js"))
  .flatMap((file) => {
    const [, ...parts] = readFileSync(path.join(folder, file), "utf8").split(/^test\(/mu);
    return parts.map((part) => ({ file, name: /^"([^"]*)"/u.exec(part)?.[1] ?? "", body: part.slice(0, part.search(/^\}\);/mu)) }));
  });

const isByKeyboard = ({ file, name }) => {
  const outside = OUTSIDE[file];
  return WHOLE.includes(file) || /\bkeyboard\b/u.test(name) || (outside !== undefined && !outside.some((one) => one.test(name)));
};

test("what is tested by keyboard is done with keys", () => {
  const found = tests.filter(isByKeyboard);
  assert.ok(found.length > 40, `${found.length}`);
  const wrong = found.flatMap(({ file, name, body }) => body.split("\n").flatMap((line) => (WITHOUT_KEYS.test(line) ? [`${file}, ${name}: ${line.trim()}`] : [])));
  assert.deepEqual(wrong, []);
});

test("the rule finds what it is for", () => {
  for (const line of ['await page.locator("#compose").fill("x");', 'await button.press("Enter");', 'await say(page, "x");', "element.focus();"]) assert.match(line, WITHOUT_KEYS);
  for (const line of ['await page.keyboard.press("Enter");', "await pressAt(page, /^Add$/);", 'await say(benPage, "x");', "await typeAt(page, /^Name$/, name);"]) assert.doesNotMatch(line, WITHOUT_KEYS);
});
