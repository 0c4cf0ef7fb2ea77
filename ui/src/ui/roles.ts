// What somebody may do in a group, as its rules have it. The core refuses what is not allowed; this says what need not be offered.

import type { ChatInfo, GroupPolicy, Role } from "../../../crates/app/bindings/rpc.ts";

export const ROLES: readonly Role[] = ["member", "admin", "owner"];

const rank = (role: Role): number => ROLES.indexOf(role);

export type Deed = keyof GroupPolicy;

export function may(chat: ChatInfo, deed: Deed): boolean {
  if (chat.state !== "active") return false;
  if (chat.kind !== "group" || chat.policy === null) return true;
  return rank(chat.my_role) >= rank(chat.policy[deed]);
}

/** Admins and owners: they remove members, and set the rules. */
export function manages(chat: ChatInfo): boolean {
  return chat.state === "active" && (chat.kind !== "group" || chat.my_role !== "member");
}
