// A picture that was chosen and is not the account's yet, because there is none yet.

import { tell } from "../state/notices.ts";
import { chosenPicture } from "../state/pictures.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";
import { PickPicture } from "./PickPicture.tsx";

export function ChosenPicture({ picture, onChange }: { picture: string | null; onChange: (picture: string | null) => void }) {
  return (
    <div class="row">
      {picture === null ? null : (
        <span class="avatar" aria-hidden="true">
          <img src={`data:image/jpeg;base64,${picture}`} alt="" />
        </span>
      )}
      <PickPicture onPicked={(file) => void chosenPicture(file).then(onChange, () => tell(t("profile.unreadable")))} />
      {picture === null ? null : (
        <Button look="quiet" icon="trash" onClick={() => onChange(null)}>
          {t("profile.no_picture")}
        </Button>
      )}
    </div>
  );
}
