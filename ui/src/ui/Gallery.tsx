// Photos, sound and files of a chat, as far back as somebody looks.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ChatInfo, MessageInfo, SearchKind } from "../../../crates/app/bindings/rpc.ts";
import { again, further, hasFurther, together, UNREAD, type Gallery as Read } from "../state/kept.ts";
import { touched } from "../state/lines.ts";
import { attempt } from "../state/notices.ts";
import { show } from "../state/view.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import { Kept } from "./Kept.tsx";
import { fileWords, kindOf } from "./summary.ts";

const PHOTOS: readonly SearchKind[] = ["photo"];
const REST: readonly SearchKind[] = ["video", "audio", "file"];
const PAUSE_MS = 100;

interface Paged {
  messages: readonly MessageInfo[] | null;
  hasMore: boolean;
  more: () => void;
}

function usePages(chat: ChatInfo, kinds: readonly SearchKind[]): Paged {
  const [gallery, setGallery] = useState<Read | null>(null);
  const newest = useRef<Read>(UNREAD);
  const turn = useRef(0);
  const take = (reading: Promise<Read>): Promise<void> => {
    const mine = ++turn.current;
    return reading.then((read) => {
      if (mine !== turn.current) return;
      newest.current = read;
      setGallery(read);
    });
  };
  const now = touched.value;
  const isFirst = useRef(true);
  useEffect(() => {
    const timer = setTimeout(() => void take(again(chat.id, kinds, newest.current)).catch(() => undefined), isFirst.current ? 0 : PAUSE_MS);
    isFirst.current = false;
    return () => clearTimeout(timer);
  }, [chat.id, now]);
  return {
    messages: gallery === null ? null : together(gallery),
    hasMore: gallery !== null && hasFurther(gallery),
    more: () => void attempt(take(further(chat.id, newest.current))),
  };
}

const isPhoto = (message: MessageInfo): boolean => !message.deleted && !message.view_once && message.attachments.some((file) => kindOf(file) === "photo");

export function Gallery({ chat }: { chat: ChatInfo }) {
  const pictures = usePages(chat, PHOTOS);
  const others = usePages(chat, REST);
  if (pictures.messages === null || others.messages === null) return null;
  const photos = pictures.messages.filter(isPhoto);
  // A picture that no page shows, or that may be seen once, is a file among the others.
  const hidden = pictures.messages.filter((message) => !isPhoto(message));
  const all = new Map([...others.messages, ...hidden].map((message) => [message.local_id, message]));
  const rest = [...all.values()].filter((message) => message.attachments.length > 0 && !isPhoto(message)).sort((one, other) => other.local_id - one.local_id);
  return (
    <section>
      <h3>{t("details.files")}</h3>
      {photos.length + rest.length === 0 && !pictures.hasMore && !others.hasMore ? <p class="quiet">{t("details.none")}</p> : null}
      <div class="gallery">
        {photos.flatMap((message) =>
          message.attachments
            .filter((file) => kindOf(file) === "photo")
            .map((file) => (
              <button
                key={`${message.local_id}/${file.index}`}
                type="button"
                aria-label={t("file.open", { name: fileWords(file) })}
                onClick={() => show({ sheet: "picture", message, index: file.index })}
              >
                {file.preview === null ? <Icon name="file" /> : <img src={`data:image/jpeg;base64,${file.preview}`} alt="" />}
              </button>
            )),
        )}
      </div>
      {pictures.hasMore ? (
        <Button look="quiet" onClick={pictures.more}>
          {t("gallery.photos.more")}
        </Button>
      ) : null}
      <Kept messages={rest} />
      {others.hasMore ? (
        <Button look="quiet" onClick={others.more}>
          {t("gallery.files.more")}
        </Button>
      ) : null}
    </section>
  );
}
