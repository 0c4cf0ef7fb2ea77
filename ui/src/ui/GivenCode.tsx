// A link or code that somebody gave: pasted, typed, or scanned with the camera.

import { useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { ActForm } from "./ActForm.tsx";
import { Button } from "./Button.tsx";
import { CodeField } from "./CodeField.tsx";
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
  const newest = useRef("");
  const change = (text: string): void => {
    newest.current = text;
    setGiven(text);
  };
  return (
    <ActForm
      action={action}
      isReady={given.trim() !== ""}
      act={async () => {
        const text = newest.current.trim();
        if (text !== "") await take(text);
      }}
      {...(onCancel === undefined ? {} : { onCancel })}
      more={
        isScanning ? null : (
          <Button icon="qr" onClick={() => setScanning(true)}>
            {t("add.scan")}
          </Button>
        )
      }
    >
      {({ isWrong, submit }) => (
        <>
          <CodeField label={label} value={given} isWrong={isWrong} onChange={change} onEnter={submit} />
          {isScanning ? (
            <Scanner
              found={(text) => {
                setScanning(false);
                change(text);
                submit();
              }}
            />
          ) : null}
        </>
      )}
    </ActForm>
  );
}
