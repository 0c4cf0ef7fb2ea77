// What is said is said in every language, with the same places to fill in and all the forms that its plurals have; and a text that is
// sent is formatted only where its writer will expect it.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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
  entryPoints: [...LANGUAGES.map((language) => `src/i18n/${language}.ts`), "src/i18n/index.ts", "src/i18n/notice.ts", "src/ui/drafting.ts", "src/ui/strength.ts"],
  outdir: folder,
  bundle: true,
  splitting: true,
  jsx: "automatic",
  jsxImportSource: "preact",
  format: "esm",
  outExtension: { ".js": ".mjs" },
});
// What the texts need of a page.
globalThis.document ??= { documentElement: {} };
globalThis.navigator ??= { languages: ["en"] };
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
const tables = Object.fromEntries(await Promise.all(LANGUAGES.map(async (language) => [language, (await load(`i18n/${language}.mjs`))[language]])));
const { explain, speak } = await load("i18n/index.mjs");
const { noticeText, pieces } = await load("i18n/notice.mjs");
// Of each kind of notice, and of each choice that makes another sentence of it, one; written by a test of the core.
const notices = JSON.parse(readFileSync(path.join(root, "../crates/core/testdata/notices.json"), "utf8"));
const { outgoing, isFormatted } = await load("ui/drafting.mjs");
const { strength, verdict } = await load("ui/strength.mjs");

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

const plain = (text) => pieces(text).join("");

test("a notice says in English what the command line says", async () => {
  await speak("en");
  for (const { notice, english } of notices) assert.equal(plain(noticeText(notice)), english);
});

for (const language of LANGUAGES.filter((language) => language !== "en")) {
  test(`every notice is said in ${language}`, async () => {
    await speak(language);
    const strangers = ["asks_by_link", "other_account"];
    const named = (person, kind) => (person === undefined || person.name === "" || (person.me && !strangers.includes(kind)) ? [] : [person.name]);
    const byText = new Map();
    for (const { notice, english } of notices) {
      const text = noticeText(notice);
      assert.notEqual(plain(text), english);
      assert.doesNotMatch(text, /[{}]|undefined|null|\[object/u);
      const names = pieces(text).filter((_, place) => place % 2 === 1);
      assert.deepEqual(names.toSorted(), [...named(notice.who, notice.kind), ...named(notice.whom), ...(notice.name === undefined ? [] : [notice.name])].toSorted(), text);
      // What differs in English differs here too.
      assert.equal(byText.get(text) ?? english, english, text);
      byText.set(text, english);
    }
    await speak("en");
  });
}

test("a name in a notice neither turns the line nor takes the place of another word", async () => {
  const who = (name) => ({ account: "abcdefghijklmnop", name, me: false });
  const said = (name) => noticeText({ kind: "pinned", who: who(name) });
  assert.equal(said("Ben\u202e\u2069\n"), "\u2068Ben\ufffd\ufffd\ufffd\u2069 pinned a message.");
  assert.equal(plain(said("YOU ")), "YOU  (abcdefgh) pinned a message.");
  await speak("nl");
  assert.equal(plain(said("Iemand")), "Iemand (abcdefgh) heeft een bericht vastgemaakt.");
  assert.equal(plain(said("You")), "You heeft een bericht vastgemaakt.");
  await speak("en");
});

// Of failures that only a command line meets: a page names things by what was chosen, and offers nothing that these say.
const NEVER_ON_A_PAGE = ["chat.ambiguous", "contact.ambiguous", "device.ambiguous", "message.ambiguous", "settings.name_invalid"];

test("what the program says of a failure is said in every language", async () => {
  const failures = Object.fromEntries(
    await Promise.all(LANGUAGES.slice(1).map(async (language) => [language, (await load(`i18n/${language}.mjs`)).failures])),
  );
  const source = (file) => readFileSync(path.join(root, "..", file), "utf8");
  const engine = [...source("crates/core/src/error.rs").matchAll(/^ {4}\w+ = "([a-z_]+\.[a-z_]+)"/gmu)].map(([, code]) => code);
  assert.ok(engine.length > 70, "the engine's reasons are found");
  for (const [language, said] of Object.entries(failures)) {
    assert.deepEqual(Object.keys(said), Object.keys(failures.nl), language);
    for (const code of engine) {
      const has = Object.hasOwn(said, code) || `error.${code}` in tables.en || NEVER_ON_A_PAGE.includes(code);
      assert.ok(has, `${language}: no words for ${code}`);
    }
    for (const [code, text] of Object.entries(said)) {
      assert.ok(text.trim() !== "" && !/[{}]/u.test(text), code);
      assert.ok(!(`error.${code}` in tables.en), `${code} has words already`);
    }
  }
  // Those of the server and of files that are named here do exist.
  const known = [
    "docs/errors.md",
    "crates/core/src/error.rs",
    "crates/core/src/media/mod.rs",
    "crates/core/src/attachments/mod.rs",
    "crates/core/src/home/error.rs",
  ].map(source).join("\n");
  for (const code of Object.keys(failures.nl)) assert.ok(known.includes(`"${code}"`) || known.includes(`\`${code}\``), `there is no ${code}`);
});

test("a failure without words in this language is said in the program's", async () => {
  await speak("nl");
  assert.equal(explain("no.such_code", "It failed."), "It failed.");
  assert.equal(explain("no.such_code", ""), "no.such_code");
  assert.notEqual(explain("link.expired", "x"), "x");
  assert.equal(explain("chat.closed", "You are not a member of this chat any more."), "Je zit niet meer in dit gesprek.");
  await speak("en");
  assert.equal(explain("chat.closed", "You are not a member of this chat any more."), "You are not a member of this chat any more.");
  await speak("en");
});

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
  // Two who have one name are two.
  const namesakes = ["b", "c"].map((id) => ({ name: "Ben", uri: `mimi://undertone.invalid/u/${id}` }));
  assert.equal(outgoing("@Ben, then @Ben", namesakes).text, "[@Ben](mimi://undertone.invalid/u/b), then [@Ben](mimi://undertone.invalid/u/c)");
  assert.equal(outgoing("@Ben and again @Ben", namesakes.slice(1)).text, "[@Ben](mimi://undertone.invalid/u/c) and again [@Ben](mimi://undertone.invalid/u/c)");
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
    // What people say, write and sing.
    ["correct horse battery staple", 1],
    ["Correct-Horse-Battery-Staple!1", 2],
    ["the quick brown fox jumps over the lazy dog", 1],
    ["To be, or not to be: that is the question", 1],
    ["Allons enfants de la Patrie", 1],
    ["Freude, schöner Götterfunken", 1],
    ["بسم الله الرحمن الرحيم", 1],
    ["It is a truth universally acknowledged, that a single man in possession of a good fortune", 2],
    ["shall i compare thee to a summers day", 2],
    ["het is groen en het zit in een boom", 2],
    ["هذا البيت القديم في المدينة من حجر", 2],
  ]) {
    assert.ok(strength(passphrase) <= most, `${passphrase}: ${strength(passphrase)}`);
  }
  // Nobody can see whether words were drawn: it is said so, and they are never more than good.
  for (const drawn of ["kelp orbit violin dusk marrow fence", "kelp orbit violin dusk marrow fence plank seven otter", "حديقة قارب مصباح نافذة ليمون جسر"]) {
    assert.equal(strength(drawn), 3, drawn);
    assert.equal(verdict(drawn), "words", drawn);
  }
  assert.equal(verdict("it rained on my way to the harbour museum this grey Tuesday"), "sentence");
  assert.equal(strength("x7$Kq!mZ2pR9vT4w"), 4);
});
