// A photo or a video from this computer's camera, straight into the message.

import { useEffect, useRef, useState } from "preact/hooks";
import { pick } from "../state/uploads.ts";
import { chosen, hideTo } from "../state/view.ts";
import { playingTime, t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";

const STOP = "camera-stop";

/** The first that the browser records is taken. */
const KINDS = [
  ["video/mp4;codecs=avc1.42E01E,mp4a.40.2", "mp4"],
  ["video/webm;codecs=vp9,opus", "webm"],
  ["video/webm;codecs=vp8,opus", "webm"],
] as const;

export function CameraSheet() {
  const video = useRef<HTMLVideoElement>(null);
  const kept = useRef(false);
  const running = useRef<MediaRecorder | null>(null);
  const isOver = useRef(false);
  const [isReady, setReady] = useState(false);
  const [isBlind, setBlind] = useState(false);
  useEffect(() => {
    let stream: MediaStream | null = null;
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } }).then(
      (found) => {
        stream = found;
        if (isOver.current || video.current === null) {
          found.getTracks().forEach((track) => track.stop());
          return;
        }
        video.current.srcObject = found;
        void video.current.play().then(() => setReady(true));
      },
      () => setBlind(true),
    );
    return () => {
      isOver.current = true;
      if (running.current?.state === "recording") running.current.stop();
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  const [recorder, setRecorder] = useState<MediaRecorder | null>(null);
  const begin = async (): Promise<void> => {
    const picture = video.current?.srcObject;
    const chat = chosen.value;
    if (!(picture instanceof MediaStream) || chat === null) return;
    const found = KINDS.find(([kind]) => MediaRecorder.isTypeSupported(kind));
    if (found === undefined) return;
    const [kind, extension] = found;
    const voice = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null);
    // Closed while the browser was asking about the microphone.
    if (isOver.current) {
      voice?.getTracks().forEach((track) => track.stop());
      return;
    }
    const tracks = [...picture.getVideoTracks(), ...(voice?.getAudioTracks() ?? [])];
    const started = new MediaRecorder(new MediaStream(tracks), { mimeType: kind, videoBitsPerSecond: 2_500_000 });
    const pieces: Blob[] = [];
    started.ondataavailable = ({ data }) => pieces.push(data);
    started.onstop = () => {
      voice?.getTracks().forEach((track) => track.stop());
      // The sheet may have been closed: then it was not wanted.
      if (kept.current) pick(chat, [new File(pieces, `video.${extension}`, { type: kind.split(";")[0] ?? kind })]);
    };
    started.start(1000);
    running.current = started;
    setRecorder(started);
  };
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (recorder === null) return;
    // What was pressed to begin is gone.
    document.getElementById(STOP)?.focus();
    const from = performance.now();
    const timer = setInterval(() => setSeconds(Math.floor((performance.now() - from) / 1000)), 250);
    return () => clearInterval(timer);
  }, [recorder]);
  /** To the words that go with it. */
  const leave = (): void => hideTo("#compose");
  const end = (): void => {
    kept.current = true;
    recorder?.stop();
    leave();
  };
  const take = (): void => {
    const element = video.current;
    const chat = chosen.value;
    if (element === null || chat === null) return;
    const canvas = document.createElement("canvas");
    canvas.width = element.videoWidth;
    canvas.height = element.videoHeight;
    canvas.getContext("2d")?.drawImage(element, 0, 0);
    canvas.toBlob(
      (blob) => {
        if (blob !== null) pick(chat, [new File([blob], "photo.jpg", { type: "image/jpeg" })]);
        leave();
      },
      "image/jpeg",
      0.92,
    );
  };
  return (
    <Dialog title={t("camera.title")} wide>
      {isBlind ? <p class="trouble-text">{t("compose.no_camera")}</p> : <video ref={video} class="camera" muted playsInline aria-label={t("camera.title")} />}
      <div class="row end">
        {recorder === null ? (
          <>
            <Button icon="video" disabled={!isReady} onClick={() => void begin()}>
              {t("camera.record")}
            </Button>
            <Button look="main" icon="camera" disabled={!isReady} onClick={take}>
              {t("camera.take")}
            </Button>
          </>
        ) : (
          <>
            <span class="camera-time" role="timer">
              {playingTime(seconds * 1000)}
            </span>
            <Button id={STOP} look="main" icon="check" onClick={end}>
              {t("camera.stop")}
            </Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
