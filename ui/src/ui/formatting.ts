// Marks of formatting, set around what is selected in the composer, or taken away from it.

export type Mark = "**" | "_" | "~~" | "`";

export interface Selected {
  text: string;
  from: number;
  to: number;
}

const isWord = (letter: string | undefined): boolean => letter !== undefined && /[\p{L}\p{N}]/u.test(letter);

/** The selection without blanks at its ends, which marks would not work beside; and where it is one word's part, the word, for a mark that
 * only works at words' ends. */
function fitted({ text, from, to }: Selected, mark: Mark): Selected {
  let [first, last] = [from, to];
  while (first < last && /\s/u.test(text[first] ?? "")) first += 1;
  while (last > first && /\s/u.test(text[last - 1] ?? "")) last -= 1;
  if (first === last) return { text, from, to: from };
  if (mark === "_") {
    while (isWord(text[first - 1]) && isWord(text[first])) first -= 1;
    while (isWord(text[last]) && isWord(text[last - 1])) last += 1;
  }
  return { text, from: first, to: last };
}

/** The text with the mark around what is selected, or without it if it was there; and what is selected then. */
export function marked(selected: Selected, mark: Mark): Selected {
  const { text, from, to } = fitted(selected, mark);
  const inside = text.slice(from, to);
  const size = mark.length;
  // Three ticks, say, are not one.
  const opens = (at: number): boolean => at >= 0 && text.slice(at, at + size) === mark && text[at - 1] !== mark[0];
  const closes = (at: number): boolean => text.slice(at, at + size) === mark && text[at + size] !== mark[0];
  if (opens(from - size) && closes(to)) {
    return { text: text.slice(0, from - size) + inside + text.slice(to + size), from: from - size, to: to - size };
  }
  if (inside.length > 2 * size && opens(from) && closes(to - size) && inside[size] !== mark[0]) {
    const bare = inside.slice(size, -size);
    return { text: text.slice(0, from) + bare + text.slice(to), from, to: from + bare.length };
  }
  // Code of several lines, or with the mark in it, stands between fences.
  const isBlock = mark === "`" && /[`\n]/u.test(inside);
  const fence = "`".repeat(Math.max(3, ...[...inside.matchAll(/`+/gu)].map(([ticks]) => ticks.length + 1)));
  const before = !isBlock ? mark : `${from === 0 || text[from - 1] === "\n" ? "" : "\n"}${fence}\n`;
  const after = !isBlock ? mark : `\n${fence}${to === text.length || text[to] === "\n" ? "" : "\n"}`;
  return { text: text.slice(0, from) + before + inside + after + text.slice(to), from: from + before.length, to: from + before.length + inside.length };
}

/** The mark that a key with Ctrl stands for. */
export function markOf(event: KeyboardEvent): Mark | null {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (event.shiftKey) return key === "x" ? "~~" : null;
  return key === "b" ? "**" : key === "i" ? "_" : key === "e" ? "`" : null;
}
