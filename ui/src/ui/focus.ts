/** For `ref`: what appears takes the focus, once. */
export const focusHere = (element: HTMLElement | null): void => element?.focus();

/** For `ref`, of the first of several. */
export const focusNot = (_element: HTMLElement | null): void => undefined;
