// Links by which people ask to be let in to a group, and who asks.

import { useEffect, useState } from "preact/hooks";
import type { ChatInfo, InviteId, InviteInfo, JoinRequestInfo } from "../../../crates/app/bindings/rpc.ts";
import { call, onEvent } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { dayAndTime, span, t } from "../i18n/index.ts";
import { signal } from "@preact/signals";
import { Avatar } from "./Avatar.tsx";
import { Button, IconButton } from "./Button.tsx";
import { Copied } from "./Copied.tsx";
import { focusHere } from "./focus.ts";
import { Named, plainName } from "./Named.tsx";
import { QrCode } from "./QrCode.tsx";
import { manages, may } from "./roles.ts";

const USES = [1, 5, 25, 100, 1000] as const;
const LIVES_S = [86_400, 604_800, 2_592_000, 0] as const;

/** Counts what may have changed links or who asks. */
const turns = signal(0);
onEvent((event) => {
  if (event.event === "chat_changed" || event.event === "lagged") turns.value += 1;
});

export function GroupLinks({ chat }: { chat: ChatInfo }) {
  const [links, setLinks] = useState<readonly InviteInfo[]>([]);
  const [asking, setAsking] = useState<readonly JoinRequestInfo[]>([]);
  const [shown, setShown] = useState<InviteId | null>(null);
  const [isMaking, setMaking] = useState(false);
  const read = (): void => {
    call("groups.invites", { chat: chat.id }).then((all) => setLinks(all.filter((link) => link.state === "open")), () => undefined);
    call("groups.join_requests", { chat: chat.id }).then(setAsking, () => undefined);
  };
  useEffect(read, [chat.id, turns.value]);
  const answer = (one: JoinRequestInfo, accept: boolean): void =>
    void attempt(call("groups.answer_join", { chat: chat.id, contact: one.id, accept })).then(read);
  return (
    <>
      {asking.length > 0 ? (
        <section>
          <h3>{t("join.requests")}</h3>
          <ul class="members">
            {asking.map((one) => (
              <li key={one.id}>
                <Avatar id={one.id} name={one.name} size="small" />
                <span class="member-words">
                  <Named name={one.name} /> {one.is_contact ? <span class="badge">{t("join.contact")}</span> : null}
                  <span class="role">{dayAndTime(one.asked_ms)}</span>
                </span>
                <IconButton icon="close" label={t("join.refuse", { name: plainName(one.name) })} onClick={() => answer(one, false)} />
                <IconButton icon="check" class="accent" label={t("join.accept", { name: plainName(one.name) })} onClick={() => answer(one, true)} />
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      <section>
        <h3>{t("invite.title")}</h3>
        <p class="quiet">{t("invite.text")}</p>
        <ul class="members invites">
          {links.map((link) => (
            <li key={link.maker + link.id}>
              <div class="invite-line">
                <span class="member-words">
                  <span>{t("invite.left", { count: link.uses_left })}</span>
                  {link.is_here ? null : (
                    <span class="role">{link.is_mine ? t("invite.by_own") : t("invite.by", { name: plainName(link.maker_name) })}</span>
                  )}
                  <span class="role">
                    {link.expires_ms === null ? t("settings.links.forever") : t("settings.links.until", { time: dayAndTime(link.expires_ms) })}
                  </span>
                </span>
                {link.is_here ? (
                  <IconButton icon="qr" label={t("invite.show")} expanded={shown === link.id} onClick={() => setShown(shown === link.id ? null : link.id)} />
                ) : null}
                {link.is_mine || manages(chat) ? (
                  <IconButton icon="trash" label={t("invite.revoke")} onClick={() => void attempt(call("groups.revoke_invite", { invite: link.id })).then(read)} />
                ) : null}
              </div>
              {link.is_here && shown === link.id ? (
                <>
                  <QrCode content={{ text: link.uri }} label={t("invite.qr")} />
                  <Copied label={t("invite.label")} text={link.uri} copy={t("add.copy")} rows={4} />
                </>
              ) : null}
            </li>
          ))}
        </ul>
        {isMaking && may(chat, "add") ? (
          <NewInvite
            chat={chat}
            onDone={(made) => {
              setMaking(false);
              if (made !== null) setShown(made.id);
              read();
            }}
          />
        ) : may(chat, "add") ? (
          <Button icon="add" onClick={() => setMaking(true)}>
            {t("invite.make")}
          </Button>
        ) : null}
      </section>
    </>
  );
}

function NewInvite({ chat, onDone }: { chat: ChatInfo; onDone: (made: InviteInfo | null) => void }) {
  const [uses, setUses] = useState<number>(1);
  const [life, setLife] = useState<number>(604_800);
  const [approve, setApprove] = useState(true);
  const [isBusy, setBusy] = useState(false);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        void attempt(call("groups.invite", { chat: chat.id, uses, expires_in_s: life, approve }).then(onDone)).then(() => setBusy(false));
      }}
    >
      <label class="field">
        <span>{t("invite.uses")}</span>
        <select ref={focusHere} value={uses} onChange={(event) => setUses(Number(event.currentTarget.value))}>
          {USES.map((count) => (
            <option key={count} value={count}>
              {new Intl.NumberFormat().format(count)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("invite.life")}</span>
        <select value={life} onChange={(event) => setLife(Number(event.currentTarget.value))}>
          {LIVES_S.map((seconds) => (
            <option key={seconds} value={seconds}>
              {seconds === 0 ? t("invite.forever") : span(seconds)}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={approve} onChange={(event) => setApprove(event.currentTarget.checked)} /> {t("invite.approve")}
      </label>
      <div class="row end">
        <Button look="quiet" onClick={() => onDone(null)}>
          {t("cancel")}
        </Button>
        <Button look="main" submit disabled={isBusy}>
          {t("invite.make")}
        </Button>
      </div>
    </form>
  );
}
