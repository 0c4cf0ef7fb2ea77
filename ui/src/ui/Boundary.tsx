// Around each of many things that others have written: what can't be shown for whatever reason says so, and takes nothing else with it.

import { Component, type ComponentChildren } from "preact";
import { t } from "../i18n/index.ts";

interface Props {
  /** What is shown; when it is another one, it is tried again. */
  of: unknown;
  /** Among the items of a list. */
  listed?: boolean;
  children: ComponentChildren;
}

interface State {
  broken: unknown;
  isBroken: boolean;
}

export class Boundary extends Component<Props, State> {
  override state: State = { broken: null, isBroken: false };

  override componentDidCatch(): void {
    console.warn("page.fault");
    this.setState({ broken: this.props.of, isBroken: true });
  }

  override render({ of, listed, children }: Props, { broken, isBroken }: State) {
    if (!isBroken || broken !== of) return children;
    const words = <p class="notice-line">{t("broken")}</p>;
    return listed === true ? <li>{words}</li> : words;
  }
}
