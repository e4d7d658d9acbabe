/**
 * Every maximum of the core, with who pays for it. The standard's own limits first, then what a session holds:
 * each of those is an option of the session with the default and the minimum given here.
 */

/** Largest value of a Variable Byte Integer, hence of Remaining Length [MQTT-1.5.5-1]. */
export const VARIABLE_BYTE_INTEGER_MAX = 268435455;
/** Largest packet there can be: a fixed header of five bytes and the largest Remaining Length. */
export const PACKET_BYTES_MAX = 268435460;
/** Longest UTF-8 string or binary datum: its length is two bytes. */
export const STRING_BYTES_MAX = 65535;
/** Largest Packet Identifier, Topic Alias, Receive Maximum. */
export const TWO_BYTE_INTEGER_MAX = 65535;
/** Largest interval in seconds; as a Session Expiry Interval it means "never". */
export const FOUR_BYTE_INTEGER_MAX = 4294967295;

/** Receive window: paid by the caller; must hold any whole packet but PUBLISH, and the head of a PUBLISH. */
export const RECEIVE_WINDOW_BYTES_MIN = 64;
/** Transmit ring: paid by the caller; must hold CONNECT, and the room reserved for acknowledgements. */
export const TRANSMIT_RING_BYTES_MIN = 64;
/**
 * Bytes of the transmit ring that only acknowledgements, PUBREL, PINGREQ and DISCONNECT may use, so that a ring full
 * of publishes never keeps the session from answering.
 */
export const RESERVED_TRANSMIT_BYTES = 16;

/** Outgoing QoS 1 and 2 messages in flight at once: 5 integers each. */
export const INFLIGHT_SLOTS_DEFAULT = 16;
/** Incoming QoS 1 and 2 messages not yet completed, announced as Receive Maximum: 5 integers each. */
export const RECEIVE_MAXIMUM_DEFAULT = 16;
/** Incoming topic aliases accepted, announced as Topic Alias Maximum: a topic's bytes each, once used. */
export const INCOMING_ALIASES_DEFAULT = 0;
/** Outgoing aliases used at most, whatever the server offers: 1 reference each. */
export const OUTGOING_ALIASES_DEFAULT = 16;

/** Seconds between packets that this side sends at most. */
export const KEEP_ALIVE_SECONDS_DEFAULT = 60;
/** Milliseconds before the first attempt to reconnect, and before any later one at most. */
export const RECONNECT_FIRST_MS_DEFAULT = 1000;
export const RECONNECT_MAXIMUM_MS_DEFAULT = 60000;
/** Milliseconds an opened transport may take until CONNACK. */
export const CONNECT_TIMEOUT_MS_DEFAULT = 10000;
/** Milliseconds a PINGRESP may take. */
export const PING_TIMEOUT_MS_DEFAULT = 10000;
