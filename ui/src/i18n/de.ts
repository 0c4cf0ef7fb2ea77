import { en } from "./en.ts";
import type { Table } from "./index.ts";

export const de: Table = en;
