// A round sign for a person or a group: their picture, or the first letters of the name in one of twelve colours that follows from the id.

import { pictureOf } from "../state/pictures.ts";
import { Icon, type IconName } from "./Icon.tsx";

function hue(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % 12;
}

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const picked = words.length > 1 ? [words[0] ?? "", words.at(-1) ?? ""] : [words[0] ?? name.trim()];
  return picked.map((word) => segments.segment(word)[Symbol.iterator]().next().value?.segment ?? "").join("").toLocaleUpperCase();
}

export function Avatar({ id, name, size = "normal", icon }: { id: string; name: string; size?: "small" | "normal" | "large"; icon?: IconName }) {
  const picture = icon === undefined ? pictureOf(id) : null;
  return (
    <span class={`avatar ${size} hue-${hue(id)}`} aria-hidden="true">
      {picture !== null ? <img src={picture} alt="" draggable={false} /> : icon === undefined ? <bdi>{initials(name)}</bdi> : <Icon name={icon} />}
    </span>
  );
}
