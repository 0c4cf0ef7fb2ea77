// Texts and names that would like to be more than text, and what is looked for on a page that shows them.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** 200 texts that would like to be more than text. */
export function corpus() {
  const payloads = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<a href=javascript:window.hacked=1>x</a>",
    "[x](javascript:window.hacked=1)",
    "[x](JaVaScRiPt:window.hacked=1)",
    "[x](data:text/html,<script>window.hacked=1</script>)",
    "[x](vbscript:msgbox)",
    "![x](https://example.invalid/tracker.png)",
    "<javascript:window.hacked=1>",
    "<body onload=window.hacked=1>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<meta http-equiv=refresh content='0;url=https://example.invalid'>",
    "<base href=https://example.invalid/>",
    "<form action=https://example.invalid><input autofocus onfocus=window.hacked=1></form>",
    "<details open ontoggle=window.hacked=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "{{constructor.constructor('window.hacked=1')()}}",
    "${window.hacked=1}",
    "';window.hacked=1;//",
    "\"><script>window.hacked=1</script>",
    "</p></div></main><h1>outside</h1>",
    "<!--",
    "]]>",
    "\u202eevil\u202c txet",
    "\u2066\u2067\u2068 never closed",
    "\u200b\u200c\u200d\ufeff hidden",
    "Z\u0335\u0321\u0322\u0316\u0317\u0318\u0319\u031c".repeat(40),
    "W".repeat(3000),
    "👩‍👩‍👧‍👦".repeat(200),
    "|a|b|\n|-|-|\n|" + "c".repeat(600) + "|d|",
    "> ".repeat(60) + "deep",
    "- ".repeat(60) + "deep",
    "```html\n<script>window.hacked=1</script>\n```",
    "`" + "x".repeat(500) + "`",
    "https://example.invalid/" + "a".repeat(900),
  ];
  const wrap = [(text) => text, (text) => `**${text}**`, (text) => `> ${text}`, (text) => `- ${text}\n- ${text}`, (text) => `Look: ${text} !`];
  return payloads.flatMap((payload) => wrap.map((one) => one(payload)));
}

/** A name as it can be seen: what hides, or turns what stands beside it, is shown as a sign. */
export const seen = (name) => name.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, "\ufffd");

export const words = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "");

export const compact = (text) => text.replace(/\s+/gu, "");

/** All words of a formatted text, in their order. */
export function textOf(part) {
  if (Array.isArray(part)) return part.map(textOf).join("");
  const box = part.checked === true ? "☑" : part.checked === false ? "☐" : "";
  return box + (part.text ?? "") + ["spans", "blocks", "items", "rows"].map((inside) => textOf(part[inside] ?? [])).join("");
}

/** Elements that only somebody else's text could bring. */
export const FORBIDDEN =
  ".app script, .app iframe, .app object, .app embed, .app style, .app link, .app meta, .app base, .lines form, .lines svg script, .app [onerror], .app [onload]";

/** In the page: goes from the first line to the newest, and gathers by line what is read there (its text, the names of its files), and everything
 * that must not be. The page holds only the lines around those that are looked at. */
export async function lookAtEveryLine([newest, forbidden]) {
  const lines = document.querySelector(".lines");
  const frames = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const found = { read: new Map(), elements: new Set(), images: new Set(), links: new Set(), over: new Set(), wide: 0 };
  const look = () => {
    for (const row of lines.querySelectorAll("[data-line]")) {
      const names = [...row.querySelectorAll(".file-words strong")].map((name) => name.textContent);
      const text = row.querySelector(".bubble .text")?.cloneNode(true);
      // Where a link leads is said by the page.
      for (const target of text?.querySelectorAll(".link-target") ?? []) target.remove();
      found.read.set(Number(row.dataset.line), { text: text?.textContent ?? "", names });
    }
    for (const one of document.querySelectorAll(forbidden)) found.elements.add(one.outerHTML);
    for (const image of lines.querySelectorAll("img")) if (!/^(data:image\/jpeg;|http:\/\/127\.0\.0\.1:\d+\/media\/)/.test(image.src)) found.images.add(image.src);
    for (const link of lines.querySelectorAll("a")) if (!["http:", "https:", "mailto:"].includes(link.protocol)) found.links.add(link.protocol);
    for (const one of lines.querySelectorAll(".bubble")) {
      const at = one.getBoundingClientRect();
      if (at.right > innerWidth + 1 || at.left < -1) found.over.add(one.textContent);
    }
    found.wide = Math.max(found.wide, document.documentElement.scrollWidth - innerWidth);
  };
  while (lines.querySelector(".beginning svg") === null) {
    lines.scrollTop = 0;
    await frames();
  }
  do {
    look();
    lines.scrollTop = lines.scrollHeight;
    await frames();
  } while (lines.querySelector(`[data-line="${newest}"]`) === null);
  look();
  const plain = Object.entries(found).map(([name, of]) => [name, of instanceof Set || of instanceof Map ? [...of] : of]);
  return { hacked: window.hacked ?? null, ...Object.fromEntries(plain) };
}

/** What is found where nothing of it did anything. */
export const HARMLESS = { hacked: null, elements: [], images: [], links: [], wide: 0, over: [] };

const CONTENTS = ["<html><script>parent.hacked=1</script>", "<svg xmlns='http://www.w3.org/2000/svg'><script>window.hacked=1</script></svg>"];
const ENDINGS = [".svg", ".html", "", ".png"];
/** How many forms each payload comes in; the first is the payload itself. */
const FORMS = 5;

/** As requests to send: every payload as it is also the name of a file that would like to run. */
export function hostileMessages(chat, texts, folder) {
  mkdirSync(folder, { recursive: true });
  return texts.map((text, at) => {
    const message = { chat, text, markdown: at % 2 === 0 };
    if (at % FORMS !== 0) return message;
    const file = path.join(folder, `${at}`);
    writeFileSync(file, CONTENTS[at % CONTENTS.length]);
    const name = `${text.replaceAll("/", "∕").slice(0, 80)}${ENDINGS[(at / FORMS) % ENDINGS.length]}`;
    return { ...message, attachments: [{ path: file, name, keep_metadata: false }] };
  });
}

/** The payloads alone, each as a text and as a name. */
export const payloads = () => corpus().filter((_, at) => at % FORMS === 0);
