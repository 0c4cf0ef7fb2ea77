// What a message shares: a contact card, a place.

import type { CardInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt, tell } from "../state/notices.ts";
import { choose, show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Avatar } from "./Avatar.tsx";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import { Named, plainName } from "./Named.tsx";
import { placeWords } from "./place.ts";

/** What is shown in place of the text; null: the text is shown. */
export function Shared({ message }: { message: MessageInfo }) {
  if (message.card !== null) return <Card card={message.card} />;
  if (message.location === null) return null;
  return (
    <p class="place">
      <Icon name="place" /> <bdi dir="ltr">{placeWords(message.location)}</bdi>
    </p>
  );
}

async function add(link: string): Promise<void> {
  const { contact, chat } = await call("contacts.add", { link });
  tell(contact === null ? t("add.queued") : t("add.added", { name: plainName(contact.name) }));
  if (chat !== null) choose(chat);
}

function Card({ card }: { card: CardInfo }) {
  const { link } = card;
  const isContact = card.known_as !== null;
  return (
    <div class="card">
      <Avatar id={card.account} name={card.name} size="small" />
      <div class="card-words">
        <span class="quiet">{t("share.contact")}</span>
        <strong>
          <Named name={card.name} />
        </strong>
        <span class="card-account" dir="ltr">
          {t("card.account", { id: card.account })}
        </span>
        {card.is_me ? <span>{t("card.me")}</span> : null}
        {isContact ? (
          <Button look="quiet" onClick={() => show({ sheet: "contact", contact: card.account })}>
            {t("card.known", { name: plainName(card.known_as ?? "") })}
          </Button>
        ) : null}
        {!card.is_me && !isContact ? <span>{t(link === null ? "card.unknown" : "card.claim")}</span> : null}
        {link === null ? null : (
          <Button icon="add" onClick={() => void attempt(add(link))}>
            {t("card.add", { name: plainName(card.name) })}
          </Button>
        )}
      </div>
    </div>
  );
}
