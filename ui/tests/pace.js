// How fast the page is on a home that is there already: `node tests/pace.js HOME MARKER...`, with its passphrase on standard input. The
// long chat is scrolled at its end, and at the lines that say a marker. Prints what it measured as JSON, for `./dev bench page`.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { App, enter, openBrowser, openPage } from "./browser/stage.js";

const TIMES = 5;
const AWAY_MS = 2000;
/** At each of the places of the long chat. */
const SCROLLED_MS = 4000;
const IDLE_MS = 3000;
/** A page that takes so long in each frame drops every other one: what the measure says of it is told too. */
const [SLOW_MS, SLOW_RUN_MS] = [30, 3000];
/** A display's, where a page that does nothing is not painted more often. */
const FRAME_MS = 1000 / 60;
/** Pixels of a frame: a quick flick of the wheel. */
const SPEED = 120;

const [home, ...markers] = process.argv.slice(2);
const passphrase = await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));
const browser = await openBrowser();
const app = await App.start("somebody", [], home);
const page = await openPage(browser, app);
await page.addInitScript(noteOpening);
await enter(page, app);

/** In a page: when its program said last that the home is open. */
function noteOpening() {
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(address) {
      super(address);
      this.addEventListener("message", ({ data }) => {
        const said = JSON.parse(data);
        if (said.method === "host" && said.params?.state === "open") window.openedAt = performance.now();
      });
    }
  };
}

/** Milliseconds until the list stands there, with text in it, and was painted: since the passphrase was given, and since the home was open. */
async function given(phrase) {
  const awaited = ".pane-list .chat";
  const field = page.locator("input[type=password]");
  await field.waitFor();
  await page.waitForFunction(() => !document.querySelector("form.gate-card button").disabled);
  await page.evaluate((awaited) => {
    window.openedAt = Number.NaN;
    window.took = new Promise((resolve) => {
      let begun;
      addEventListener("submit", () => (begun = performance.now()), { capture: true, once: true });
      const watcher = new MutationObserver(() => {
        if (begun === undefined || !document.querySelector(awaited)?.textContent) return;
        watcher.disconnect();
        requestAnimationFrame(() => {
          // After the frame that has it.
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => {
            const now = performance.now();
            resolve({ whole_ms: now - begun, list_ms: now - window.openedAt });
          };
          port2.postMessage(null);
        });
      });
      watcher.observe(document, { childList: true, characterData: true, subtree: true });
    });
  }, awaited);
  await field.fill(phrase);
  await field.press("Enter");
  return page.evaluate(() => window.took);
}

/** The times between frames while the lines are moved by so much in each. */
const paced = (ms, speed) =>
  page.evaluate(
    ([ms, speed]) =>
      new Promise((resolve) => {
        const box = document.querySelector(".lines");
        const gaps = [];
        const lines = new Set();
        let before;
        let begun;
        const frame = (now) => {
          begun ??= now;
          if (before !== undefined) gaps.push(now - before);
          before = now;
          if (box !== null) {
            box.scrollTop -= speed;
            for (const row of box.querySelectorAll("[data-line]")) lines.add(row.dataset.line);
          }
          if (now - begun < ms) requestAnimationFrame(frame);
          else resolve({ gaps, lines: lines.size });
        };
        requestAnimationFrame(frame);
      }),
    [ms, speed],
  );

const median = (all) => all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)];

/** How many frames were painted, and how many were due and not, where each takes so long. */
function counted(gaps, frame) {
  const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / frame) - 1), 0);
  return { frames: gaps.length, dropped };
}

/** Goes to a line of the long chat that nothing near it is read yet of, by what it says. */
async function jumpTo(marker) {
  await page.locator("#search").fill(marker);
  await page.locator(".found .chat", { hasText: marker }).first().click();
  await page.locator(".line-row.marked", { hasText: marker }).waitFor();
  await page.locator("#search").fill("");
  await page.locator(".line-row.marked").waitFor({ state: "detached" });
}

const [list_ms, whole_ms] = [[], []];
for (let at = 0; at < TIMES; at += 1) {
  const took = await given(passphrase);
  list_ms.push(took.list_ms);
  whole_ms.push(took.whole_ms);
  if (at + 1 === TIMES) break;
  await page.keyboard.press("Control+Shift+L");
  // The program begins anew when it locks. Whoever unlocks was away for longer.
  await page.waitForTimeout(AWAY_MS);
}
const idle = await paced(IDLE_MS, 0);
// Nothing is faster than the display; a machine on which an empty page is slower than that is not thereby a quick one.
const frame_ms = Math.min(FRAME_MS, median(idle.gaps));
await page.locator(".pane-list .chat").filter({ hasText: "Ben" }).first().click();
await page.locator("[data-line]").nth(40).waitFor();
const [gaps, lines, kinds] = [[], [], { photos: 0, long: 0 }];
for (const place of [null, ...markers]) {
  if (place !== null) await jumpTo(place);
  const run = await paced(SCROLLED_MS, SPEED);
  gaps.push(...run.gaps);
  lines.push(run.lines);
  kinds.photos += await page.locator(".lines .photo").count();
  kinds.long += await page.locator(".lines .text").evaluateAll((texts) => texts.filter((text) => text.textContent.length > 400).length);
}
if (kinds.photos === 0 || kinds.long === 0) throw new Error(`no photos or no long texts came by: ${JSON.stringify(kinds)}`);
// The same with a page that is too slow by far, where there is something to scroll.
if (markers.length > 0) await jumpTo(markers[0]);
await page.evaluate((ms) => {
  document.querySelector(".lines").addEventListener("scroll", () => {
    for (const until = performance.now() + ms; performance.now() < until; );
  });
}, SLOW_MS);
const slow = await paced(SLOW_RUN_MS, SPEED);
const resident = Number(readFileSync(`/proc/${app.child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;
const [idled, scrolled, slowed] = [idle, { gaps }, slow].map((run) => counted(run.gaps, frame_ms));
console.log(
  JSON.stringify({
    list_ms,
    whole_ms,
    frames: scrolled.frames,
    dropped: scrolled.dropped,
    idle_frames: idled.frames,
    idle_dropped: idled.dropped,
    slow_frames: slowed.frames,
    slow_dropped: slowed.dropped,
    lines: lines.reduce((sum, some) => sum + some, 0),
    resident,
  }),
);
await browser.close();
// The home is the caller's.
await app.stop();
