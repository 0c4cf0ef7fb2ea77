// A person: whether it is them, and what one has set about them.

import { useEffect, useState } from "preact/hooks";
import type { Choice, ContactId, SafetyNumber } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOf } from "../state/chats.ts";
import { others } from "../state/others.ts";
import { attempt, tell } from "../state/notices.ts";
import { choose, hideTo, show } from "../state/view.ts";
import { dayAndTime, t } from "../i18n/index.ts";
import { Avatar } from "./Avatar.tsx";
import { Button } from "./Button.tsx";
import { ChoiceField } from "./ChoiceField.tsx";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { Named, plainName } from "./Named.tsx";
import { OtherAccounts } from "./OtherAccounts.tsx";
import { QrCode } from "./QrCode.tsx";
import { Scanner } from "./Scanner.tsx";

export function ContactSheet({ id }: { id: ContactId }) {
  const contact = contactOf(id);
  const [number, setNumber] = useState<SafetyNumber | null>(null);
  const [isScanning, setScanning] = useState(false);
  useEffect(() => {
    call("contacts.safety_number", { contact: id }).then(setNumber, () => undefined);
  }, [id, contact?.verified]);
  if (contact === undefined) return null;
  const name = plainName(contact.name);
  const set = (change: { blocked?: boolean; read_receipts?: Choice }): void => {
    void attempt(call("contacts.set", { contact: id, change }));
  };
  const chat = contact.chat;
  return (
    <Dialog title={t("contact.title")}>
      <OtherAccounts all={others.value.filter((other) => other.account === id)} />
      <div class="person">
        <Avatar id={id} name={contact.name} size="large" />
        <h3>
          <Named name={contact.name} />
        </h3>
        <p class={contact.verified ? "verified" : "unverified"}>
          <Icon name="shield" /> {contact.verified ? t("chat.verified") : t("chat.unverified")}
        </p>
        <p class="quiet">{t("contact.added", { date: dayAndTime(contact.added_ms) })}</p>
        {chat === null ? null : (
          <Button
            look="main"
            onClick={() => {
              hideTo("#compose");
              choose(chat);
            }}
          >
            {t("contact.message")}
          </Button>
        )}
      </div>
      <section>
        <h3>{t("contact.safety")}</h3>
        <p>{t("contact.safety.text", { name })}</p>
        {number === null ? null : (
          <>
            <p class="safety" dir="ltr">
              {number.digits.split(/\s+/).map((group, index) => (
                <span key={index}>{group} </span>
              ))}
            </p>
            {isScanning ? (
              <Scanner
                found={(_, bytes) => {
                  setScanning(false);
                  void attempt(
                    call("contacts.check_safety_code", { contact: id, scanned: [...bytes] }).then(({ matches }) =>
                      tell(t(matches ? "contact.matches" : "contact.differs", { name }), !matches),
                    ),
                  );
                }}
              />
            ) : (
              <QrCode content={{ bytes: number.qr }} label={t("contact.qr")} />
            )}
          </>
        )}
        <div class="row end">
          {isScanning ? null : (
            <Button icon="qr" onClick={() => setScanning(true)}>
              {t("contact.scan")}
            </Button>
          )}
          <Button
            look={contact.verified ? "quiet" : "main"}
            icon={contact.verified ? "close" : "check"}
            onClick={() => void attempt(call("contacts.set_verified", { contact: id, verified: !contact.verified }))}
          >
            {contact.verified ? t("contact.withdraw") : t("contact.verify")}
          </Button>
        </div>
      </section>
      <section>
        <ChoiceField label={t("contact.receipts")} value={contact.read_receipts} onChange={(read_receipts) => set({ read_receipts })} />
        <p class="quiet">{t("contact.block.text")}</p>
        <Button look={contact.blocked ? "plain" : "danger"} icon="block" onClick={() => set({ blocked: !contact.blocked })}>
          {contact.blocked ? t("contact.unblock") : t("contact.block")}
        </Button>
        {chat === null ? null : (
          <Button look="quiet" icon="file" onClick={() => show({ sheet: "report", contact: id, name: contact.name, chat })}>
            {t("report.make")}
          </Button>
        )}
      </section>
    </Dialog>
  );
}
