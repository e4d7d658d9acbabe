/**
 * Firmware files for tests, written where nothing of this repository is: what they import must be found all the same.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class FirmwareFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'motemq-firmware-'));

  /** Writes a file; returns its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** A file whose default export is defined by these fields. */
  define(name: string, fields: string, more = ''): string {
    return this.write(
      name,
      `import { badArguments, defineDevice } from 'motemq/device';\nexport default defineDevice({ ${fields} });\n${more}`,
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A metric that is read often, and told each time. */
export const BUSY =
  "id: 'busy', metrics: { t: { everyMs: 50, digits: 2, read: (board) => board.temperature() } }";
