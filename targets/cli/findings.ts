/**
 * What a check found: the unit that `motemq doctor` prints, and that `motemq flash` looks at before it begins.
 */

/** `ok`, not there, or there and no good. */
export type FindingState = 'ok' | 'missing' | 'wrong';

export interface Finding {
  /** Stable, for programs: `moddable-sdk`. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  readonly state: FindingState;
  /** What was found, in one line. */
  readonly detail: string;
  /** What to do, a line each; none when it is ok. */
  readonly fix: readonly string[];
}

/** Makes findings that share an id and a title. */
export function findingsOf(id: string, title: string) {
  const make =
    (state: FindingState) =>
    (detail: string, ...fix: string[]): Finding => ({ id, title, state, detail, fix });
  return { ok: make('ok'), missing: make('missing'), wrong: make('wrong') };
}

/** Compares dotted versions by their first numbers: negative when `a` is older. What is no number counts as 0. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string): number[] => text.split('.').map((part) => parseInt(part, 10) || 0);
  const [left, right] = [numbers(a), numbers(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first dotted number in a text: what programs say of their version. */
export function versionIn(text: string): string | undefined {
  return /\d+(\.\d+)+/.exec(text)?.[0];
}
