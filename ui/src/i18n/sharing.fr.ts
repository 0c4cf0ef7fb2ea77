import type { sharingEn } from "./sharing.en.ts";
import type { Text } from "./index.ts";

export const sharingFr: Readonly<Record<keyof typeof sharingEn, Text>> = {
  "share.more": "Contact ou lieu, minuterie",
  "share.contact": "Fiche de contact",
  "share.contact.text": "Tous les membres de cette conversation voient le nom sous lequel vous connaissez cette personne et l’identifiant de son compte. Demandez-lui d’abord.",
  "share.contact.link": "Un lien de contact que cette personne vous a donné à transmettre (facultatif)",
  "share.contact.none": "Vous n’avez pas encore de contacts.",
  "share.place": "Lieu",
  "share.place.text": "Degrés nord et est, comme les cartes les indiquent. Ni vous ni les autres ne chargez de carte.",
  "share.place.label": "Latitude, longitude",
  "share.place.wrong": "Donnez deux nombres, par exemple 52.3702, 4.8952.",
  "card.of": "Fiche de contact de {name}",
  "card.account": "Compte {id}",
  "card.me": "C’est vous.",
  "card.known": "Votre contact {name}",
  "card.unknown": "Pas un de vos contacts. Demandez-lui un lien de contact pour lui écrire.",
  "card.claim": "Le nom est celui que l’expéditeur donne à cette personne. Comparez le numéro de sécurité après l’avoir ajoutée.",
  "card.add": "Ajouter {name}",
  "place.within": "à {metres} m près",
  "downloads.title": "Fichiers qui arrivent d’eux-mêmes",
  "downloads.text": "Les plus gros attendent que vous les ouvriez. Pour cet appareil seulement. Rien n’arrive de personnes que vous n’avez pas acceptées.",
  "downloads.free": "Jusqu’à",
  "downloads.costs": "Sur un réseau facturé au volume, jusqu’à",
  "downloads.metered": "Ce réseau est facturé au volume",
  "downloads.metered.text": "Les images visibles attendent aussi, sauf dans cette limite.",
  "downloads.none": "Aucun",
};
