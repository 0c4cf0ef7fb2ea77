// What the keyboard can do, and the list of it.

import { useEffect } from "preact/hooks";
import { lock, phase } from "../state/app.ts";
import { listed } from "../state/chats.ts";
import { press } from "../state/panic.ts";
import { endSelecting, picked } from "../state/selection.ts";
import { back, choose, chosen, hide, sheet, show, showsDetails } from "../state/view.ts";
import { t, type Key } from "../i18n/index.ts";
import { Dialog } from "./Dialog.tsx";

/** Panic, as it stands in texts. */
export const PANIC_KEYS = "Ctrl+Shift+Esc";

const LIST: readonly (readonly [string, Key])[] = [
  ["Ctrl K", "shortcuts.search"],
  ["Alt ↓", "shortcuts.next"],
  ["Alt ↑", "shortcuts.previous"],
  ["Alt N", "shortcuts.add"],
  ["Alt S", "shortcuts.settings"],
  ["Alt I", "shortcuts.details"],
  ["↑", "shortcuts.edit"],
  ["Ctrl B", "shortcuts.bold"],
  ["Ctrl I", "shortcuts.italic"],
  ["Ctrl Shift X", "shortcuts.strike"],
  ["Ctrl E", "shortcuts.code"],
  ["Alt M", "shortcuts.lines"],
  ["Enter", "shortcuts.menu"],
  ["Esc", "shortcuts.back"],
  ["Ctrl Shift L", "shortcuts.lock"],
  [PANIC_KEYS.replaceAll("+", " "), "shortcuts.panic"],
  ["?", "shortcuts.help"],
];

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

function step(by: number): void {
  const all = listed.value;
  const at = all.findIndex((chat) => chat.id === chosen.value);
  const next = all[at < 0 ? 0 : (at + by + all.length) % all.length];
  if (next !== undefined) choose(next.id);
}

function onKey(event: KeyboardEvent): void {
  const key = event.key.toLowerCase();
  const isCommand = event.ctrlKey || event.metaKey;
  // Whatever is on the screen, this locks.
  if (isCommand && event.shiftKey && key === "l") {
    event.preventDefault();
    lock();
    return;
  }
  if (phase.value !== "open" || event.defaultPrevented) return;
  const act = ((): (() => void) | null => {
    if (isCommand && !event.altKey && key === "k") {
      return () => document.querySelector<HTMLElement>("#search")?.focus();
    }
    if (event.altKey && !isCommand) {
      switch (event.code) {
        case "ArrowDown":
          return () => step(1);
        case "ArrowUp":
          return () => step(-1);
        case "KeyN":
          return () => show({ sheet: "add" });
        case "KeyS":
          return () => show({ sheet: "settings" });
        case "KeyI":
          return () => {
            showsDetails.value = chosen.value !== null && !showsDetails.value;
          };
        case "KeyM":
          return () => document.querySelector<HTMLElement>(".line-focus[tabindex='0']")?.focus();
        default:
          return null;
      }
    }
    if (event.key === "?" && !isWriting(event.target)) return () => show({ sheet: "shortcuts" });
    if (event.key === "Escape" && sheet.value === null && picked.value !== null) return endSelecting;
    if (event.key === "Escape" && sheet.value === null) return () => (showsDetails.value ? (showsDetails.value = false) : back());
    return null;
  })();
  if (act === null) return;
  event.preventDefault();
  act();
}

/** Before anybody else: whatever has the focus can't keep panic for itself. */
function onPanicKey(event: KeyboardEvent): void {
  if (event.key !== "Escape" || !event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.stopPropagation();
  // A key that is held says so again and again: that is no second press.
  if (!event.repeat) press();
}

export function Shortcuts() {
  useEffect(() => {
    addEventListener("keydown", onPanicKey, { capture: true });
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onPanicKey, { capture: true });
      removeEventListener("keydown", onKey);
    };
  }, []);
  return null;
}

export function ShortcutSheet() {
  return (
    <Dialog title={t("shortcuts.title")} onClose={hide}>
      <dl class="shortcuts">
        {LIST.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
