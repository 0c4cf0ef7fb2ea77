// What a chat says of itself, in the page's language.

import type { Notice, NoticePerson } from "../../../crates/app/bindings/rpc.ts";
import { currentLanguage, explain, span, t, type Key } from "./index.ts";
import { plainName } from "../ui/Named.tsx";

// A name stands in its own direction: first strong isolate, pop directional isolate (UAX #9). A plain name has neither of them in it.
const ISOLATE = "\u2068";
const END = "\u2069";
const ISOLATED = /\u2068([^\u2069]*)\u2069/u;

const isolated = (name: string): string => ISOLATE + plainName(name) + END;

/** The text in pieces: those at odd places are names. */
export const pieces = (text: string): string[] => text.split(ISOLATED);

/** Nobody can take the place of these words by a name. */
function isReserved(name: string): boolean {
  const said = plainName(name).trim().toLocaleLowerCase(currentLanguage());
  const reserved = ["you", "notice.somebody", "notice.own_device"] as const;
  return reserved.some((key) => t(key).toLocaleLowerCase(currentLanguage()) === said);
}

function named({ name, account }: NoticePerson): string {
  if (name === "") return t("notice.somebody");
  return isolated(isReserved(name) && account !== null ? `${name} (${account.slice(0, 8)})` : name);
}

type Sided = { [K in Key]: `${K}.me` extends Key ? K : never }[Key];
type Aimed = { [K in Sided]: `${K}.you` extends Key ? K : never }[Sided];
type Texts = Readonly<Record<string, string>>;

/** `who` does something, or is the one it is about. */
function byOne(key: Sided, who: NoticePerson, texts: Texts = {}): string {
  return who.me ? t(`${key}.me`, texts) : t(key, { ...texts, who: named(who) });
}

/** `who` does something to `whom`. */
function toOne(key: Aimed, who: NoticePerson, whom: NoticePerson, texts: Texts = {}): string {
  if (who.me) return t(`${key}.me`, { ...texts, whom: named(whom) });
  if (whom.me) return t(`${key}.you`, { ...texts, who: named(who) });
  return t(key, { ...texts, who: named(who), whom: named(whom) });
}

/** Of one's own account it is another device. */
const fromAfar = (key: Key, who: NoticePerson): string => t(key, { who: who.me ? t("notice.own_device.first") : named(who) });
const afar = (key: Key, who: NoticePerson): string => t(key, { who: who.me ? t("notice.own_device") : named(who) });

/** One or two sentences, with every name between isolates. */
export function noticeText(notice: Notice): string {
  switch (notice.kind) {
    case "added":
    case "removed":
      return toOne(`notice.${notice.kind}`, notice.who, notice.whom);
    case "made_role":
      return toOne("notice.made_role", notice.who, notice.whom, { role: t(`notice.role.${notice.role}`) });
    case "left":
    case "came_back":
    case "timer_off":
    case "new_device":
    case "device_gone":
    case "restored":
    case "pinned":
    case "now_in":
    case "not_in_any_more":
      return byOne(`notice.${notice.kind}`, notice.who);
    case "renamed":
      return byOne("notice.renamed", notice.who, { name: isolated(notice.name) });
    case "stepped_down":
      return byOne("notice.stepped_down", notice.who, { role: t(`notice.role.${notice.role}`) });
    case "now_role":
      return byOne("notice.now_role", notice.who, { role: t(`notice.a_role.${notice.role}`) });
    case "let_may":
      return byOne("notice.let_may", notice.who, { may: t(`notice.may.${notice.role}`), act: t(`notice.act.${notice.act}`) });
    case "timer_set":
      return byOne("notice.timer_set", notice.who, { time: span(notice.seconds) });
    case "now_called":
      return t("notice.now_called", { name: isolated(notice.name) });
    case "name_changed":
      return t("notice.name_changed", { who: named(notice.who), name: isolated(notice.name) });
    case "asks_by_link":
    case "other_account":
    case "duress_alarm":
    case "device_wiped":
      return t(`notice.${notice.kind}`, { who: named(notice.who) });
    case "let_in_by_link":
    case "let_in_unconfirmed":
    case "let_in_refused":
    case "change_forbidden":
    case "welcome_waits":
      return fromAfar(`notice.${notice.kind}`, notice.who);
    case "let_in_again":
    case "change_not_understood":
    case "change_invalid":
    case "message_malformed":
    case "reached_again":
      return afar(`notice.${notice.kind}`, notice.who);
    case "welcome_lost":
      return fromAfar(notice.group ? "notice.welcome_lost.group" : "notice.welcome_lost", notice.who);
    case "not_reached":
      return afar(notice.group ? "notice.not_reached.group" : "notice.not_reached", notice.who);
    case "act_forbidden":
      return fromAfar(notice.act === "pin" ? "notice.act_forbidden.pin" : "notice.act_forbidden.post", notice.who);
    case "not_shown":
      return t(notice.act === "pin" ? "notice.not_shown.pin" : "notice.not_shown.post");
    case "file_not_sent":
      return t("notice.file_not_sent", { why: explain(notice.code, notice.why) });
    case "left_unheard":
    case "device_taken_out":
    case "device_removed":
    case "change_ignored":
    case "change_not_taken":
    case "invitation_not_taken":
    case "more_not_kept":
      return t(`notice.${notice.kind}`);
    default:
      return unknown(notice);
  }
}

/** The compiler sees that no kind is left out; a program that is newer than this page, which it never is, would say the kind. */
function unknown(notice: never): string {
  return String((notice as { kind: unknown }).kind);
}
