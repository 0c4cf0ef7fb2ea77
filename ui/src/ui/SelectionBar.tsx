// In the place of the composer while messages are picked.

import { useLayoutEffect, useRef } from "preact/hooks";
import { attempt, tell } from "../state/notices.ts";
import { endSelecting, selection } from "../state/selection.ts";
import { show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { plainName } from "./Named.tsx";

export function SelectionBar() {
  const bar = useRef<HTMLElement>(null);
  const messages = selection.value;
  const isAny = messages.length > 0;
  const canForward = isAny && messages.every((message) => !message.deleted && !message.view_once);
  const texts = messages.filter((message) => !message.deleted && message.text !== "");
  useLayoutEffect(() => bar.current?.focus(), []);
  const copy = (): void => {
    const text = texts.map((message) => `${message.mine ? t("you") : plainName(message.sender_name)}: ${message.text}`).join("\n");
    void attempt(
      navigator.clipboard.writeText(text).then(() => {
        tell(t("copied"));
        endSelecting();
      }),
    );
  };
  return (
    <footer ref={bar} class="composer selection-bar" tabIndex={-1} aria-label={t("select.begin")}>
      <IconButton icon="close" label={t("select.end")} onClick={endSelecting} />
      <p role="status">{t("select.count", { count: messages.length })}</p>
      <IconButton icon="copy" label={t("select.copy")} disabled={texts.length === 0} onClick={copy} />
      <IconButton icon="forward" flips label={t("message.forward")} disabled={!canForward} onClick={() => show({ sheet: "forward", messages })} />
      <IconButton icon="trash" label={t("message.delete")} disabled={!isAny} onClick={() => show({ sheet: "delete", messages })} />
    </footer>
  );
}
