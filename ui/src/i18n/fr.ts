import { en } from "./en.ts";
import type { Table } from "./index.ts";

export const fr: Table = en;
