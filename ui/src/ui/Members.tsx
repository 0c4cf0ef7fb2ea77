// Who is in a group, in which role; adding, removing, handing over, leaving.

import { useEffect, useState } from "preact/hooks";
import type { ChatInfo, ContactId, MemberInfo, Role } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { contactOf, contacts } from "../state/chats.ts";
import { attempt } from "../state/notices.ts";
import { show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Avatar } from "./Avatar.tsx";
import { Button, IconButton } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import { Named, plainName } from "./Named.tsx";
import { PersonChecks } from "./PersonChecks.tsx";
import { ROLES, manages, may } from "./roles.ts";

export function Members({ chat }: { chat: ChatInfo }) {
  const [members, setMembers] = useState<readonly MemberInfo[]>([]);
  const [heir, setHeir] = useState<MemberInfo | null>(null);
  const [adding, setAdding] = useState<ReadonlySet<ContactId> | null>(null);
  useEffect(() => {
    call("chats.members", { chat: chat.id }).then(setMembers, () => undefined);
  }, [chat]);
  const inside = new Set(members.map((member) => member.id));
  const outside = contacts.value.filter((contact) => contact.state === "ready" && !contact.blocked && !inside.has(contact.id));
  return (
    <section>
      <h3>{t("group.members")}</h3>
      <ul class="members">
        {members.map((member) => {
          const name = plainName(member.name);
          const mayChange = manages(chat) && !member.is_me && (chat.my_role === "owner" || member.role === "member");
          return (
            <li key={member.id}>
              <Avatar id={member.id} name={member.name} size="small" />
              <div class="member-words and-role">
                <span>
                  {contactOf(member.id) === undefined ? (
                    <Named name={member.is_me ? t("you") : member.name} />
                  ) : (
                    <button type="button" class="link" onClick={() => show({ sheet: "contact", contact: member.id })}>
                      <Named name={member.name} />
                    </button>
                  )}
                  {member.verified && !member.is_me ? (
                    <span class="verified" role="img" aria-label={t("chat.verified")}>
                      <Icon name="shield" />
                    </span>
                  ) : null}
                </span>
                {mayChange && chat.my_role === "owner" ? (
                  <select
                    aria-label={t("group.role", { name })}
                    value={member.role}
                    onChange={(event) =>
                      void attempt(call("groups.set_role", { chat: chat.id, member: member.id, role: event.currentTarget.value as Role }))
                    }
                  >
                    {ROLES.map((role) => (
                      <option key={role} value={role}>
                        {t(`role.${role}`)}
                      </option>
                    ))}
                  </select>
                ) : (
                  <span class="role">{t(`role.${member.role}`)}</span>
                )}
              </div>
              {mayChange && chat.my_role === "owner" && member.role !== "owner" ? (
                <IconButton icon="crown" label={t("group.hand_over", { name })} onClick={() => setHeir(member)} />
              ) : null}
              {mayChange ? (
                <IconButton
                  icon="close"
                  label={t("group.remove", { name })}
                  onClick={() => void attempt(call("groups.remove", { chat: chat.id, member: member.id }))}
                />
              ) : null}
            </li>
          );
        })}
      </ul>
      {heir === null ? null : (
        <div class="sure" role="alertdialog" aria-label={t("group.hand_over", { name: plainName(heir.name) })}>
          <p>{t("group.hand_over.sure", { name: plainName(heir.name) })}</p>
          <div class="row end">
            <Button look="quiet" onClick={() => setHeir(null)}>
              {t("cancel")}
            </Button>
            <Button look="main" onClick={() => void attempt(call("groups.hand_over", { chat: chat.id, member: heir.id })).then(() => setHeir(null))}>
              {t("group.hand_over.do")}
            </Button>
          </div>
        </div>
      )}
      {may(chat, "add") && outside.length > 0 && adding === null ? (
        <Button icon="add" onClick={() => setAdding(new Set())}>
          {t("group.add")}
        </Button>
      ) : null}
      {adding === null ? null : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void attempt(call("groups.add", { chat: chat.id, members: [...adding] })).then((isDone) => {
              if (isDone) setAdding(null);
            });
          }}
        >
          <PersonChecks label={t("group.add")} people={outside} picked={adding} onChange={setAdding} />
          <div class="row end">
            <Button look="quiet" onClick={() => setAdding(null)}>
              {t("cancel")}
            </Button>
            <Button look="main" submit disabled={adding.size === 0}>
              {t("group.add")}
            </Button>
          </div>
        </form>
      )}
    </section>
  );
}

export function Leave({ chat }: { chat: ChatInfo }) {
  const [isSure, setSure] = useState(false);
  const [others, setOthers] = useState<readonly MemberInfo[]>([]);
  const [successor, setSuccessor] = useState<ContactId | "">("");
  useEffect(() => {
    if (!isSure) return;
    call("chats.members", { chat: chat.id }).then((all) => setOthers(all.filter((member) => !member.is_me)), () => undefined);
  }, [isSure, chat]);
  // The last owner says who is to be one then.
  const isLastOwner = chat.my_role === "owner" && others.length > 0 && !others.some((member) => member.role === "owner");
  return (
    <section>
      {isSure ? (
        <>
          <p>{t("group.leave.sure")}</p>
          {isLastOwner ? (
            <label class="field">
              <span>{t("group.successor")}</span>
              <select value={successor} onChange={(event) => setSuccessor(event.currentTarget.value)}>
                <option value="" />
                {others.map((member) => (
                  <option key={member.id} value={member.id}>
                    {plainName(member.name)}
                  </option>
                ))}
              </select>
            </label>
          ) : null}
          <div class="row end">
            <Button look="quiet" onClick={() => setSure(false)}>
              {t("cancel")}
            </Button>
            <Button
              look="danger"
              disabled={isLastOwner && successor === ""}
              onClick={() =>
                void attempt(call("groups.leave", { chat: chat.id, ...(isLastOwner ? { successor } : {}) })).then(() => setSure(false))
              }
            >
              {t("group.leave")}
            </Button>
          </div>
        </>
      ) : (
        <Button look="danger" onClick={() => setSure(true)}>
          {t("group.leave")}
        </Button>
      )}
    </section>
  );
}
