/**
 * Every test file either runs in an XS machine as well, or says why it does not.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './bundle.ts';
import { IN_XS, NOT_IN_XS } from './core-files.ts';

const RUN: readonly string[] = Object.values(IN_XS).flat();
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .map((path) => `test/${path.split('\\').join('/')}`)
  .filter((path) => path.endsWith('.test.ts'));

function reasonsFor(file: string): string[] {
  return Object.keys(NOT_IN_XS).filter(
    (path) => file === path || (path.endsWith('/') && file.startsWith(path)),
  );
}

describe('test files in XS', () => {
  it('run there, or have a reason why not', () => {
    const timesListed = (file: string): number =>
      RUN.filter((path) => path === file).length + reasonsFor(file).length;
    expect(files.filter((file) => timesListed(file) !== 1)).toEqual([]);
  });

  it('are there', () => {
    for (const path of RUN) expect(files).toContain(path);
    for (const path of Object.keys(NOT_IN_XS)) {
      expect(
        files.some((file) => reasonsFor(file).includes(path)),
        path,
      ).toBe(true);
    }
  });
});
