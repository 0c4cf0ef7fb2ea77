import type { sharingEn } from "./sharing.en.ts";
import type { Text } from "./index.ts";

export const sharingDe: Readonly<Record<keyof typeof sharingEn, Text>> = {
  "share.more": "Kontakt oder Ort, Timer",
  "share.contact": "Kontaktkarte",
  "share.contact.text": "Alle in diesem Chat sehen den Namen, unter dem du diese Person kennst, und ihre Kontokennung. Frag sie vorher.",
  "share.contact.link": "Ein Kontaktlink, den diese Person dir zum Weitergeben gegeben hat (kann fehlen)",
  "share.contact.none": "Du hast noch keine Kontakte.",
  "share.place": "Ort",
  "share.place.text": "Grad nördlich und östlich, wie Karten sie zeigen. Weder du noch die anderen laden dafür eine Karte.",
  "share.place.label": "Breite, Länge",
  "share.place.wrong": "Gib zwei Zahlen an, etwa 52.3702, 4.8952.",
  "card.of": "Kontaktkarte von {name}",
  "card.account": "Konto {id}",
  "card.me": "Das bist du.",
  "card.known": "Dein Kontakt {name}",
  "card.unknown": "Kein Kontakt von dir. Bitte die Person um einen Kontaktlink, wenn du ihr schreiben willst.",
  "card.claim": "Der Name ist, wie die absendende Person sie nennt. Vergleiche nach dem Hinzufügen die Sicherheitsnummer.",
  "card.add": "{name} hinzufügen",
  "place.within": "auf {metres} m genau",
  "downloads.title": "Dateien, die von selbst kommen",
  "downloads.text": "Größere warten, bis du sie öffnest. Nur für dieses Gerät. Von Leuten, die du nicht angenommen hast, kommt nichts von selbst.",
  "downloads.free": "Bis zu",
  "downloads.costs": "In einem Netz mit Datenlimit, bis zu",
  "downloads.metered": "Dieses Netz hat ein Datenlimit",
  "downloads.metered.text": "Auch Bilder, die ins Blickfeld kommen, warten dann, außer innerhalb dieser Grenze.",
  "downloads.none": "Keine",
};
