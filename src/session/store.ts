/**
 * What a session needs of a place that survives power loss. Small records under a kind and a number; no order, no
 * transactions: the session writes them in an order in which every prefix is a state it can go on from.
 */

/** An accepted QoS 1 or 2 message; the number is its ticket, the bytes an outbox record. */
export const STORED_MESSAGE = 1;
/**
 * How far a message came; the number is its ticket. Three bytes: packet identifier, and 1 once the server has it
 * (PUBREC) and only PUBREL and PUBCOMP are left. A message without this record was never sent.
 */
export const STORED_PROGRESS = 2;
/** A received QoS 2 packet identifier that must not be delivered again; no bytes. */
export const STORED_RECEIVED = 3;

/** Where a session keeps what must not be lost. Calls come from within `publish` and `poll`, and are answered at once. */
export interface SessionStore {
  /**
   * Keeps `bytes[at]` up to `at + byteLength` under `kind` and `number`, replacing what was there. True once it would
   * survive whatever this store promises to survive; false when it cannot, and then nothing has changed.
   */
  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean;
  /**
   * Forgets it, in order with everything else asked of the store. False when it cannot now: then it is forgotten before
   * anything else is changed, or when it is asked for once more. True for STORED_RECEIVED means as lasting as `put`: the
   * server may use the packet identifier for another message, so the session asks until it is true.
   */
  remove(kind: number, number: number): boolean;
}

/** A store that can also say what it holds: what a restart needs. The session itself never reads. */
export interface PersistentStore extends SessionStore {
  /**
   * Shows everything that is kept: by kind, and within a kind by number, both ascending. `bytes` may be looked at until
   * `visit` returns. For who restores a session; the session itself never reads.
   */
  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void;
}
