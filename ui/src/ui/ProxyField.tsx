// The way to the server: a SOCKS5 proxy such as Tor, or none.

import { useEffect, useState } from "preact/hooks";
import { call } from "../state/app.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

function Input({ value, isBusy, onChange }: { value: string; isBusy: boolean; onChange: (value: string) => void }) {
  return (
    <label class="field">
      <span>{t("proxy.label")}</span>
      <input
        dir="ltr"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="none"
        placeholder="127.0.0.1:9050"
        value={value}
        readOnly={isBusy}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

/** Before there is an account: out of the way of those who need none. */
export function ProxyBefore({ value, isBusy = false, onChange }: { value: string; isBusy?: boolean; onChange: (value: string) => void }) {
  return (
    <details class="more">
      <summary>{t("settings.advanced")}</summary>
      <Input value={value} isBusy={isBusy} onChange={onChange} />
      <p>{t("proxy.text")}</p>
    </details>
  );
}

/** As the server is given it. */
export const proxyGiven = (value: string): { proxy?: string } => (value.trim() === "" ? {} : { proxy: value.trim() });

/** In the settings: what is in use, and another one. */
export function ProxyForm({ now }: { now: string | null }) {
  const [value, setValue] = useState(now ?? "");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => setValue(now ?? ""), [now]);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setTrouble(null);
    try {
      await call("connection.set_proxy", { proxy: value.trim() === "" ? null : value.trim() });
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Input value={value} isBusy={isBusy} onChange={setValue} />
      <p>{t("proxy.text")}</p>
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        <Button submit disabled={isBusy || value.trim() === (now ?? "")}>
          {t("proxy.use")}
        </Button>
      </div>
    </form>
  );
}
