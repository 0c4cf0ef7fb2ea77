// Drawings of one stroke, in the colour of the text beside them.

const PATHS = {
  add: "M12 5v14M5 12h14",
  archive: "M4 7h16M5 7l1 12h12l1-12M9.5 11h5M6 4h12l2 3H4z",
  attach: "M20 11.5l-8.2 8.2a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.6 17.3a1.6 1.6 0 0 1-2.3-2.3l7.6-7.6",
  back: "M15 5l-7 7 7 7",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 20.5a2 2 0 0 0 4 0",
  block: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM6 6l12 12",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2.5 12.5L7 17l9-9.5M11.5 16l1 1 9-9.5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 2",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  down: "M6 9.5l6 6 6-6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  edit: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  emoji: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM8.5 14.5c1.8 2.4 5.2 2.4 7 0M9 9.5v.6M15 9.5v.6",
  file: "M7 3.5h7l4 4v13H7zM14 3.5v4h4",
  forward: "M14 6l6 5.5-6 5.5v-3.5C8 13.500 5.500 15.500 4 19c.2-6 3.500-9.500 10-9.500z",
  group: "M9 11a3.2 3.2 0 1 0 0-6.400 3.200 3.200 0 0 0 0 6.400zM3 19c.5-4 3-5.500 6-5.500s5.500 1.500 6 5.500M16 5a3 3 0 0 1 0 5.800M17.500 14c2 .6 3.200 2.200 3.500 5",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5.500M12 7.500v.6",
  keyboard: "M3.500 7h17v10h-17zM7 10.500h.01M10.500 10.500h.01M14 10.500h.01M17.200 10.500h.01M8 14h8",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  menu: "M12 5.500v.01M12 12v.01M12 18.500v.01",
  microphone: "M12 4a2.800 2.800 0 0 0-2.800 2.800v4.700a2.800 2.800 0 0 0 5.600 0V6.800A2.800 2.800 0 0 0 12 4zM6 11.500a6 6 0 0 0 12 0M12 17.500V21",
  mute: "M6 17V11c0-1 .2-2 .7-2.800M9 5.800A6 6 0 0 1 18 11v4M4.500 18.500H18M10 20.500a2 2 0 0 0 4 0M4 4l16 16",
  notes: "M6 4h12v16l-3-2-3 2-3-2-3 2zM9 9h6M9 13h6",
  pause: "M8.500 5.500v13M15.500 5.500v13",
  person: "M12 11.500a3.700 3.700 0 1 0 0-7.400 3.700 3.700 0 0 0 0 7.400zM4.500 20c.6-4.500 3.700-6.200 7.500-6.200s6.900 1.700 7.500 6.200",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
  play: "M8 5.500l10 6.500-10 6.500z",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.500v2.500H14zM17.500 17.500H20V20h-2.500z",
  reply: "M10 6l-6 5.500L10 17v-3.500c6 0 8.500 2 10 5.500-.2-6-3.500-9.500-10-9.500z",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.500 15.500L20 20",
  send: "M4.500 12L3.500 4.500 21 12 3.500 19.500zM4.500 12H12",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h9M17 17h3M15 5.200v3.600M9 10.200v3.600M15 15.200v3.600",
  shield: "M12 3.500l7 2.500v5c0 4.500-3 7.800-7 9.500-4-1.700-7-5-7-9.500V6zM9 12l2.200 2.200L15.200 10",
  timer: "M12 7a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM12 10.500V14M9.500 3.500h5M12 3.500V7",
  trash: "M5 7h14M9.500 7V4.500h5V7M7 7l.8 13h8.400L17 7M10.500 11v5.500M13.500 11v5.500",
  trouble: "M12 4.500L21 20H3zM12 10.500v4.500M12 17.500v.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, flips = false }: { name: IconName; flips?: boolean }) {
  return (
    <svg class={flips ? "icon flips" : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a voice above, its undertone below. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
      <path class="mark-voice" d="M18 14v15a14 14 0 0 0 28 0V14" />
      <path class="mark-tone" d="M16 52q4-5 8 0t8 0 8 0 8 0" />
    </svg>
  );
}
