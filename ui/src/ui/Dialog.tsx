// A sheet in front of everything: the browser's own dialog keeps the focus inside and closes with Escape.

import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { focusAfter, hide } from "../state/view.ts";
import { IconButton } from "./Button.tsx";

export function Dialog({
  title,
  children,
  wide = false,
  bare = false,
  firm = false,
  onClose = hide,
}: {
  title: string;
  children: ComponentChildren;
  wide?: boolean;
  bare?: boolean;
  /** Only a button inside closes it: what it shows is shown once. */
  firm?: boolean;
  onClose?: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the browser paints: a key that is pressed right after is for the sheet.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      // While it is open nothing behind it takes the focus.
      element?.close();
      focusAfter();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`sheet ${wide ? "wide" : ""} ${bare ? "bare" : ""}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (!firm) onClose();
      }}
      onKeyDown={(event) => {
        // A browser that was held back once closes the sheet at the next Escape all the same, unless the key itself is taken.
        if (firm && event.key === "Escape") event.preventDefault();
      }}
      onClick={(event) => {
        if (event.target === dialog.current && !firm) onClose();
      }}
    >
      <div class="sheet-inside">
        <header class="sheet-head">
          <h2 id={id}>{title}</h2>
          {firm ? null : <IconButton icon="close" label={t("close")} onClick={onClose} />}
        </header>
        <div class="sheet-body">{children}</div>
      </div>
    </dialog>
  );
}
