/**
 * What a store in a directory may have against it, each with a stable `code`.
 */

export type StoreErrorCode =
  /** Another broker has the directory open. */
  | 'ERR_STORE_IN_USE'
  /** Something other than a broker's store lies there. */
  | 'ERR_STORE_FOREIGN'
  /** A broker's store, in a format of another version. */
  | 'ERR_STORE_VERSION'
  /** A broker's store, damaged. */
  | 'ERR_STORE_CORRUPT'
  /** The directory or its files cannot be made, opened or read. */
  | 'ERR_STORE_OPEN'
  /** A commit failed: the disk is full, or broken. */
  | 'ERR_STORE_WRITE'
  | 'ERR_STORE_CLOSED';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

/** The text of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
