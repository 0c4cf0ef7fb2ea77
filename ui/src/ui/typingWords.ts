import type { ChatInfo } from "../../../crates/app/bindings/rpc.ts";
import { typing } from "../state/typing.ts";
import { t } from "../i18n/index.ts";
import { plainName } from "./Named.tsx";

/** Who is writing in a chat at this moment; null: nobody. */
export function typingWords(chat: ChatInfo): string | null {
  const [name, ...more] = typing.value.get(chat.id)?.values() ?? [];
  if (name === undefined) return null;
  if (chat.kind === "direct") return t("typing.direct");
  // The name keeps its own direction.
  return more.length > 0 ? t("typing.several") : t("typing.one", { name: `\u2068${plainName(name)}\u2069` });
}
