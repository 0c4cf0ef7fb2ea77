// The account's devices: what they are called, which one this is, and taking one out.

import { useEffect, useState } from "preact/hooks";
import type { DeviceInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { devices, histories, linking, readDevices } from "../state/devices.ts";
import { attempt, tell } from "../state/notices.ts";
import { killStatus, readKillStatus } from "../state/protection.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { focusHere } from "./focus.ts";
import { LinkDevice } from "./LinkDevice.tsx";
import { Named, plainName } from "./Named.tsx";
import { PhraseField, twelve } from "./PhraseField.tsx";
import { WipeDevice } from "./WipeDevice.tsx";

type Doing = { what: "rename" | "remove" | "wipe"; device: DeviceInfo } | { what: "link" } | null;

/** Between looks at which devices the kill code reaches. */
const LOOK_MS = 1000;

const nameOf = (device: DeviceInfo): string => (device.name === "" ? t("devices.unnamed") : plainName(device.name));

export function DevicesSheet() {
  const [doing, setDoing] = useState<Doing>(linking.value === null ? null : { what: "link" });
  const kill = killStatus.value;
  const isUnreached = (device: DeviceInfo): boolean => device.state === "in_use" && !device.this && kill?.devices.includes(device.id) === false;
  // A new device is within reach of the kill code once it has told the others so.
  const waits = kill?.code === true && devices.value.some(isUnreached);
  useEffect(() => {
    void Promise.all([readDevices(), readKillStatus()]).catch(() => undefined);
    if (!waits) return;
    const timer = window.setInterval(() => void readKillStatus().catch(() => undefined), LOOK_MS);
    return () => clearInterval(timer);
  }, [waits]);
  const done = (): void => setDoing(null);
  if (doing?.what === "link") {
    return (
      <Dialog title={t("devices.title")}>
        <LinkDevice onDone={done} />
      </Dialog>
    );
  }
  if (doing?.what === "remove") {
    return (
      <Dialog title={t("devices.remove.title", { name: nameOf(doing.device) })}>
        <Remove device={doing.device} onDone={done} />
      </Dialog>
    );
  }
  if (doing?.what === "wipe") {
    return (
      <Dialog title={t("devices.wipe.title", { name: nameOf(doing.device) })}>
        <WipeDevice device={doing.device.id} name={nameOf(doing.device)} onDone={done} />
      </Dialog>
    );
  }
  return (
    <Dialog title={t("devices.title")}>
      <p>{t("devices.text")}</p>
      <ul class="members devices">
        {devices.value.map((device) => (
          <li key={device.id}>
            {doing?.what === "rename" && doing.device.id === device.id ? (
              <Rename device={device} onDone={done} />
            ) : (
              <>
                <span class="member-words">
                  <strong>
                    <Named name={nameOf(device)} />
                  </strong>
                  {device.this ? <span class="badge">{t("devices.this")}</span> : null}
                  <span class={device.state === "removed_without_phrase" || device.state === "unknown" ? "role trouble-text" : "role"}>
                    {device.state === "in_use" ? t("devices.added", { date: dayAndTime(device.added_ms) }) : t(`devices.${device.state}`)}
                  </span>
                  <Past device={device} />
                </span>
                {device.state === "in_use" ? (
                  <IconButton icon="edit" label={t("devices.rename", { name: nameOf(device) })} onClick={() => setDoing({ what: "rename", device })} />
                ) : null}
                {kill?.devices.includes(device.id) === true ? (
                  <IconButton icon="wipe" label={t("devices.wipe", { name: nameOf(device) })} onClick={() => setDoing({ what: "wipe", device })} />
                ) : null}
                {device.this || device.state === "removed" ? null : (
                  <IconButton icon="trash" label={t("devices.remove", { name: nameOf(device) })} onClick={() => setDoing({ what: "remove", device })} />
                )}
              </>
            )}
          </li>
        ))}
      </ul>
      {kill?.code === false && devices.value.some(isUnreached) ? <p class="quiet">{t("devices.wipe.needs")}</p> : null}
      <div class="row end">
        <Button look="main" icon="add" onClick={() => setDoing({ what: "link" })}>
          {t("linking.title")}
        </Button>
      </div>
    </Dialog>
  );
}

/** How far what was said before is on its way to a device. */
function Past({ device }: { device: DeviceInfo }) {
  const past = histories.value.find((one) => one.device === device.id);
  if (past === undefined || past.state === "done") return null;
  return (
    <span class="role" role="status">
      {t(`devices.history.${past.state}`, { done: past.done, total: past.total })}
    </span>
  );
}

function Rename({ device, onDone }: { device: DeviceInfo; onDone: () => void }) {
  const [name, setName] = useState(device.name);
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        void attempt(call("devices.rename", { device: device.id, name: name.trim() }).then(readDevices)).then((isDone) => {
          if (isDone) onDone();
        });
      }}
    >
      <input ref={focusHere} aria-label={t("devices.name")} maxLength={64} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
      <IconButton icon="close" label={t("cancel")} onClick={onDone} />
      <Button look="main" submit disabled={name.trim() === ""}>
        {t("save")}
      </Button>
    </form>
  );
}

function Remove({ device, onDone }: { device: DeviceInfo; onDone: () => void }) {
  const [phrase, setPhrase] = useState("");
  const words = twelve(phrase);
  const remove = (recovery_phrase?: string): void => {
    const given = recovery_phrase === undefined ? {} : { recovery_phrase };
    void attempt(call("devices.remove", { device: device.id, ...given }).then(readDevices)).then((isDone) => {
      if (!isDone) return;
      tell(t("devices.remove.done", { name: nameOf(device) }));
      onDone();
    });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (words !== null) remove(words);
      }}
    >
      <p>{t("devices.remove.text")}</p>
      <p>{t("devices.remove.why")}</p>
      <PhraseField isFirst value={phrase} onChange={setPhrase} />
      <div class="column">
        <Button look="main" submit icon="shield" disabled={words === null}>
          {t("devices.remove.with")}
        </Button>
        {device.state === "in_use" || device.state === "unknown" ? (
          <Button look="danger" icon="trash" onClick={() => remove()}>
            {t("devices.remove.without")}
          </Button>
        ) : null}
        <Button look="quiet" onClick={onDone}>
          {t("cancel")}
        </Button>
      </div>
    </form>
  );
}
