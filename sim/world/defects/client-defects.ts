/**
 * Deliberate defects of the client: of its session, its pump, its line and its callbacks.
 *
 * Long because it is a list, one defect after another.
 */
import type { Defect } from './defect.ts';

const SESSION = 'src/session/session.ts';
const STATE = 'src/session/state.ts';
const TRANSMIT = 'src/session/transmit.ts';
const RECEIVE = 'src/session/receive.ts';
const INCOMING = 'src/session/incoming.ts';
const ENDING = 'src/session/ending.ts';
const KEEP_ALIVE = 'src/session/keep-alive.ts';
const RESTORING = 'src/session/restoring.ts';
const PUBLISHING = 'src/session/publishing.ts';
const ALIASES = 'src/session/topic-aliases.ts';
const SUBSCRIPTIONS = 'src/session/subscriptions.ts';
const BACKOFF = 'src/session/backoff.ts';
const PUMP = 'src/pump.ts';
const LINE = 'src/line.ts';
const CALLBACKS = 'src/callbacks/callback-client.ts';

export const CLIENT_DEFECTS: readonly Defect[] = [
  // --- DUP and packet identifiers ----------------------------------------------------------------------------------
  {
    name: 'dup-forgotten',
    clause: 'MQTT-3.3.1-1',
    why: 'a PUBLISH that is sent again does not say so',
    edits: [
      {
        file: TRANSMIT,
        find: 'status = writeRecord(s, record, inflight.packetId(at), 1, nowMs);',
        replace: 'status = writeRecord(s, record, inflight.packetId(at), 0, nowMs);',
      },
    ],
    rules: ['dup'],
    seedsMax: 10,
  },
  {
    name: 'dup-at-once',
    clause: 'MQTT-3.3.1-1',
    why: 'a PUBLISH says that it is sent again though it is sent for the first time',
    edits: [
      {
        file: TRANSMIT,
        find: 'const status = writeRecord(s, at, packetId, 0, nowMs);',
        replace: 'const status = writeRecord(s, at, packetId, 1, nowMs);',
      },
    ],
    rules: ['dup'],
    seedsMax: 10,
  },
  {
    name: 'packet-id-in-use',
    clause: 'MQTT-2.2.1-3',
    why: 'packet identifiers go round without a look at which are in use',
    edits: [
      {
        file: STATE,
        find: '    this.freePacketIds--;\n',
        replace: '    this.lastPacketId &= 3;\n',
      },
    ],
    rules: ['packet-id', 'store-first'],
    seedsMax: 10,
  },

  // --- QoS 1 and 2, sending ----------------------------------------------------------------------------------------
  {
    name: 'pubrel-not-resumed',
    clause: 'MQTT-4.4.0-1',
    why: 'PUBREL is not sent again on the next connection',
    edits: [
      {
        file: TRANSMIT,
        find: 'writeAck(s, PUBREL, inflight.packetId(at), 0, nowMs);',
        replace: '',
      },
    ],
    rules: ['stuck'],
    seedsMax: 30,
  },
  {
    name: 'publish-after-pubrec',
    clause: 'MQTT-4.3.3-5',
    why: 'PUBLISH is sent again though PUBREC was there',
    edits: [
      {
        file: RECEIVE,
        find: 'const action = deliveryAction(inflight.state(slot), packet.type);',
        replace: `if (packet.type === PUBREC && packet.reasonCode < UNSPECIFIED_ERROR) {
          writeAck(s, PUBREL, packet.packetId, SUCCESS, nowMs);
          return EVENT_NONE;
        }
        const action = packet.type === PUBCOMP ? ACT_COMPLETE : deliveryAction(inflight.state(slot), packet.type);`,
      },
    ],
    rules: ['store-first', 'qos2'],
    seedsMax: 10,
  },
  {
    name: 'done-at-pubrec',
    clause: 'MQTT-4.3.3-4',
    why: 'a QoS 2 message is done at PUBREC: there is no PUBREL',
    edits: [
      {
        file: RECEIVE,
        find: 'if (action === ACT_COMPLETE || (isRefused && inflight.state(slot) === AWAIT_PUBREC)) {',
        replace: 'if (action === ACT_COMPLETE || packet.type === PUBREC) {',
      },
    ],
    rules: ['early', 'unfinished'],
    seedsMax: 10,
  },
  {
    name: 'done-when-sent',
    clause: 'MQTT-4.3.2-3',
    why: 'the application is told that a message is done when it is sent',
    edits: [
      {
        file: TRANSMIT,
        find: '    outbox.markSent(at);\n',
        replace: '    outbox.markSent(at);\n    return tellPublished(s, ticket, OK, 0);\n',
      },
    ],
    rules: ['early'],
    seedsMax: 10,
  },
  {
    name: 'replay-reversed',
    clause: 'MQTT-4.6.0-1',
    why: 'what was under way is sent again the last first',
    edits: [
      {
        file: TRANSMIT,
        find: 'const at = inflight.position(n);',
        replace: 'const at = inflight.position(inflight.count - 1 - n);',
      },
    ],
    rules: ['order'],
    seedsMax: 30,
  },
  {
    name: 'record-freed-when-sent',
    clause: 'MQTT-4.4.0-1',
    why: 'the place of a QoS 1 message in the outbox is given away before it is acknowledged',
    edits: [
      {
        file: TRANSMIT,
        find: '    outbox.markSent(at);\n',
        replace: '    outbox.markSent(at);\n    if (qos === 1) outbox.free(at);\n',
      },
    ],
    rules: [
      'packet-id',
      'store-leak',
      'qos2-twice',
      'qos2',
      'malformed',
      'made-up',
      'accused',
      'store-first',
      'stuck',
      'lost',
    ],
    seedsMax: 10,
  },
  {
    name: 'compacting-forgets-slots',
    clause: 'MQTT-4.4.0-1',
    why: 'when the outbox closes up, the slots go on pointing to where messages were',
    edits: [
      {
        file: 'src/session/outbox.ts',
        find: 'for (let i = first; i < offsets.length; i += stride) if (offsets[i] === at) offsets[i] = to;',
        replace: '',
      },
    ],
    rules: ['hang', 'packet-id', 'malformed', 'made-up', 'accused', 'store-first', 'stuck'],
    seedsMax: 300,
  },
  {
    name: 'half-publish-not-ended',
    clause: 'MQTT-4.4.0-1',
    why: 'the rest of a PUBLISH that was half sent goes out on the next connection',
    edits: [{ file: ENDING, find: 'if (s.sendRemaining > 0) endHalf(s);', replace: '' }],
    rules: ['malformed', 'accused', 'stuck'],
    seedsMax: 300,
  },
  {
    name: 'answer-inside-publish',
    clause: 'MQTT-2.1.3-1',
    why: 'PUBREL and PUBCOMP are written in the middle of a PUBLISH that leaves in pieces',
    edits: [
      {
        file: RECEIVE,
        find: 'if (s.sendRemaining > 0 && isAnswered(packet.type)) return HELD;',
        replace: '',
      },
    ],
    rules: ['malformed', 'accused', 'made-up'],
    seedsMax: 300,
  },

  // --- Bounds of the server ----------------------------------------------------------------------------------------
  {
    name: 'receive-maximum-one-more',
    clause: 'MQTT-3.3.4-7',
    why: 'one message more than the Receive Maximum of the server is under way',
    edits: [
      {
        file: TRANSMIT,
        find: 'if (!inflight.hasRoom() || inflight.onWireCount >= s.serverReceiveMaximum) return EVENT_NONE;',
        replace:
          'if (!inflight.hasRoom() || inflight.onWireCount > s.serverReceiveMaximum) return EVENT_NONE;',
      },
    ],
    rules: ['receive-maximum'],
    seedsMax: 10,
  },
  {
    name: 'receive-maximum-not-replayed',
    clause: 'MQTT-4.9.0-2',
    why: 'what is sent again does not count against the Receive Maximum of the server',
    edits: [
      {
        file: TRANSMIT,
        find: 'if (inflight.onWireCount >= s.serverReceiveMaximum) return EVENT_NONE;',
        replace: '',
      },
    ],
    rules: ['receive-maximum'],
    seedsMax: 30,
  },
  {
    name: 'own-receive-maximum-one-less',
    clause: 'MQTT-3.3.4-9',
    why: 'a server that sends as many messages as it may is told that these are too many',
    edits: [
      {
        file: RECEIVE,
        find: 'if (s.isV5 && incoming.newCount >= s.receiveMaximum) {',
        replace: 'if (s.isV5 && incoming.newCount + 1 >= s.receiveMaximum) {',
      },
    ],
    rules: ['accused'],
    seedsMax: 10,
  },
  {
    name: 'maximum-packet-size-ignored',
    clause: 'MQTT-3.2.2-15',
    why: 'packets are sent that are larger than the server takes',
    edits: [
      {
        file: TRANSMIT,
        find: 'if (byteLength > s.serverMaximumPacketSize) return PACKET_TOO_LARGE; // [MQTT-3.2.2-15]',
        replace: '',
      },
      {
        file: PUBLISHING,
        find: 'if (isConnected && packetByteLength(remaining) > s.serverMaximumPacketSize) return PACKET_TOO_LARGE;',
        replace: '',
      },
    ],
    rules: ['maximum-packet-size'],
    seedsMax: 30,
  },
  {
    name: 'alias-kept',
    clause: 'MQTT-3.3.2-7',
    why: 'a Topic Alias is used on another connection than that which it was set on',
    edits: [
      {
        file: ALIASES,
        find: 'if (owner !== null) owner.forgetAlias();\n      this.owners[i] = null;',
        replace: 'if (owner !== null) owner.isShort = false;',
      },
    ],
    rules: ['alias'],
    seedsMax: 10,
  },
  {
    name: 'alias-above-maximum',
    clause: 'MQTT-3.2.2-17',
    why: 'the Topic Alias Maximum of the server is not looked at',
    edits: [
      {
        file: ALIASES,
        find: 'this.available = serverMaximum < this.aliasesMax ? serverMaximum : this.aliasesMax;',
        replace: 'this.available = this.aliasesMax;',
      },
    ],
    rules: ['alias'],
    seedsMax: 10,
  },

  // --- Receiving ---------------------------------------------------------------------------------------------------
  {
    name: 'received-id-not-stored',
    clause: 'MQTT-4.3.3-10',
    why: 'PUBREC goes out before the packet identifier is safe, and the power goes',
    edits: [
      {
        file: TRANSMIT,
        find: 'if (s.store !== null && !s.store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0)) return;',
        replace: '',
      },
    ],
    rules: ['store-first'],
    seedsMax: 10,
  },
  {
    name: 'received-id-store-failure',
    clause: 'MQTT-4.3.3-10',
    why: 'PUBREC goes out though the store did not take the packet identifier',
    edits: [
      {
        file: TRANSMIT,
        find: 'if (s.store !== null && !s.store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0)) return;',
        replace: 'if (s.store !== null) s.store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0);',
      },
    ],
    rules: ['store-first'],
    seedsMax: 100,
  },
  {
    name: 'received-id-not-restored',
    clause: 'MQTT-4.3.3-10',
    why: 'after a power cut the received packet identifiers are not taken up again',
    edits: [{ file: RESTORING, find: 's.incoming.add(number, AWAIT_PUBREL, 2, 0, 0);', replace: '' }],
    rules: ['qos2', 'store-leak', 'qos2-twice'],
    seedsMax: 300,
  },
  {
    name: 'received-id-forgotten-on-reconnect',
    clause: 'MQTT-4.3.3-10',
    why: 'the packet identifiers of received QoS 2 messages go with their connection',
    edits: [
      {
        file: INCOMING,
        find: 'if (this.qos(i) === 1) {',
        replace: 'if (i >= 0) {',
      },
    ],
    rules: ['qos2', 'store-leak', 'qos2-twice'],
    seedsMax: 30,
  },
  {
    name: 'received-id-forgotten-at-pubrec',
    clause: 'MQTT-4.3.3-10',
    why: 'the packet identifier of a QoS 2 message is forgotten before PUBREL',
    edits: [
      {
        file: TRANSMIT,
        find: 'incoming.setState(i, AWAIT_PUBREL);\n    writeAck(s, PUBREC, packetId, 0, nowMs);\n    i++;',
        replace: 'incoming.remove(i);\n    writeAck(s, PUBREC, packetId, 0, nowMs);',
      },
    ],
    rules: ['qos2', 'qos2-twice'],
    seedsMax: 10,
  },
  {
    name: 'received-id-not-removed',
    clause: 'MQTT-4.3.3-12',
    why: 'the store keeps a packet identifier for ever: after a power cut it stops another message',
    edits: [
      {
        file: RECEIVE,
        find: 'if (s.store !== null && !s.store.remove(STORED_RECEIVED, packetId)) return HELD;',
        replace: '',
      },
    ],
    rules: ['store-leak', 'early-answer', 'lost', 'stuck'],
    seedsMax: 10,
  },
  {
    name: 'doubted-identifier-kept',
    clause: 'MQTT-4.3.3-10',
    why: 'a message is taken for a duplicate under an identifier of a session that is no more',
    edits: [{ file: RECEIVE, find: '|| !s.isSessionDoubted', replace: '|| true' }],
    rules: ['early-answer', 'lost', 'stuck', 'qos2'],
    seedsMax: 1000,
  },
  {
    name: 'acknowledged-at-first-fragment',
    clause: 'MQTT-4.3.2-4',
    why: 'a message that comes in fragments is acknowledged at the first',
    edits: [
      {
        file: SESSION,
        find: 'if (s.releaseQos !== 0 && s.streamRemaining === 0) acknowledgeEvent(s, nowMs);',
        replace: 'if (s.releaseQos !== 0) acknowledgeEvent(s, nowMs);',
      },
    ],
    rules: ['early-answer'],
    seedsMax: 10,
  },
  {
    name: 'receive-ring-kept',
    clause: 'MQTT-2.1.3-1',
    why: 'the beginning of a packet is still there when the next connection begins',
    edits: [{ file: SESSION, find: 's.receive.clear();', replace: '' }],
    rules: ['stuck', 'accused', 'exception'],
    seedsMax: 100,
  },
  {
    name: 'transmit-ring-kept',
    clause: 'MQTT-3.1.0-1',
    why: 'what the last connection did not take goes out on the next, before CONNECT',
    edits: [
      {
        file: SESSION,
        find: 's.transmit.clear();\n    s.releaseByteLength = 0;',
        replace: 's.releaseByteLength = 0;',
      },
      { file: PUMP, find: 'this.session.transmit.clear();', replace: '' },
      { file: PUMP, find: 'else ring.clear();', replace: '' },
    ],
    rules: ['malformed', 'first-packet', 'accused', 'stuck', 'alias'],
    seedsMax: 30,
  },

  // --- The store ---------------------------------------------------------------------------------------------------
  {
    name: 'progress-not-stored',
    clause: 'MQTT-4.4.0-1',
    why: 'a PUBLISH leaves before its packet identifier is safe, and the power goes',
    edits: [
      { file: TRANSMIT, find: 'if (!storeProgress(s, ticket, packetId, 0)) return EVENT_NONE;', replace: '' },
    ],
    rules: ['store-first'],
    seedsMax: 10,
  },
  {
    name: 'pubrec-not-stored',
    clause: 'MQTT-4.4.0-1',
    why: 'after a power cut it is not known that PUBREC was there',
    edits: [
      {
        file: RECEIVE,
        find: 'if (!storeProgress(s, ticket, packet.packetId, 1)) return HELD;',
        replace: 'if (!storeProgress(s, ticket, packet.packetId, 0)) return HELD;',
      },
    ],
    rules: ['store-first'],
    seedsMax: 10,
  },
  {
    name: 'message-not-stored',
    clause: 'docs/architecture.md',
    why: 'a message is accepted though the store did not take it',
    edits: [
      {
        file: PUBLISHING,
        find: '  outbox.free(at);\n  return false;',
        replace: '  return true;',
      },
    ],
    rules: ['store-first', 'stuck'],
    seedsMax: 30,
  },
  {
    name: 'messages-not-restored',
    clause: 'MQTT-4.1.0-1',
    why: 'after a power cut the messages in the store are not taken up again',
    edits: [
      {
        file: RESTORING,
        find: 'const record = outbox.restore(bytes, at, byteLength);',
        replace: 'if (outbox.end >= 0) return OK;\n    const record = outbox.restore(bytes, at, byteLength);',
      },
    ],
    rules: ['store-leak', 'packet-id', 'unfinished', 'stuck', 'lost', 'store-first'],
    seedsMax: 30,
  },
  {
    name: 'tickets-begin-again',
    clause: 'docs/architecture.md',
    why: 'after a power cut a new message takes the place of another in the store',
    edits: [
      {
        file: RESTORING,
        find: 'if (number >= s.nextTicket) s.nextTicket = number === FOUR_BYTE_INTEGER_MAX ? 1 : number + 1;',
        replace: 'if (number >= FOUR_BYTE_INTEGER_MAX) s.nextTicket = 1;',
      },
    ],
    rules: ['store-first', 'packet-id', 'stuck', 'lost', 'early', 'store-leak', 'dup', 'retained'],
    seedsMax: 300,
  },
  {
    name: 'progress-removed-first',
    clause: 'MQTT-4.4.0-1',
    why: 'when a message is done its progress is removed before the message: a power cut between makes it new',
    edits: [
      {
        file: TRANSMIT,
        find: `    if (record >= 0) s.store.remove(STORED_MESSAGE, s.inflight.ticket(at));
    s.store.remove(STORED_PROGRESS, s.inflight.ticket(at));`,
        replace: `    s.store.remove(STORED_PROGRESS, s.inflight.ticket(at));
    if (record >= 0) s.store.remove(STORED_MESSAGE, s.inflight.ticket(at));`,
      },
    ],
    rules: ['dup', 'again', 'qos2-twice'],
    seedsMax: 100,
  },
  {
    name: 'progress-not-removed',
    clause: 'docs/architecture.md',
    why: 'the store fills up with the progress of messages that are done',
    edits: [
      {
        file: TRANSMIT,
        find: '    s.store.remove(STORED_PROGRESS, s.inflight.ticket(at));\n  }\n  s.inflight.free(at);',
        replace: '  }\n  s.inflight.free(at);',
      },
    ],
    rules: ['store-leak', 'exception'],
    seedsMax: 10,
  },

  // --- Sessions that the server lost -------------------------------------------------------------------------------
  {
    name: 'session-loss-ignored',
    clause: 'MQTT-3.2.2-5',
    why: 'Session Present is not looked at: what the server has forgotten is taken for its own',
    edits: [
      {
        file: RECEIVE,
        find: 'const isSessionLost = packet.sessionPresent === 0;',
        replace: 'const isSessionLost = !s.hasSession;',
      },
    ],
    rules: ['dup', 'subscription', 'stuck', 'lost'],
    seedsMax: 100,
  },
  {
    name: 'not-subscribed-again',
    clause: 'MQTT-3.2.2-5',
    why: 'subscriptions are not made again with a server that has lost the session',
    edits: [
      {
        file: SUBSCRIPTIONS,
        find: '(isSessionDoubted && this.state(at) === ACTIVE)',
        replace: '(isSessionDoubted && this.state(at) === SENT)',
      },
    ],
    rules: ['subscription'],
    seedsMax: 100,
  },
  {
    name: 'not-sent-as-new',
    clause: 'MQTT-4.4.0-1',
    why: 'what was under way is not sent again to a server that has lost the session',
    edits: [{ file: RECEIVE, find: 's.outbox.requeue();', replace: '' }],
    rules: ['stuck', 'lost', 'store-leak'],
    seedsMax: 100,
  },
  {
    name: 'clean-start-each-time',
    clause: 'MQTT-3.1.2-4',
    why: 'each CONNECT asks for a Clean Start: what waits for the device at the server is thrown away',
    edits: [
      {
        file: SESSION,
        find: 's.connect[CONNECT_FLAGS] = isClean ? flags | CONNECT_CLEAN_START : flags;',
        replace: 's.connect[CONNECT_FLAGS] = isClean || s.hasSession ? flags | CONNECT_CLEAN_START : flags;',
      },
    ],
    rules: ['lost', 'qos2-twice', 'session-present', 'stuck', 'session-lost'],
    seedsMax: 10,
  },

  // --- Time --------------------------------------------------------------------------------------------------------
  {
    name: 'no-pingreq',
    clause: 'MQTT-3.1.2-20',
    why: 'PINGREQ is not sent',
    edits: [
      {
        file: KEEP_ALIVE,
        find: 'transmit.end = encodePing(transmit.bytes, transmit.end, transmit.bytes.length, PINGREQ);',
        replace: 'encodePing(transmit.bytes, transmit.end, transmit.bytes.length, PINGREQ);',
      },
    ],
    rules: ['keep-alive'],
    seedsMax: 10,
  },
  {
    name: 'pingreq-late',
    clause: 'MQTT-3.1.2-20',
    why: 'PINGREQ is sent after twice the keep alive',
    edits: [
      {
        file: KEEP_ALIVE,
        find: 'const idleMs = nowMs + s.keepAliveMs;',
        replace: 'const idleMs = nowMs + 2 * s.keepAliveMs;',
      },
    ],
    rules: ['keep-alive'],
    seedsMax: 10,
  },
  {
    name: 'no-ping-timeout',
    clause: 'MQTT-3.1.2-22',
    why: 'a PINGRESP that does not come is waited for for ever: a connection that is half open is never given up',
    edits: [
      {
        file: SESSION,
        find: '      else {\n        endConnection(s, CAUSE_PING_TIMEOUT, 0, nowMs); // [MQTT-3.1.2-22]\n        return;\n      }',
        replace: '      else s.pingTimeoutAtMs = nowMs + s.pingTimeoutMs;',
      },
    ],
    rules: ['half-open', 'stuck'],
    seedsMax: 10,
  },
  {
    name: 'silence-not-noticed',
    clause: 'docs/architecture.md',
    why: 'a client that only sends never asks whether anybody listens',
    edits: [
      {
        file: KEEP_ALIVE,
        find: 's.pingAtMs = silentMs < idleMs && s.pingTimeoutAtMs === NEVER ? silentMs : idleMs;',
        replace:
          's.pingAtMs = silentMs < idleMs && s.pingTimeoutAtMs === NEVER && s.outbox.count < 0 ? silentMs : idleMs;',
      },
    ],
    rules: ['half-open', 'stuck'],
    seedsMax: 10,
  },
  {
    name: 'no-connect-timeout',
    clause: 'docs/architecture.md',
    why: 'a CONNACK that does not come is waited for for ever',
    edits: [
      {
        file: SESSION,
        find: 's.connectAtMs = nowMs + s.connectTimeoutMs;',
        replace: 's.connectAtMs = NEVER;',
      },
    ],
    rules: ['half-open', 'stuck', 'late-attempt'],
    seedsMax: 100,
  },
  {
    name: 'no-backoff',
    clause: 'docs/architecture.md',
    why: 'who lost its connection tries again at once',
    edits: [
      {
        file: ENDING,
        find: 'inMs = backoffMs(s.attempts, s.reconnectFirstMs, s.reconnectMaximumMs, s.random());',
        replace: 'inMs = 0 * backoffMs(s.attempts, s.reconnectFirstMs, s.reconnectMaximumMs, s.random());',
      },
    ],
    rules: ['backoff'],
    seedsMax: 10,
  },
  {
    name: 'backoff-does-not-grow',
    clause: 'docs/architecture.md',
    why: 'the wait between attempts stays the same however many fail',
    edits: [
      {
        file: BACKOFF,
        find: 'for (; attempts > 0 && stepMs < maximumMs; attempts--) stepMs *= 2;',
        replace: '',
      },
    ],
    rules: ['backoff'],
    seedsMax: 10,
  },
  {
    name: 'backoff-not-reset',
    clause: 'docs/architecture.md',
    why: 'who was connected meanwhile waits as if all attempts since it was switched on had failed',
    edits: [
      {
        file: RECEIVE,
        find: '  s.attempts = 0;\n  s.event.kind = EVENT_CONNECTED;',
        replace: '  s.event.kind = EVENT_CONNECTED;',
      },
    ],
    rules: ['late-attempt'],
    seedsMax: 10,
  },
  {
    name: 'gives-up',
    clause: 'docs/architecture.md',
    why: 'who gets no CONNACK in time does not try again',
    edits: [
      {
        file: ENDING,
        find: 'if (cause === CAUSE_CLIENT || cause === CAUSE_CONNECT_TOO_LARGE) return false;',
        replace:
          'if (cause === CAUSE_CLIENT || cause === CAUSE_CONNECT_TOO_LARGE || cause === 6) return false;',
      },
    ],
    rules: ['stuck', 'late-attempt'],
    seedsMax: 100,
  },
  {
    name: 'timer-lost',
    clause: 'docs/architecture.md',
    why: 'a timer that goes off early is not set again',
    edits: [
      {
        file: LINE,
        find: 'if (this.deadlineMs < this.timerAtMs) this.startTimer(this.board.nowMs());',
        replace: 'if (this.deadlineMs <= nowMs) this.startTimer(this.board.nowMs());',
      },
    ],
    rules: ['keep-alive', 'half-open', 'stuck', 'late-attempt'],
    seedsMax: 10,
  },

  // --- Between session and network ---------------------------------------------------------------------------------
  {
    name: 'written-after-close',
    clause: 'docs/architecture.md',
    why: 'the pump does not note that its transport is closed, and goes on writing to it',
    edits: [
      {
        file: PUMP,
        find: 'this.hasTransport = false;\n    this.isClosedDue = true;',
        replace: 'this.isClosedDue = true;',
      },
    ],
    rules: ['backoff', 'late-attempt', 'after-close'],
    seedsMax: 10,
  },
  {
    name: 'writable-ignored',
    clause: 'docs/architecture.md',
    why: 'what the network did not take at once is not offered again when there is room',
    edits: [
      {
        file: LINE,
        find: 'handleWritable(): void {\n    this.run(this.board.nowMs());',
        replace: 'handleWritable(): void {',
      },
    ],
    rules: ['stuck', 'session-kept', 'keep-alive'],
    seedsMax: 100,
  },
  {
    name: 'rest-not-read',
    clause: 'docs/architecture.md',
    why: 'what did not fit into the receive window is left with the transport',
    edits: [{ file: LINE, find: '} while (hasMore);', replace: '} while (hasMore && nowMs < 0);' }],
    rules: ['after-close', 'unfinished', 'stuck', 'half-open', 'late-answer'],
    seedsMax: 30,
  },
  {
    name: 'queued-message-overtaken',
    clause: 'MQTT-4.6.0-6',
    why: 'a QoS 0 message goes out before those that wait',
    edits: [
      {
        file: PUBLISHING,
        find: 'if (isConnected && s.outbox.queuedQos0 === 0) {',
        replace: 'if (isConnected && s.sendRemaining === 0) {',
      },
    ],
    rules: ['order'],
    seedsMax: 100,
  },
  {
    name: 'piece-from-the-beginning',
    clause: 'MQTT-3.3.3-1',
    why: 'each piece of a payload that leaves in pieces is its first',
    edits: [
      {
        file: TRANSMIT,
        find: 'const from = at + outbox.recordByteLength(at) - s.sendRemaining;',
        replace: 'const from = outbox.propertiesOffset(at) + outbox.propertiesByteLength(at);',
      },
    ],
    rules: ['made-up', 'early-answer', 'packet-id'],
    seedsMax: 30,
  },
  {
    name: 'fragment-too-long',
    clause: 'MQTT-3.3.3-1',
    why: 'the last fragment of a message takes the packet behind it along',
    edits: [
      {
        file: RECEIVE,
        find: 'if (byteLength > s.streamRemaining) byteLength = s.streamRemaining;',
        replace: '',
      },
    ],
    rules: ['accused', 'made-up', 'torn', 'stuck', 'unfinished', 'early-answer'],
    seedsMax: 10,
  },
  {
    name: 'will-not-sent',
    clause: 'MQTT-3.1.2-7',
    why: 'CONNECT has no will, though there is one',
    edits: [
      {
        file: 'src/session/options.ts',
        find: 'if (options.will !== undefined) flags |= appendWill(writer, options.will);',
        replace: '',
      },
    ],
    rules: ['will'],
    seedsMax: 10,
  },
  {
    name: 'leaves-without-goodbye',
    clause: 'MQTT-3.14.4-1',
    why: 'who leaves does not say DISCONNECT, and the server publishes the will',
    edits: [
      {
        file: SESSION,
        find: 'if (this.isConnectSent()) writeReason(s, DISCONNECT, reasonCode, properties, 0);',
        replace: '',
      },
    ],
    rules: ['goodbye'],
    seedsMax: 30,
  },
  {
    name: 'callback-of-another',
    clause: 'docs/architecture.md',
    why: 'whoever has waited longest is told, whichever message is done',
    edits: [
      {
        file: CALLBACKS,
        find: 'if (callback === null || this.tickets[i] !== event.ticket) continue;',
        replace: 'if (callback === null) continue;',
      },
    ],
    rules: ['early', 'early-subscription'],
    seedsMax: 10,
  },
];
