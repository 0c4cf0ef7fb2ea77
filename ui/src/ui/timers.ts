/** Seconds that messages can be given: off, 30 seconds, 5 minutes, 1 hour, 8 hours, a day, a week, four weeks. */
export const TIMERS = [0, 30, 300, 3600, 28_800, 86_400, 604_800, 2_419_200] as const;

/** The same and a shorter one: what is chosen for a single message is often for somebody who is reading at this moment. */
export const OWN_TIMERS = [0, 5, ...TIMERS.slice(1)] as const;
