// What the search is narrowed to: a chat, a person, a kind, days.

import { useEffect, useState } from "preact/hooks";
import type { ChatId, ContactId, SearchKind } from "../../../crates/app/bindings/rpc.ts";
import { account, call } from "../state/app.ts";
import { archived, contacts, listed } from "../state/chats.ts";
import { endFiltering, filter, narrow } from "../state/search.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { chatName } from "./ChatList.tsx";
import { DayField } from "./DayField.tsx";
import { plainName } from "./Named.tsx";

const KINDS: readonly SearchKind[] = ["photo", "video", "audio", "file", "link"];

interface One {
  id: ContactId;
  name: string;
}

/** Who can have written it: in a chat its members, otherwise one's contacts. */
function usePeople(chat: ChatId | null): readonly One[] {
  const [members, setMembers] = useState<readonly One[]>([]);
  useEffect(() => {
    setMembers([]);
    let isOver = false;
    if (chat !== null) {
      call("chats.members", { chat }).then(
        (all) => {
          if (!isOver) setMembers(all.filter((one) => !one.is_me));
        },
        () => undefined,
      );
    }
    return () => {
      isOver = true;
    };
  }, [chat]);
  return chat === null ? contacts.value.filter((one) => one.state !== "request") : members;
}

export function SearchFilter() {
  const { chat, person, kind, since, until } = filter.value;
  const people = usePeople(chat);
  const me = account.value?.account_id;
  return (
    <form class="filter" aria-label={t("search.filter")} onSubmit={(event) => event.preventDefault()}>
      <label class="field">
        <span>{t("search.chat")}</span>
        <select value={chat ?? ""} onChange={(event) => narrow({ chat: event.currentTarget.value || null, person: null })}>
          <option value="">{t("search.chat.any")}</option>
          {[...listed.value, ...archived.value].map((one) => (
            <option key={one.id} value={one.id}>
              {plainName(chatName(one))}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("search.person")}</span>
        <select value={person ?? ""} onChange={(event) => narrow({ person: event.currentTarget.value || null })}>
          <option value="">{t("search.person.any")}</option>
          {me === undefined ? null : <option value={me}>{t("you")}</option>}
          {people.map((one) => (
            <option key={one.id} value={one.id}>
              {plainName(one.name)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("search.kind")}</span>
        <select value={kind ?? ""} onChange={(event) => narrow({ kind: KINDS.find((one) => one === event.currentTarget.value) ?? null })}>
          <option value="">{t("search.kind.any")}</option>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {t(`search.kind.${one}`)}
            </option>
          ))}
        </select>
      </label>
      <DayField label={t("search.since")} value={since} onChange={(since) => narrow({ since })} />
      <DayField label={t("search.until")} value={until} onChange={(until) => narrow({ until })} />
      <Button look="quiet" icon="close" onClick={endFiltering}>
        {t("search.clear")}
      </Button>
    </form>
  );
}
