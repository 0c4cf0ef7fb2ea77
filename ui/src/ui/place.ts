// Places as numbers: what a person types, and what is shown of them. No map and no service is asked.

import type { Location } from "../../../crates/app/bindings/rpc.ts";
import { t } from "../i18n/index.ts";

const NUMBER = String.raw`([+-]?\d{1,3}(?:\.\d{1,12})?)`;
const TYPED = new RegExp(`^(?:geo:)?\\s*${NUMBER}\\s*[,;\\s]\\s*${NUMBER}$`, "i");

/** `52.3702, 4.8952`; null for anything else, and for what is not on the earth. */
export function readPlace(typed: string): Location | null {
  const found = TYPED.exec(typed.trim());
  if (found === null) return null;
  const latitude = Number(found[1]);
  const longitude = Number(found[2]);
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null;
}

export function placeWords(place: Location): string {
  const words = `${place.latitude}, ${place.longitude}`;
  const metres = place.accuracy_m;
  return metres === undefined || metres === null ? words : `${words} (${t("place.within", { metres: Math.round(metres) })})`;
}
