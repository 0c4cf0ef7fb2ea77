// Days as a date field gives them ("2026-11-23"), and the moments at which they begin here.

function moment(day: string, later: number): number | null {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (found === null) return null;
  const [year, month, date] = found.slice(1).map(Number);
  const ms = new Date(year ?? 0, (month ?? 1) - 1, (date ?? 1) + later).getTime();
  return Number.isNaN(ms) ? null : ms;
}

/** When a day begins, Unix milliseconds; null if it is none. */
export const dayStart = (day: string): number | null => moment(day, 0);

/** When it is over. A day may have 23 or 25 hours. */
export const dayEnd = (day: string): number | null => moment(day, 1);

/** The day of a moment. */
export function dayOf(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
