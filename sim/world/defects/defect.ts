/**
 * What a deliberate defect is: a change of a source's text, why it is one, and how soon it must be found. Knows nothing of
 * how it is built in or looked for.
 */

/** One change of one file. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Defect {
  /** Kebab-case, and the only one of its name. */
  readonly name: string;
  /** What of the standard it breaks; or of docs/architecture.md or docs/broker.md where the standard leaves it to us. */
  readonly clause: string;
  /** What goes wrong with it. */
  readonly why: string;
  /** Several where one alone would change nothing, because two places see to the same thing. */
  readonly edits: readonly Edit[];
  /** The rules of the world's checkers that may find it. */
  readonly rules: readonly string[];
  /** Seeds, from 1 on, within which it must be found. */
  readonly seedsMax: number;
}

/** `text` with the change made. Throws an Error unless `find` stands in it exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${file} holds ${count} times, not once: ${find}`);
  return text.replace(find, () => replace);
}
