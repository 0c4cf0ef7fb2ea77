import { en } from "./en.ts";
import type { Table } from "./index.ts";

export const nl: Table = en;
