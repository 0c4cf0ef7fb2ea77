// A test that says that something is done with the keyboard does it with keys: whatever a script can reach without them is not used there. And
// each screen that there is, is used by one of those tests.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PHONE_ONLY, SCREENS } from "../screens.js";

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(here, "../browser");
/** Where every test is one of those; of other files those that say so in their name, or that a screen is used by. */
const WHOLE = ["devices.test.js", "groups.test.js", "keyboard.test.js", "phone.test.js", "protection.test.js", "scanning.test.js"];

/** By file and test, the screens that it uses: each with something of it that the test tells of. */
const USED_BY = {
  "page.test.js": {
    "an account is made with the keyboard alone, and every step can be heard": {
      "00-code": "Six-digit code",
      "00-code-wrong": "a wrong code",
      "01-welcome": "Make a new account",
      "02-server": "Invitation or server address",
      "02-server-proxy": "Advanced",
      "02-name": 'getByLabel("Name"',
      "02-name-picture": "Choose a picture",
      "03-passphrase": "The same again",
      "03-passphrase-sentence": "keyboard.type(PASSPHRASE)",
      "04-phrase": ".phrase li",
      "05-check": "the check",
      "05-kill-code": "Make a kill code",
      "05-kill-words": ".shown-once li",
      "06-first-contact": "Add a contact",
    },
    "a conversation is led with the keyboard alone": {
      "12-conversation": "Message to Ben",
      "13-menu": 'getByRole("menu")',
      "22-search": ".found .chat",
    },
    "every sheet opens by keyboard, closes by Escape, and can be heard": {
      "14-emoji": ".emoji-one",
      "15-details": ".pane-details",
      "20-settings": "Settings",
      "21-shortcuts": 'keyboard.press("?")',
      "21-shortcuts-more": 'keyboard.press("?")',
    },
    "a group is made, named, linked to, given roles and left with the keyboard alone": {
      "17-group": "Night watch",
      "18-group-details": ".members li",
      "23-group-link": ".invites .qr-dark",
      "47-new-menu": "New chat or contact",
      "47-new-group": "Make the group",
    },
    "devices, linking, storage and backup are reached and used with the keyboard alone": {
      "25-devices": "Devices",
      "26-storage": "Remove from this device",
      "27-link-device": "Link another device",
    },
    "the locked screen can be heard, and is used by keyboard": {
      "30-locked": "Locked",
      "30-locked-wrong": "Wrong passphrase.",
    },
  },
  "scanning.test.js": {
    "two people become contacts by a code that one shows and the other scans": {
      "19-add": "newLink()",
      "19-add-given": "I have a link",
    },
    "a camera that sees no code goes on looking, and a link can be typed all the same": { "19-add-scan": ".scanner video" },
    "another device comes into the account by a code that it shows and the first scans": {
      "31-another-device": "This is another device of mine",
      "32-device-code": "svg.qr .qr-dark",
      "33-words": ".six-words li",
    },
  },
  "keyboard.test.js": {
    "a photo is taken and sent": { "45-camera": "Take photo" },
    "a voice message is spoken while the space bar is held": { "54-recording": ".recording" },
    "a message is passed on to a chat that is found by its name": { "42-forward": "Forward" },
    "a chat and its pictures are looked through as far back as they go": {
      "11-conversation-top": "Only the people in it can read what is said here.",
      "15-details-gallery": ".gallery button",
      "51-picture": ".picture img",
      "56-notes": "Notes to self",
    },
    "a contact is verified by the safety number, and that is withdrawn": { "16-contact": "They are the same" },
    "a contact card and a place are sent": {
      "37-share-whom": "BBen",
      "37-share-contact": "Contact card",
      "38-share-place": "Place",
      "41-share-menu": "Contact or place",
    },
    "a file goes with marked words and a timer of their own, and is deleted for everyone": {
      "41-own-timer-menu": "Timer for this message",
      "41-composer": ".picked-one",
      "44-delete": "Delete for everyone",
    },
    "a chat is exported": { "39-export": "Export", "46-chat-menu": "Chat menu" },
    "a record of a stranger is kept": { "28-requests": "message request", "29-request": "Refuse and block", "29-record": "Keep a record" },
    "the lists of who is blocked and of what was recorded are used in the settings": { "20-settings-lists": "Unblock" },
    "what a message said before is read, and several are picked and copied": {
      "43-info": "Info",
      "43-history": ".versions",
      "52-selection": "2 messages selected",
    },
    "what is searched for is narrowed, and a day of the chat gone to": { "22-search-filter": "Remove the filter", "48-date": "Go to a date" },
    "a chat is put away and brought back, and given a timer": { "53-archive": "1 archived chat" },
    "a name and a picture are chosen, and what is told, shown and dialled is set": { "20-settings-more": "Tell me about new messages" },
    "what the server's operator announces is dismissed": { "40-announcement": "Dismiss" },
    "an account comes back from its backup": { "36-restore": "I have a backup" },
  },
  "groups.test.js": {
    "who may do what is chosen, and members follow it": { "24-group-rules": "Rename the group" },
    "somebody is mentioned": { "55-mentions": ".mentions button" },
  },
  "people.test.js": {
    "who is taken out of a group writes no more, and is let in again, with the keyboard alone": { "58-add-members": "Add members" },
  },
  "protection.test.js": {
    "the page says what each protects from, and is used by keyboard": { "34-protection": '".protection"' },
    "a duress passphrase is set with a decoy to visit, and the decoy's words are shown once": { "34-protection-duress": "#protection-duress" },
    "a kill code is made, shown once, and made anew only after a word was typed": { "34-protection-kill": "#protection-kill" },
    "another device is wiped from the list, and its page forgets everything": { "25-devices-wipe": "Wipe Laptop" },
    "a contact's name with another account is warned of, in the chat and on its page, until it is accepted": { "57-other-account": "I know of it" },
    "a backup is made, checked, and restored on another computer": { "35-backup": "Make a backup" },
  },
  "panic.test.js": {
    "the panic keys, held, wipe, and nothing stays on the page, in its memory or among what was told": { "49-panic": "Keep holding", "59-ended": "that it has ended" },
    "the device is wiped with the keyboard alone once the word was typed, and not before": { "34-protection-wipe": "Wipe now" },
  },
  "connection.test.js": { "a server that is away is told, and that it is back": { "50-offline": "AWAY" } },
  "phone.test.js": { "the list of chats, what it is searched with, and what begins there": { "10-list": "the list" } },
};

/** What puts the focus somewhere, or changes something, without a key; a key that is pressed at an element has put the focus there. */
const WITHOUT_KEYS =
  /\.(fill|click|dblclick|tap|check|uncheck|setChecked|selectOption|selectText|focus|hover|dragTo|pressSequentially|dispatchEvent|clear)\(|(?<!keyboard)\.press\(|\b(say|openChat|bubbleMenu|befriend|drop|send)\((page|one|other|cleoPage|laptopPage|newPage|secondPage|thirdPage)\b/u;

const tests = readdirSync(folder)
  .filter((file) => file.endsWith(".test.js"))
  .flatMap((file) => {
    const [, ...parts] = readFileSync(path.join(folder, file), "utf8").split(/^test\(/mu);
    return parts.map((part) => ({ file, name: /^"([^"]*)"/u.exec(part)?.[1] ?? "", body: part.slice(0, part.search(/^\}\);/mu)) }));
  });

const isByKeyboard = ({ file, name }) => WHOLE.includes(file) || /\bkeyboard\b/u.test(name) || USED_BY[file]?.[name] !== undefined;

test("what is tested by keyboard is done with keys", () => {
  const found = tests.filter(isByKeyboard);
  assert.ok(found.length > 60, `${found.length}`);
  const wrong = found.flatMap(({ file, name, body }) => body.split("\n").flatMap((line) => (WITHOUT_KEYS.test(line) ? [`${file}, ${name}: ${line.trim()}`] : [])));
  assert.deepEqual(wrong, []);
});

test("every screen is used by a test with keys alone", () => {
  const used = [];
  for (const [file, named] of Object.entries(USED_BY)) {
    for (const [name, screens] of Object.entries(named)) {
      const found = tests.filter((one) => one.file === file && one.name === name);
      assert.equal(found.length, 1, `${file}, ${name}`);
      for (const [screen, words] of Object.entries(screens)) {
        assert.ok(found[0].body.includes(words), `${screen}: nothing of ${words} in ${file}, ${name}`);
        used.push(screen);
      }
    }
  }
  assert.deepEqual(used.sort(), [...Object.values(SCREENS).flat(), ...PHONE_ONLY].sort());
});

test("every picture is of a screen that is known, and every sheet that there is has one", () => {
  const pictures = new Set([...readFileSync(path.join(here, "../shots.js"), "utf8").matchAll(/"(\d\d-[\w-]+)"/gu)].map(([, screen]) => screen));
  assert.deepEqual([...pictures].sort(), [...Object.values(SCREENS).flat(), ...PHONE_ONLY].sort());
  const view = readFileSync(path.join(here, "../../src/state/view.ts"), "utf8");
  const sheets = [...view.matchAll(/\{ sheet: "(\w+)"/gu)].map(([, sheet]) => sheet);
  assert.ok(sheets.length > 15);
  const names = { add: "19-add", group: "47-new-group", share_contact: "37-share-contact", place: "38-share-place", report: "29-record", delete: "44-delete" };
  const screens = Object.values(SCREENS).flat();
  const without = sheets.filter((sheet) => !(names[sheet] === undefined ? screens.some((screen) => screen.replace(/^\d+-/u, "") === sheet) : screens.includes(names[sheet])));
  assert.deepEqual(without, []);
});

test("the rule finds what it is for", () => {
  for (const line of ['await page.locator("#compose").fill("x");', 'await button.press("Enter");', 'await say(page, "x");', "element.focus();"]) assert.match(line, WITHOUT_KEYS);
  for (const line of ['await page.keyboard.press("Enter");', "await pressAt(page, /^Add$/);", 'await say(benPage, "x");', "await typeAt(page, /^Name$/, name);"]) assert.doesNotMatch(line, WITHOUT_KEYS);
});
