/**
 * What a server keeps of a client from one connection to the next (4.1): subscriptions, messages on their way and waiting,
 * received identifiers, the will. State only; delivery.ts moves messages through it.
 */
import type { Deadline } from './deadlines.ts';
import { Fifo } from './fifo.ts';
import type { ClientView } from './hooks.ts';
import type { Message } from './message.ts';
import type { PublishEncoder } from './publish-encoder.ts';
import type { GroupMember, SharedGroup } from './shared-group.ts';

export const NEVER_EXPIRES = 4_294_967_295;
export const NO_IDENTIFIERS: readonly number[] = [];

/** A message for one client. */
export class Delivery {
  readonly message: Message;
  /** As it is delivered, 0 to 2. */
  readonly qos: number;
  readonly isRetain: boolean;
  /** Subscription Identifiers that go with it. */
  readonly identifiers: readonly number[];
  /** The shared subscription it came through, while it can still go to another member; else null. */
  readonly group: SharedGroup<Subscription> | null;
  /** Ascends in the order of delivery. */
  sequence: number;
  /** 0 while it waits. */
  packetId: number;
  /** Whether it holds one of the places that the client's Receive Maximum gives, on this connection. */
  holdsPlace: boolean;
  /** Whether the store has it. Of the keeper alone. */
  isStored: boolean;

  constructor(
    message: Message,
    qos: number,
    isRetain: boolean,
    identifiers: readonly number[],
    group: SharedGroup<Subscription> | null,
  ) {
    this.message = message;
    this.qos = qos;
    this.isRetain = isRetain;
    this.identifiers = identifiers;
    this.group = group;
    this.sequence = 0;
    this.packetId = 0;
    this.holdsPlace = false;
    this.isStored = false;
  }
}

/** What a session sees of its connection. */
export interface ClientConnection {
  readonly view: ClientView;
  /** QoS 1 and 2 messages that may be on their way at once. */
  readonly receiveMaximum: number;
  /** Whether its network takes what it is given. */
  hasRoom(): boolean;
  /** Writes a PUBLISH of what `encoder` holds. False: it is larger than the client takes; nothing was written. */
  writePublish(
    encoder: PublishEncoder,
    qos: number,
    isRetain: boolean,
    isDup: boolean,
    packetId: number,
    identifiers: readonly number[],
  ): boolean;
  /** `type` is PUBACK … PUBCOMP. */
  writeAck(type: number, packetId: number, reasonCode: number, reasonString: string): void;
  /** Ends it: DISCONNECT where the version has it, then the network connection. */
  end(reasonCode: number, reason: string, nowMs: number): void;
  /** Cuts the network connection without a word. */
  destroy(nowMs: number): void;
}

/** A will that is to be published when the connection, or the session, ends. */
export interface Will {
  /** Kept; does not expire. */
  message: Message;
  delaySeconds: number;
  /** Message Expiry Interval, which begins when it is published; -1 for none. */
  expirySeconds: number;
}

/** One Topic Filter of one session (3.8.3). */
export class Subscription implements GroupMember {
  readonly session: Session;
  /** As the client sent it, `$share/…` included. */
  readonly topicFilter: string;
  /** The Subscription Options byte, with the QoS granted. */
  readonly options: number;
  /** Subscription Identifier, or 0. */
  readonly identifier: number;
  readonly identifiers: readonly number[];
  /** Its group, when it is a shared subscription. */
  readonly group: SharedGroup<Subscription> | null;

  constructor(
    session: Session,
    topicFilter: string,
    options: number,
    identifier: number,
    group: SharedGroup<Subscription> | null,
  ) {
    this.session = session;
    this.topicFilter = topicFilter;
    this.options = options;
    this.identifier = identifier;
    this.identifiers = identifier === 0 ? NO_IDENTIFIERS : [identifier];
    this.group = group;
  }

  get clientId(): string {
    return this.session.clientId;
  }

  get qos(): number {
    return this.options & 3;
  }

  get isNoLocal(): boolean {
    return (this.options & 4) !== 0;
  }

  get isRetainAsPublished(): boolean {
    return (this.options & 8) !== 0;
  }

  isReady(): boolean {
    const { connection, queue } = this.session;
    return connection !== null && queue.count === 0;
  }
}

export class Session {
  readonly clientId: string;
  /** Who may come back to it. */
  userName: string | null;
  /** Seconds that it outlives its connection; NEVER_EXPIRES. */
  expirySeconds: number;
  connection: ClientConnection | null;
  /** When its connection ended; Infinity while there is one. */
  endedAtMs: number;
  /** By Topic Filter. */
  readonly subscriptions: Map<string, Subscription>;
  /** PUBLISH sent and not acknowledged, by packet identifier, in the order in which they were sent. */
  readonly inflight: Map<number, Delivery>;
  /** QoS 2: PUBREC received, PUBCOMP not, in the order of the PUBRECs [MQTT-4.6.0-4]. */
  readonly released: Map<number, Delivery>;
  /** Waiting: no place in flight, no room in the connection, or no connection. */
  readonly queue: Fifo<Delivery>;
  /** Of all that waits, or is not acknowledged. */
  queuedBytes: number;
  /** Of those waiting, QoS 0: another must not overtake them. */
  queuedQos0: number;
  /** Those in flight that have to be sent again on this connection. */
  readonly resend: Fifo<Delivery>;
  /** PUBLISH packets on this connection that hold a place of the client's Receive Maximum. */
  places: number;
  nextSequence: number;
  lastPacketId: number;
  /** Packet identifiers of QoS 2 messages from the client that it has not released. */
  readonly receivedIds: Set<number>;
  /** Of the connection there is, or of the last one while the will's delay runs. */
  will: Will | null;
  readonly willDeadline: Deadline;
  readonly expiryDeadline: Deadline;
  /** Whether the store has it. Of the keeper alone. */
  isStored: boolean;

  constructor(
    clientId: string,
    userName: string | null,
    onWillDue: (session: Session, nowMs: number) => void,
    onExpired: (session: Session, nowMs: number) => void,
  ) {
    this.clientId = clientId;
    this.userName = userName;
    this.expirySeconds = 0;
    this.connection = null;
    this.endedAtMs = Infinity;
    this.subscriptions = new Map();
    this.inflight = new Map();
    this.released = new Map();
    this.queue = new Fifo();
    this.queuedBytes = 0;
    this.queuedQos0 = 0;
    this.resend = new Fifo();
    this.places = 0;
    this.nextSequence = 1;
    this.lastPacketId = 0;
    this.receivedIds = new Set();
    this.will = null;
    this.isStored = false;
    this.willDeadline = { atMs: 0, heapIndex: -1, fire: (nowMs) => onWillDue(this, nowMs) };
    this.expiryDeadline = { atMs: 0, heapIndex: -1, fire: (nowMs) => onExpired(this, nowMs) };
  }

  /** A packet identifier that is not in use [MQTT-2.2.1-4], or 0 when all are. */
  takePacketId(): number {
    for (let n = 0; n < 65_535; n++) {
      this.lastPacketId = this.lastPacketId === 65_535 ? 1 : this.lastPacketId + 1;
      const id = this.lastPacketId;
      if (!this.inflight.has(id) && !this.released.has(id)) return id;
    }
    return 0;
  }

  /** When it ends if nobody comes back; Infinity while connected, or for ever. */
  expiresAtMs(): number {
    if (this.expirySeconds === NEVER_EXPIRES) return Infinity;
    return this.endedAtMs + this.expirySeconds * 1000;
  }
}
