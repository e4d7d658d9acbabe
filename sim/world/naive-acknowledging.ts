/**
 * PUBACK, PUBREC and PUBCOMP from a client: whether they answer what was sent on this connection, in the right order, and
 * what they end (4.3, 4.6, 4.9). For the naive broker.
 */
import type { AckObject } from '../../src/packets/inspect.ts';
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import { sendWaiting } from './naive-delivering.ts';
import { refuse } from './naive-sessions.ts';
import type { NaiveSession } from './naive-state.ts';

function without(list: number[], packetId: number): number[] {
  return list.filter((one) => one !== packetId);
}

/** A message is done: its Packet Identifier is free, and another may be sent. */
function complete(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packetId: number,
  nowMs: number,
): void {
  session.inflight = session.inflight.filter((delivery) => delivery.packetId !== packetId);
  connection.unacknowledged = without(connection.unacknowledged, packetId);
  sendWaiting(context, session, nowMs);
}

export function handlePuback(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  { packetId }: AckObject,
  nowMs: number,
): void {
  const index = connection.awaitedPubacks.indexOf(packetId);
  if (index < 0) {
    handleStray(context, connection, 'PUBACK', packetId, nowMs);
    return;
  }
  if (index > 0) {
    const text = `PUBACK ${packetId} before that of an earlier PUBLISH`;
    context.note(connection, 'MQTT-4.6.0-2', 'MQTT-4.6.0-2', text, nowMs);
  }
  connection.awaitedPubacks = without(connection.awaitedPubacks, packetId);
  complete(context, connection, session, packetId, nowMs); // [MQTT-4.4.0-2]
}

export function handlePubrec(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  { packetId, reasonCode = 0 }: AckObject,
  nowMs: number,
): void {
  const index = connection.awaitedPubrecs.indexOf(packetId);
  if (index < 0) {
    handleStray(context, connection, 'PUBREC', packetId, nowMs);
    return;
  }
  if (index > 0) {
    const text = `PUBREC ${packetId} before that of an earlier PUBLISH`;
    context.note(connection, 'MQTT-4.6.0-3', 'MQTT-4.6.0-3', text, nowMs);
  }
  connection.awaitedPubrecs = without(connection.awaitedPubrecs, packetId);
  if (reasonCode >= 0x80) {
    complete(context, connection, session, packetId, nowMs); // [MQTT-4.4.0-2]
    return;
  }
  for (const delivery of session.inflight) if (delivery.packetId === packetId) delivery.stage = 'released';
  connection.send({ type: 'PUBREL', packetId }); // [MQTT-4.3.3-4]
  connection.awaitedPubcomps.push(packetId);
}

export function handlePubcomp(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  { packetId }: AckObject,
  nowMs: number,
): void {
  if (!connection.awaitedPubcomps.includes(packetId)) {
    handleStray(context, connection, 'PUBCOMP', packetId, nowMs);
    return;
  }
  connection.awaitedPubcomps = without(connection.awaitedPubcomps, packetId);
  complete(context, connection, session, packetId, nowMs);
}

/** An acknowledgement of nothing that was sent on this connection, or of something else. */
function handleStray(
  context: NaiveContext,
  connection: NaiveConnection,
  type: 'PUBACK' | 'PUBREC' | 'PUBCOMP',
  packetId: number,
  nowMs: number,
): void {
  const { awaitedPubacks, awaitedPubrecs, awaitedPubcomps } = connection;
  if ([...awaitedPubacks, ...awaitedPubrecs, ...awaitedPubcomps].includes(packetId)) {
    const text = `${type} ${packetId} does not answer what was sent with this identifier`;
    context.note(connection, 'MQTT-3.3.4-1', 'MQTT-3.3.4-1', text, nowMs);
    refuse(context, connection, 0x82, nowMs);
    return;
  }
  const text = `${type} ${packetId} answers nothing that was sent on this connection`;
  context.note(connection, 'MQTT-2.2.1-5', 'MQTT-2.3.1-6', text, nowMs);
  // There is nothing to release: 0x92, Packet Identifier not found (3.6.2.1).
  if (type !== 'PUBREC') return;
  connection.send({ type: 'PUBREL', packetId, ...(connection.isV5 ? { reasonCode: 0x92 } : {}) });
}
