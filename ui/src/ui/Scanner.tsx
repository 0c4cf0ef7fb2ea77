// Reads a QR code with the camera. The reader is loaded when it is needed, and works on pictures that stay in this page.

import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";

const LOOK_MS = 160;
const WIDEST = 800;

export function Scanner({ found }: { found: (text: string, bytes: readonly number[]) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [isBlind, setBlind] = useState(false);
  useEffect(() => {
    let stream: MediaStream | null = null;
    let isOver = false;
    let timer = 0;
    const look = async (): Promise<void> => {
      const { default: read } = await import("jsqr");
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      const element = video.current;
      if (isOver || element === null) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      element.srcObject = stream;
      await element.play();
      if (isOver) return;
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("2d", { willReadFrequently: true });
      timer = window.setInterval(() => {
        if (context === null || element.videoWidth === 0) return;
        const scale = Math.min(1, WIDEST / element.videoWidth);
        canvas.width = Math.round(element.videoWidth * scale);
        canvas.height = Math.round(element.videoHeight * scale);
        context.drawImage(element, 0, 0, canvas.width, canvas.height);
        const picture = context.getImageData(0, 0, canvas.width, canvas.height);
        const code = read(picture.data, picture.width, picture.height);
        if (code !== null && !isOver) {
          isOver = true;
          clearInterval(timer);
          found(code.data, code.binaryData);
        }
      }, LOOK_MS);
    };
    look().catch(() => setBlind(true));
    return () => {
      isOver = true;
      clearInterval(timer);
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  if (isBlind) return <p class="trouble-text">{t("compose.no_camera")}</p>;
  return (
    <div class="scanner">
      <video ref={video} muted playsInline aria-label={t("add.scan.text")} />
      <p>{t("add.scan.text")}</p>
    </div>
  );
}
