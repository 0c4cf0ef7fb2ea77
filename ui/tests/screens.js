// Every screen that there is: each has its picture in every look, by `shots.js`, and a test that uses it with the keyboard alone, by
// `unit/keyboard.test.js`.

/** Screens that are seen in every look, by the walk that takes them. */
export const SCREENS = {
  in: [
    "00-code",
    "00-code-wrong",
    "01-welcome",
    "02-server",
    "02-server-proxy",
    "02-name",
    "02-name-picture",
    "03-passphrase",
    "03-passphrase-sentence",
    "04-phrase",
    "05-check",
    "05-kill-code",
    "05-kill-words",
    "06-first-contact",
  ],
  device: ["31-another-device", "32-device-code", "33-words", "36-restore"],
  main: [
    ...["11-conversation-top", "12-conversation", "13-menu", "14-emoji", "15-details", "15-details-gallery", "16-contact", "17-group", "18-group-details"],
    ...["19-add", "19-add-given", "19-add-scan", "20-settings", "20-settings-more", "20-settings-lists", "21-shortcuts", "21-shortcuts-more", "22-search"],
    ...["22-search-filter", "23-group-link", "24-group-rules", "25-devices", "25-devices-wipe", "26-storage", "27-link-device", "28-requests", "29-request"],
    ...["29-record", "30-locked", "30-locked-wrong", "34-protection", "34-protection-duress", "34-protection-kill", "34-protection-wipe", "35-backup"],
    ...["37-share-whom", "37-share-contact", "38-share-place", "39-export", "40-announcement", "41-share-menu", "41-own-timer-menu", "41-composer", "42-forward"],
    ...["43-info", "43-history", "44-delete", "45-camera", "46-chat-menu", "47-new-menu", "47-new-group", "48-date", "49-panic", "50-offline", "51-picture"],
    ...["52-selection", "53-archive", "54-recording", "55-mentions", "56-notes", "57-other-account", "58-add-members"],
  ],
  end: ["59-ended"],
};
/** Of a phone only: beside a conversation on a wide screen there is the list anyway. */
export const PHONE_ONLY = ["10-list"];
