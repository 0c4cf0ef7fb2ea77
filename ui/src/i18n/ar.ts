import { en } from "./en.ts";
import type { Table } from "./index.ts";

export const ar: Table = en;
