// Builds ui/dist, which the undertone program holds inside itself. Fails when the page would load too much at once.

import { build } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(root, "dist");
const LARGEST_START = 150_000;

// Of the emoji's data only what the picker shows: the character, its name, and its group.
const emoji = {
  name: "emoji",
  setup(build) {
    build.onLoad({ filter: /data-by-group\.json$/ }, async ({ path: file }) => {
      const groups = JSON.parse(await readFile(file, "utf8"));
      const compact = groups.map((group) => [group.slug, group.emojis.map((one) => [one.emoji, one.name])]);
      return { contents: JSON.stringify(compact), loader: "json" };
    });
  },
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });

const result = await build({
  absWorkingDir: root,
  entryPoints: { app: "src/main.tsx", style: "src/styles/main.css" },
  outdir: "dist/assets",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "linked",
  jsx: "automatic",
  jsxImportSource: "preact",
  metafile: true,
  plugins: [emoji],
  logLevel: "warning",
});

// What the browser has to have before anything is shown: the entry and all that it imports right away.
const outputs = result.metafile.outputs;
const start = new Set();
const visit = (file) => {
  if (start.has(file)) return;
  start.add(file);
  for (const one of outputs[file].imports) if (one.kind === "import-statement") visit(one.path);
};
visit("dist/assets/app.js");
let bytes = 0;
for (const file of start) bytes += gzipSync(await readFile(path.join(root, file)), { level: 9 }).length;
if (bytes > LARGEST_START) {
  console.error(`The page loads ${bytes} bytes of script at once (gzip); ${LARGEST_START} are allowed.`);
  process.exit(1);
}
console.log(`Script at the start: ${(bytes / 1000).toFixed(1)} kB gzip, of ${LARGEST_START / 1000} allowed.`);

await writeFile(path.join(dist, "index.html"), await readFile(path.join(root, "src/index.html")));
for (const icon of ["icon.svg", "icon-unread.svg"]) {
  await writeFile(path.join(dist, "assets", icon), await readFile(path.join(root, "src", icon)));
}
// The sign in the tab with how much is unread; what is more than one digit is told as more.
const counted = await readFile(path.join(root, "src/icon-count.svg"), "utf8");
const write = (name, count, size) =>
  writeFile(path.join(dist, "assets", `icon-unread-${name}.svg`), counted.replace("{count}", count).replace("{size}", size).replace("{base}", 22 + size * 0.36));
for (let count = 1; count <= 9; count += 1) await write(count, count, 34);
await write("more", "9+", 25);
