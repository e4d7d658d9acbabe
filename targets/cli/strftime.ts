/**
 * What C's strftime does in the C locale and this machine's time zone, one conversion at a time, as far as JavaScript
 * knows time zones. Knows nothing of messages.
 */

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_MS = 86_400_000;

function pad(value: number, width: number, filler = '0'): string {
  return String(value).padStart(width, filler);
}

/** Whole days since 1 January of the date's year, which is day 0. */
function dayOfYear(date: Date): number {
  const year = date.getFullYear();
  // In UTC, where every day has 24 hours.
  return Math.round((Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 1)) / DAY_MS);
}

/** Monday is 1 and Sunday 7. */
function isoWeekday(date: Date): number {
  return date.getDay() || 7;
}

/** The year to which the date's ISO 8601 week belongs, and that week's number. */
function isoWeek(date: Date): { year: number; week: number } {
  // A week belongs to the year that its Thursday is in.
  const day = date.getDate() + 4 - isoWeekday(date);
  const thursday = new Date(date.getFullYear(), date.getMonth(), day);
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

/** `+0100`. */
export function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}${pad(size % 60, 2)}`;
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

/** 1 to 12. */
function hour12(date: Date): number {
  return date.getHours() % 12 || 12;
}

const CONVERSIONS: Record<string, (date: Date) => string> = {
  a: (date) => WEEKDAYS[date.getDay()].slice(0, 3),
  A: (date) => WEEKDAYS[date.getDay()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  B: (date) => MONTHS[date.getMonth()],
  c: (date) => all('a b e T Y', date),
  C: (date) => pad(Math.floor(date.getFullYear() / 100), 2),
  d: (date) => pad(date.getDate(), 2),
  D: (date) => all('m/d/y', date),
  e: (date) => pad(date.getDate(), 2, ' '),
  F: (date) => all('Y-m-d', date),
  g: (date) => pad(isoWeek(date).year % 100, 2),
  G: (date) => String(isoWeek(date).year),
  h: (date) => strftime('b', date),
  H: (date) => pad(date.getHours(), 2),
  I: (date) => pad(hour12(date), 2),
  j: (date) => pad(dayOfYear(date) + 1, 3),
  k: (date) => pad(date.getHours(), 2, ' '),
  l: (date) => pad(hour12(date), 2, ' '),
  m: (date) => pad(date.getMonth() + 1, 2),
  M: (date) => pad(date.getMinutes(), 2),
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: (date) => (date.getHours() < 12 ? 'am' : 'pm'),
  r: (date) => all('I:M:S p', date),
  R: (date) => all('H:M', date),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  S: (date) => pad(date.getSeconds(), 2),
  t: () => '\t',
  T: (date) => all('H:M:S', date),
  u: (date) => String(isoWeekday(date)),
  U: (date) => pad(Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), 2),
  V: (date) => pad(isoWeek(date).week, 2),
  w: (date) => String(date.getDay()),
  W: (date) => pad(Math.floor((dayOfYear(date) + 8 - isoWeekday(date)) / 7), 2),
  x: (date) => all('m/d/y', date),
  X: (date) => all('H:M:S', date),
  y: (date) => pad(date.getFullYear() % 100, 2),
  Y: (date) => String(date.getFullYear()),
  z: zoneOffset,
  Z: zoneName,
  '%': () => '%',
};

/** Every letter of `pattern` converted, the rest as it is. */
function all(pattern: string, date: Date): string {
  return pattern.replace(/[a-z]/gi, (letter) => strftime(letter, date));
}

/** What `%X` becomes for one character X; what is no conversion stays as it is, `%` included. */
export function strftime(conversion: string, date: Date): string {
  return Object.hasOwn(CONVERSIONS, conversion) ? CONVERSIONS[conversion](date) : `%${conversion}`;
}
