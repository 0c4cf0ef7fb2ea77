import type { sharingEn } from "./sharing.en.ts";
import type { Text } from "./index.ts";

export const sharingEs: Readonly<Record<keyof typeof sharingEn, Text>> = {
  "share.more": "Contacto o lugar, temporizador",
  "share.contact": "Tarjeta de contacto",
  "share.contact.text": "Todos en este chat ven el nombre por el que conoces a esta persona y el identificador de su cuenta. Pregúntale antes.",
  "share.contact.link": "Un enlace de contacto que esta persona te dio para pasarlo (se puede omitir)",
  "share.contact.none": "Todavía no tienes contactos.",
  "share.place": "Lugar",
  "share.place.text": "Grados norte y este, como los muestran los mapas. Ni tú ni los demás cargáis un mapa.",
  "share.place.label": "Latitud, longitud",
  "share.place.wrong": "Escribe dos números, por ejemplo 52.3702, 4.8952.",
  "card.of": "Tarjeta de contacto de {name}",
  "card.account": "Cuenta {id}",
  "card.me": "Eres tú.",
  "card.known": "Tu contacto {name}",
  "card.unknown": "No es un contacto tuyo. Pídele un enlace de contacto si quieres escribirle.",
  "card.claim": "El nombre es el que usa quien lo envía. Compara el número de seguridad después de añadirla.",
  "card.add": "Añadir a {name}",
  "place.within": "con {metres} m de margen",
  "downloads.title": "Archivos que llegan solos",
  "downloads.text": "Los mayores esperan a que los abras. Solo en este dispositivo. Nada llega solo de quienes no has aceptado.",
  "downloads.free": "Hasta",
  "downloads.costs": "En una red de uso medido, hasta",
  "downloads.metered": "Esta red es de uso medido",
  "downloads.metered.text": "Las imágenes a la vista también esperan, salvo dentro de ese límite.",
  "downloads.none": "Ninguno",
};
