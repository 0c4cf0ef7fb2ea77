// The lines of a conversation. However many there are, a hundred and sixty are in the page: a window that moves with whoever reads, while the
// line they look at stays where it is.

import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { areLinesRead, firstUnread, hasNewer, hasOlder, lines, readAt, readNewer, readOlder, type Target } from "../state/lines.ts";
import { tellTrouble } from "../state/notices.ts";
import { endSelecting } from "../state/selection.ts";
import { goTo } from "../state/view.ts";
import { currentLanguage, day, isSameDay, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { Boundary } from "./Boundary.tsx";
import { Line } from "./Line.tsx";
import { Icon } from "./Icon.tsx";

/** Lines in the page at once, and by how many the window moves. */
const WINDOW = 160;
const STEP = 20;
/** Pixels from an edge at which it moves. */
const NEAR = 1400;
/** Lines on either side of the window that are read before they are needed. */
const AHEAD = 100;
const AT_END = 60;
/** Lines of one person within this time belong together. */
const TOGETHER_MS = 5 * 60_000;
const MARK_MS = 300;

export function LineList({ chat }: { chat: ChatInfo }) {
  const scroller = useRef<HTMLDivElement>(null);
  const all = lines.value;
  // The last line of the window; null: the last one that was read.
  const [endId, setEndId] = useState<number | null>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const [marked, setMarked] = useState<number | null>(null);
  const unmarking = useRef(0);
  const [focused, setFocused] = useState<number | null>(null);
  const lastEnd = useRef(0);
  const endAt = endId === null ? all.length - 1 : all.findIndex((line) => line.local_id === endId);
  // One that has gone meanwhile leaves the window where it was.
  const end = endAt < 0 ? Math.min(all.length, lastEnd.current) : endAt + 1;
  lastEnd.current = end;
  const start = Math.max(0, end - WINDOW);
  const shown = all.slice(start, end);
  const anchor = useRef<{ id: number; top: number } | null>(null);
  const wasAtEnd = useRef(true);
  /** Of the box, when the list last looked. */
  const height = useRef(0);
  const hasJumped = useRef(false);
  /** Of which lines the end was last brought into view. */
  const followed = useRef("");

  /** Moves the window: it ends before the line at `place`. */
  const endBefore = (all: readonly MessageInfo[], place: number): void => setEndId(place >= all.length ? null : (all[place - 1]?.local_id ?? null));

  const rowOf = (id: number): HTMLElement | null => scroller.current?.querySelector(`[data-line="${id}"]`) ?? null;

  /** Remembers where the first line in view stands. */
  const hold = (): void => {
    const box = scroller.current;
    if (box === null) return;
    const top = box.getBoundingClientRect().top;
    for (const row of box.querySelectorAll<HTMLElement>("[data-line]")) {
      const at = row.getBoundingClientRect();
      if (at.bottom > top) {
        anchor.current = { id: Number(row.dataset["line"]), top: at.top };
        return;
      }
    }
  };

  // Before the browser paints: the held line goes back to where it was, or the newest into view.
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const now = `${endId} ${all.at(-1)?.local_id} ${all.length} ${areLinesRead.value}`;
    if (wasAtEnd.current && endId === null) {
      // Whoever moved a little stays there until something comes.
      if (now !== followed.current) box.scrollTop = box.scrollHeight;
    } else if (anchor.current !== null) {
      const row = rowOf(anchor.current.id);
      if (row !== null) box.scrollTop += row.getBoundingClientRect().top - anchor.current.top;
    }
    followed.current = now;
    anchor.current = null;
  });

  // A chat opens at what was not read.
  useLayoutEffect(() => {
    if (!areLinesRead.value || hasJumped.current) return;
    hasJumped.current = true;
    const from = firstUnread.value;
    const mark = from === null ? null : rowOf(from);
    const box = scroller.current;
    if (mark !== null && box !== null && box.scrollHeight - mark.offsetTop > box.clientHeight) {
      wasAtEnd.current = false;
      box.scrollTop = mark.offsetTop - 60;
    }
  }, [areLinesRead.value]);

  // Pictures and fonts make lines higher after they are shown.
  useEffect(() => {
    const box = scroller.current;
    const inside = box?.firstElementChild;
    if (box === null || inside === null || inside === undefined) return;
    const watcher = new ResizeObserver(() => {
      height.current = box.clientHeight;
      if (wasAtEnd.current) box.scrollTop = box.scrollHeight;
    });
    watcher.observe(inside);
    watcher.observe(box);
    return () => watcher.disconnect();
  }, []);

  const onScroll = (): void => {
    const box = scroller.current;
    if (box === null) return;
    const isResized = box.clientHeight !== height.current;
    height.current = box.clientHeight;
    // What is written grew and took the end out of view; whoever was there did not leave it.
    if (isResized && wasAtEnd.current) {
      box.scrollTop = box.scrollHeight;
      return;
    }
    const toEnd = box.scrollHeight - box.scrollTop - box.clientHeight;
    const atEnd = toEnd < AT_END && end === all.length && !hasNewer.value;
    wasAtEnd.current = atEnd;
    setAtEnd(atEnd);
    goOn(box);
  };

  /** Jumps that are under way: where the list stands until then says nothing. */
  const jumps = useRef(0);
  /** Moves the window with whoever is near its edge, and has more read before it is needed. */
  const goOn = (box: HTMLElement): void => {
    if (jumps.current > 0) return;
    const isNearStart = box.scrollTop < NEAR;
    const isNearEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    if (isNearStart && start > 0) {
      hold();
      endBefore(all, Math.max(WINDOW, end - STEP));
    } else if (isNearEnd && end < all.length) {
      hold();
      endBefore(all, end + STEP);
    }
    if (isNearStart && start < AHEAD && hasOlder.value) void readOlder();
    if (isNearEnd && all.length - end < AHEAD && hasNewer.value) void readNewer();
  };
  const goOnNow = useRef(goOn);
  goOnNow.current = goOn;
  // Who waits at the very end for what comes has nothing to scroll.
  useEffect(() => {
    if (scroller.current !== null && !wasAtEnd.current) goOn(scroller.current);
  }, [all, end]);

  // Other lines than before: the window stays with what is being read.
  const seen = useRef(all);
  if (all !== seen.current) {
    const before = seen.current;
    seen.current = all;
    const last = before.at(-1)?.local_id;
    if (!wasAtEnd.current) {
      if (endId === null && last !== undefined && last !== all.at(-1)?.local_id && all.some((line) => line.local_id === last)) setEndId(last);
      hold();
    }
  }

  /** Brings a line into view, wherever in the chat it is. */
  const jump = async (target: Target): Promise<void> => {
    const wasThere = wasAtEnd.current;
    // Or what is read would be shown from its end first.
    wasAtEnd.current = false;
    // Nor is the newest read by whoever goes elsewhere at once.
    if (target !== "newest") setAtEnd(false);
    jumps.current += 1;
    const id = await readAt(target).finally(() => {
      jumps.current -= 1;
    });
    const found = lines.value;
    const at = found.findIndex((line) => line.local_id === id);
    if (at < 0) {
      wasAtEnd.current = wasThere;
      setAtEnd(wasThere);
      return;
    }
    if (target === "newest" || (at === found.length - 1 && !hasNewer.value)) {
      toEnd();
      return;
    }
    endBefore(found, Math.min(found.length, Math.max(WINDOW, at + WINDOW / 2)));
    jumps.current += 1;
    requestAnimationFrame(() => {
      jumps.current -= 1;
      rowOf(found[at]?.local_id ?? 0)?.scrollIntoView({ block: "center" });
      if (scroller.current !== null) goOnNow.current(scroller.current);
      setMarked(id);
      // Of a line that was gone to before, the time says nothing about this one.
      clearTimeout(unmarking.current);
      unmarking.current = window.setTimeout(() => setMarked(null), 1600);
    });
  };

  const toEnd = (): void => {
    if (hasNewer.value) {
      void jump("newest").catch(tellTrouble);
      return;
    }
    wasAtEnd.current = true;
    setEndId(null);
    setAtEnd(true);
    const box = scroller.current;
    if (box !== null) box.scrollTop = box.scrollHeight;
  };
  useEffect(() => {
    const wanted = goTo.value;
    if (wanted === null || !areLinesRead.value) return;
    goTo.value = null;
    if (typeof wanted !== "number" || !lines.value.some((line) => line.local_id === wanted)) endSelecting();
    void jump(wanted).catch(tellTrouble);
  }, [goTo.value, areLinesRead.value]);

  // What is in view, in a window that somebody looks at, was read.
  const last = all.at(-1)?.local_id;
  useEffect(() => {
    if (!isAtEnd || last === undefined) return;
    const mark = (): void => {
      if (document.hasFocus() && chat.unread > 0) call("chats.mark_read", { chat: chat.id, up_to_local_id: last }).catch(() => undefined);
    };
    const timer = setTimeout(mark, MARK_MS);
    addEventListener("focus", mark);
    return () => {
      clearTimeout(timer);
      removeEventListener("focus", mark);
    };
  }, [isAtEnd, last, chat.id, chat.unread]);

  // A row whose line is as it was is not made again: the window moves within a frame.
  const rows = useRef(new Map<number, { made: readonly unknown[]; row: VNode }>());
  const kept = new Map<number, { made: readonly unknown[]; row: VNode }>();
  const rowFor = (line: MessageInfo, made: readonly unknown[], make: () => VNode): VNode => {
    const before = rows.current.get(line.local_id);
    const entry = before !== undefined && before.made.every((one, at) => one === made[at]) ? before : { made, row: make() };
    kept.set(line.local_id, entry);
    return entry.row;
  };
  useLayoutEffect(() => {
    rows.current = kept;
  });

  const focusable = focused !== null && shown.some((line) => line.local_id === focused) ? focused : shown.at(-1)?.local_id;
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.altKey || !(event.target instanceof HTMLElement) || !event.target.matches(".line-focus")) return;
    const at = shown.findIndex((line) => line.local_id === focusable);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
    if (next === undefined) return;
    event.preventDefault();
    setFocused(next.local_id);
    rowOf(next.local_id)?.querySelector<HTMLElement>(".line-focus")?.focus();
  };

  return (
    <div class="lines-box">
      <div ref={scroller} class="lines" onScroll={onScroll} onKeyDown={move} role="log" aria-label={t("chat.messages")} aria-live={isAtEnd ? "polite" : "off"} tabIndex={-1}>
        <div class="lines-inside">
          {!areLinesRead.value || hasOlder.value || start > 0 ? (
            <p class="beginning" role="presentation">
              {t("chat.loading")}
            </p>
          ) : (
            <p class="beginning">
              <Icon name="lock" />
              <span>{t("chat.sealed")}</span>
            </p>
          )}
          {shown.map((line, index) => {
            const before = shown[index - 1] ?? all[start - 1];
            const after = shown[index + 1];
            const isNewDay = before === undefined || !isSameDay(before.sent_ms, line.sent_ms);
            const isFirst = isNewDay || !areTogether(before, line);
            const isLast = after === undefined || !areTogether(line, after);
            const isMarked = marked === line.local_id;
            const isUnreadHere = firstUnread.value === line.local_id;
            const isFocusable = line.local_id === focusable;
            const made = [line, chat, isNewDay, isNewDay ? day(line.sent_ms) : "", isFirst, isLast, isMarked, isUnreadHere, isFocusable, currentLanguage()];
            return rowFor(line, made, () => (
              <div key={line.local_id} data-line={line.local_id} class={isMarked ? "line-row marked" : "line-row"}>
                {isNewDay ? (
                  <h3 class="day">
                    <span>{day(line.sent_ms)}</span>
                  </h3>
                ) : null}
                {isUnreadHere ? (
                  <p class="unread-line">
                    <span>{t("chat.unread_from_here")}</span>
                  </p>
                ) : null}
                <Boundary of={line}>
                  <Line
                    message={line}
                    chat={chat}
                    isFirst={isFirst}
                    isLast={isLast}
                    isFocusable={isFocusable}
                    onFocus={() => setFocused(line.local_id)}
                  />
                </Boundary>
              </div>
            ));
          })}
        </div>
      </div>
      {isAtEnd ? null : (
        <div class="to-end">
          {chat.unread > 0 ? (
            <span class="count" role="img" aria-label={t("list.unread", { count: chat.unread })}>
              {chat.unread > 999 ? "999+" : chat.unread}
            </span>
          ) : null}
          <IconButton icon="down" label={t("chat.newest")} onClick={toEnd} />
        </div>
      )}
    </div>
  );
}

function areTogether(one: MessageInfo | undefined, next: MessageInfo): boolean {
  return (
    one !== undefined &&
    one.kind === "message" &&
    next.kind === "message" &&
    one.sender === next.sender &&
    isSameDay(one.sent_ms, next.sent_ms) &&
    next.sent_ms - one.sent_ms < TOGETHER_MS
  );
}
