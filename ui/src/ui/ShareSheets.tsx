// What is sent as a message of its own: somebody's contact card, a place.

import { useState } from "preact/hooks";
import type { ContactInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contacts } from "../state/chats.ts";
import { chosen, hide } from "../state/view.ts";
import { explain, t } from "../i18n/index.ts";
import { asFailed } from "../host/socket.ts";
import { Avatar } from "./Avatar.tsx";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { focusHere } from "./focus.ts";
import { Named } from "./Named.tsx";
import { readPlace } from "./place.ts";

export function ShareContactSheet() {
  const [person, setPerson] = useState<ContactInfo | null>(null);
  const [link, setLink] = useState("");
  const [trouble, setTrouble] = useState<string | null>(null);
  const all = contacts.value.filter((one) => one.state !== "request" && one.name !== "");
  const send = async (): Promise<void> => {
    const chat = chosen.value;
    if (chat === null || person === null) return;
    setTrouble(null);
    const given = link.trim();
    try {
      await call("messages.send", { chat, contact: { contact: person.id, ...(given === "" ? {} : { link: given }) } });
      hide();
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
    }
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
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <h3>
            <Named name={person.name} />
          </h3>
          <p>{t("share.contact.text")}</p>
          <label class="field">
            <span>{t("share.contact.link")}</span>
            <textarea
              ref={focusHere}
              class="link-text"
              rows={3}
              dir="ltr"
              spellcheck={false}
              autocomplete="off"
              value={link}
              aria-invalid={trouble !== null}
              onInput={(event) => setLink(event.currentTarget.value)}
            />
          </label>
          <p class="trouble-text" role="alert">
            {trouble}
          </p>
          <div class="row end">
            <Button look="quiet" onClick={hide}>
              {t("cancel")}
            </Button>
            <Button look="main" submit>
              {t("send")}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

/** The coordinates are typed: a browser that is asked where it is asks a service of its maker. */
export function PlaceSheet() {
  const [typed, setTyped] = useState("");
  const [trouble, setTrouble] = useState<string | null>(null);
  const send = async (): Promise<void> => {
    const chat = chosen.value;
    const location = readPlace(typed);
    if (location === null) {
      setTrouble(t("share.place.wrong"));
      return;
    }
    if (chat === null) return;
    setTrouble(null);
    try {
      await call("messages.send", { chat, location });
      hide();
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
    }
  };
  return (
    <Dialog title={t("share.place")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <p>{t("share.place.text")}</p>
        <label class="field">
          <span>{t("share.place.label")}</span>
          <input
            ref={focusHere}
            type="text"
            dir="ltr"
            autocomplete="off"
            value={typed}
            aria-invalid={trouble !== null}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <p class="trouble-text" role="alert">
          {trouble}
        </p>
        <div class="row end">
          <Button look="quiet" onClick={hide}>
            {t("cancel")}
          </Button>
          <Button look="main" submit disabled={typed.trim() === ""}>
            {t("send")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
