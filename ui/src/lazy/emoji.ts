// The emoji's data; the build keeps of it what the picker shows.

import data from "unicode-emoji-json/data-by-group.json";

type Group = readonly [slug: string, emoji: readonly (readonly [emoji: string, name: string])[]];

export const groups = data as unknown as readonly Group[];
