// Buttons: with words, or with a drawing and a label for those who don't see it.

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./Icon.tsx";

interface Common {
  onClick?: (event: MouseEvent) => void;
  onPointerDown?: (event: PointerEvent) => void;
  disabled?: boolean;
  class?: string;
  id?: string;
}

export function IconButton({
  icon,
  label,
  pressed,
  expanded,
  flips,
  ...rest
}: Common & { icon: IconName; label: string; pressed?: boolean; expanded?: boolean; flips?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      class={`icon-button ${rest.class ?? ""}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
    >
      <Icon name={icon} flips={flips ?? false} />
    </button>
  );
}

export function Button({
  children,
  look = "plain",
  submit = false,
  icon,
  ...rest
}: Common & { children: ComponentChildren; look?: "plain" | "main" | "danger" | "quiet"; submit?: boolean; icon?: IconName }) {
  return (
    <button type={submit ? "submit" : "button"} {...rest} class={`button ${look} ${rest.class ?? ""}`}>
      {icon === undefined ? null : <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}
