// Held with pointer or space bar while somebody speaks; a short press leaves it running until the next one.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { tell, tellTrouble } from "../state/notices.ts";
import { withTimer } from "../state/own_timer.ts";
import { upload } from "../state/uploads.ts";
import { playingTime, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { answering } from "./Conversation.tsx";
import { Icon } from "./Icon.tsx";
import { Recorder } from "./recorder.ts";

/** A button that is held for so long is let go of at the end of what is said. */
const HELD_MS = 600;

export function RecordButton({ chat }: { chat: ChatInfo }) {
  const recorder = useRef<Recorder | null>(null);
  const [ms, setMs] = useState<number | null>(null);
  const [level, setLevel] = useState(0);
  const pressed = useRef(0);
  const wanted = useRef(false);
  useLayoutEffect(() => {
    if (ms === null) return;
    const timer = setInterval(() => setMs(recorder.current?.ms ?? 0), 200);
    const escape = (event: KeyboardEvent): void => {
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        cancel();
      }
    };
    addEventListener("keydown", escape, true);
    return () => {
      clearInterval(timer);
      removeEventListener("keydown", escape, true);
    };
  }, [ms === null]);
  // Whoever goes to another chat goes without a microphone, also without one that the browser was still asking about.
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
      recorder.current?.cancel();
    },
    [],
  );
  const begin = async (at: number): Promise<void> => {
    pressed.current = at;
    wanted.current = true;
    const started = await Recorder.start(setLevel).catch(() => null);
    if (isGone.current) {
      started?.cancel();
    } else if (started === null) {
      wanted.current = false;
      tell(t("compose.no_microphone"), true);
    } else if (!wanted.current) {
      started.cancel();
      tell(t("compose.too_short"));
    } else {
      recorder.current = started;
      setMs(0);
    }
  };
  const finish = async (): Promise<void> => {
    wanted.current = false;
    const running = recorder.current;
    recorder.current = null;
    setMs(null);
    if (running === null) return;
    const recorded = await running.stop();
    if (recorded === null) {
      tell(t("compose.too_short"));
      return;
    }
    try {
      const id = await upload(recorded.blob, recorded.name, { memo: recorded.memo }, () => undefined);
      const reply = answering.value?.chat === chat.id ? { in_reply_to: answering.value.id } : {};
      answering.value = null;
      await withTimer((timer) => call("host.send", { chat: chat.id, uploads: [id], ...reply, ...timer }));
    } catch (error) {
      tellTrouble(error);
    }
  };
  const cancel = (): void => {
    wanted.current = false;
    recorder.current?.cancel();
    recorder.current = null;
    setMs(null);
  };
  /** A short press leaves it running, for whoever can't hold a button. */
  const release = (at: number): void => {
    if (at - pressed.current < HELD_MS) return;
    if (recorder.current === null) wanted.current = false;
    else void finish();
  };
  const isRunning = ms !== null;
  return (
    <>
      {isRunning ? (
        <div class="recording" role="status">
          <svg class="recording-level" viewBox="0 0 20 20" aria-hidden="true">
            <circle cx="10" cy="10" r={4 + level * 6} />
          </svg>
          <span>{playingTime(ms)}</span>
          <span class="recording-words">{t("compose.recording")}</span>
          <IconButton icon="trash" label={t("compose.record.cancel")} onClick={cancel} />
        </div>
      ) : null}
      <button
        type="button"
        class={`icon-button accent record ${isRunning ? "running" : ""}`}
        aria-label={isRunning ? t("compose.record.stop") : t("compose.record")}
        title={isRunning ? t("compose.record.stop") : t("compose.record")}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          if (isRunning) void finish();
          else void begin(event.timeStamp);
        }}
        onPointerUp={(event) => release(event.timeStamp)}
        onKeyDown={(event) => {
          if ((event.key === "Enter" || event.key === " ") && !event.repeat) {
            event.preventDefault();
            if (isRunning) void finish();
            else void begin(event.timeStamp);
          }
        }}
        onKeyUp={(event) => {
          if (event.key === " ") release(event.timeStamp);
        }}
      >
        <Icon name={isRunning ? "send" : "microphone"} />
      </button>
    </>
  );
}

