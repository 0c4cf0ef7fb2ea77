// The whole page, by how far the program and its home are.

import { useEffect } from "preact/hooks";
import { effect } from "@preact/signals";
import { language } from "../state/preferences.ts";
import { isGone, phase, standing } from "../state/app.ts";
import { isHeld, isWiping } from "../state/panic.ts";
import { unread } from "../state/chats.ts";
import { t } from "../i18n/index.ts";
import "../state/notify.ts";
import "../state/sounds.ts";
import "../state/autolock.ts";
import { CodeScreen } from "./CodeScreen.tsx";
import { LockScreen } from "./LockScreen.tsx";
import { Main } from "./Main.tsx";
import { Mark } from "./Icon.tsx";
import { Notices } from "./Notices.tsx";
import { Onboarding } from "./Onboarding.tsx";
import { Shortcuts } from "./shortcuts.tsx";

effect(() => {
  document.title = unread.value > 0 && phase.value === "open" ? `(${unread.value}) ${t("app")}` : t("app");
});

export function App() {
  const now = phase.value;
  useEffect(() => {
    document.body.dataset["phase"] = now;
  }, [now]);
  return (
    <div class="app" lang={language.value}>
      {!["connecting", "away", "ended", "gone"].includes(now) && (standing.value === "lost" || standing.value === "connecting") ? (
        <div class="banner" role="status">
          {t("connect.lost")}
        </div>
      ) : null}
      {now === "connecting" ? <Waiting /> : null}
      {now === "code" ? <CodeScreen /> : null}
      {now === "onboarding" ? <Onboarding /> : null}
      {now === "locked" ? <LockScreen /> : null}
      {now === "open" ? <Main /> : null}
      {now === "away" ? <Waiting lost /> : null}
      {now === "ended" ? <Gone title={t("gone.title")} text={t("ended.text")} /> : null}
      {now === "gone" ? <Gone title={t("gone.title")} text={t("gone.text")} /> : null}
      <Panic />
      <Shortcuts />
      <Notices />
    </div>
  );
}

function Waiting({ lost = false }: { lost?: boolean }) {
  return (
    <main class="gate">
      <div class="gate-card" role="status">
        <Mark />
        <p>{lost ? t("connect.lost") : t("connect.waiting")}</p>
      </div>
    </main>
  );
}

/** What is about to happen, while panic is held, and while it happens. */
function Panic() {
  if (isGone.value || (!isHeld.value && !isWiping.value)) return null;
  return (
    <div class="panic" role="alert">
      <p>{t(isWiping.value ? "panic.wiping" : "panic.holding")}</p>
      {isWiping.value ? null : <i class="panic-bar" />}
    </div>
  );
}

function Gone({ title, text }: { title: string; text: string }) {
  return (
    <main class="gate">
      <div class="gate-card" role="status">
        <h1>{title}</h1>
        <p>{text}</p>
      </div>
    </main>
  );
}
