// A name in the place where it is shown, being changed.

import { useState } from "preact/hooks";
import { attempt } from "../state/notices.ts";
import { t } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { focusHere } from "./focus.ts";

export function NameForm({ label, name, save, onEnd }: { label: string; name: string; save: (name: string) => Promise<unknown>; onEnd: () => void }) {
  const [typed, setTyped] = useState(name);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (typed.trim() === "") return;
    void attempt(save(typed.trim())).then((isDone) => {
      if (isDone) onEnd();
    });
  };
  return (
    <form class="row" onSubmit={submit}>
      <input
        ref={focusHere}
        aria-label={label}
        maxLength={64}
        autocomplete="off"
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <IconButton icon="close" label={t("cancel")} onClick={onEnd} />
      <Button look="main" submit disabled={typed.trim() === ""}>
        {t("save")}
      </Button>
    </form>
  );
}
