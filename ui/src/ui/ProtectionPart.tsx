import type { ComponentChildren } from "preact";

/** One protection: its name, what it protects from, what it can't do, and what there is to set. */
export function Part({ name, title, text, not, children }: { name: string; title: string; text: string; not: string; children?: ComponentChildren }) {
  return (
    <section class="protection" id={`protection-${name}`} aria-labelledby={`protection-${name}-title`}>
      <h3 id={`protection-${name}-title`}>{title}</h3>
      <p>{text}</p>
      <p class="limits">{not}</p>
      {children}
    </section>
  );
}
