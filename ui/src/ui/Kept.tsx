// Messages of a chat, each in a line that leads to it.

import type { MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { choose, goTo, showsDetails } from "../state/view.ts";
import { shortWhen } from "../i18n/index.ts";
import { summary } from "./summary.ts";

export function Kept({ messages }: { messages: readonly MessageInfo[] }) {
  return (
    <ul class="kept">
      {messages.map((message) => (
        <li key={message.local_id}>
          <button
            type="button"
            onClick={() => {
              if (matchMedia("(max-width: 1100px)").matches) showsDetails.value = false;
              choose(message.chat, message.local_id);
              goTo.value = message.local_id;
            }}
          >
            <bdi>{summary(message)}</bdi>
            <time>{shortWhen(message.sent_ms)}</time>
          </button>
        </li>
      ))}
    </ul>
  );
}
