// Who may do what in a group.

import type { ChatInfo, PolicyChange, Role } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { attempt } from "../state/notices.ts";
import { t } from "../i18n/index.ts";
import { ROLES, manages, type Deed } from "./roles.ts";
import { Switch } from "./Switch.tsx";

const DEEDS: readonly Deed[] = ["post", "add", "rename", "pin", "set_timer"];

export function GroupRules({ chat }: { chat: ChatInfo }) {
  const policy = chat.policy;
  if (policy === null) return null;
  const set = (change: PolicyChange): void => void attempt(call("groups.set_policy", { chat: chat.id, change }));
  const mayChange = (deed: Deed): boolean => manages(chat) && (chat.my_role === "owner" || policy[deed] !== "owner");
  return (
    <section>
      <h3>{t("policy.title")}</h3>
      <Switch
        label={t("policy.quiet")}
        text={t("policy.quiet.text")}
        value={policy.post !== "member"}
        isOff={!mayChange("post")}
        onChange={(isQuiet) => set({ post: isQuiet ? "admin" : "member" })}
      />
      {DEEDS.map((deed) => (
        <label key={deed} class="field across">
          <span>{t(`policy.${deed}`)}</span>
          <select value={policy[deed]} disabled={!mayChange(deed)} onChange={(event) => set({ [deed]: event.currentTarget.value as Role })}>
            {ROLES.filter((role) => role !== "owner" || chat.my_role === "owner" || policy[deed] === "owner").map((role) => (
              <option key={role} value={role}>
                {t(`policy.${role}`)}
              </option>
            ))}
          </select>
        </label>
      ))}
    </section>
  );
}
