/**
 * Messages on their way to clients: sent at once where that is possible, else queued within bounds; places in flight,
 * acknowledgements, what is sent again on a new connection (4.3, 4.4, 4.6, 4.9). Does not know which messages a client
 * wants: that is the router's.
 */
import { PUBREL } from '../../src/packets/types.ts';
import type { Context } from './context.ts';
import type { Message } from './message.ts';
import { PublishEncoder } from './publish-encoder.ts';
import { PACKET_IDENTIFIER_NOT_FOUND, SUCCESS, UNSPECIFIED_ERROR } from './reasons.ts';
import { Delivery, type ClientConnection, type Session, type Subscription } from './session.ts';
import type { SharedGroup } from './shared-group.ts';

/** Packet identifiers there are. */
const PACKET_IDS_MAX = 65_535;

/** What became of a message for one session. */
export const ACCEPTED = 0;
/** Not queued: the session's queue, or all of them, are full. */
export const REFUSED_FULL = 1;
/** Not for now, and not for later: QoS 0 without a connection, expired, too large for the client. */
export const DISCARDED = 2;

export class Deliveries {
  private readonly context: Context;
  private readonly encoder = new PublishEncoder();
  /** What the encoder holds. */
  private encoded: Message | null = null;

  constructor(context: Context) {
    this.context = context;
  }

  /** Has the encoder hold `message`; what it made of it is kept while the same message goes to many. */
  private encode(message: Message, nowMs: number): PublishEncoder {
    if (this.encoded !== message) {
      this.encoded = message;
      this.encoder.begin(message, nowMs);
    }
    return this.encoder;
  }

  /** Ends a round of `deliver` of one message, so that the bytes lent to it are not held. */
  finish(): void {
    this.encoded = null;
  }

  /**
   * Sends or queues `message` for `session`, with what its subscription makes of it. `group` is the shared subscription it
   * came through, or null. The same message may go to many in a row; `finish` ends that.
   */
  deliver(
    session: Session,
    message: Message,
    qos: number,
    isRetain: boolean,
    identifiers: readonly number[],
    group: SharedGroup<Subscription> | null,
    nowMs: number,
  ): number {
    const { connection } = session;
    if (qos === 0) {
      if (connection === null) {
        this.context.counters.droppedQos0++;
        return DISCARDED;
      }
      if (session.queuedQos0 === 0 && connection.hasRoom()) {
        return this.write(connection, message, 0, isRetain, false, 0, identifiers, nowMs);
      }
    } else if (this.canSend(session)) {
      if (!this.mayHold(session, message)) return this.refuse(qos);
      const delivery = new Delivery(message.keep(), qos, isRetain, identifiers, group);
      delivery.sequence = session.nextSequence++;
      this.hold(session, delivery);
      return this.send(session, delivery, message, nowMs);
    }
    this.countWait(session, qos);
    return this.enqueue(session, new Delivery(message.keep(), qos, isRetain, identifiers, group));
  }

  /** Counts the limit for which a message of a connected client has to wait, if it is one of ours. */
  private countWait({ connection, places }: Session, qos: number): void {
    const { context } = this;
    if (connection === null) return;
    if (!connection.hasRoom()) context.hit('outputBytesMax');
    else if (qos > 0 && places >= context.limits.inflightMax) context.hit('inflightMax');
  }

  /** Whether a QoS 1 or 2 message may be sent without waiting: nothing waits before it, and it has a place [MQTT-4.9.0-2]. */
  private canSend(session: Session): boolean {
    const { connection, queue, resend } = session;
    return (
      connection !== null &&
      queue.count === 0 &&
      resend.count === 0 &&
      this.hasPlace(session, connection) &&
      connection.hasRoom()
    );
  }

  private hasPlace({ places, inflight, released }: Session, { receiveMaximum }: ClientConnection): boolean {
    return places < receiveMaximum && inflight.size + released.size < PACKET_IDS_MAX;
  }

  /** Queues a delivery, if it may be held; REFUSED_FULL when not. */
  private enqueue(session: Session, delivery: Delivery): number {
    const { context } = this;
    const isFull = session.queue.count >= context.limits.queuedMessagesMax;
    if (isFull) context.hit('queuedMessagesMax');
    if (isFull || !this.mayHold(session, delivery.message)) return this.refuse(delivery.qos);
    delivery.sequence = session.nextSequence++;
    this.hold(session, delivery);
    this.adopt(session, delivery);
    context.keeper.putDelivery(session, delivery, false);
    return ACCEPTED;
  }

  /** Whether a session, and the broker, may hold one more message; counts the limit that says no. */
  private mayHold(session: Session, message: Message): boolean {
    const { context } = this;
    const { limits } = context;
    const cost = message.cost();
    // What each session may hold though others have taken everything: all together at most as much again.
    const share = limits.queuedBytesTotalMax / limits.sessionsMax;
    if (session.queuedBytes + cost > limits.queuedBytesMax) context.hit('queuedBytesMax');
    else if (context.queuedBytes + cost <= limits.queuedBytesTotalMax) return true;
    else if (session.queuedBytes + cost <= share) return true;
    else context.hit('queuedBytesTotalMax');
    return false;
  }

  private refuse(qos: number): number {
    if (qos === 0) this.context.counters.droppedQos0++;
    else this.context.counters.droppedQueueFull++;
    return REFUSED_FULL;
  }

  /** Reckons a delivery's bytes, from now until `release`. */
  hold(session: Session, delivery: Delivery): void {
    const cost = delivery.message.cost();
    session.queuedBytes += cost;
    this.context.queuedBytes += cost;
  }

  private release(session: Session, delivery: Delivery): void {
    const cost = delivery.message.cost();
    session.queuedBytes -= cost;
    this.context.queuedBytes -= cost;
    this.context.keeper.removeDelivery(session, delivery);
  }

  /** Has a delivery wait that is held. */
  adopt(session: Session, delivery: Delivery): void {
    session.queue.push(delivery);
    if (delivery.qos === 0) session.queuedQos0++;
    this.context.queuedMessages++;
  }

  /** Takes the first that waits. */
  private shift(session: Session): Delivery | undefined {
    const delivery = session.queue.shift();
    if (delivery === undefined) return undefined;
    if (delivery.qos === 0) session.queuedQos0--;
    this.context.queuedMessages--;
    return delivery;
  }

  /** Sends a QoS 1 or 2 message for the first time. `message` is `delivery.message`, or what that was kept of. */
  private send(session: Session, delivery: Delivery, message: Message, nowMs: number): number {
    const packetId = session.takePacketId();
    delivery.packetId = packetId;
    const connection = session.connection as ClientConnection;
    const { qos, isRetain, identifiers } = delivery;
    const outcome = this.write(connection, message, qos, isRetain, false, packetId, identifiers, nowMs);
    if (outcome !== ACCEPTED) {
      this.release(session, delivery); // as if it had been delivered [MQTT-3.1.2-25]
      return outcome;
    }
    delivery.holdsPlace = true;
    session.places++;
    session.inflight.set(packetId, delivery);
    this.context.keeper.putDelivery(session, delivery, false);
    return ACCEPTED;
  }

  private write(
    connection: ClientConnection,
    message: Message,
    qos: number,
    isRetain: boolean,
    isDup: boolean,
    packetId: number,
    identifiers: readonly number[],
    nowMs: number,
  ): number {
    const { counters, hooks } = this.context;
    const encoder = this.encode(message, nowMs);
    if (!connection.writePublish(encoder, qos, isRetain, isDup, packetId, identifiers)) {
      counters.droppedTooLarge++;
      return DISCARDED;
    }
    counters.publishSent++;
    hooks.delivered?.(message, connection.view);
    return ACCEPTED;
  }

  /** Sends what waits, as far as there are places and room: what was sent before first, in its order [MQTT-4.6.0-1]. */
  pump(session: Session, nowMs: number): void {
    const { connection } = session;
    if (connection === null) return;
    const { resend, queue } = session;
    for (let next = resend.peek(); next !== undefined; next = resend.peek()) {
      if (!connection.hasRoom() || !this.hasPlace(session, connection)) return this.finish();
      resend.shift();
      // It may have been acknowledged meanwhile, by what the client sent before it heard.
      if (session.inflight.get(next.packetId) === next) this.sendAgain(session, connection, next, nowMs);
    }
    for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
      if (!connection.hasRoom()) break;
      if (next.qos !== 0 && !this.hasPlace(session, connection)) break;
      this.shift(session);
      this.sendQueued(session, connection, next, nowMs);
    }
    this.finish();
  }

  private sendQueued(
    session: Session,
    connection: ClientConnection,
    delivery: Delivery,
    nowMs: number,
  ): void {
    const { message, isRetain, identifiers } = delivery;
    if (message.isExpired(nowMs)) {
      // Delivery has not begun: it is not to begin any more [MQTT-3.3.2-5].
      this.context.counters.droppedExpired++;
      this.release(session, delivery);
    } else if (delivery.qos === 0) {
      this.write(connection, message, 0, isRetain, false, 0, identifiers, nowMs);
      this.release(session, delivery);
    } else {
      this.send(session, delivery, message, nowMs);
    }
  }

  private sendAgain(session: Session, connection: ClientConnection, delivery: Delivery, nowMs: number): void {
    const { message, qos, isRetain, identifiers, packetId } = delivery;
    // The same identifier [MQTT-4.4.0-1], with DUP [MQTT-3.3.1-1]. Its delivery has begun, so it does not expire.
    const outcome = this.write(connection, message, qos, isRetain, true, packetId, identifiers, nowMs);
    if (outcome === ACCEPTED) {
      delivery.holdsPlace = true;
      session.places++;
    } else {
      session.inflight.delete(packetId);
      this.release(session, delivery);
    }
  }

  /** A connection takes the session on: everything not acknowledged is sent again [MQTT-4.4.0-1]. */
  resume(session: Session, nowMs: number): void {
    const connection = session.connection as ClientConnection;
    session.places = 0;
    session.resend.clear();
    for (const delivery of session.released.values()) {
      delivery.holdsPlace = false;
      connection.writeAck(PUBREL, delivery.packetId, SUCCESS, '');
    }
    for (const delivery of session.inflight.values()) {
      delivery.holdsPlace = false;
      session.resend.push(delivery);
    }
    this.pump(session, nowMs);
  }

  /** Handles PUBACK. Returns false when it belongs to a QoS 2 message: a Protocol Error. */
  handlePuback(session: Session, packetId: number, nowMs: number): boolean {
    const delivery = session.inflight.get(packetId);
    if (delivery === undefined) return true;
    if (delivery.qos !== 1) return false;
    // Whatever the reason code, it is done with, and goes to no other member [MQTT-4.8.2-6].
    this.complete(session, session.inflight, delivery, nowMs);
    return true;
  }

  /** Handles PUBREC. Returns false when it belongs to a QoS 1 message. */
  handlePubrec(session: Session, packetId: number, reasonCode: number, nowMs: number): boolean {
    const connection = session.connection as ClientConnection;
    const delivery = session.inflight.get(packetId);
    if (delivery === undefined) {
      // Said again, or for an identifier that is not in use, which PUBREL says (3.6.2.1).
      const isReleased = session.released.has(packetId);
      if (reasonCode < UNSPECIFIED_ERROR) {
        const answer = isReleased ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
        connection.writeAck(
          PUBREL,
          packetId,
          answer,
          isReleased ? '' : 'this packet identifier is not in use',
        );
      }
      return true;
    }
    if (delivery.qos !== 2) return false;
    if (reasonCode >= UNSPECIFIED_ERROR) {
      // Refused, which ends it [MQTT-4.3.3-4].
      this.complete(session, session.inflight, delivery, nowMs);
      return true;
    }
    session.inflight.delete(packetId);
    session.released.set(packetId, delivery);
    this.context.keeper.putDelivery(session, delivery, true);
    connection.writeAck(PUBREL, packetId, SUCCESS, '');
    return true;
  }

  handlePubcomp(session: Session, packetId: number, nowMs: number): void {
    const delivery = session.released.get(packetId);
    if (delivery !== undefined) this.complete(session, session.released, delivery, nowMs);
  }

  private complete(session: Session, from: Map<number, Delivery>, delivery: Delivery, nowMs: number): void {
    from.delete(delivery.packetId);
    if (delivery.holdsPlace) session.places--;
    this.release(session, delivery);
    if (session.queue.count > 0 || session.resend.count > 0) this.pump(session, nowMs);
  }

  /** The connection is gone: QoS 0 that waits for it is, too. */
  handleDisconnected(session: Session): void {
    session.places = 0;
    session.resend.clear();
    if (session.queuedQos0 === 0) return;
    for (const delivery of this.takeQueue(session)) {
      if (delivery.qos > 0) {
        this.adopt(session, delivery);
      } else {
        this.context.counters.droppedQos0++;
        this.release(session, delivery);
      }
    }
  }

  /** Empties the queue. */
  private takeQueue(session: Session): Delivery[] {
    const deliveries: Delivery[] = [];
    for (let next = this.shift(session); next !== undefined; next = this.shift(session))
      deliveries.push(next);
    return deliveries;
  }

  /**
   * Takes what came through shared subscriptions and was never sent out of a session whose client has gone, so that
   * others may have it; with `isEnding` all of QoS 1 that the client did not acknowledge too (4.8.2). What is QoS 2 and was
   * sent goes to nobody else [MQTT-4.8.2-5].
   */
  takeShared(session: Session, isEnding: boolean): Delivery[] {
    const taken: Delivery[] = [];
    if (isEnding) {
      for (const delivery of session.inflight.values()) {
        if (delivery.group !== null && delivery.qos === 1) taken.push(delivery);
      }
    }
    let hasShared = false;
    for (const { group } of session.queue) hasShared ||= group !== null;
    if (!hasShared) return taken;
    for (const delivery of this.takeQueue(session)) {
      if (delivery.group !== null) {
        this.release(session, delivery);
        taken.push(delivery);
      } else {
        this.adopt(session, delivery);
      }
    }
    return taken;
  }

  /** The session ends: what it waits for is nobody's any more. */
  discard(session: Session): void {
    for (const delivery of this.takeQueue(session)) this.release(session, delivery);
    for (const delivery of session.inflight.values()) this.release(session, delivery);
    for (const delivery of session.released.values()) this.release(session, delivery);
    session.resend.clear();
    session.inflight.clear();
    session.released.clear();
    session.receivedIds.clear();
  }
}
