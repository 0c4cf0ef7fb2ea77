// Which lines of a chat the page holds: around what somebody looks at, wherever that is, and never all of a long one.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const folder = mkdtempSync(path.join(os.tmpdir(), "undertone-ui-lines-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The program, as these lines know it: a chat of so many messages, a minute apart, and what the page asked for. */
const program = { lines: [], asked: [], handlers: [], closers: [], delay: () => Promise.resolve() };
globalThis.program = program;
globalThis.window = globalThis;
const stub = {
  name: "stub",
  setup(of) {
    of.onResolve({ filter: /\/app\.ts$/ }, () => ({ path: "app", namespace: "stub" }));
    of.onLoad({ filter: /.*/, namespace: "stub" }, () => ({
      contents: `
        const { program } = globalThis;
        export const call = (method, params) => program.answer(method, params);
        export const onEvent = (handler) => program.handlers.push(handler);
        export const onOpen = () => undefined;
        export const onClose = (step) => program.closers.push(step);
      `,
    }));
  },
};
await build({
  absWorkingDir: root,
  entryPoints: ["src/state/lines.ts", "src/state/kept.ts"],
  outdir: folder,
  bundle: true,
  splitting: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  plugins: [stub],
});
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
const { open, openChat, lines, hasOlder, hasNewer, isHeld, readAt, readOlder, readNewer } = await load("lines.mjs");
const { UNREAD, again, further, hasFurther, together } = await load("kept.mjs");

const line = (id) => ({ local_id: id, id: `m${id}`, kind: "message", mine: false, sent_ms: id * 60_000, text: `${id}` });

program.answer = async (method, params) => {
  program.asked.push([method, params]);
  const all = program.lines;
  await program.delay();
  if (method === "messages.search") {
    return all
      .filter((one) => one.sort === params.kind && (params.before === undefined || one.local_id < params.before))
      .toReversed()
      .slice(0, params.limit);
  }
  if (method === "messages.get") return all.find((one) => one.id === params.message);
  const { limit, before, after, around, from_ms } = params;
  assert.ok(limit >= 1 && limit <= 1000 && [before, after, around, from_ms].filter((one) => one !== undefined).length <= 1, JSON.stringify(params));
  const at = (id) => all.findIndex((one) => one.local_id === id);
  if (before !== undefined) return all.slice(Math.max(0, at(before) - limit), at(before));
  if (after !== undefined) return all.slice(at(after) + 1, at(after) + 1 + limit);
  if (around !== undefined) return at(around) < 0 ? [] : all.slice(Math.max(0, at(around) - Math.floor(limit / 2)), at(around) + limit - Math.floor(limit / 2));
  if (from_ms !== undefined) return all.filter((one) => one.sent_ms >= from_ms).slice(0, limit);
  return all.slice(-limit);
};

const tell = (event) => program.handlers.forEach((handler) => handler(event));
const comes = (id) => {
  program.lines.push(line(id));
  tell({ event: "message", chat: "c" });
};
const ids = () => lines.value.map((one) => one.local_id);
/** Without a hole, and so many at most. */
function areInRow(most = 480) {
  const all = ids();
  assert.ok(all.length <= most, `${all.length}`);
  all.forEach((id, at) => assert.equal(id, all[0] + at));
  return [all[0], all.at(-1)];
}
async function until(isSo) {
  for (let turn = 0; turn < 500 && !isSo(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isSo());
}

beforeEach(async () => {
  program.delay = () => Promise.resolve();
  program.lines = Array.from({ length: 100_000 }, (_, at) => line(at + 1));
  isHeld.value = false;
  await open("c");
  program.asked = [];
});

test("an old message is reached with one question, and the chat goes on from it both ways", async () => {
  assert.equal(await readAt(500), 500);
  assert.equal(program.asked.length, 1);
  assert.deepEqual(areInRow(), [380, 619]);
  assert.ok(hasOlder.value && hasNewer.value);
  while (hasOlder.value) assert.ok(await readOlder());
  assert.deepEqual(areInRow(), [1, 480]);
  assert.ok(hasNewer.value);
  for (let turn = 0; turn < 20; turn += 1) assert.ok(await readNewer());
  assert.equal(areInRow()[1], 480 + 20 * 120);
  assert.ok(hasOlder.value);
  // What is there is not asked for.
  program.asked = [];
  assert.equal(await readAt(2600), 2600);
  assert.deepEqual(program.asked, []);
});

test("whoever goes on to the newest has what comes, and whoever is away from it is left alone", async () => {
  await readAt(99_700);
  while (hasNewer.value) await readNewer();
  assert.equal(areInRow()[1], 100_000);
  comes(100_001);
  await until(() => ids().at(-1) === 100_001);
  await readAt(70_000);
  const before = areInRow();
  comes(100_002);
  program.asked = [];
  await until(() => program.asked.length > 0);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(areInRow(), before);
  assert.ok(hasNewer.value);
  assert.equal(await readAt("newest"), 100_002);
  assert.equal(areInRow()[1], 100_002);
  assert.ok(!hasNewer.value && hasOlder.value);
});

test("scrolling back through all of it holds a part of it only", async () => {
  for (let turn = 0; turn < 100; turn += 1) assert.ok(await readOlder());
  assert.equal(program.asked.length, 100);
  assert.equal(areInRow()[0], 100_000 - 59 - 12_000);
  assert.ok(hasNewer.value);
});

test("while something is picked nothing of it is let go of", async () => {
  isHeld.value = true;
  for (let turn = 0; turn < 5; turn += 1) await readOlder();
  assert.equal(areInRow(1000)[1], 100_000);
  isHeld.value = false;
  await readOlder();
  areInRow();
});

test("a day leads to its first message, one without any to the next, and one after everything to the newest", async () => {
  assert.equal(await readAt({ from_ms: 2000 * 60_000 - 1 }), 2000);
  assert.ok(ids().includes(1900) && ids().includes(2100));
  assert.equal(await readAt({ from_ms: 200_000 * 60_000 }), 100_000);
  assert.ok(!hasNewer.value);
  assert.equal(await readAt({ from_ms: 0 }), 1);
  assert.ok(!hasOlder.value && hasNewer.value);
});

test("away from the newest, what is edited is shown so, and what is gone goes", async () => {
  await readAt(500);
  program.lines[499] = { ...line(500), text: "edited" };
  tell({ event: "message_changed", chat: "c", message: "m500" });
  await until(() => lines.value.some((one) => one.text === "edited"));
  // The middle of what is there, by which it is read again.
  program.lines = program.lines.filter((one) => one.local_id !== 500);
  tell({ event: "chat_changed", chat: "c" });
  await until(() => !ids().includes(500));
  assert.ok(ids().includes(499) && ids().includes(501));
  // What is nowhere near is not asked for.
  program.asked = [];
  tell({ event: "message_changed", chat: "c", message: "m90000" });
  assert.deepEqual(program.asked, []);
});

test("an answer that comes after somebody went elsewhere changes nothing", async () => {
  const held = [];
  const hold = () => new Promise((resolve) => held.push(resolve));
  const letGo = () => held.splice(0).forEach((go) => go());
  program.delay = hold;
  const older = readOlder();
  program.delay = () => Promise.resolve();
  assert.equal(await readAt(500), 500);
  const before = areInRow();
  letGo();
  assert.equal(await older, false);
  assert.deepEqual(areInRow(), before);
  program.delay = hold;
  const there = readAt(90_000);
  program.delay = () => Promise.resolve();
  await open("d");
  letGo();
  assert.equal(await there, null);
  assert.equal(openChat.value, "d");
  assert.equal(ids().at(-1), 100_000);
});

test("a message that is not in the chat leads nowhere", async () => {
  const before = areInRow();
  assert.equal(await readAt(200_000), null);
  assert.deepEqual(areInRow(), before);
  assert.ok(!hasNewer.value);
});

test("files of several kinds are shown a page at a time, in order, with none missing between", async () => {
  const sorts = ["file", "audio", "file", "file", "video"];
  program.lines = program.lines.slice(0, 900).map((one) => ({ ...one, sort: sorts[one.local_id % sorts.length] }));
  const kinds = ["video", "audio", "file"];
  let gallery = await again("c", kinds, UNREAD);
  const shown = () => together(gallery).map((one) => one.local_id);
  const inRow = () => shown().forEach((id, at) => assert.equal(id, 900 - at));
  inRow();
  assert.ok(shown().length >= 60 && shown().length < 200);
  for (let pages = 0; hasFurther(gallery); pages += 1) {
    assert.ok(pages < 40);
    gallery = await further("c", gallery);
    inRow();
  }
  assert.equal(shown().length, 900);
  // One goes, one comes: as much as was shown is read again.
  program.lines = [...program.lines.filter((one) => one.local_id !== 10), { ...line(901), sort: "file" }];
  gallery = await again("c", kinds, gallery);
  assert.equal(shown()[0], 901);
  assert.ok(!shown().includes(10));
  assert.ok(!hasFurther(gallery), "what came drives nothing out");
  assert.equal(shown().length, 900);
});
