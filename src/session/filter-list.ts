/**
 * The Topic Filters of one SUBSCRIBE or UNSUBSCRIBE, encoded into storage of the caller's.
 */
import { check, checkInteger, codedError } from '../assert.ts';
import { findFilterError, isShared } from '../topic.ts';
import { NO_SPACE, OK } from '../status.ts';
import { SUBSCRIBE_NO_LOCAL, SUBSCRIBE_RETAIN_AS_PUBLISHED } from '../packets/types.ts';
import { writeFilter } from '../packets/subscribe.ts';
import { textBytes } from './options.ts';

/** The Subscription Options byte (3.8.3.1): QoS 0 to 2, retain handling 0 to 2. */
export function subscriptionOptions(
  qos: number,
  noLocal: boolean,
  retainAsPublished: boolean,
  retainHandling: number,
): number {
  checkInteger(qos, 0, 2, 'qos');
  checkInteger(retainHandling, 0, 2, 'retainHandling');
  return (
    qos |
    (noLocal ? SUBSCRIBE_NO_LOCAL : 0) |
    (retainAsPublished ? SUBSCRIBE_RETAIN_AS_PUBLISHED : 0) |
    (retainHandling << 4)
  );
}

export class FilterList {
  bytes: Uint8Array;
  byteLength: number;
  count: number;
  /** Whether any filter has options that 3.1.1 does not have. */
  hasV5Options: boolean;

  /** @param bytes Storage: 3 bytes and its own for each filter; not copied. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.byteLength = 0;
    this.count = 0;
    this.hasV5Options = false;
  }

  clear(): void {
    this.byteLength = 0;
    this.count = 0;
    this.hasV5Options = false;
  }

  /**
   * Adds a Topic Filter with the byte that `subscriptionOptions` makes (0 for UNSUBSCRIBE). Throws
   * ERR_INVALID_TOPIC_FILTER naming the rule. Returns OK or NO_SPACE.
   */
  add(topicFilter: string, options: number): number {
    const filter = textBytes(topicFilter, 'topicFilter');
    check(
      findFilterError(filter, 0, filter.length, true) < 0,
      'ERR_INVALID_TOPIC_FILTER',
      'topicFilter is not valid: "' + topicFilter + '" [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]',
    );
    if ((options & SUBSCRIBE_NO_LOCAL) !== 0 && isShared(filter, 0, filter.length)) {
      throw codedError(
        'ERR_INVALID_ARGUMENT',
        'noLocal must not be set on a shared subscription [MQTT-3.8.3-4]',
      );
    }
    const end = writeFilter(this.bytes, this.byteLength, this.bytes.length, filter, filter.length, options);
    if (end < 0) return NO_SPACE;
    this.byteLength = end;
    this.count++;
    if (options > 2) this.hasV5Options = true;
    return OK;
  }
}
