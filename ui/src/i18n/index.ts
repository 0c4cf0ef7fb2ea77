// The languages: English is there at once, the others come from the program when they are chosen.

import { signal } from "@preact/signals";
import { en } from "./en.ts";

/** A text, or its forms by what Intl.PluralRules says of `count`. */
export type Text = string | ({ readonly other: string } & { readonly [form in Intl.LDMLPluralRule]?: string });
export type Texts = Readonly<Record<string, Text>>;
export type Key = keyof typeof en;
export type Table = Readonly<Record<Key, Text>>;
/** Failures of the program by their codes, in a language that it does not speak itself. */
export type Failures = Readonly<Record<string, string>>;

/** The order is kept by number: new ones go to the end. */
export const LANGUAGES = ["en", "nl", "fr", "de", "es", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  nl: "Nederlands",
  fr: "Français",
  de: "Deutsch",
  es: "Español",
  ar: "العربية",
};

interface Words {
  table: Table;
  failures: Failures;
}

const ENGLISH: Words = { table: en, failures: {} };

const load: Readonly<Record<Language, () => Promise<Words>>> = {
  en: () => Promise.resolve(ENGLISH),
  nl: () => import("./nl.ts").then(({ nl, failures }) => ({ table: nl, failures })),
  fr: () => import("./fr.ts").then(({ fr, failures }) => ({ table: fr, failures })),
  de: () => import("./de.ts").then(({ de, failures }) => ({ table: de, failures })),
  es: () => import("./es.ts").then(({ es, failures }) => ({ table: es, failures })),
  ar: () => import("./ar.ts").then(({ ar, failures }) => ({ table: ar, failures })),
};

interface Spoken extends Words {
  language: Language;
  /** The language as the browser has it for this person, with their country's ways of writing dates and numbers. */
  locale: string;
  plurals: Intl.PluralRules;
}

function localeOf(language: Language): string {
  return navigator.languages.find((wanted) => wanted.toLowerCase().split("-")[0] === language) ?? language;
}

const spoken = signal<Spoken>({ language: "en", locale: localeOf("en"), ...ENGLISH, plurals: new Intl.PluralRules("en") });

export const currentLanguage = (): Language => spoken.value.language;

/** Changes the language, once its texts are there. */
export async function speak(language: Language): Promise<void> {
  const words = await load[language]();
  spoken.value = { language, locale: localeOf(language), ...words, plurals: new Intl.PluralRules(language) };
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
}

/** The browser's language, if it is one of these. */
export function browserLanguage(): Language {
  for (const wanted of navigator.languages) {
    const found = LANGUAGES.find((language) => wanted.toLowerCase().startsWith(language));
    if (found !== undefined) return found;
  }
  return "en";
}

export type Values = Readonly<Record<string, string | number>>;

/** What `key` says, with `{name}`s filled in; `count` chooses the form. */
export function t(key: Key, values: Values = {}): string {
  const { table, plurals, locale } = spoken.value;
  const text = table[key];
  const count = values["count"];
  const form = typeof text === "string" ? text : ((typeof count === "number" ? text[plurals.select(count)] : undefined) ?? text.other);
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : value;
  });
}

/** A failure in the page's language if it has words for it, else in the program's. */
export function explain(code: string, sentence: string): string {
  const key = `error.${code}`;
  if (Object.hasOwn(en, key)) return t(key as Key);
  const { failures } = spoken.value;
  const said = Object.hasOwn(failures, code) ? failures[code] : undefined;
  return said ?? (sentence === "" ? code : sentence);
}

const DAY = 86_400_000;

/** What comes from others may be no date at all, and Intl throws at what is beyond its end. */
const FARTHEST = 8_639_000_000_000_000;
const within = (ms: number): number => (Number.isNaN(ms) ? 0 : Math.min(FARTHEST, Math.max(-FARTHEST, ms)));

function dated(options: Intl.DateTimeFormatOptions, ms: number): string {
  return new Intl.DateTimeFormat(spoken.value.locale, options).format(within(ms));
}

export function clock(ms: number): string {
  return dated({ hour: "numeric", minute: "2-digit" }, ms);
}

function dayNumber(ms: number): number {
  const date = new Date(within(ms));
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY);
}

export const isSameDay = (a: number, b: number): boolean => dayNumber(a) === dayNumber(b);

/** A day, as it stands between lines. */
export function day(ms: number): string {
  const ago = dayNumber(Date.now()) - dayNumber(ms);
  if (ago === 0) return t("day.today");
  if (ago === 1) return t("day.yesterday");
  const year = new Date(within(ms)).getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" as const };
  return dated({ weekday: "long", day: "numeric", month: "long", ...year }, ms);
}

/** When, as short as it may be: the list of chats. */
export function shortWhen(ms: number): string {
  const ago = dayNumber(Date.now()) - dayNumber(ms);
  if (ago === 0) return clock(ms);
  if (ago === 1) return t("day.yesterday");
  // A day that is still to come is told by its date.
  if (ago > 0 && ago < 7) return dated({ weekday: "short" }, ms);
  return dated({ day: "numeric", month: "numeric", year: "2-digit" }, ms);
}

export function dayAndTime(ms: number): string {
  return dated({ dateStyle: "medium", timeStyle: "short" }, ms);
}

/** "in 3 hours" */
export function fromNow(ms: number): string {
  const seconds = Math.round((within(ms) - Date.now()) / 1000);
  const format = new Intl.RelativeTimeFormat(spoken.value.locale, { numeric: "always" });
  const size = Math.abs(seconds);
  if (size < 90) return format.format(seconds, "second");
  if (size < 5400) return format.format(Math.round(seconds / 60), "minute");
  if (size < 129_600) return format.format(Math.round(seconds / 3600), "hour");
  return format.format(Math.round(seconds / 86_400), "day");
}

/** "3 hours": the largest unit that fits. */
export function span(seconds: number): string {
  const units = [
    [604_800, "week"],
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ] as const;
  const [size, unit] = units.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, "second"];
  return new Intl.NumberFormat(spoken.value.locale, { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}

/** 0:07 */
export function playingTime(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export function fileSize(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = size >= 100 || unit === 0 ? 0 : 1;
  return new Intl.NumberFormat(spoken.value.locale, {
    style: "unit",
    unit: units[unit] ?? "byte",
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(size);
}

export function percent(part: number): string {
  return new Intl.NumberFormat(spoken.value.locale, { style: "percent" }).format(part);
}
