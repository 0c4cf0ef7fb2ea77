// A new contact: one's own link to give away, or somebody else's to use.

import { useEffect, useRef, useState } from "preact/hooks";
import type { LinkInfo } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";
import { readChats } from "../state/chats.ts";
import { attempt, tell } from "../state/notices.ts";
import { choose, hide } from "../state/view.ts";
import { explain, t } from "../i18n/index.ts";
import { asFailed } from "../host/socket.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { GivenCode } from "./GivenCode.tsx";
import { plainName } from "./Named.tsx";
import { QrCode } from "./QrCode.tsx";

/** How many people may come by a link for several. */
const SEVERAL = 10;

export function AddSheet() {
  const [side, setSide] = useState<"show" | "paste">("show");
  const tabs = [
    ["show", t("add.show")],
    ["paste", t("add.paste")],
  ] as const;
  return (
    <Dialog title={t("add.title")}>
      <div
        class="tabs"
        role="tablist"
        onKeyDown={(event) => {
          if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
          const next = side === "show" ? "paste" : "show";
          setSide(next);
          document.getElementById(`tab-${next}`)?.focus();
        }}
      >
        {tabs.map(([one, label]) => (
          <button
            key={one}
            id={`tab-${one}`}
            type="button"
            role="tab"
            aria-selected={side === one}
            aria-controls={`panel-${one}`}
            tabIndex={side === one ? 0 : -1}
            onClick={() => setSide(one)}
          >
            {label}
          </button>
        ))}
      </div>
      <div id={`panel-${side}`} role="tabpanel" aria-labelledby={`tab-${side}`}>
        {side === "show" ? <OwnLink /> : <GivenLink />}
      </div>
    </Dialog>
  );
}

function OwnLink() {
  const [link, setLink] = useState<(LinkInfo & { isForSeveral: boolean }) | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isForSeveral, setForSeveral] = useState(false);
  // Always a new one: whoever saw the one before may be using it at this moment.
  const turn = useRef(0);
  const make = (): void => {
    // Of several that are being made the last counts, whichever comes first.
    const mine = ++turn.current;
    const isMine = (): boolean => mine === turn.current;
    setLink(null);
    setTrouble(null);
    call("links.create", isForSeveral ? { uses: SEVERAL } : {}).then(
      (link) => {
        if (isMine()) setLink({ ...link, isForSeveral });
      },
      (error: unknown) => {
        const failed = asFailed(error);
        if (isMine()) setTrouble(explain(failed.code, failed.message));
      },
    );
  };
  useEffect(make, [isForSeveral]);
  if (trouble !== null) {
    return (
      <>
        <p class="trouble-text" role="alert">
          {trouble}
        </p>
        <Button onClick={make}>{t("try_again")}</Button>
      </>
    );
  }
  // The other sort's link is never shown as this one.
  if (link === null || link.isForSeveral !== isForSeveral) return <p role="status">{t("add.making")}</p>;
  return (
    <>
      <p>{isForSeveral ? t("add.several.text", { count: SEVERAL }) : t("add.show.text")}</p>
      <QrCode content={{ text: link.uri }} label={t("add.qr")} />
      <label class="field">
        <span>{t("add.link")}</span>
        <textarea class="link-text" readOnly autocomplete="off" rows={4} dir="ltr" value={link.uri} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <label class="check">
        <input type="checkbox" checked={isForSeveral} onChange={(event) => setForSeveral(event.currentTarget.checked)} /> {t("add.several")}
      </label>
      <div class="row end">
        <Button look="quiet" onClick={make}>
          {t("add.new")}
        </Button>
        <Button look="main" icon="copy" onClick={() => void attempt(navigator.clipboard.writeText(link.uri).then(() => tell(t("copied"))))}>
          {t("add.copy")}
        </Button>
      </div>
    </>
  );
}

function GivenLink() {
  const take = async (link: string): Promise<void> => {
    if (link.toLowerCase().startsWith("undertone:g:")) {
      const joined = await call("groups.join", { link });
      tell(t(`join.${joined.state}`));
      hide();
      if (joined.chat !== null) {
        await readChats();
        choose(joined.chat);
      }
      return;
    }
    const { contact, chat } = await call("contacts.add", { link });
    tell(contact === null ? t("add.queued") : t("add.added", { name: plainName(contact.name) }));
    hide();
    if (chat !== null) choose(chat);
  };
  return (
    <>
      <p>{t("add.paste.text")}</p>
      <GivenCode label={t("add.paste.label")} action={t("add.add")} take={take} />
    </>
  );
}
