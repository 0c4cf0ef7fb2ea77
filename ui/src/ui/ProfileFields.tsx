// What others see of this account: its picture and its name, changed where they are shown.

import { useState } from "preact/hooks";
import { account } from "../state/app.ts";
import { attempt, tell } from "../state/notices.ts";
import { chosenPicture, pictureOf, setName, setPicture } from "../state/pictures.ts";
import { t } from "../i18n/index.ts";
import { Avatar } from "./Avatar.tsx";
import { Button, IconButton } from "./Button.tsx";
import { NameForm } from "./NameForm.tsx";
import { Named } from "./Named.tsx";
import { PickPicture } from "./PickPicture.tsx";

export function ProfileFields() {
  const [isNaming, setNaming] = useState(false);
  const me = account.value;
  if (me === null) return null;
  const told = (): void => tell(t("profile.told"));
  const give = (picture: string): void => {
    void attempt(setPicture(picture).then(told));
  };
  return (
    <>
      <Avatar id={me.account_id} name={me.name} size="large" />
      {isNaming ? (
        <NameForm label={t("onboarding.name.label")} name={me.name} save={(name) => setName(name).then(told)} onEnd={() => setNaming(false)} />
      ) : (
        <h3>
          <Named name={me.name} />
          <IconButton icon="edit" label={t("profile.rename")} onClick={() => setNaming(true)} />
        </h3>
      )}
      <p class="quiet">{t("profile.text")}</p>
      <div class="row">
        <PickPicture onPicked={(file) => void chosenPicture(file).then(give, () => tell(t("profile.unreadable")))} />
        {pictureOf(me.account_id) === null ? null : (
          <Button look="quiet" icon="trash" onClick={() => give("")}>
            {t("profile.no_picture")}
          </Button>
        )}
      </div>
    </>
  );
}
