// The core's tree of a formatted text, as elements. There is no other way from a text of others to the page than this and plain
// text, and none that reads markup.

import type { Block, Span } from "../../../crates/app/bindings/rpc.ts";
import { contactOf } from "../state/chats.ts";
import { account } from "../state/app.ts";
import { show } from "../state/view.ts";
import { Named } from "./Named.tsx";

const SAFE = new Set(["https:", "http:", "mailto:"]);

function isSafe(url: string): boolean {
  return URL.canParse(url) && SAFE.has(new URL(url).protocol);
}

export function RichText({ blocks }: { blocks: readonly Block[] }) {
  return (
    <>
      {blocks.map((block, index) => (
        <OneBlock key={index} block={block} />
      ))}
    </>
  );
}

function OneBlock({ block }: { block: Block }) {
  switch (block.block) {
    case "paragraph":
      return (
        <p dir="auto">
          <Spans spans={block.spans} />
        </p>
      );
    case "heading":
      return (
        <p dir="auto" class={`text-heading level-${block.level}`} role="heading" aria-level={Math.min(6, block.level + 3)}>
          <Spans spans={block.spans} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          <RichText blocks={block.blocks} />
        </blockquote>
      );
    case "code":
      return (
        <pre dir="ltr" tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "list": {
      const items = block.items.map((item, index) => (
        <li key={index} class={item.checked === null ? undefined : "task"}>
          {item.checked === null ? null : (
            <span class="task-box" role="img" aria-label={item.checked ? "☑" : "☐"}>
              {item.checked ? "☑" : "☐"}
            </span>
          )}
          <RichText blocks={item.blocks} />
        </li>
      ));
      return block.start === null ? <ul dir="auto">{items}</ul> : (
        <ol dir="auto" start={block.start}>
          {items}
        </ol>
      );
    }
    case "table":
      return (
        <div class="table-box" tabIndex={0}>
          <table>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, index) =>
                    at === 0 ? (
                      <th key={index} scope="col">
                        <Spans spans={cell} />
                      </th>
                    ) : (
                      <td key={index}>
                        <Spans spans={cell} />
                      </td>
                    ),
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "rule":
      return <hr />;
    default:
      return null;
  }
}

function Spans({ spans }: { spans: readonly Span[] }) {
  return (
    <>
      {spans.map((span, index) => (
        <OneSpan key={index} span={span} />
      ))}
    </>
  );
}

function OneSpan({ span }: { span: Span }) {
  switch (span.span) {
    case "text":
      return <>{span.text}</>;
    case "strong":
      return (
        <strong>
          <Spans spans={span.spans} />
        </strong>
      );
    case "emphasis":
      return (
        <em>
          <Spans spans={span.spans} />
        </em>
      );
    case "strike":
      return (
        <s>
          <Spans spans={span.spans} />
        </s>
      );
    case "code":
      return <code dir="ltr">{span.text}</code>;
    case "break":
      return <br />;
    case "link":
      return <Link span={span} />;
    case "mention":
      return <Mention span={span} />;
    default:
      return null;
  }
}

/** A link says where it leads whenever its words say something else. */
function Link({ span }: { span: Extract<Span, { span: "link" }> }) {
  const [only, ...others] = span.spans;
  // Words in marks of their own are words too.
  const words = only?.span === "text" && others.length === 0 ? only.text : null;
  if (!isSafe(span.url)) return <Spans spans={span.spans} />;
  const isPlain = words === span.url || `https://${words}` === span.url || `http://${words}` === span.url || `mailto:${words}` === span.url;
  return (
    <>
      <a href={span.url} target="_blank" rel="noopener noreferrer" title={span.url}>
        <Spans spans={span.spans} />
      </a>
      {isPlain ? null : <span class="link-target"> ({span.url.slice(0, 120)})</span>}
    </>
  );
}

function Mention({ span }: { span: Extract<Span, { span: "mention" }> }) {
  const contact = contactOf(span.contact);
  const isMe = account.value?.account_id === span.contact;
  // Who is meant follows from the id; what the author called them only where the id says nothing here.
  const name = isMe ? (account.value?.name ?? span.name) : (contact?.name ?? span.name);
  if (contact === undefined) {
    return (
      <span class={isMe ? "mention me" : "mention"}>
        @<Named name={name} />
      </span>
    );
  }
  return (
    <button type="button" class="mention" onClick={() => show({ sheet: "contact", contact: contact.id })}>
      @<Named name={name} />
    </button>
  );
}

const LINK = /\bhttps?:\/\/[^\s<>"'“”‘’«»]+[^\s<>"'“”‘’«».,;:!?()[\]{}]/giu;

/** A plain text, with addresses in it to be followed. */
export function PlainText({ text }: { text: string }) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    if (!isSafe(found[0])) continue;
    parts.push(text.slice(from, found.index));
    parts.push(
      <a key={found.index} href={found[0]} target="_blank" rel="noopener noreferrer">
        {found[0]}
      </a>,
    );
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return (
    <p dir="auto" class="plain">
      {parts}
    </p>
  );
}
