// A first look at a video: a frame of it and how long it plays, as this browser shows it. The program has no decoder for video.

export interface Film {
  duration_ms?: number;
  /** A JPEG, base64. */
  poster?: string;
}

const WIDEST = 640;
/** A browser that can't play it may never say so. */
const PATIENCE_MS = 8000;
/** Past the end of anything: a recording that does not say how long it is says so once its end was looked for. */
const BEYOND_S = 1e7;

function next(video: HTMLVideoElement, event: "loadeddata" | "seeked"): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), PATIENCE_MS);
    const end = (): void => clearTimeout(timer);
    video.addEventListener(event, () => (end(), resolve()), { once: true });
    video.addEventListener("error", () => (end(), reject(new Error("not playable"))), { once: true });
  });
}

function frame(video: HTMLVideoElement): Promise<Blob | null> {
  const scale = Math.min(1, WIDEST / Math.max(video.videoWidth, video.videoHeight, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  if (canvas.width === 0 || canvas.height === 0) return Promise.resolve(null);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.8));
}

async function base64(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** What can be said of a video before it is sent. One that this browser can't play is sent without. */
export async function look(file: Blob): Promise<Film> {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  try {
    const isThere = next(video, "loadeddata");
    video.src = url;
    await isThere;
    if (!Number.isFinite(video.duration)) {
      const atEnd = next(video, "seeked");
      video.currentTime = BEYOND_S;
      await atEnd;
    }
    const seconds = Number.isFinite(video.duration) ? video.duration : 0;
    // The very first frame is often black.
    const isAtFrame = next(video, "seeked");
    video.currentTime = Math.min(1, seconds / 2);
    await isAtFrame;
    const picture = await frame(video);
    return {
      ...(seconds > 0 ? { duration_ms: Math.round(seconds * 1000) } : {}),
      ...(picture === null ? {} : { poster: await base64(picture) }),
    };
  } catch {
    return {};
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}
