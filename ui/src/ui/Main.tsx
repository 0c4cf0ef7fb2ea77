// The open app: list, conversation and details beside each other where there is room, one at a time where there isn't.

import { useEffect } from "preact/hooks";
import { AddSheet } from "./AddSheet.tsx";
import { BackupSheet } from "./BackupSheet.tsx";
import { CameraSheet } from "./CameraSheet.tsx";
import { ChatList } from "./ChatList.tsx";
import { ContactSheet } from "./ContactSheet.tsx";
import { Conversation } from "./Conversation.tsx";
import { DateSheet } from "./DateSheet.tsx";
import { DeleteSheet } from "./DeleteSheet.tsx";
import { DevicesSheet } from "./DevicesSheet.tsx";
import { Details } from "./Details.tsx";
import { ExportSheet } from "./ExportSheet.tsx";
import { ForwardSheet } from "./ForwardSheet.tsx";
import { GroupSheet } from "./GroupSheet.tsx";
import { InfoSheet } from "./InfoSheet.tsx";
import { Mark } from "./Icon.tsx";
import { PictureSheet } from "./PictureSheet.tsx";
import { ProtectionSheet } from "./ProtectionSheet.tsx";
import { ReportSheet } from "./ReportSheet.tsx";
import { PlaceSheet, ShareContactSheet } from "./ShareSheets.tsx";
import { SettingsSheet } from "./SettingsSheet.tsx";
import { StorageSheet } from "./StorageSheet.tsx";
import { ShortcutSheet } from "./shortcuts.tsx";
import { chosenChat, sheet, showsDetails } from "../state/view.ts";
import { hasJoined } from "../state/app.ts";
import { tell } from "../state/notices.ts";
import { t } from "../i18n/index.ts";

export function Main() {
  useEffect(() => {
    if (!hasJoined.value) return;
    hasJoined.value = false;
    tell(t("joining.done"));
  }, []);
  const chat = chosenChat.value;
  const hasDetails = chat !== null && showsDetails.value;
  return (
    <div class={`panes ${chat === null ? "" : "has-chat"} ${hasDetails ? "has-details" : ""}`}>
      <ChatList />
      {chat === null ? (
        <main class="pane pane-chat nothing">
          <Mark />
          <h2>{t("list.choose")}</h2>
          <p>{t("list.choose.text")}</p>
        </main>
      ) : (
        <Conversation key={chat.id} chat={chat} />
      )}
      {hasDetails ? <Details key={chat.id} chat={chat} /> : null}
      <Front />
    </div>
  );
}

function Front() {
  const front = sheet.value;
  switch (front?.sheet) {
    case undefined:
      return null;
    case "add":
      return <AddSheet />;
    case "group":
      return <GroupSheet />;
    case "settings":
      return <SettingsSheet />;
    case "devices":
      return <DevicesSheet />;
    case "storage":
      return <StorageSheet />;
    case "backup":
      return <BackupSheet />;
    case "export":
      return <ExportSheet chat={front.chat} />;
    case "protection":
      return <ProtectionSheet />;
    case "report":
      return <ReportSheet contact={front.contact} name={front.name} />;
    case "shortcuts":
      return <ShortcutSheet />;
    case "contact":
      return <ContactSheet key={front.contact} id={front.contact} />;
    case "forward":
      return <ForwardSheet messages={front.messages} />;
    case "info":
      return <InfoSheet message={front.message} />;
    case "delete":
      return <DeleteSheet messages={front.messages} />;
    case "camera":
      return <CameraSheet />;
    case "share_contact":
      return <ShareContactSheet />;
    case "place":
      return <PlaceSheet />;
    case "date":
      return <DateSheet />;
    case "picture":
      return <PictureSheet message={front.message} index={front.index} />;
  }
}
