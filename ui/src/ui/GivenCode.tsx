// A field for a link or code that somebody gave: pasted, typed, or scanned with the camera.

import { useState } from "preact/hooks";
import { explain, t } from "../i18n/index.ts";
import { asFailed } from "../host/socket.ts";
import { Button } from "./Button.tsx";
import { focusHere } from "./focus.ts";
import { Scanner } from "./Scanner.tsx";

interface Props {
  label: string;
  /** What the main button says. */
  action: string;
  /** Takes it. What it throws is shown below the field. */
  take: (given: string) => Promise<void>;
  /** With a button to cancel. */
  onCancel?: () => void;
}

export function GivenCode({ label, action, take, onCancel }: Props) {
  const [given, setGiven] = useState("");
  const [isScanning, setScanning] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const use = async (text: string): Promise<void> => {
    if (text.trim() === "") return;
    setBusy(true);
    setTrouble(null);
    try {
      await take(text.trim());
    } catch (error) {
      const failed = asFailed(error);
      setTrouble(explain(failed.code, failed.message));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void use(given);
      }}
    >
      <label class="field">
        <span>{label}</span>
        <textarea
          ref={focusHere}
          class="link-text"
          rows={4}
          dir="ltr"
          spellcheck={false}
          autocomplete="off"
          value={given}
          aria-invalid={trouble !== null}
          onInput={(event) => setGiven(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            void use(given);
          }}
        />
      </label>
      <p class="trouble-text" role="alert">
        {trouble}
      </p>
      {isScanning ? (
        <Scanner
          found={(text) => {
            setScanning(false);
            setGiven(text);
            void use(text);
          }}
        />
      ) : null}
      <div class="row end">
        {onCancel === undefined ? null : (
          <Button look="quiet" onClick={onCancel}>
            {t("cancel")}
          </Button>
        )}
        {isScanning ? null : (
          <Button icon="qr" onClick={() => setScanning(true)}>
            {t("add.scan")}
          </Button>
        )}
        <Button look="main" submit disabled={isBusy || given.trim() === ""}>
          {action}
        </Button>
      </div>
    </form>
  );
}
