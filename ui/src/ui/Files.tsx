// The files of a message: pictures painted, sound and video played, everything else to be saved.

import { useEffect, useRef, useState } from "preact/hooks";
import type { AttachmentInfo, MessageInfo } from "../../../crates/app/bindings/rpc.ts";
import { settings } from "../state/app.ts";
import { mediaUrl, saveFile } from "../state/media.ts";
import { attempt } from "../state/notices.ts";
import { transferKey, transfers } from "../state/transfers.ts";
import { show } from "../state/view.ts";
import { fileSize, playingTime, t } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import { Memo } from "./Memo.tsx";
import { Named, plainName } from "./Named.tsx";
import { TransferBars } from "./TransferBar.tsx";
import { kindOf } from "./summary.ts";

/** Whether a picture is fetched when it comes into view: up to the size that its owner has set for this network, unless the transfer was stopped. */
function comesIntoView(file: AttachmentInfo): boolean {
  if (file.here) return true;
  const now = settings.value;
  const most = now === null ? 0 : now.metered ? now.download_metered_bytes : now.download_bytes;
  return most > 0 && file.size <= most && (file.transfer === null || file.transfer === "waiting");
}

const TALLEST = 360;
const WIDEST = 340;

export function Files({ message }: { message: MessageInfo }) {
  // Nothing is left of its files.
  if (message.opened) return <p class="deleted">{t("message.opened")}</p>;
  if (message.attachments.length === 0) return null;
  const photos = message.attachments.filter((file) => kindOf(file) === "photo" && !message.view_once);
  const rest = message.attachments.filter((file) => !photos.includes(file));
  return (
    <div class="files">
      {photos.length > 0 ? (
        <div class={photos.length > 1 ? "photos album" : "photos"}>
          {photos.map((file) => (
            <Photo key={file.index} message={message} file={file} />
          ))}
        </div>
      ) : null}
      {rest.map((file) => (
        <OneFile key={file.index} message={message} file={file} />
      ))}
      <TransferBars message={message} />
    </div>
  );
}

function OneFile({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  if (message.view_once) return <Once message={message} file={file} />;
  switch (kindOf(file)) {
    case "memo":
      return <Memo message={message} file={file} />;
    case "video":
      return <Video message={message} file={file} />;
    default:
      return <Row message={message} file={file} />;
  }
}

export function Progress({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const now = transfers.value.get(transferKey(message.id, file.index));
  if (now === undefined || file.transfer === "cancelled" || file.transfer === "failed") return null;
  const words = t("file.progress", { done: fileSize(now.done), total: fileSize(now.total) });
  return <progress class="progress" value={now.done} max={now.total} aria-label={words} title={words} />;
}

/** The place a picture takes before it is there: its own shape, within bounds. */
function shape(file: AttachmentInfo): { width: number; height: number } {
  const width = file.width ?? 320;
  const height = file.height ?? 240;
  const scale = Math.min(1, WIDEST / width, TALLEST / height);
  return { width: Math.max(80, Math.round(width * scale)), height: Math.max(60, Math.round(height * scale)) };
}

function Photo({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const [url, setUrl] = useState<string | null>(null);
  const [isShown, setShown] = useState(false);
  const box = useRef<HTMLButtonElement>(null);
  const comes = comesIntoView(file);
  useEffect(() => {
    const element = box.current;
    if (element === null || url !== null || !comes) return;
    const watcher = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      mediaUrl(message, file.index).then(setUrl, () => undefined);
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [message.id, file.index, comes]);
  const { width, height } = shape(file);
  return (
    <button
      ref={box}
      type="button"
      class="photo"
      aria-label={t("file.open", { name: t("file.photo") })}
      onClick={() => show({ sheet: "picture", message, index: file.index })}
    >
      {file.preview === null ? null : (
        <img class="photo-preview" src={`data:image/jpeg;base64,${file.preview}`} width={width} height={height} alt="" />
      )}
      {url === null ? null : (
        <img
          class={isShown ? "photo-whole shown" : "photo-whole"}
          src={url}
          width={width}
          height={height}
          alt={t("file.photo")}
          onLoad={() => setShown(true)}
        />
      )}
      {url !== null || comes || file.transfer !== null ? null : (
        <span class="film-sign">
          <Icon name="download" />
          {fileSize(file.size)}
        </span>
      )}
      <Progress message={message} file={file} />
    </button>
  );
}

function Video({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const [url, setUrl] = useState<string | null>(null);
  const play = (): void => void attempt(mediaUrl(message, file.index).then(setUrl));
  if (url === null && file.preview !== null) {
    const { width, height } = shape(file);
    return (
      <div class="video-box">
        <button type="button" class="photo film" aria-label={t("file.play")} onClick={play}>
          <img class="photo-preview" src={`data:image/jpeg;base64,${file.preview}`} width={width} height={height} alt="" />
          <span class="film-sign">
            <Icon name="play" />
            {file.duration_ms === null ? null : <span>{playingTime(file.duration_ms)}</span>}
          </span>
          <Progress message={message} file={file} />
        </button>
        <SaveButton message={message} file={file} />
      </div>
    );
  }
  if (url === null) {
    return (
      <div class="file-row">
        <IconButton
          icon="play"
          label={t("file.play")}
          class="file-sign"
          onClick={play}
        />
        <FileWords message={message} file={file} />
        <SaveButton message={message} file={file} />
      </div>
    );
  }
  return (
    <div class="video-box">
      <video src={url} controls autoplay playsInline aria-label={plainName(file.name)} />
      <SaveButton message={message} file={file} />
    </div>
  );
}

function FileWords({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  return (
    <span class="file-words">
      <strong>
        <Named name={file.name} />
      </strong>
      <span>{file.duration_ms === null ? fileSize(file.size) : `${playingTime(file.duration_ms)}, ${fileSize(file.size)}`}</span>
      <Progress message={message} file={file} />
    </span>
  );
}

function SaveButton({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const name = plainName(file.name);
  return <IconButton icon="download" label={t("file.save", { name })} onClick={() => void attempt(saveFile(message, file.index, name))} />;
}

function Row({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  return (
    <div class="file-row">
      <span class="file-sign">
        <Icon name="file" />
      </span>
      <FileWords message={message} file={file} />
      <SaveButton message={message} file={file} />
    </div>
  );
}

/** A file that may be opened once: by whoever received it, and then it is gone. */
function Once({ message, file }: { message: MessageInfo; file: AttachmentInfo }) {
  const isShown = kindOf(file) === "photo";
  return (
    <div class="file-row">
      <span class="file-sign">
        <Icon name="timer" />
      </span>
      <span class="file-words">
        <strong>{isShown ? t("file.photo") : <Named name={file.name} />}</strong>
        <span>{t("message.view_once")}</span>
        <Progress message={message} file={file} />
      </span>
      {message.mine ? null : isShown ? (
        <IconButton icon="play" label={t("file.open", { name: t("file.photo") })} onClick={() => show({ sheet: "picture", message, index: file.index })} />
      ) : (
        <SaveButton message={message} file={file} />
      )}
    </div>
  );
}
