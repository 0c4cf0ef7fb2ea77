// What the keys of formatting do to a text, and what days are.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const folder = mkdtempSync(path.join(os.tmpdir(), "undertone-ui-formatting-"));
after(() => rmSync(folder, { recursive: true, force: true }));
// Where a day is 23 or 25 hours twice a year.
process.env.TZ = "Europe/Amsterdam";
await build({
  absWorkingDir: root,
  entryPoints: ["src/ui/formatting.ts", "src/ui/drafting.ts", "src/state/days.ts", "src/i18n/index.ts"],
  outdir: folder,
  outbase: "src",
  bundle: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
});
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
const { marked, markOf } = await load("ui/formatting.mjs");
const { isFormatted } = await load("ui/drafting.mjs");
const { dayStart, dayEnd, dayOf } = await load("state/days.mjs");
globalThis.navigator ??= { language: "en-GB", languages: ["en-GB"] };
const dates = await load("i18n/index.mjs");

/** A text with its selection between angle brackets. */
const parse = (shown) => ({ text: shown.replace(/[<>]/gu, ""), from: shown.indexOf("<"), to: shown.indexOf(">") - 1 });
const show = ({ text, from, to }) => `${text.slice(0, from)}<${text.slice(from, to)}>${text.slice(to)}`;
const mark = (shown, one) => show(marked(parse(shown), one));

test("a mark stands around what is selected, without the blanks beside it, and goes again", () => {
  for (const [before, one, after] of [
    ["so <very> good", "**", "so **<very>** good"],
    ["so< very >good", "**", "so **<very>** good"],
    ["so <very> good", "_", "so _<very>_ good"],
    ["so v<er>y good", "_", "so _<very>_ good"],
    ["<all of it>", "~~", "~~<all of it>~~"],
    ["call <run()> now", "`", "call `<run()>` now"],
    ["<>", "**", "**<>**"],
    ["end <>", "`", "end `<>`"],
  ]) {
    assert.equal(mark(before, one), after);
    if (!/v<er>y|< /u.test(before)) assert.equal(mark(after, one), before);
  }
  // With the marks inside the selection.
  assert.equal(mark("so <**very**> good", "**"), "so <very> good");
  // One in the other.
  assert.equal(mark("**<very>**", "_"), "**_<very>_**");
});

test("code of several lines, or with the mark in it, stands between fences", () => {
  assert.equal(mark("look: <a\nb> there", "`"), "look: \n```\n<a\nb>\n```\n there");
  assert.equal(mark("<a `b` c>", "`"), "```\n<a `b` c>\n```");
  assert.equal(mark("<```\nx\n```>", "`"), "````\n<```\nx\n```>\n````");
});

test("what was marked is sent as formatted", () => {
  for (const one of ["**", "_", "~~", "`"]) assert.ok(isFormatted(marked(parse("so v<er>y good"), one).text), one);
});

test("the keys are with Ctrl or Cmd, and not with Alt", () => {
  const key = (key, more) => markOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
  assert.equal(key("b", { ctrlKey: true }), "**");
  assert.equal(key("I", { metaKey: true }), "_");
  assert.equal(key("X", { ctrlKey: true, shiftKey: true }), "~~");
  assert.equal(key("e", { ctrlKey: true }), "`");
  for (const more of [{}, { altKey: true, ctrlKey: true }, { shiftKey: true }, { ctrlKey: true, shiftKey: true }]) assert.equal(key("b", more), null);
  assert.equal(key("x", { ctrlKey: true }), null);
});

test("a day begins and ends where this computer is", () => {
  assert.equal(dayStart("2026-11-23"), Date.UTC(2026, 10, 22, 23));
  assert.equal(dayEnd("2026-11-23") - dayStart("2026-11-23"), 24 * 3_600_000);
  assert.equal(dayEnd("2026-03-29") - dayStart("2026-03-29"), 23 * 3_600_000);
  assert.equal(dayEnd("2026-12-31"), dayStart("2027-01-01"));
  for (const nothing of ["", "23-11-2026", "2026-11", "today"]) assert.equal(dayStart(nothing), null);
  assert.equal(dayOf(dayStart("2026-03-01")), "2026-03-01");
  assert.equal(dayOf(dayEnd("2026-03-01") - 1), "2026-03-01");
});

test("whatever number somebody gives as a date is told, and nothing throws", () => {
  for (const ms of [8.64e15 + 1, 2 ** 60, 2 ** 63, -(2 ** 63), Infinity, -Infinity, Number.NaN, 8.64e15, 0]) {
    for (const tell of [dates.clock, dates.day, dates.shortWhen, dates.dayAndTime, dates.fromNow]) assert.ok(tell(ms).length > 0, `${tell.name} of ${ms}`);
    assert.equal(dates.isSameDay(ms, ms), true);
  }
});
