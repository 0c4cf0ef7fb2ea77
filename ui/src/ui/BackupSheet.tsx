// An encrypted copy of the account in a folder: made, brought up to date, and checked. Only the recovery phrase opens it.

import { useEffect, useState } from "preact/hooks";
import { call } from "../state/app.ts";
import { backup, backupProgress, readBackup } from "../state/backup.ts";
import { attempt, tell } from "../state/notices.ts";
import { dayAndTime, fileSize, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { FolderField, isWholePath } from "./FolderField.tsx";
import { plainName } from "./Named.tsx";
import { PhraseField, twelve } from "./PhraseField.tsx";
import { Switch } from "./Switch.tsx";

export function BackupSheet() {
  const [folder, setFolder] = useState("");
  const now = backup.value;
  useEffect(() => {
    void attempt(readBackup());
  }, []);
  if (now === null) return null;
  return (
    <Dialog title={t("backup.title")} wide>
      <p>{t("backup.text")}</p>
      <p class="limits">{t("backup.not")}</p>
      <p>
        <strong>{now.last_made_ms === 0 ? t("backup.never") : t("backup.last", { date: dayAndTime(now.last_made_ms) })}</strong>
      </p>
      <Make isReady={now.ready} isRunning={now.running} folder={folder} onFolder={setFolder} />
      <Check folder={folder} />
    </Dialog>
  );
}

function Make({ isReady, isRunning, folder, onFolder }: { isReady: boolean; isRunning: boolean; folder: string; onFolder: (folder: string) => void }) {
  const [media, setMedia] = useState(true);
  const [typed, setTyped] = useState("");
  const [isAsked, setAsked] = useState(false);
  const phrase = twelve(typed);
  const progress = backupProgress.value;
  const isBusy = isAsked || isRunning;
  const make = async (): Promise<void> => {
    setAsked(true);
    await attempt(
      call("backups.make", { folder: folder.trim(), media, ...(phrase === null ? {} : { recovery_phrase: phrase }) }).then((report) => {
        tell(t("backup.done", { size: fileSize(report.bytes_written) }));
        setTyped("");
      }),
    );
    setAsked(false);
    await readBackup().catch(() => undefined);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isWholePath(folder) && (isReady || phrase !== null) && !isBusy) void make();
      }}
    >
      <FolderField isFirst value={folder} isBusy={isBusy} onChange={onFolder} />
      <Switch label={t("backup.media")} value={media} isOff={isBusy} onChange={setMedia} />
      {isReady ? null : (
        <>
          <p class="quiet">{t("backup.phrase.once")}</p>
          <PhraseField value={typed} isBusy={isBusy} onChange={setTyped} />
        </>
      )}
      {isBusy ? (
        <div class="column" role="status">
          <p>{t("backup.making")}</p>
          <progress aria-label={t("backup.making")} {...(progress === null ? {} : { value: progress.done, max: progress.total })} />
        </div>
      ) : null}
      <div class="row end">
        {isBusy ? (
          <Button look="quiet" onClick={() => void attempt(call("backups.cancel", {}))}>
            {t("cancel")}
          </Button>
        ) : null}
        <Button look="main" submit icon="storage" disabled={isBusy || !isWholePath(folder) || (!isReady && phrase === null)}>
          {t("backup.make")}
        </Button>
      </div>
    </form>
  );
}

function Check({ folder }: { folder: string }) {
  const [typed, setTyped] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [found, setFound] = useState<string | null>(null);
  const phrase = twelve(typed);
  const check = async (recovery_phrase: string): Promise<void> => {
    setBusy(true);
    setFound(null);
    await attempt(
      call("backups.verify", { folder: folder.trim(), recovery_phrase }).then((check) => {
        setFound(t("backup.whole", { name: plainName(check.name), date: dayAndTime(check.made_ms), size: fileSize(check.bytes) }));
        setTyped("");
      }),
    );
    setBusy(false);
  };
  return (
    <section>
      <h3>{t("backup.check")}</h3>
      <p>{t("backup.check.text")}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (phrase !== null && isWholePath(folder) && !isBusy) void check(phrase);
        }}
      >
        <PhraseField value={typed} isBusy={isBusy} onChange={setTyped} />
        <p class="well" role="status">
          {isBusy ? t("backup.checking") : found}
        </p>
        <div class="row end">
          <Button submit icon="check" disabled={isBusy || phrase === null || !isWholePath(folder)}>
            {t("backup.check")}
          </Button>
        </div>
      </form>
    </section>
  );
}
