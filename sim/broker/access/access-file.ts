/**
 * What files of users and of rights have in common: lines of UTF-8, comments, and errors that name file and line. Knows
 * nothing of what a line says.
 */
import { readFile } from 'node:fs/promises';

/** A file that cannot be used. Its message begins with the file, and the line where there is one. */
export class AccessFileError extends Error {
  override name = 'AccessFileError';
  readonly file: string;
  /** From 1; 0 when it is not about a line. */
  readonly line: number;

  constructor(file: string, line: number, text: string, cause?: unknown) {
    super(`${file}${line === 0 ? '' : `:${line}`}: ${text}`, cause === undefined ? undefined : { cause });
    this.file = file;
    this.line = line;
  }
}

/** A line that says something, without the blanks around it. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/** The lines of `text` that are neither blank nor comments: those begin with `#`. */
export function meaningfulLines(text: string): Line[] {
  return text
    .split('\n')
    .map((line, index) => ({ number: index + 1, text: line.trim() }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));
}

/** The text of a file. Rejects with an AccessFileError when it cannot be read, or is not UTF-8. */
export async function readAccessFile(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new AccessFileError(file, 0, `cannot be read: ${(error as NodeJS.ErrnoException).code}`, error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AccessFileError(file, 0, 'is not UTF-8', error);
  }
}
