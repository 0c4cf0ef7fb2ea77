// Whether a page can be used by those who see or hear otherwise.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What browsers keep of a field on their disk, to fill it in again, unless it says that they may not. */
const KEPT_FIELDS = "textarea:not([autocomplete=off]), input:not([autocomplete=off], [type=checkbox], [type=radio], [type=range], [type=file], [type=password])";

/** Why axe could not tell a contrast: another part of the page is in front, or it is a sign and no text, or a field without any. */
const COVERED = ["bgOverlap", "elmPartiallyObscured", "elmPartiallyObscuring", "outsideViewport", "nonBmp", "emptyValue"];

/** Nothing serious stands in the way of those who see or hear otherwise, in light and in dark; and no field is kept by the browser. */
export async function look(page, what) {
  assert.deepEqual(await page.locator(KEPT_FIELDS).evaluateAll((fields) => fields.map((field) => field.outerHTML)), [], what);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // The colours are those of this look once a frame was painted with them and nothing is on its way any more.
    await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== "running"));
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations", "incomplete"] }));
    const grave = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    // Where it could not tell, nothing is shown about contrast: but for what something lies over at this moment, which is seen whole once it is scrolled.
    const unsure = found.incomplete
      .filter(({ id }) => id === "color-contrast")
      .map(({ id, nodes }) => ({ id, nodes: nodes.filter((node) => !COVERED.includes(node.any[0]?.data?.messageKey)) }))
      .filter(({ nodes }) => nodes.length > 0);
    const said = [...grave, ...unsure].map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`).join("; ")}`);
    assert.deepEqual(said, [], `${what}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}
