// A photo from this computer's camera, straight into the message.

import { useEffect, useRef, useState } from "preact/hooks";
import { pick } from "../state/uploads.ts";
import { chosen, hide } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";

export function CameraSheet() {
  const video = useRef<HTMLVideoElement>(null);
  const [isReady, setReady] = useState(false);
  const [isBlind, setBlind] = useState(false);
  useEffect(() => {
    let stream: MediaStream | null = null;
    let isOver = false;
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } }).then(
      (found) => {
        stream = found;
        if (isOver || video.current === null) {
          found.getTracks().forEach((track) => track.stop());
          return;
        }
        video.current.srcObject = found;
        void video.current.play().then(() => setReady(true));
      },
      () => setBlind(true),
    );
    return () => {
      isOver = true;
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
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
        hide();
      },
      "image/jpeg",
      0.92,
    );
  };
  return (
    <Dialog title={t("camera.title")} wide>
      {isBlind ? <p class="trouble-text">{t("compose.no_camera")}</p> : <video ref={video} class="camera" muted playsInline aria-label={t("camera.title")} />}
      <div class="row end">
        <Button look="main" icon="camera" disabled={!isReady} onClick={take}>
          {t("camera.take")}
        </Button>
      </div>
    </Dialog>
  );
}
