/**
 * What a broker lets be used of it: every bound with its default, and what a client hears that reaches it. Each has a
 * counter of its name, `Counters.limitHits`, of how often it was reached.
 */

/** One bound. */
export interface Limit {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** For people: what is bounded, and what happens at the bound. */
  readonly text: string;
}

const NEVER = 4_294_967_295;
const MANY = 1_000_000_000;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound there is. A value of 0 means "none" only where the text says so. */
export const LIMITS = {
  connectionsMax: limit(
    20_000,
    1,
    MANY,
    'connections at once; beyond, CONNECT is refused with 0x89 Server busy',
  ),
  sessionsMax: limit(100_000, 1, MANY, 'sessions, connected or kept; beyond, CONNECT is refused with 0x97'),
  connectTimeoutMs: limit(
    10_000,
    1,
    MANY,
    'milliseconds until CONNECT, and until its authentication is over; then the connection is closed',
  ),
  writeTimeoutMs: limit(
    60_000,
    1,
    MANY,
    'milliseconds that one write may take; then the connection of such a slow reader is closed',
  ),
  keepAliveSecondsMax: limit(
    0,
    0,
    65_535,
    'longest keep alive; a client that asks for more, or none, is told this as Server Keep Alive; 0: as it asks',
  ),
  sessionExpirySecondsMax: limit(
    2_592_000,
    0,
    NEVER,
    'longest Session Expiry Interval; a client that asks for more is told this',
  ),
  clientIdBytesMax: limit(
    1024,
    23,
    65_535,
    'bytes of a Client Identifier; beyond, CONNECT is refused with 0x85',
  ),
  maximumPacketSize: limit(
    MIB,
    64,
    268_435_460,
    'bytes of a packet from a client; a larger one ends the connection with 0x95',
  ),
  receiveMaximum: limit(
    1000,
    1,
    65_535,
    'QoS 1 and 2 messages from a client not yet acknowledged; beyond, the connection ends with 0x93',
  ),
  inflightMax: limit(
    1000,
    1,
    65_535,
    'QoS 1 and 2 messages on their way to a client, if its Receive Maximum is not less; further ones queue',
  ),
  topicAliasMaximum: limit(
    64,
    0,
    65_535,
    'topic aliases a client may set; beyond, the connection ends with 0x94',
  ),
  outgoingTopicAliasMax: limit(
    64,
    0,
    65_535,
    'topic aliases used towards a client, if its Topic Alias Maximum is not less',
  ),
  queuedMessagesMax: limit(10_000, 1, MANY, 'messages waiting in a session; a further one is dropped for it'),
  queuedBytesMax: limit(
    16 * MIB,
    KIB,
    MANY,
    'bytes of messages waiting in a session, or sent and not acknowledged; a further one is dropped for it',
  ),
  queuedBytesTotalMax: limit(
    256 * MIB,
    KIB,
    1_000 * MANY,
    'bytes of messages waiting in all sessions, or not acknowledged; a further one is dropped, unless its session holds less than its share',
  ),
  outputBytesMax: limit(
    256 * KIB,
    KIB,
    MANY,
    'bytes ready for a connection that its network has not taken; messages queue then',
  ),
  subscriptionsMax: limit(1000, 1, MANY, 'subscriptions of a session; a further one is refused with 0x97'),
  topicLevelsMax: limit(
    128,
    1,
    65_535,
    'levels of a topic; a longer name is refused with 0x90, a longer filter with 0x8F',
  ),
  retainedMessagesMax: limit(
    100_000,
    0,
    MANY,
    'retained messages; a message for a further topic is delivered, but refused as retained: 0x97',
  ),
  retainedBytesMax: limit(
    256 * MIB,
    0,
    1_000 * MANY,
    'bytes of retained messages; beyond, as retainedMessagesMax',
  ),
  authenticationFailuresMax: limit(
    10,
    1,
    MANY,
    'wrong credentials from an address within a minute; then its CONNECTs are refused with 0x9F for a while',
  ),
  messagesPerSecondMax: limit(
    0,
    0,
    MANY,
    'messages a second from a client; beyond, it is not read from until it may go on; 0: any number',
  ),
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;
/** A value for each. */
export type Limits = Record<LimitName, number>;

export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[];

function limit(value: number, min: number, max: number, text: string): Limit {
  return { default: value, min, max, text };
}

/** All limits, the given ones in place of their defaults. Throws a RangeError that names the limit and its range. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits = {} as Limits;
  for (const name of LIMIT_NAMES) limits[name] = checkLimit(name, given[name] ?? LIMITS[name].default);
  for (const name of Object.keys(given)) {
    if (!(name in LIMITS)) throw new RangeError(`limits.${name}: there is no such limit`);
  }
  return limits;
}

function checkLimit(name: LimitName, value: number): number {
  const { min, max } = LIMITS[name];
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`limits.${name} must be an integer from ${min} to ${max}, not ${String(value)}`);
}
