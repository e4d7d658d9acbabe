/**
 * Topic handles and Topic Aliases (3.3.2.3.4), both directions. Aliases belong to one Network Connection
 * [MQTT-3.3.2-7]; handles to the session.
 */
import { ALIASED_HEAD_BYTES, ALIASED_PAYLOAD_BYTES_MAX, writeAliasedHead } from '../packets/publish.ts';
import { writeTwoBytes } from '../packets/fields.ts';
import { NO_BYTES, copyRange } from '../wire/bytes.ts';

/** A Topic Name encoded once. Its alias comes and goes with connections. */
export class TopicHandle {
  /** UTF-8, the session's. */
  bytes: Uint8Array;
  /** Index in the session's handles. */
  index: number;
  /** The alias the server knows it by on this connection, 0 for none. */
  alias: number;
  /** Whether a PUBLISH may go the short way, which leaves no trace, beginning with `head`; see writeAliasedHead. */
  isShort: boolean;
  head: Uint8Array;
  /** When its alias was last used, in publishes with an alias; of the short way nothing is known. */
  lastUse: number;

  constructor(bytes: Uint8Array, index: number) {
    this.bytes = bytes;
    this.index = index;
    this.alias = 0;
    this.isShort = false;
    this.head = NO_BYTES;
    this.lastUse = 0;
  }

  forgetAlias(): void {
    this.alias = 0;
    this.isShort = false;
  }
}

/** Outgoing aliases: given to handles as they are used, the least recently used one replaced when all are given. */
export class OutgoingAliases {
  handles: TopicHandle[];
  /** By alias - 1: the handle it stands for. */
  owners: (TopicHandle | null)[];
  /** Aliases this side uses at most. */
  aliasesMax: number;
  /** Aliases that may be used on this connection: the lesser of `aliasesMax` and the server's maximum. */
  available: number;
  given: number;
  /** Whether the server takes packets of any length that the short way makes. */
  isShortAllowed: boolean;
  /** Publishes with an alias, which orders them by age. */
  useCount: number;

  constructor(aliasesMax: number) {
    this.handles = [];
    this.owners = [];
    this.aliasesMax = aliasesMax;
    this.available = 0;
    this.given = 0;
    this.isShortAllowed = false;
    this.useCount = 0;
  }

  createHandle(bytes: Uint8Array): TopicHandle {
    const handle = new TopicHandle(bytes, this.handles.length);
    this.handles.push(handle);
    if (this.isScarce()) for (let i = 0; i < this.handles.length; i++) this.handles[i].isShort = false;
    return handle;
  }

  /**
   * A new connection: every alias is forgotten [MQTT-3.3.2-7]. `serverMaximum` is 0 until CONNACK and in 3.1.1;
   * `maximumPacketSize` is the server's.
   */
  start(serverMaximum: number, maximumPacketSize: number): void {
    for (let i = 0; i < this.given; i++) {
      const owner = this.owners[i];
      if (owner !== null) owner.forgetAlias();
      this.owners[i] = null;
    }
    this.given = 0;
    this.isShortAllowed = maximumPacketSize >= ALIASED_HEAD_BYTES + ALIASED_PAYLOAD_BYTES_MAX;
    this.available = serverMaximum < this.aliasesMax ? serverMaximum : this.aliasesMax;
  }

  /**
   * The alias to send with `handle`, or 0 for none. When `handle.alias` is not 0 already, the Topic Name has to go
   * with it; call `give` once the packet is written.
   */
  choose(handle: TopicHandle): number {
    if (handle.alias !== 0) return handle.alias;
    if (this.available === 0) return 0;
    if (this.given < this.available) return this.given + 1;
    let oldest = 0;
    for (let i = 1; i < this.available; i++) {
      if (this.lastUse(i) < this.lastUse(oldest)) oldest = i;
    }
    return oldest + 1;
  }

  /** Whether aliases have to be taken from one handle for another: then it counts when each was last used. */
  isScarce(): boolean {
    return this.handles.length > this.available;
  }

  lastUse(i: number): number {
    const owner = this.owners[i];
    return owner === null ? -1 : owner.lastUse;
  }

  /** `alias`, which `choose` gave, went out with the handle's name or instead of it. */
  give(handle: TopicHandle, alias: number): void {
    this.useCount++;
    handle.lastUse = this.useCount;
    if (handle.alias === alias) return;
    if (alias > this.given) {
      this.given = alias;
      if (this.owners.length < alias) this.owners.push(null);
    }
    const owner = this.owners[alias - 1];
    if (owner !== null) owner.forgetAlias();
    this.owners[alias - 1] = handle;
    handle.alias = alias;
    handle.isShort = this.isShortAllowed && !this.isScarce();
    if (!handle.isShort) return;
    if (handle.head.length === 0) handle.head = new Uint8Array(ALIASED_HEAD_BYTES);
    writeAliasedHead(handle.head, alias);
  }
}

/*
 * Incoming aliases: their Topic Names, by alias - 1, each behind its length in two bytes as in the packet it came in, in an
 * array of its own that is reused. The length is 0 when the alias is not known on this connection.
 */

/** A new connection: every alias is forgotten [MQTT-3.3.2-7]. */
export function forgetAliases(names: Uint8Array[]): void {
  for (let i = 0; i < names.length; i++) if (names[i].length > 0) writeTwoBytes(names[i], 0, 0);
}

/**
 * Remembers the Topic Name for `alias`, 1 and more: `byteLength` bytes from `bytes[at]` on, its length before it. Allocates
 * when the name is longer than any before.
 */
export function keepAlias(
  names: Uint8Array[],
  alias: number,
  bytes: Uint8Array,
  at: number,
  byteLength: number,
): void {
  while (names.length < alias) names.push(NO_BYTES);
  if (names[alias - 1].length < byteLength + 2) {
    names[alias - 1] = new Uint8Array(byteLength < 30 ? 32 : byteLength + 2);
  }
  copyRange(bytes, at - 2, at + byteLength, names[alias - 1], 0);
}
