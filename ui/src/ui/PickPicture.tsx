// A button that lets somebody choose a picture from their files.

import { useRef } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

export function PickPicture({ onPicked }: { onPicked: (file: File) => void }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={field}
        type="file"
        accept="image/jpeg,image/png,image/webp,image/gif"
        hidden
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file !== undefined) onPicked(file);
        }}
      />
      <Button icon="camera" onClick={() => field.current?.click()}>
        {t("profile.picture")}
      </Button>
    </>
  );
}
