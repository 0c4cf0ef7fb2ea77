// To a day of the conversation: the first message that was written on it, or after it.

import { useState } from "preact/hooks";
import { goTo, hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { ActForm } from "./ActForm.tsx";
import { DayField } from "./DayField.tsx";
import { Dialog } from "./Dialog.tsx";
import { focusHere } from "./focus.ts";
import { dayStart } from "../state/days.ts";

export function DateSheet() {
  const [day, setDay] = useState("");
  const from_ms = dayStart(day);
  const go = async (): Promise<void> => {
    if (from_ms === null) return;
    hide();
    goTo.value = { from_ms };
  };
  return (
    <Dialog title={t("date.go")}>
      <ActForm action={t("date.show")} isReady={from_ms !== null} act={go} onCancel={hide}>
        {() => <DayField label={t("date.day")} value={day} onChange={setDay} fieldRef={focusHere} />}
      </ActForm>
    </Dialog>
  );
}
