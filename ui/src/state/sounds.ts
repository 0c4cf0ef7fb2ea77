// A short tone for what comes, if that was wanted. It is made here: nothing is loaded, and nothing is heard before somebody turned it on.

import { onEvent } from "./app.ts";
import { chats, isMuted } from "./chats.ts";
import { sounds } from "./preferences.ts";

const HERTZ = [523.25, 659.25] as const;
const LOUDNESS = 0.12;
const LENGTH_S = 0.16;
/** Many messages at once are one tone. */
const PAUSE_MS = 1500;

let last = 0;

export function play(): void {
  const now = Date.now();
  if (now - last < PAUSE_MS) return;
  last = now;
  const context = new AudioContext();
  HERTZ.forEach((hertz, index) => {
    const begins = context.currentTime + index * LENGTH_S;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, begins);
    volume.gain.linearRampToValueAtTime(LOUDNESS, begins + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, begins + LENGTH_S);
    tone.connect(volume).connect(context.destination);
    tone.start(begins);
    tone.stop(begins + LENGTH_S);
    if (index === HERTZ.length - 1) tone.onended = () => void context.close();
  });
}

onEvent((event) => {
  if (event.event !== "message" || event.message.mine || event.message.kind !== "message" || !sounds.value) return;
  const chat = chats.value.get(event.chat);
  if (chat === undefined || !isMuted(chat)) play();
});
