// Below what a stranger wrote: whether they are to be a contact.

import type { RequestInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { readChats, readContacts } from "../state/chats.ts";
import { attempt, tell } from "../state/notices.ts";
import { readRequests } from "../state/requests.ts";
import { choose, show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { plainName } from "./Named.tsx";

export function RequestBar({ request }: { request: RequestInfo }) {
  const { person, chat } = request;
  const name = plainName(person.name);
  const accept = (): void =>
    void attempt(
      call("requests.accept", { contact: person.id })
        .then(() => Promise.all([readChats(), readContacts()]))
        .then(readRequests)
        .then(() => tell(t("requests.accepted", { name }))),
    );
  const refuse = (block: boolean): void =>
    void attempt(
      call("requests.refuse", { contact: person.id, block }).then(async () => {
        choose(null);
        await readRequests();
        tell(t("requests.refused"));
      }),
    );
  return (
    <footer class="composer request-bar" aria-label={t("requests.title")}>
      <p>
        <strong>{t("requests.question", { name })}</strong>
      </p>
      <p class="quiet">{t("requests.question.text")}</p>
      <div class="row">
        <Button look="main" icon="check" onClick={accept}>
          {t("requests.accept")}
        </Button>
        <Button onClick={() => refuse(false)}>{t("requests.refuse")}</Button>
        <Button look="danger" icon="block" onClick={() => refuse(true)}>
          {t("requests.block")}
        </Button>
        <Button look="quiet" icon="file" onClick={() => show({ sheet: "report", contact: person.id, name: person.name, chat: chat.id })}>
          {t("report.make")}
        </Button>
      </div>
    </footer>
  );
}
