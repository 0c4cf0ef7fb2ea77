import type { sharingEn } from "./sharing.en.ts";
import type { Text } from "./index.ts";

export const sharingNl: Readonly<Record<keyof typeof sharingEn, Text>> = {
  "share.more": "Contact of plaats, timer",
  "share.contact": "Contactkaart",
  "share.contact.text": "Iedereen in deze chat ziet de naam waaronder je deze persoon kent, en de account-id. Vraag het eerst.",
  "share.contact.link": "Een contactlink die deze persoon je gaf om door te geven (mag ontbreken)",
  "share.contact.none": "Je hebt nog geen contacten.",
  "share.place": "Plaats",
  "share.place.text": "Graden noord en oost, zoals kaarten ze tonen. Jij noch de anderen laden er een kaart voor.",
  "share.place.label": "Breedte, lengte",
  "share.place.wrong": "Geef twee getallen, zoals 52.3702, 4.8952.",
  "card.of": "Contactkaart van {name}",
  "card.account": "Account {id}",
  "card.me": "Dit ben jij.",
  "card.known": "Je contact {name}",
  "card.unknown": "Geen contact van jou. Vraag om een contactlink als je wilt schrijven.",
  "card.claim": "De naam is hoe de afzender deze persoon noemt. Vergelijk het veiligheidsnummer na het toevoegen.",
  "card.add": "{name} toevoegen",
  "place.within": "binnen {metres} m",
  "downloads.title": "Bestanden die vanzelf komen",
  "downloads.text": "Grotere wachten tot je ze opent. Alleen voor dit apparaat. Van mensen die je niet hebt aanvaard komt niets vanzelf.",
  "downloads.free": "Tot",
  "downloads.costs": "Op een netwerk met datalimiet, tot",
  "downloads.metered": "Dit netwerk heeft een datalimiet",
  "downloads.metered.text": "Ook foto’s die in beeld komen wachten, behalve binnen die grens.",
  "downloads.none": "Geen",
};
