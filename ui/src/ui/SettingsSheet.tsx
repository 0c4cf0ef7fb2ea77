// What can be set, and how it stands with the server.

import { useEffect, useState } from "preact/hooks";
import type { LinkInfo } from "../../../crates/app/bindings/rpc.ts";
import { account, call, lock, settings, status, version } from "../state/app.ts";
import { attempt, tellTrouble } from "../state/notices.ts";
import {
  THEMES,
  type Theme,
  notifies,
  sendsWithEnter,
  setNotifies,
  setSendsWithEnter,
  setShowsContent,
  setSounds,
  setTheme,
  showsContent,
  sounds,
  theme,
} from "../state/preferences.ts";
import { set, turns } from "../state/settings.ts";
import { play } from "../state/sounds.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { show } from "../state/view.ts";
import { Button } from "./Button.tsx";
import { connectionWords } from "./ConnectionSign.tsx";
import { Dialog } from "./Dialog.tsx";
import { DownloadSettings } from "./DownloadSettings.tsx";
import { LanguageChoice } from "./LanguageChoice.tsx";
import { BlockedList, ReportList } from "./PeopleLists.tsx";
import { ProfileFields } from "./ProfileFields.tsx";
import { ProxyForm } from "./ProxyField.tsx";
import { Switch } from "./Switch.tsx";

export function SettingsSheet() {
  const me = account.value;
  const now = status.value;
  if (me === null || now === null) return null;
  return (
    <Dialog title={t("settings.title")} wide>
      <section class="person">
        <ProfileFields />
        <div class="row ways">
          <Button icon="lock" onClick={lock}>
            {t("lock.now")}
          </Button>
          <Button icon="device" onClick={() => show({ sheet: "devices" })}>
            {t("devices.title")}
          </Button>
          <Button icon="storage" onClick={() => show({ sheet: "storage" })}>
            {t("storage.title")}
          </Button>
          <Button icon="shield" onClick={() => show({ sheet: "protection" })}>
            {t("protection.title")}
          </Button>
          <Button icon="archive" onClick={() => show({ sheet: "backup" })}>
            {t("backup.title")}
          </Button>
        </div>
      </section>
      <section>
        <h3>{t("settings.privacy")}</h3>
        <Switch
          label={t("settings.receipts")}
          text={t("settings.receipts.text")}
          value={settings.value?.read_receipts ?? true}
          onChange={(read_receipts) => set({ read_receipts })}
        />
        <Switch label={t("settings.typing")} text={t("settings.typing.text")} value={settings.value?.typing ?? true} onChange={(typing) => set({ typing })} />
      </section>
      <DownloadSettings />
      <section>
        <h3>{t("settings.appearance")}</h3>
        <label class="field">
          <span>{t("settings.theme")}</span>
          <select value={theme.value} onChange={(event) => void setTheme(event.currentTarget.value as Theme).catch(tellTrouble)}>
            {THEMES.map((one) => (
              <option key={one} value={one}>
                {t(`theme.${one}`)}
              </option>
            ))}
          </select>
        </label>
        <LanguageChoice />
        <Switch label={t("settings.enter")} value={sendsWithEnter.value} onChange={(next) => void setSendsWithEnter(next).catch(tellTrouble)} />
      </section>
      <section>
        <h3>{t("settings.notifications")}</h3>
        <Switch label={t("settings.notify")} value={notifies.value} onChange={(next) => void setNotifies(next).catch(tellTrouble)} />
        <Switch
          label={t("settings.notify.content")}
          text={t("settings.notify.text")}
          value={showsContent.value}
          onChange={(next) => void setShowsContent(next).catch(tellTrouble)}
        />
        <Switch
          label={t("settings.sounds")}
          value={sounds.value}
          onChange={(next) => {
            if (next) play();
            void setSounds(next).catch(tellTrouble);
          }}
        />
      </section>
      <section>
        <h3>{t("settings.server")}</h3>
        <p class={now.inbox === "online" ? "well" : "trouble-text"}>{connectionWords()}</p>
        {now.outbox_waiting > 0 ? <p>{t("settings.waiting", { count: now.outbox_waiting })}</p> : null}
        <dl class="facts">
          <Fact name={t("settings.server.name")} value={now.server} />
          <Fact name={t("settings.proxy")} value={now.proxy ?? t("settings.proxy.none")} />
        </dl>
        <ProxyForm now={now.proxy} />
      </section>
      <Links />
      <BlockedList />
      <ReportList />
      <section>
        <h3>{t("settings.advanced")}</h3>
        <dl class="facts">
          <Fact name={t("settings.account")} value={me.account_id} />
          <Fact name={t("settings.device")} value={me.device_id} />
          <Fact name={t("settings.pin")} value={me.pin} />
          <Fact name={t("settings.version")} value={version.value} />
        </dl>
        <Button icon="keyboard" onClick={() => show({ sheet: "shortcuts" })}>
          {t("shortcuts.title")}
        </Button>
      </section>
    </Dialog>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="value">
        <bdi>{value}</bdi>
      </dd>
    </div>
  );
}

function Links() {
  const [links, setLinks] = useState<readonly LinkInfo[]>([]);
  const read = (): void => {
    call("links.list", {}).then((all) => setLinks(all.filter((link) => link.state === "open")), () => undefined);
  };
  useEffect(read, [turns.links.value]);
  return (
    <section>
      <h3>{t("settings.links")}</h3>
      {links.length === 0 ? <p class="quiet">{t("settings.links.none")}</p> : null}
      <ul class="members">
        {links.map((link) => (
          <li key={link.id}>
            <span class="member-words">
              <bdi class="value">{link.id}</bdi>
              <span class="role">
                {link.expires_ms === null ? t("settings.links.forever") : t("settings.links.until", { time: dayAndTime(link.expires_ms) })}
              </span>
            </span>
            <Button look="danger" onClick={() => void attempt(call("links.revoke", { link: link.id }))}>
              {t("settings.links.revoke")}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
