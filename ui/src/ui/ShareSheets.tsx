// What is sent as a message of its own: somebody's contact card, a place.

import { useState } from "preact/hooks";
import type { ContactInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contacts } from "../state/chats.ts";
import { withTimer } from "../state/own_timer.ts";
import { chosen, hide, hideTo } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { ActForm } from "./ActForm.tsx";
import { Avatar } from "./Avatar.tsx";
import { CodeField } from "./CodeField.tsx";
import { Dialog } from "./Dialog.tsx";
import { focusHere } from "./focus.ts";
import { Named } from "./Named.tsx";
import { readPlace } from "./place.ts";

export function ShareContactSheet() {
  const [person, setPerson] = useState<ContactInfo | null>(null);
  const [link, setLink] = useState("");
  const all = contacts.value.filter((one) => one.state !== "request" && one.name !== "");
  const send = async (): Promise<void> => {
    const chat = chosen.value;
    if (chat === null || person === null) return;
    const given = link.trim();
    await withTimer((timer) => call("messages.send", { chat, contact: { contact: person.id, ...(given === "" ? {} : { link: given }) }, ...timer }));
    hideTo("#compose");
  };
  return (
    <Dialog title={t("share.contact")}>
      {person === null ? (
        <>
          {all.length === 0 ? <p class="quiet">{t("share.contact.none")}</p> : null}
          <ul class="chats">
            {all.map((one) => (
              <li key={one.id} class="chat-row">
                <button type="button" class="chat" onClick={() => setPerson(one)}>
                  <Avatar id={one.id} name={one.name} size="small" />
                  <strong class="chat-name">
                    <Named name={one.name} />
                  </strong>
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : (
        <ActForm action={t("send")} act={send} onCancel={hide}>
          {({ isWrong, submit }) => (
            <>
              <h3>
                <Named name={person.name} />
              </h3>
              <p>{t("share.contact.text")}</p>
              <CodeField label={t("share.contact.link")} value={link} isWrong={isWrong} onChange={setLink} onEnter={submit} />
            </>
          )}
        </ActForm>
      )}
    </Dialog>
  );
}

/** The coordinates are typed: a browser that is asked where it is asks a service of its maker. */
export function PlaceSheet() {
  const [typed, setTyped] = useState("");
  const send = async (): Promise<string | void> => {
    const chat = chosen.value;
    const location = readPlace(typed);
    if (location === null) return t("share.place.wrong");
    if (chat === null) return;
    await withTimer((timer) => call("messages.send", { chat, location, ...timer }));
    hideTo("#compose");
  };
  return (
    <Dialog title={t("share.place")}>
      <ActForm action={t("send")} isReady={typed.trim() !== ""} act={send} onCancel={hide}>
        {({ isWrong }) => (
          <>
            <p>{t("share.place.text")}</p>
            <label class="field">
              <span>{t("share.place.label")}</span>
              <input
                ref={focusHere}
                type="text"
                dir="ltr"
                autocomplete="off"
                value={typed}
                aria-invalid={isWrong}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            </label>
          </>
        )}
      </ActForm>
    </Dialog>
  );
}
