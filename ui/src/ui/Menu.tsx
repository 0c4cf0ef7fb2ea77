// A small menu that opens at a button or at the pointer. Arrows move in it, Escape closes it.

import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./Icon.tsx";
import type { ComponentChildren } from "preact";

export interface Item {
  label: string;
  icon: IconName;
  act: () => void;
  isDanger?: boolean;
}

export interface Place {
  x: number;
  y: number;
  /** It opens upwards and onwards from there, as from a button at the foot of the page; otherwise downwards and back. */
  isAtFoot?: boolean;
}

/** Above a button, beginning where it begins. */
export function placeAbove(element: Element): Place {
  const box = element.getBoundingClientRect();
  return { x: document.dir === "rtl" ? box.right : box.left, y: box.top - 4, isAtFoot: true };
}

export function placeOf(element: Element): Place {
  const box = element.getBoundingClientRect();
  return { x: document.dir === "rtl" ? box.left : box.right, y: box.bottom + 4 };
}

export function Menu({
  label,
  items,
  place,
  onClose,
  head,
}: {
  label: string;
  items: readonly Item[];
  place: Place;
  onClose: () => void;
  /** What stands above the items; it is given how to close the menu. */
  head?: (close: () => void) => ComponentChildren;
}) {
  const menu = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null);
  /** Back to where somebody was, before what they chose moves them on. */
  const close = (): void => {
    if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus({ preventScroll: true });
    onClose();
  };
  useLayoutEffect(() => {
    opener.current = document.activeElement;
  }, []);
  useLayoutEffect(() => {
    const element = menu.current;
    if (element === null) return;
    const box = element.getBoundingClientRect();
    const isAtFoot = place.isAtFoot === true;
    const left = (document.dir === "rtl") === isAtFoot ? place.x - box.width : place.x;
    const top = isAtFoot ? place.y - box.height : place.y;
    element.style.left = `${Math.max(8, Math.min(left, innerWidth - box.width - 8))}px`;
    element.style.top = `${Math.max(8, Math.min(top, innerHeight - box.height - 8))}px`;
    element.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [place]);
  useLayoutEffect(() => {
    const outside = (event: Event): void => {
      if (event.target instanceof Node && menu.current?.contains(event.target) === false) close();
    };
    addEventListener("pointerdown", outside, true);
    addEventListener("resize", close);
    return () => {
      removeEventListener("pointerdown", outside, true);
      removeEventListener("resize", close);
    };
  }, []);
  const onKey = (event: KeyboardEvent): void => {
    const all = [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: document.dir === "rtl" ? -1 : 1, ArrowLeft: document.dir === "rtl" ? 1 : -1 }[event.key];
    if (step !== undefined) {
      all[(at + step + all.length) % all.length]?.focus();
    } else if (event.key === "Home") {
      all[0]?.focus();
    } else if (event.key === "End") {
      all.at(-1)?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div ref={menu} class="menu" role="menu" aria-label={label} tabIndex={-1} onKeyDown={onKey}>
      {head?.(close)}
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          tabIndex={-1}
          class={item.isDanger === true ? "menu-item danger" : "menu-item"}
          onClick={() => {
            close();
            item.act();
          }}
        >
          <Icon name={item.icon} />
          <span>{item.label}</span>
        </button>
      ))}
    </div>
  );
}
