// How fast the page is on a home that is there already: `node tests/pace.js HOME`, with its passphrase on standard input. Prints what it
// measured as JSON, for `./dev bench page`.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { App, enter, openBrowser, openPage } from "./browser/stage.js";

const TIMES = 5;
const AWAY_MS = 2000;
const SCROLLED_MS = 15_000;
const IDLE_MS = 3000;
/** Pixels of a frame: a quick flick of the wheel. */
const SPEED = 120;

const [home] = process.argv.slice(2);
const passphrase = await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));
const browser = await openBrowser();
const app = await App.start("somebody", [], home);
const page = await openPage(browser, app);
await enter(page, app);

/** Milliseconds from a passphrase's being given until something stands there (with text in it) and was painted. */
async function given(phrase, awaited) {
  const field = page.locator("input[type=password]");
  await field.waitFor();
  await page.waitForFunction(() => !document.querySelector("form.gate-card button").disabled);
  await page.evaluate((awaited) => {
    window.took = new Promise((resolve) => {
      let begun;
      addEventListener("submit", () => (begun = performance.now()), { capture: true, once: true });
      const watcher = new MutationObserver(() => {
        if (begun === undefined || !document.querySelector(awaited)?.textContent) return;
        watcher.disconnect();
        requestAnimationFrame(() => {
          // After the frame that has it.
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(performance.now() - begun);
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

/** Frames that were painted and that were not while something is done in each. */
const paced = (ms, speed) =>
  page.evaluate(
    ([ms, speed]) =>
      new Promise((resolve) => {
        const box = document.querySelector(".lines");
        const gaps = [];
        let before;
        let begun;
        const frame = (now) => {
          begun ??= now;
          if (before !== undefined) gaps.push(now - before);
          before = now;
          if (speed !== 0) box.scrollTop -= speed;
          if (now - begun < ms) return requestAnimationFrame(frame);
          // A frame's time is what most of them took.
          const usual = gaps.toSorted((one, other) => one - other)[Math.floor(gaps.length / 2)];
          const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / usual) - 1), 0);
          resolve({ frames: gaps.length, dropped, first: Number(box?.querySelector("[data-line]").dataset.line) });
        };
        requestAnimationFrame(frame);
      }),
    [ms, speed],
  );

const [right_ms, wrong_ms] = [[], []];
for (let at = 0; at < TIMES; at += 1) {
  // A wrong passphrase takes as long as the right one up to the verdict, which is mostly Argon2id and different each time.
  wrong_ms.push(await given(`not ${passphrase}`, "#unlock-trouble"));
  right_ms.push(await given(passphrase, ".pane-list .chat"));
  if (at + 1 === TIMES) break;
  await page.keyboard.press("Control+Shift+L");
  // The program begins anew when it locks. Whoever unlocks was away for longer.
  await page.waitForTimeout(AWAY_MS);
}
const idle = await paced(IDLE_MS, 0);
await page.locator(".pane-list .chat").filter({ hasText: "Ben" }).first().click();
await page.locator("[data-line]").nth(40).waitFor();
const newest = Number(await page.locator("[data-line]").last().getAttribute("data-line"));
const scrolled = await paced(SCROLLED_MS, SPEED);
const resident = Number(readFileSync(`/proc/${app.child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;
console.log(
  JSON.stringify({
    right_ms,
    wrong_ms,
    frames: scrolled.frames,
    dropped: scrolled.dropped,
    idle_frames: idle.frames,
    idle_dropped: idle.dropped,
    lines: newest - scrolled.first,
    resident,
  }),
);
await browser.close();
// The home is the caller's.
await app.stop();
