// A name as somebody else wrote it: kept in one line, in its own direction, with nothing hidden in it.

// Control characters, direction overrides and marks that aren't seen: a name must not turn or hide what stands beside it.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

export function plainName(name: string): string {
  return name.replace(HIDDEN, "\ufffd");
}

export function Named({ name }: { name: string }) {
  return <bdi class="named">{plainName(name)}</bdi>;
}
