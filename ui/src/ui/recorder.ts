// Records a voice message: the browser encodes it, its loudness is measured meanwhile, since the program that encrypts it has no decoder.

import type { Memo } from "../state/uploads.ts";

/** The first that the browser records is taken. Those with a length in them come first. */
const KINDS = [
  ["audio/mp4;codecs=opus", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/webm;codecs=opus", "webm"],
] as const;
const LOOK_MS = 50;
const SAMPLES = 100;
export const SHORTEST_MS = 500;
/** A browser that can't say how long its own recording is may never answer. */
const PATIENCE_MS = 3000;

export interface Recorded {
  blob: Blob;
  name: string;
  memo: Memo;
}

/** How long a recording plays, milliseconds: less than the microphone was held, by what the encoder took to begin. Null if it doesn't say. */
function lengthOf(recorded: Blob): Promise<number | null> {
  const audio = new Audio();
  const url = URL.createObjectURL(recorded);
  return new Promise<number | null>((resolve) => {
    setTimeout(() => resolve(null), PATIENCE_MS);
    audio.onerror = () => resolve(null);
    audio.onloadedmetadata = () => resolve(Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration * 1000 : null);
    audio.preload = "metadata";
    audio.src = url;
  }).finally(() => {
    audio.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}

export class Recorder {
  #stream: MediaStream;
  #recorder: MediaRecorder;
  #context: AudioContext;
  #timer: number;
  #levels: number[] = [];
  #pieces: Blob[] = [];
  #began = performance.now();
  #extension: string;

  private constructor(stream: MediaStream, kind: string, extension: string, level: (level: number) => void) {
    this.#stream = stream;
    this.#extension = extension;
    this.#recorder = new MediaRecorder(stream, { mimeType: kind, audioBitsPerSecond: 32_000 });
    this.#recorder.ondataavailable = ({ data }) => this.#pieces.push(data);
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const wave = new Float32Array(analyser.fftSize);
    this.#timer = window.setInterval(() => {
      analyser.getFloatTimeDomainData(wave);
      let sum = 0;
      for (const value of wave) sum += value * value;
      const loudness = Math.min(1, Math.sqrt(sum / wave.length) * 3);
      this.#levels.push(loudness);
      level(loudness);
    }, LOOK_MS);
    // In pieces of a second: what grows in one piece, Firefox moves to a file at a megabyte.
    this.#recorder.start(1000);
  }

  static async start(level: (level: number) => void): Promise<Recorder> {
    const kind = KINDS.find(([kind]) => MediaRecorder.isTypeSupported(kind)) ?? (["", "webm"] as const);
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    return new Recorder(stream, kind[0], kind[1], level);
  }

  get ms(): number {
    return performance.now() - this.#began;
  }

  /** Ends; null if it was too short to be meant. */
  async stop(): Promise<Recorded | null> {
    const held_ms = this.ms;
    const ended = new Promise<void>((resolve) => {
      this.#recorder.onstop = () => resolve();
    });
    this.#recorder.stop();
    await ended;
    this.#end();
    if (held_ms < SHORTEST_MS) return null;
    const blob = new Blob(this.#pieces, { type: this.#recorder.mimeType });
    return {
      blob,
      name: `voice.${this.#extension}`,
      memo: { duration_ms: Math.round((await lengthOf(blob)) ?? held_ms), waveform: this.#waveform() },
    };
  }

  cancel(): void {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    this.#end();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#stream.getTracks().forEach((track) => track.stop());
    void this.#context.close();
  }

  #waveform(): number[] {
    const wanted = Math.min(SAMPLES, this.#levels.length);
    return Array.from({ length: wanted }, (_, at) => {
      const from = Math.floor((at * this.#levels.length) / wanted);
      const to = Math.max(from + 1, Math.floor(((at + 1) * this.#levels.length) / wanted));
      return Math.round(255 * Math.max(...this.#levels.slice(from, to)));
    });
  }
}
