// An account from its backup, when every device is lost: the folder, the words from paper, a server, and a passphrase for here.

import { useState } from "preact/hooks";
import { call } from "../state/app.ts";
import { tell } from "../state/notices.ts";
import { asFailed } from "../host/socket.ts";
import { explain, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { FolderField, isWholePath } from "./FolderField.tsx";
import { NewPassphrase } from "./NewPassphrase.tsx";
import { ProxyBefore, proxyGiven } from "./ProxyField.tsx";
import { PhraseField, twelve } from "./PhraseField.tsx";

export function RestoreForm({ onBack }: { onBack: () => void }) {
  const [folder, setFolder] = useState("");
  const [typed, setTyped] = useState("");
  const [server, setServer] = useState("");
  const [proxy, setProxy] = useState("");
  const [passphrase, setPassphrase] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const phrase = twelve(typed);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (phrase === null || passphrase === null || isBusy) return;
    setBusy(true);
    setTrouble(null);
    try {
      const report = await call("host.restore", { folder: folder.trim(), recovery_phrase: phrase, server: server.trim(), passphrase, ...proxyGiven(proxy) });
      tell(t("restore.done", { count: report.messages }));
      if (!report.same_server) tell(t("restore.other_server"), true);
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h1>{t("restore.title")}</h1>
      <p>{t("restore.text")}</p>
      <p>{t("restore.protection")}</p>
      <FolderField isFirst value={folder} isBusy={isBusy} onChange={setFolder} />
      <PhraseField value={typed} isBusy={isBusy} onChange={setTyped} />
      <label class="field">
        <span>{t("onboarding.server.label")}</span>
        <input dir="ltr" spellcheck={false} autocomplete="off" autocapitalize="none" value={server} readOnly={isBusy} onInput={(event) => setServer(event.currentTarget.value)} />
      </label>
      <NewPassphrase isBusy={isBusy} onChange={setPassphrase} />
      <ProxyBefore value={proxy} isBusy={isBusy} onChange={setProxy} />
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      <div class="row end">
        {isBusy ? (
          <p role="status" class="busy">
            {t("restore.busy")}
          </p>
        ) : (
          <Button look="quiet" onClick={onBack}>
            {t("back")}
          </Button>
        )}
        <Button look="main" submit disabled={isBusy || phrase === null || passphrase === null || server.trim() === "" || !isWholePath(folder)}>
          {t("restore.begin")}
        </Button>
      </div>
    </form>
  );
}
