/**
 * The version of this package.
 */
import { readFileSync } from 'node:fs';

/** As package.json names it, which is found above this file, in the sources as in the build. */
export function packageVersion(): string {
  for (const up of ['../..', '../../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // The other one, then.
    }
  }
  return 'unknown';
}
