// How the page looks and speaks: kept in the encrypted home, beside everything else.

import { effect, signal } from "@preact/signals";
import { LANGUAGES, type Language, browserLanguage, speak } from "../i18n/index.ts";
import { call, hostState, onOpen } from "./app.ts";
import { onSettings } from "./settings.ts";

export const THEMES = ["system", "light", "dark", "contrast"] as const;
export type Theme = (typeof THEMES)[number];

export const theme = signal<Theme>("system");
export const language = signal<Language>(browserLanguage());
export const notifies = signal(false);
export const showsContent = signal(false);
export const sounds = signal(false);
export const sendsWithEnter = signal(true);

async function keep(name: string, value: number): Promise<void> {
  if (hostState.value === "open") await call("settings.set_preference", { name, value });
}

export async function setTheme(next: Theme): Promise<void> {
  theme.value = next;
  await keep("theme", THEMES.indexOf(next));
}

export async function setLanguage(next: Language): Promise<void> {
  await speak(next);
  language.value = next;
  await keep("language", LANGUAGES.indexOf(next));
}

let choices = 0;

export async function setNotifies(next: boolean): Promise<void> {
  const mine = ++choices;
  const may = next && (await Notification.requestPermission()) === "granted";
  // Chosen otherwise while the browser asked.
  if (mine !== choices) return;
  notifies.value = may;
  await keep("notifications", Number(notifies.value));
}

export async function setShowsContent(next: boolean): Promise<void> {
  showsContent.value = next;
  await keep("notification_content", Number(next));
}

export async function setSounds(next: boolean): Promise<void> {
  sounds.value = next;
  await keep("sounds", Number(next));
}

export async function setSendsWithEnter(next: boolean): Promise<void> {
  sendsWithEnter.value = next;
  await keep("enter_sends", Number(next));
}

async function readPreferences(): Promise<void> {
  const kept = await call("settings.preferences", {});
  theme.value = THEMES[kept["theme"] ?? 0] ?? "system";
  notifies.value = kept["notifications"] === 1 && "Notification" in window && Notification.permission === "granted";
  showsContent.value = kept["notification_content"] === 1;
  sounds.value = kept["sounds"] === 1;
  sendsWithEnter.value = kept["enter_sends"] !== 0;
  const spoken = LANGUAGES[kept["language"] ?? -1];
  if (spoken !== undefined && spoken !== language.value) {
    await speak(spoken);
    language.value = spoken;
  }
}

onOpen(readPreferences);
onSettings("preferences", () => {
  readPreferences().catch(() => undefined);
});

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
});
