// Words that are shown once, to be written on paper. They are in the memory of this page for as long as they are on it.

import { useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

/** Words to be shown once, and what they are. */
export interface ShownWords {
  title: string;
  text: string;
  words: string;
}

export function TwelveWords({ title, text, words, onDone }: ShownWords & { onDone: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
  return (
    <section class="shown-once">
      <h3 ref={heading} tabIndex={-1}>
        {title}
      </h3>
      <p>{text}</p>
      <ol class="phrase" dir="ltr" lang="en">
        {words.split(" ").map((word, index) => (
          <li key={index}>{word}</li>
        ))}
      </ol>
      <div class="row end">
        <Button look="main" icon="check" onClick={onDone}>
          {t("phrase.written")}
        </Button>
      </div>
    </section>
  );
}
