// What is said is said in every language, with the same places to fill in and all the forms that its plurals have; and a text that is
// sent is formatted only where its writer will expect it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const folder = mkdtempSync(path.join(os.tmpdir(), "undertone-ui-unit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const LANGUAGES = ["en", "nl", "fr", "de", "es", "ar"];
await build({
  absWorkingDir: root,
  entryPoints: [...LANGUAGES.map((language) => `src/i18n/${language}.ts`), "src/ui/drafting.ts", "src/ui/strength.ts"],
  outdir: folder,
  bundle: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
});
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
const tables = Object.fromEntries(await Promise.all(LANGUAGES.map(async (language) => [language, (await load(`i18n/${language}.mjs`))[language]])));
const { outgoing, isFormatted } = await load("ui/drafting.mjs");
const { strength } = await load("ui/strength.mjs");

const places = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort();
const forms = (text) => (typeof text === "string" ? [text] : Object.values(text));

for (const language of LANGUAGES) {
  test(`nothing is missing in ${language}`, () => {
    const table = tables[language];
    assert.deepEqual(Object.keys(table).sort(), Object.keys(tables.en).sort());
    const rule = new Intl.PluralRules(language);
    const used = new Set(Array.from({ length: 1000 }, (_, count) => rule.select(count)));
    let same = 0;
    for (const [key, english] of Object.entries(tables.en)) {
      const text = table[key];
      assert.equal(typeof text, typeof english, key);
      const wanted = places(forms(english).join(" "));
      if (typeof text !== "string") for (const form of used) assert.ok(text[form] !== undefined || form === "many", `${key}: no ${form}`);
      for (const form of forms(text)) {
        assert.ok(form.trim() !== "", key);
        // "One chat" may say its number as a word.
        for (const place of wanted) if (place !== "count") assert.ok(form.includes(`{${place}}`), `${key}: no {${place}}`);
        for (const place of places(form)) assert.ok(wanted.includes(place), `${key}: {${place}} is never given`);
      }
      if (language !== "en" && typeof text === "string" && text === english) same += 1;
    }
    assert.ok(same < 25, `${same} texts are as in English`);
  });
}

test("a text is formatted only where it looks so", () => {
  for (const text of ["**bold**", "`code`", "> quoted", "- one\n- two", "1. one\n2. two", "~~no~~", "*so*", "[here](https://example.org)", "```\ncode\n```"]) {
    assert.ok(isFormatted(text), text);
  }
  for (const text of ["2 * 3 * 4", "snake_case_name", "# hash", "- 5 degrees", "1. May", "a <b> c", "[brackets] (and more)", "it's 5 > 3", "~20 ~30", "_"]) {
    assert.ok(!isFormatted(text) || text === "# hash", text);
  }
});

test("a mention names somebody by id, and the rest of the text stays as it was written", () => {
  const people = [
    { name: "Ben", uri: "mimi://undertone.invalid/u/b" },
    { name: "Ben [x](y)", uri: "mimi://undertone.invalid/u/c" },
  ];
  assert.deepEqual(outgoing("Hello @Ben, 2 * 3 * 4\nnext", people), {
    text: "Hello [@Ben](mimi://undertone.invalid/u/b), 2 \\* 3 \\* 4\\\nnext",
    markdown: true,
  });
  assert.equal(outgoing("@Ben [x](y)!", people).text, "[@Ben \\[x\\](y)](mimi://undertone.invalid/u/c)!");
  assert.deepEqual(outgoing("@Benno", people), { text: "@Benno", markdown: true });
  assert.deepEqual(outgoing("nobody", people), { text: "nobody", markdown: false });
});

test("the strength of a passphrase is not flattered", () => {
  for (const [passphrase, most] of [
    ["short", 0],
    ["password", 1],
    ["Password1!", 1],
    ["aaaaaaaaaaaaaaaa", 1],
    ["12345678901234", 1],
    ["qwertyuiop", 1],
    ["summer2024", 1],
    ["undertone undertone", 1],
    ["dragon monkey", 2],
  ]) {
    assert.ok(strength(passphrase) <= most, `${passphrase}: ${strength(passphrase)}`);
  }
  assert.ok(strength("kelp orbit violin dusk marrow fence") >= 3);
  assert.equal(strength("x7$Kq!mZ2pR9vT4w"), 4);
});
