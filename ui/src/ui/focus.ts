import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";

/** For `ref`: what appears takes the focus, once. In a sheet that is about to open nothing can have it yet: the browser gives it there. */
export const focusHere = (element: HTMLElement | null): void => {
  if (element?.closest("dialog:not([open])") != null) element.autofocus = true;
  else element?.focus();
};

/** For `ref`, of the first of several. */
export const focusNot = (_element: HTMLElement | null): void => undefined;

/** For a form that comes and goes inside a section: when it goes with the focus in it, the section's first control has it. */
export function useFocusBack<E extends HTMLElement>(): RefObject<E | null> {
  const form = useRef<E>(null);
  useEffect(() => {
    const around = form.current?.closest("section");
    return () => {
      window.setTimeout(() => {
        if (document.activeElement === document.body) around?.querySelector<HTMLElement>("button, select")?.focus();
      });
    };
  }, []);
  return form;
}
