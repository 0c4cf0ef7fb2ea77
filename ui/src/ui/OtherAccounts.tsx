// Somebody goes by the name of a contact and has another account. It is not to be overlooked, and not to be clicked away unread.

import type { OtherAccount } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOf } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { readOthers } from "../state/others.ts";
import { sheet, show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import { plainName } from "./Named.tsx";

export function OtherAccounts({ all }: { all: readonly OtherAccount[] }) {
  return (
    <>
      {all.map((other) => (
        <Warning key={other.account} other={other} />
      ))}
    </>
  );
}

function Warning({ other }: { other: OtherAccount }) {
  const known = plainName(other.known_name);
  const front = sheet.value;
  const isShown = front?.sheet === "contact" && front.contact === other.account;
  return (
    <div class="other-account" role="alert">
      <Icon name="trouble" />
      <div>
        <p>
          <strong>{t("other.warning", { name: plainName(other.name), known })}</strong> {t("other.why")}
        </p>
        {other.known_verified ? <p>{t("other.verified", { known })}</p> : null}
        <div class="row">
          {!isShown && contactOf(other.account) !== undefined ? (
            <Button icon="shield" onClick={() => show({ sheet: "contact", contact: other.account })}>
              {t("other.compare")}
            </Button>
          ) : null}
          <Button look="quiet" onClick={() => void attempt(call("contacts.accept_account", { contact: other.account }).then(readOthers))}>
            {t("other.accept")}
          </Button>
        </div>
      </div>
    </div>
  );
}
