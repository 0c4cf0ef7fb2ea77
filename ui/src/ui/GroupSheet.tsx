// A new group: its name, and who is in it.

import { useState } from "preact/hooks";
import type { ContactId } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contacts, readChats } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { choose, hideTo } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { PersonChecks } from "./PersonChecks.tsx";

export function GroupSheet() {
  const [name, setName] = useState("");
  const [picked, setPicked] = useState<ReadonlySet<ContactId>>(new Set());
  const [isBusy, setBusy] = useState(false);
  const ready = contacts.value.filter((contact) => contact.state === "ready" && !contact.blocked);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await attempt(
      call("groups.create", { name: name.trim(), members: [...picked] }).then(async ({ chat }) => {
        await readChats();
        hideTo("#compose");
        choose(chat);
      }),
    );
    setBusy(false);
  };
  return (
    <Dialog title={t("group.title")}>
      <form onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>{t("group.name")}</span>
          <input autofocus maxLength={64} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        {ready.length === 0 ? (
          <p>{t("group.none")}</p>
        ) : (
          <PersonChecks label={t("group.who")} people={ready} picked={picked} onChange={setPicked} />
        )}
        <div class="row end">
          <Button look="main" submit disabled={isBusy || name.trim() === "" || picked.size === 0}>
            {t("group.create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
