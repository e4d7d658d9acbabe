/**
 * What happens to an application message that the broker takes on, whoever it comes from: hooks, retaining, routing, and
 * the reason code that answers it (3.3.1.3, 3.4.2.1).
 */
import { findBadUtf8 } from '../../src/wire/utf8.ts';
import type { Context } from './context.ts';
import type { ClientView } from './hooks.ts';
import type { Message } from './message.ts';
import {
  NO_MATCHING_SUBSCRIBERS,
  NOT_AUTHORIZED,
  PAYLOAD_FORMAT_INVALID,
  QUOTA_EXCEEDED,
  SUCCESS,
  TOPIC_NAME_INVALID,
} from './reasons.ts';
import { RetainedMessages } from './retained.ts';
import { NO_ROOM, UNMATCHED, type Router } from './router.ts';
import type { Session } from './session.ts';

export class Publisher {
  private readonly context: Context;
  private readonly router: Router;
  readonly retained = new RetainedMessages();
  /** What the broker says of itself: counted in no bound, kept in no store. */
  private readonly own = new RetainedMessages();

  constructor(context: Context, router: Router) {
    this.context = context;
    this.router = router;
  }

  /** Appends the retained messages that match a filter to `found`. */
  matchRetained(topicFilter: string, nowMs: number, found: Message[]): void {
    this.retained.match(topicFilter, nowMs, found);
    this.own.match(topicFilter, nowMs, found);
  }

  /** Whether a client may publish to this topic: SUCCESS, or why not. */
  check(client: ClientView, topicName: string): number {
    const { limits, hooks } = this.context;
    if (countLevels(topicName) > limits.topicLevelsMax) {
      this.context.hit('topicLevelsMax');
      return TOPIC_NAME_INVALID;
    }
    // What the server tells about itself is the server's to tell (4.7.2).
    if (topicName.startsWith('$SYS/')) return NOT_AUTHORIZED;
    return hooks.authorise?.(client, 'publish', topicName) === false ? NOT_AUTHORIZED : SUCCESS;
  }

  /** Takes `message` on and returns the reason code for its publisher. `client` is null for the broker's own process. */
  publish(message: Message, session: Session | null, client: ClientView | null, nowMs: number): number {
    const { counters, hooks } = this.context;
    const refusal = hooks.published?.(message, client);
    if (refusal !== undefined && refusal >= 0x80) {
      counters.publishRefused++;
      return refusal;
    }
    const retainCode = message.isRetain ? this.retain(message) : SUCCESS;
    const outcome = this.router.route(message, session, nowMs);
    if (outcome === UNMATCHED) counters.publishUnmatched++;
    if (retainCode !== SUCCESS) return retainCode;
    if (outcome === NO_ROOM) return QUOTA_EXCEEDED;
    return outcome === UNMATCHED ? NO_MATCHING_SUBSCRIBERS : SUCCESS;
  }

  /** Publishes what the broker says of itself: no hook is asked. */
  publishOwn(message: Message, nowMs: number): void {
    this.own.set(message);
    this.router.route(message, null, nowMs);
  }

  private retain(message: Message): number {
    const { context, retained } = this;
    const { limits } = context;
    const before = retained.get(message.topicName);
    if (message.payloadByteLength === 0) {
      // An empty payload removes what there is, and is not kept itself [MQTT-3.3.1-6], [MQTT-3.3.1-7].
      if (before !== undefined) this.remove(before);
      return SUCCESS;
    }
    const byteLength = retained.byteLength + message.cost() - (before?.cost() ?? 0);
    if (before === undefined && retained.count >= limits.retainedMessagesMax) {
      context.hit('retainedMessagesMax');
      return QUOTA_EXCEEDED;
    }
    if (byteLength > limits.retainedBytesMax) {
      context.hit('retainedBytesMax');
      return QUOTA_EXCEEDED;
    }
    const kept = message.keep();
    retained.set(kept); // in place of the one before [MQTT-3.3.1-5]
    context.keeper.putRetained(kept, before);
    return SUCCESS;
  }

  private remove(message: Message): void {
    this.retained.delete(message.topicName);
    this.context.keeper.removeRetained(message);
  }

  /** Forgets retained messages whose time is over (3.3.2.3.3). */
  removeExpired(nowMs: number): void {
    const removed: Message[] = [];
    this.retained.removeExpired(nowMs, removed);
    for (const message of removed) {
      this.context.counters.droppedExpired++;
      this.context.keeper.removeRetained(message);
    }
  }
}

/** Levels of a topic: one more than it has slashes. */
export function countLevels(topic: string): number {
  let count = 1;
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) count++;
  return count;
}

/** PAYLOAD_FORMAT_INVALID when the payload says that it is UTF-8 and is not (3.3.2.3.2). It may hold U+0000. */
export function checkPayloadFormat(isText: boolean, bytes: Uint8Array, at: number, end: number): number {
  if (!isText) return SUCCESS;
  let bad = findBadUtf8(bytes, at, end);
  while (bad >= 0 && bytes[bad] === 0) bad = findBadUtf8(bytes, bad + 1, end);
  return bad >= 0 ? PAYLOAD_FORMAT_INVALID : SUCCESS;
}
