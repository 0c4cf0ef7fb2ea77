// What a text in the composer becomes when it is sent: formatted or plain, and with mentions as links that name people by id.

/** Whether a text uses marks of formatting that its writer will expect to be taken so. */
export function isFormatted(text: string): boolean {
  return (
    /(\*\*|__|~~)(?=\S)[\s\S]*?\S\1/.test(text) ||
    /(^|[\s(])[*_](?=\S)[^*_\n]*\S[*_](?=$|[\s).,!?:;])/m.test(text) ||
    /`[^`\n]+`/.test(text) ||
    /^```/m.test(text) ||
    /^> /m.test(text) ||
    /^#{1,3} \S/m.test(text) ||
    /^[-*] \S.*\n[-*] \S/m.test(text) ||
    /^1[.)] \S.*\n2[.)] \S/m.test(text) ||
    /\[[^\]\n]+\]\((https?:|mailto:)[^)\s]+\)/.test(text)
  );
}

/** Marks that mean something in Markdown, in a text that is to stay as it is. */
function escaped(text: string): string {
  return text.replace(/[\\`*_~[\]<>#|&]/g, "\\$&").replace(/^(\s*)([-+]|\d+[.)])(?=\s)/gm, (_, space: string, mark: string) => `${space}\\${mark}`);
}

export interface Person {
  name: string;
  uri: string;
}

/** The text as it is sent, and whether it is Markdown. */
export function outgoing(text: string, mentioned: readonly Person[]): { text: string; markdown: boolean } {
  const there = mentioned.filter((person) => text.includes(`@${person.name}`)).sort((a, b) => b.name.length - a.name.length);
  if (there.length === 0) return { text, markdown: isFormatted(text) };
  const formatted = isFormatted(text);
  const names = there.map((person) => person.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const parts = text.split(new RegExp(`@(${names})(?![\\p{L}\\p{N}])`, "u"));
  const out = parts.map((part, index) => {
    if (index % 2 === 0) return formatted ? part : escaped(part).replace(/\n/g, "\\\n");
    const at = there.findIndex((one) => one.name === part);
    const person = there[at];
    // Of several with one name each is meant once, in the order in which they were picked.
    if (there.some((one, other) => other > at && one.name === part)) there.splice(at, 1);
    return person === undefined ? `@${part}` : `[@${escaped(person.name)}](${person.uri})`;
  });
  return { text: out.join(""), markdown: true };
}
