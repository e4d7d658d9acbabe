/**
 * Topic Names and Topic Filters (4.7, 4.8.2): validation and matching on their bytes. Whether the bytes are UTF-8 is
 * checked elsewhere. Knows nothing of packets or sessions.
 */

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/** Offset of the first wildcard character in a Topic Name, or -1 [MQTT-3.3.2-2], [MQTT-4.7.1-1]. */
export function findWildcard(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) if (bytes[at] === PLUS || bytes[at] === HASH) return at;
  return -1;
}

/** Whether a Topic Filter is a Shared Subscription: begins with `$share/`. */
export function isShared(bytes: Uint8Array, at: number, end: number): boolean {
  for (let i = 0; i < 7; i++) if (at + i >= end || bytes[at + i] !== '$share/'.charCodeAt(i)) return false;
  return true;
}

/** Offset of the filter behind `$share/{ShareName}/`, or `at` itself when it is not a Shared Subscription. */
export function sharedFilterOffset(bytes: Uint8Array, at: number, end: number): number {
  if (!isShared(bytes, at, end)) return at;
  let i = at + 7;
  while (i < end && bytes[i] !== SLASH) i++;
  return i + 1;
}

/**
 * Offset of the first byte that makes the Topic Filter invalid, or -1. An empty filter is invalid at `at`
 * [MQTT-4.7.3-1]; `#` must be last and alone in its level [MQTT-4.7.1-1], `+` alone in its level [MQTT-4.7.1-2].
 * With `allowShared` (5.0) `$share/` needs a name without wildcards and a filter [MQTT-4.8.2-1], [MQTT-4.8.2-2].
 */
export function findFilterError(bytes: Uint8Array, at: number, end: number, allowShared: boolean): number {
  if (at >= end) return at;
  if (allowShared && isShared(bytes, at, end)) {
    const name = at + 7;
    let i = name;
    for (; i < end && bytes[i] !== SLASH; i++) {
      if (bytes[i] === PLUS || bytes[i] === HASH) return i; // [MQTT-4.8.2-2]
    }
    if (i === name || i >= end) return name; // [MQTT-4.8.2-1]: at least one character, and a filter behind
    at = i + 1;
    if (at >= end) return name;
  }
  const first = at;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte !== PLUS && byte !== HASH) continue;
    if (at > first && bytes[at - 1] !== SLASH) return at;
    if (at + 1 < end && (byte === HASH || bytes[at + 1] !== SLASH)) return at;
  }
  return -1;
}

/** Whether a Topic Filter holds a wildcard; a Shared Subscription's name cannot. */
export function hasWildcard(bytes: Uint8Array, at: number, end: number): boolean {
  return findWildcard(bytes, at, end) >= 0;
}

/**
 * Whether the Topic Name `name[nameAt..nameEnd]` matches the valid filter `filter[at..end]` (without its `$share`
 * part). A filter that starts with a wildcard does not match a name that starts with `$` [MQTT-4.7.2-1].
 */
export function isMatch(
  filter: Uint8Array,
  at: number,
  end: number,
  name: Uint8Array,
  nameAt: number,
  nameEnd: number,
): boolean {
  if (nameAt < nameEnd && name[nameAt] === DOLLAR && (filter[at] === PLUS || filter[at] === HASH))
    return false;
  while (at < end) {
    const byte = filter[at];
    if (byte === HASH) return true;
    if (byte === PLUS) {
      while (nameAt < nameEnd && name[nameAt] !== SLASH) nameAt++;
      at++;
    } else {
      if (nameAt >= nameEnd) {
        // "sport/#" matches "sport" too: `#` includes the parent level.
        return byte === SLASH && at + 2 === end && filter[at + 1] === HASH;
      }
      if (name[nameAt] !== byte) return false;
      at++;
      nameAt++;
    }
  }
  return nameAt === nameEnd;
}
