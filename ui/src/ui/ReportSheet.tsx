// A record of somebody, for their own use and on this device only: their last messages, and what happened in one's own words.

import { useState } from "preact/hooks";
import type { ContactId } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt, tell } from "../state/notices.ts";
import { hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { plainName } from "./Named.tsx";

export function ReportSheet({ contact, name }: { contact: ContactId; name: string }) {
  const [note, setNote] = useState("");
  return (
    <Dialog title={t("report.title", { name: plainName(name) })}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void attempt(call("reports.make", { contact, note }).then(() => tell(t("report.kept")))).then((isDone) => {
            if (isDone) hide();
          });
        }}
      >
        <p>{t("report.text")}</p>
        <label class="field">
          <span>{t("report.note")}</span>
          <textarea autofocus autocomplete="off" rows={5} maxLength={1000} dir="auto" value={note} onInput={(event) => setNote(event.currentTarget.value)} />
        </label>
        <div class="row end">
          <Button look="quiet" onClick={hide}>
            {t("cancel")}
          </Button>
          <Button look="main" submit>
            {t("report.make")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
