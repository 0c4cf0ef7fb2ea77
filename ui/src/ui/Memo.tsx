// A voice message: its waveform is there before the sound is; the length comes from whoever recorded it.

import { useEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import type { AttachmentInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { onClose } from "../state/app.ts";
import { mediaUrl } from "../state/media.ts";
import { tellTrouble } from "../state/notices.ts";
import { playingTime, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { Progress } from "./Files.tsx";

const BARS = 44;
const HEIGHT = 28;
const SPEEDS = [1, 1.5, 2] as const;

/** One at a time. */
const playing = signal<HTMLAudioElement | null>(null);
const speed = signal<(typeof SPEEDS)[number]>(1);

// What it has heard already is let go of with it.
onClose(() => {
  const last = playing.value;
  playing.value = null;
  last?.pause();
  last?.removeAttribute("src");
  last?.load();
});

function bars(waveform: readonly number[]): number[] {
  if (waveform.length === 0) return Array.from({ length: BARS }, () => 0.15);
  const loudest = Math.max(32, ...waveform);
  return Array.from({ length: BARS }, (_, at) => {
    const from = Math.floor((at * waveform.length) / BARS);
    const to = Math.max(from + 1, Math.floor(((at + 1) * waveform.length) / BARS));
    return Math.max(0.1, Math.max(...waveform.slice(from, to)) / loudest);
  });
}

export function Memo({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const audio = useRef<HTMLAudioElement>(null);
  const [url, setUrl] = useState<string | null>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [position, setPosition] = useState(0);
  const [length, setLength] = useState(file.duration_ms ?? 0);
  useEffect(() => {
    const element = audio.current;
    if (url !== null && element !== null) void play(element);
    return () => element?.pause();
  }, [url]);
  const play = async (element: HTMLAudioElement): Promise<void> => {
    if (playing.value !== element) playing.value?.pause();
    playing.value = element;
    element.playbackRate = speed.value;
    try {
      await element.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      tellTrouble(new Error(t("file.failed")));
    }
  };
  const toggle = (): void => {
    const element = audio.current;
    if (url === null) mediaUrl(message, file.index).then(setUrl, tellTrouble);
    else if (element !== null) element.paused ? void play(element) : element.pause();
  };
  const seek = (part: number): void => {
    const to = part * length;
    setPosition(to);
    if (audio.current !== null) audio.current.currentTime = to / 1000;
  };
  const part = length === 0 ? 0 : Math.min(1, position / length);
  return (
    <div class="memo">
      <IconButton icon={isPlaying ? "pause" : "play"} label={isPlaying ? t("file.pause") : t("file.play")} class="file-sign" onClick={toggle} />
      <div class="memo-middle">
        <div class="memo-wave">
          <svg viewBox={`0 0 ${BARS * 4} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            {bars(file.waveform).map((height, at) => (
              <rect
                key={at}
                class={at / BARS < part ? "bar played" : "bar"}
                x={at * 4 + 0.5}
                y={(HEIGHT - height * HEIGHT) / 2}
                width={2.6}
                height={height * HEIGHT}
                rx={1.3}
              />
            ))}
          </svg>
          <input
            type="range"
            min={0}
            max={Math.max(1, Math.round(length))}
            step={100}
            value={Math.round(position)}
            aria-label={t("file.seek")}
            aria-valuetext={playingTime(position)}
            onInput={(event) => seek(Number(event.currentTarget.value) / Math.max(1, length))}
          />
        </div>
        <span class="memo-time">
          {playingTime(isPlaying || position > 0 ? position : length)}
          <Progress message={message} file={file} />
        </span>
      </div>
      <button
        type="button"
        class="memo-speed"
        aria-label={t("file.speed", { speed: speed.value })}
        onClick={() => {
          speed.value = SPEEDS[(SPEEDS.indexOf(speed.value) + 1) % SPEEDS.length] ?? 1;
          if (audio.current !== null) audio.current.playbackRate = speed.value;
        }}
      >
        {speed.value}×
      </button>
      {url === null ? null : (
        <audio
          ref={audio}
          src={url}
          onPlay={() => setPlaying(true)}
          onPause={() => setPlaying(false)}
          onEnded={() => setPosition(0)}
          onTimeUpdate={(event) => setPosition(event.currentTarget.currentTime * 1000)}
          onDurationChange={(event) => {
            const seconds = event.currentTarget.duration;
            if (Number.isFinite(seconds) && seconds > 0) setLength(seconds * 1000);
          }}
        />
      )}
    </div>
  );
}
