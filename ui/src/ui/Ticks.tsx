import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { t, type Key } from "../i18n/index.ts";
import { Icon, type IconName } from "./Icon.tsx";

/** How far an own message is. */
export function Ticks({ message }: { message: MessageInfo }) {
  if (!message.mine || message.kind !== "message" || message.deleted) return null;
  const [icon, key, look] = ((): [IconName, Key, string] => {
    switch (message.state) {
      case "failed":
        return ["trouble", "state.failed", "failed"];
      case "queued":
        return ["clock", "state.queued", ""];
      case "uploading":
        return ["clock", "state.uploading", ""];
      case "sending":
        return ["clock", "state.sending", ""];
      default:
        if (message.read_by > 0) return ["checks", "state.read", "read"];
        if (message.delivered_to > 0) return ["checks", "state.delivered", ""];
        return ["check", message.state === "accepted" ? "state.accepted" : "state.sent", ""];
    }
  })();
  return (
    <span class={`ticks ${look}`} role="img" aria-label={t(key)} title={t(key)} data-state={key}>
      <Icon name={icon} />
    </span>
  );
}
