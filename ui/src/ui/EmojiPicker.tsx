// All emoji, loaded when somebody asks for them.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { focusHere } from "./focus.ts";
import type { Place } from "./Menu.tsx";

type Group = readonly [slug: string, emoji: readonly (readonly [emoji: string, name: string])[]];

const SIGNS: Readonly<Record<string, string>> = {
  smileys_emotion: "😀",
  people_body: "👋",
  animals_nature: "🐻",
  food_drink: "🍎",
  travel_places: "🚆",
  activities: "⚽",
  objects: "💡",
  symbols: "♥️",
  flags: "🏳️",
};
const MOST_FOUND = 120;

export function EmojiPicker({ place, onPick, onClose }: { place: Place; onPick: (emoji: string) => void; onClose: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [groups, setGroups] = useState<readonly Group[]>([]);
  const [group, setGroup] = useState(0);
  const [wanted, setWanted] = useState("");
  // Enter was pressed before the emoji were there.
  const takesFirst = useRef(false);
  useEffect(() => {
    let isWanted = true;
    import("../lazy/emoji.ts").then(
      ({ groups }) => {
        if (isWanted) setGroups(groups);
      },
      () => undefined,
    );
    const outside = (event: Event): void => {
      if (event.target instanceof Node && box.current?.contains(event.target) === false) onClose();
    };
    addEventListener("pointerdown", outside, true);
    return () => {
      isWanted = false;
      removeEventListener("pointerdown", outside, true);
    };
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const size = element.getBoundingClientRect();
    const left = document.dir === "rtl" ? place.x : place.x - size.width;
    element.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
    element.style.top = `${Math.max(8, Math.min(place.y, innerHeight - size.height - 8))}px`;
  }, [place]);
  const words = wanted.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const shown =
    words.length === 0
      ? (groups[group]?.[1] ?? [])
      : groups.flatMap(([, all]) => all.filter(([, name]) => words.every((word) => name.includes(word)))).slice(0, MOST_FOUND);
  useEffect(() => {
    if (takesFirst.current && groups.length > 0) {
      takesFirst.current = false;
      if (shown[0] !== undefined) onPick(shown[0][0]);
    }
  }, [groups]);
  const move = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
      return;
    }
    const all = [...(box.current?.querySelectorAll<HTMLElement>(".emoji-one") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const columns = Math.max(1, Math.floor((all[0]?.parentElement?.clientWidth ?? 320) / (all[0]?.offsetWidth ?? 40)));
    const ahead = document.dir === "rtl" ? -1 : 1;
    const step = { ArrowRight: ahead, ArrowLeft: -ahead, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step === undefined || (at < 0 && event.key !== "ArrowDown")) return;
    event.preventDefault();
    all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + step))]?.focus();
  };
  return (
    <div ref={box} class="emoji-picker" role="dialog" aria-label={t("emoji.title")} onKeyDown={move}>
      <input
        ref={focusHere}
        type="search"
        autocomplete="off"
        class="emoji-search"
        placeholder={t("emoji.search")}
        aria-label={t("emoji.search")}
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          if (shown[0] !== undefined) onPick(shown[0][0]);
          else takesFirst.current = groups.length === 0;
        }}
      />
      <div class="emoji-groups" role="group">
        {groups.map(([slug], index) => (
          <button key={slug} type="button" aria-pressed={index === group && words.length === 0} aria-label={slug.replaceAll("_", " ")} onClick={() => {
            setWanted("");
            setGroup(index);
          }}>
            {SIGNS[slug] ?? "•"}
          </button>
        ))}
      </div>
      <div class="emoji-all">
        {shown.map(([emoji, name], index) => (
          <button key={emoji} type="button" class="emoji-one" tabIndex={index === 0 ? 0 : -1} title={name} aria-label={name} onClick={() => onPick(emoji)}>
            {emoji}
          </button>
        ))}
        {words.length > 0 && shown.length === 0 && groups.length > 0 ? <p>{t("emoji.none")}</p> : null}
      </div>
    </div>
  );
}
