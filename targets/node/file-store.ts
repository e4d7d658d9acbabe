/**
 * A session store in one file: the log of log-store.ts on Node's file system. One process owns the file at a time.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { LogStore } from './log-store.ts';
import type { LogFiles } from './log-store.ts';

export interface FileStoreOptions {
  /**
   * Whether what is put has reached the disk when `put` returns; default true: survives a power cut. False: survives
   * the end of the process only, and is much faster.
   */
  fsync?: boolean | undefined;
}

export class FileStore extends LogStore {
  readonly file: string;

  /** Opens or makes `file`; its folder must be there. A torn end, as a power cut leaves it, is cut off. */
  constructor(file: string, options: FileStoreOptions = {}) {
    const absolute = path.resolve(file);
    super(nodeFiles(absolute), options.fsync !== false);
    this.file = absolute;
  }
}

/** The log `file` and, beside it, the new one that takes its place. */
export function nodeFiles(file: string): LogFiles {
  const temporary = file + '.new';
  const { O_RDWR, O_CREAT, O_TRUNC } = fs.constants;
  return {
    open: (isNew) =>
      isNew
        ? fs.openSync(temporary, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        : fs.openSync(file, O_RDWR | O_CREAT, 0o600),
    read: (descriptor) => fs.readFileSync(descriptor),
    write: (descriptor, bytes, position) => {
      for (let written = 0; written < bytes.length;) {
        written += fs.writeSync(descriptor, bytes, written, bytes.length - written, position + written);
      }
    },
    truncate: (descriptor, byteLength) => fs.ftruncateSync(descriptor, byteLength),
    sync: (descriptor) => fs.fdatasyncSync(descriptor),
    close: (descriptor) => fs.closeSync(descriptor),
    replace: () => fs.renameSync(temporary, file),
    syncNames: () => {
      const folder = fs.openSync(path.dirname(file), 'r');
      try {
        fs.fsyncSync(folder);
      } finally {
        fs.closeSync(folder);
      }
    },
    discard: () => fs.rmSync(temporary, { force: true }),
  };
}
