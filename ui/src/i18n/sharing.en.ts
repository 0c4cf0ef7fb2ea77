// What is shared in a message of its own, and what comes by itself: English. Part of the one table.

import type { Texts } from "./index.ts";

export const sharingEn = {
  "share.more": "Contact or place, timer",
  "share.contact": "Contact card",
  "share.contact.text": "Everybody in this chat sees the name you know this person by, and their account id. Ask them first.",
  "share.contact.link": "A contact link that this person gave you to pass on (can be left out)",
  "share.contact.none": "You have no contacts yet.",
  "share.place": "Place",
  "share.place.text": "Degrees north and east, as maps show them. Neither you nor the others load a map for it.",
  "share.place.label": "Latitude, longitude",
  "share.place.wrong": "Give two numbers, such as 52.3702, 4.8952.",
  "card.of": "Contact card of {name}",
  "card.account": "Account {id}",
  "card.me": "This is you.",
  "card.known": "Your contact {name}",
  "card.unknown": "No contact of yours. Ask them for a contact link if you want to write to them.",
  "card.claim": "The name is what the sender calls this person. Compare the safety number after adding them.",
  "card.add": "Add {name}",
  "place.within": "within {metres} m",
  "downloads.title": "Files that come by themselves",
  "downloads.text": "Larger ones wait until you open them. For this device only. Nothing comes by itself from people you have not accepted.",
  "downloads.free": "Up to",
  "downloads.costs": "On a metered network, up to",
  "downloads.metered": "This network is metered",
  "downloads.metered.text": "Pictures that come into view wait as well, unless they are within its limit.",
  "downloads.none": "None",
} as const satisfies Texts;
