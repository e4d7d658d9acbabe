/**
 * Deliberate defects of the broker: of its sessions, its deliveries, its answers, its store's keeper.
 *
 * Long because it is a list, one defect after another.
 */
import type { Defect } from './defect.ts';

const DELIVERIES = 'sim/broker/deliveries.ts';
const SESSION = 'sim/broker/session.ts';
const SESSIONS = 'sim/broker/sessions.ts';
const CONNECTION = 'sim/broker/connection.ts';
const CONNECT_HANDLER = 'sim/broker/connect-handler.ts';
const PUBLISH_HANDLER = 'sim/broker/publish-handler.ts';
const SUBSCRIBE_HANDLER = 'sim/broker/subscribe-handler.ts';
const ROUTER = 'sim/broker/router.ts';
const KEEPER = 'sim/broker/keeper.ts';
const CORE = 'sim/broker/core.ts';
const RESTORING = 'sim/broker/restoring.ts';
const FIFO = 'sim/broker/fifo.ts';
const PUBLISHER = 'sim/broker/publisher.ts';

export const BROKER_DEFECTS: readonly Defect[] = [
  // --- Deliveries --------------------------------------------------------------------------------------------------
  {
    name: 'broker-no-redelivery',
    clause: 'MQTT-4.4.0-1',
    why: 'what was not acknowledged is not sent again on the next connection',
    edits: [{ file: DELIVERIES, find: 'session.resend.push(delivery);', replace: '' }],
    rules: ['unfinished', 'stuck', 'lost'],
    seedsMax: 10,
  },
  {
    name: 'broker-dup-forgotten',
    clause: 'MQTT-3.3.1-1',
    why: 'a PUBLISH that is sent again does not say so',
    edits: [
      {
        file: DELIVERIES,
        find: 'message, qos, isRetain, true, packetId, identifiers, nowMs);',
        replace: 'message, qos, isRetain, false, packetId, identifiers, nowMs);',
      },
    ],
    rules: ['dup'],
    seedsMax: 10,
  },
  {
    name: 'broker-pubrel-not-resumed',
    clause: 'MQTT-4.4.0-1',
    why: 'PUBREL is not sent again on the next connection',
    edits: [
      {
        file: DELIVERIES,
        find: `      delivery.holdsPlace = false;
      connection.writeAck(PUBREL, delivery.packetId, SUCCESS, '');`,
        replace: '      delivery.holdsPlace = false;',
      },
    ],
    rules: ['unfinished'],
    seedsMax: 100,
  },
  {
    name: 'broker-receive-maximum-one-more',
    clause: 'MQTT-3.3.4-9',
    why: 'one message more than the Receive Maximum of the client is under way',
    edits: [
      {
        file: DELIVERIES,
        find: 'return places < receiveMaximum &&',
        replace: 'return places <= receiveMaximum &&',
      },
    ],
    rules: ['receive-maximum', 'accused'],
    seedsMax: 10,
  },
  {
    name: 'broker-place-not-given-back',
    clause: 'MQTT-4.9.0-1',
    why: 'PUBACK does not give back what the Receive Maximum of the client counts',
    edits: [{ file: DELIVERIES, find: 'if (delivery.holdsPlace) session.places--;', replace: '' }],
    rules: ['unfinished', 'stuck', 'lost'],
    seedsMax: 10,
  },
  {
    name: 'broker-places-kept',
    clause: 'MQTT-3.3.4-9',
    why: 'a connection begins with what the last one had under way counted against it',
    edits: [
      {
        file: DELIVERIES,
        find: '    session.places = 0;\n    session.resend.clear();\n    for (const delivery of session.released.values()) {',
        replace: '    session.resend.clear();\n    for (const delivery of session.released.values()) {',
      },
      {
        file: DELIVERIES,
        find: '    session.places = 0;\n    session.resend.clear();\n    if (session.queuedQos0 === 0) return;',
        replace: '    session.resend.clear();\n    if (session.queuedQos0 === 0) return;',
      },
    ],
    rules: ['unfinished', 'stuck', 'lost'],
    seedsMax: 100,
  },
  {
    name: 'broker-last-in-first-out',
    clause: 'MQTT-4.6.0-6',
    why: 'what waits for a client is sent the last first',
    edits: [
      { file: FIFO, find: 'this.items.push(item);', replace: 'this.items.splice(this.first, 0, item);' },
    ],
    rules: ['order'],
    seedsMax: 10,
  },
  {
    name: 'broker-packet-id-in-use',
    clause: 'MQTT-2.2.1-4',
    why: 'packet identifiers go round without a look at which are in use',
    edits: [
      {
        file: SESSION,
        find: 'if (!this.inflight.has(id) && !this.released.has(id)) return id;',
        replace: 'if (id > 8) this.lastPacketId = 0;\n      return id;',
      },
    ],
    rules: ['packet-id', 'stuck', 'lost', 'unfinished', 'accused', 'memory'],
    seedsMax: 10,
  },
  {
    name: 'broker-qos-not-lowered',
    clause: 'MQTT-3.8.4-8',
    why: 'messages are sent at the QoS of the subscription, though they were published at a lower one',
    edits: [
      {
        file: ROUTER,
        find: '      session,\n      message,\n      Math.min(message.qos, qos),',
        replace: '      session,\n      message,\n      qos,',
      },
    ],
    rules: ['wrong-qos'],
    seedsMax: 10,
  },
  {
    name: 'broker-pubrec-not-noted',
    clause: 'MQTT-4.3.3-5',
    why: 'PUBLISH is sent again though PUBREC was there',
    edits: [
      {
        file: DELIVERIES,
        find: '    session.inflight.delete(packetId);\n    session.released.set(packetId, delivery);',
        replace: '    session.released.set(packetId, delivery);',
      },
    ],
    rules: ['qos2-twice', 'unfinished', 'qos2', 'packet-id', 'memory'],
    seedsMax: 10,
  },
  {
    name: 'broker-memory-not-given-back',
    clause: 'docs/broker.md',
    why: 'the bytes of what is delivered are still reckoned',
    edits: [{ file: DELIVERIES, find: 'session.queuedBytes -= cost;', replace: '' }],
    rules: ['memory'],
    seedsMax: 10,
  },

  // --- Messages from clients ---------------------------------------------------------------------------------------
  {
    name: 'broker-duplicate-routed',
    clause: 'MQTT-4.3.3-10',
    why: 'a QoS 2 message that is sent again is routed again',
    edits: [
      {
        file: PUBLISH_HANDLER,
        find: 'if (qos === 2 && session.receivedIds.has(packetId)) {',
        replace: 'if (qos === 2 && packet.dup === 0 && session.receivedIds.has(packetId)) {',
      },
    ],
    rules: ['qos2-twice'],
    seedsMax: 100,
  },
  {
    name: 'broker-received-ids-of-connection',
    clause: 'MQTT-4.3.3-10',
    why: 'the packet identifiers of received QoS 2 messages go with their connection',
    edits: [
      {
        file: SESSIONS,
        find: 'session.connection = connection;',
        replace: 'session.connection = connection;\n    session.receivedIds.clear();',
      },
    ],
    rules: ['qos2-twice'],
    seedsMax: 100,
  },
  {
    name: 'broker-received-id-not-stored',
    clause: 'MQTT-4.3.3-10',
    why: 'a broker that died does not know which QoS 2 messages it had',
    edits: [{ file: PUBLISH_HANDLER, find: 'context.keeper.putReceived(session, packetId);', replace: '' }],
    rules: ['qos2-twice'],
    seedsMax: 100,
  },
  {
    name: 'broker-answers-before-commit',
    clause: 'MQTT-4.3.2-4',
    why: 'PUBACK and PUBREC leave before the message is safe',
    edits: [
      {
        file: CORE,
        find: 'if (this.store?.hasChanges() === true) this.commit(this.store, touched);\n    else this.write(touched, nowMs);',
        replace:
          'if (this.store?.hasChanges() === true) this.commit(this.store, []);\n    this.write(touched, nowMs);',
      },
    ],
    rules: ['packet-id', 'lost', 'stuck', 'qos2-twice', 'subscription', 'qos2', 'unfinished'],
    seedsMax: 300,
  },
  {
    name: 'broker-alias-above-maximum',
    clause: 'MQTT-3.1.2-26',
    why: 'the Topic Alias Maximum of the client is not looked at',
    edits: [
      {
        file: CONNECT_HANDLER,
        find: 'connection.outgoingAliasMaximum = Math.min(\n      request.topicAliasMaximum,',
        replace: 'connection.outgoingAliasMaximum = Math.min(\n      65535,',
      },
    ],
    rules: ['alias', 'accused'],
    seedsMax: 10,
  },
  {
    name: 'broker-aliases-shared',
    clause: 'MQTT-3.3.2-7',
    why: 'all connections share the Topic Aliases of one',
    edits: [
      {
        file: CONNECTION,
        find: '(this.outgoingAliases ??= new Map<string, number>())',
        replace: '(this.outgoingAliases ??= (this.rooms as any).shared ??= new Map<string, number>())',
      },
    ],
    rules: ['alias', 'accused'],
    seedsMax: 10,
  },
  {
    name: 'broker-receive-maximum-one-less',
    clause: 'MQTT-3.3.4-7',
    why: 'a client that sends as many messages as it may is told that these are too many',
    edits: [
      {
        file: PUBLISH_HANDLER,
        find: 'if (pending >= limits.receiveMaximum) {',
        replace: 'if (pending + 1 >= limits.receiveMaximum) {',
      },
    ],
    rules: ['accused'],
    seedsMax: 10,
  },

  // --- Sessions ----------------------------------------------------------------------------------------------------
  {
    name: 'broker-session-present-forgotten',
    clause: 'MQTT-3.2.2-2',
    why: 'CONNACK says that there is no session, though there is',
    edits: [
      {
        file: CONNECT_HANDLER,
        find: 'this.writeConnack(connection, isPresent, SUCCESS);',
        replace: 'this.writeConnack(connection, false, SUCCESS);',
      },
    ],
    rules: ['session-lost', 'packet-id', 'qos2-twice', 'accused'],
    seedsMax: 10,
  },
  {
    name: 'broker-session-present-always',
    clause: 'MQTT-3.2.2-3',
    why: 'CONNACK says that there is a session, though there is none',
    edits: [
      {
        file: CONNECT_HANDLER,
        find: 'this.writeConnack(connection, isPresent, SUCCESS);',
        replace: 'this.writeConnack(connection, !cleanStart, SUCCESS);',
      },
    ],
    rules: ['session-kept', 'session-present', 'subscription'],
    seedsMax: 10,
  },
  {
    name: 'broker-session-of-connection',
    clause: 'MQTT-3.1.2-5',
    why: 'sessions end with their connection, whatever their expiry',
    edits: [{ file: SESSIONS, find: 'if (expiresAtMs <= nowMs) {', replace: 'if (expiresAtMs >= nowMs) {' }],
    rules: ['session-lost', 'lost', 'stuck'],
    seedsMax: 10,
  },
  {
    name: 'broker-session-never-expires',
    clause: 'MQTT-4.1.0-2',
    why: 'a session is kept though its expiry is over',
    edits: [
      {
        file: SESSIONS,
        find: '    this.context.deadlines.set(session.expiryDeadline, expiresAtMs);\n',
        replace: '',
      },
    ],
    rules: ['session-kept'],
    seedsMax: 300,
  },
  {
    name: 'broker-takeover-forgotten',
    clause: 'MQTT-3.1.4-3',
    why: 'a client that comes back leaves its old connection open, whose end then ends the new one for the session',
    edits: [
      {
        file: SESSIONS,
        find: "other.end(SESSION_TAKEN_OVER, 'another connection took the session over', nowMs);",
        replace: '',
      },
    ],
    rules: ['takeover', 'will', 'stuck', 'half-open', 'keep-alive', 'lost', 'unfinished'],
    seedsMax: 30,
  },
  {
    name: 'broker-keep-alive-ignored',
    clause: 'MQTT-3.1.2-22',
    why: 'a client that is silent for ever is waited for for ever',
    edits: [
      {
        file: CONNECTION,
        find: "this.end(KEEP_ALIVE_TIMEOUT, 'no packet within one and a half times the keep alive', nowMs);",
        replace: 'context.deadlines.set(this.idleDeadline, nowMs + 1000);',
      },
    ],
    rules: ['server-keep-alive'],
    seedsMax: 30,
  },
  {
    name: 'broker-keep-alive-early',
    clause: 'MQTT-3.1.2-22',
    why: 'a client is given up after half of the time that it has',
    edits: [
      {
        file: CONNECTION,
        find: 'const dueMs = this.lastReceivedMs + this.keepAliveSeconds * 1500;',
        replace: 'const dueMs = this.lastReceivedMs + this.keepAliveSeconds * 750;',
      },
      {
        file: CONNECTION,
        find: 'else deadlines.set(this.idleDeadline, nowMs + this.keepAliveSeconds * 1500);',
        replace: 'else deadlines.set(this.idleDeadline, nowMs + this.keepAliveSeconds * 750);',
      },
    ],
    rules: ['server-keep-alive'],
    seedsMax: 10,
  },

  // --- Wills -------------------------------------------------------------------------------------------------------
  {
    name: 'broker-will-forgotten',
    clause: 'MQTT-3.1.2-8',
    why: 'the will is not published when the connection is lost',
    edits: [
      {
        file: SESSIONS,
        find: 'if (willMs <= 0) this.publishWill(session, nowMs);\n    else this',
        replace: 'if (willMs > 0) this',
      },
    ],
    rules: ['will'],
    seedsMax: 10,
  },
  {
    name: 'broker-will-after-goodbye',
    clause: 'MQTT-3.14.4-3',
    why: 'the will is published though the client said DISCONNECT',
    edits: [{ file: SESSIONS, find: 'if (reasonCode === SUCCESS) session.will = null;', replace: '' }],
    rules: ['will'],
    seedsMax: 100,
  },
  {
    name: 'broker-will-twice',
    clause: 'MQTT-3.1.2-10',
    why: 'the will is published twice',
    edits: [
      {
        file: SESSIONS,
        find: 'this.publisher.publish(due, session, null, nowMs);',
        replace: 'for (const one of [due, due]) this.publisher.publish(one, session, null, nowMs);',
      },
    ],
    rules: ['will'],
    seedsMax: 10,
  },

  // --- Retained messages, subscriptions ----------------------------------------------------------------------------
  {
    name: 'broker-retained-not-stored',
    clause: 'docs/broker.md',
    why: 'retained messages are lost with the process',
    edits: [{ file: PUBLISHER, find: 'context.keeper.putRetained(kept, before);', replace: '' }],
    rules: ['retained'],
    seedsMax: 10,
  },
  {
    name: 'broker-retained-not-replaced',
    clause: 'MQTT-3.3.1-5',
    why: 'a retained message stays when another comes for its topic',
    edits: [
      {
        file: PUBLISHER,
        find: 'retained.set(kept); // in place of',
        replace: 'if (before === undefined) retained.set(kept); // in place of',
      },
    ],
    rules: ['retained', 'exception'],
    seedsMax: 10,
  },
  {
    name: 'broker-retain-flag-kept',
    clause: 'MQTT-3.3.1-12',
    why: 'what is sent as it is published says that it was retained',
    edits: [
      {
        file: ROUTER,
        find: 'message.isRetain && isRetainAsPublished, // [',
        replace: 'message.isRetain, // [',
      },
    ],
    rules: ['lost'],
    seedsMax: 10,
  },
  {
    name: 'broker-retain-flag-forgotten',
    clause: 'MQTT-3.3.1-8',
    why: 'what is sent because of a subscription does not say that it was retained',
    edits: [
      {
        file: SUBSCRIBE_HANDLER,
        find: 'Math.min(message.qos, qos), true, identifiers, null, nowMs);',
        replace: 'Math.min(message.qos, qos), false, identifiers, null, nowMs);',
      },
    ],
    rules: ['retained'],
    seedsMax: 10,
  },
  {
    name: 'broker-unsubscribe-ignored',
    clause: 'MQTT-3.10.4-2',
    why: 'who has unsubscribed is sent messages',
    edits: [
      {
        file: SUBSCRIBE_HANDLER,
        find: '    session.subscriptions.delete(topicFilter);\n    router.remove(subscription);',
        replace: '    session.subscriptions.delete(topicFilter);',
      },
    ],
    rules: ['unsubscribed'],
    seedsMax: 10,
  },
  {
    name: 'broker-maximum-packet-size-ignored',
    clause: 'MQTT-3.1.2-24',
    why: 'packets are sent that are larger than the client takes',
    edits: [
      {
        file: CONNECTION,
        find: 'if (byteLength > this.maximumPacketSize) return false; // [MQTT-3.1.2-24]',
        replace: '',
      },
    ],
    rules: ['accused'],
    seedsMax: 10,
  },
  {
    name: 'broker-receive-maximum-not-said',
    clause: 'MQTT-3.3.4-7',
    why: 'the Receive Maximum is not in CONNACK, and whoever does not keep to it is thrown out',
    edits: [
      {
        file: CONNECT_HANDLER,
        find: 'if (limits.receiveMaximum !== 65_535) properties.addNumber(P_RECEIVE_MAXIMUM, limits.receiveMaximum);',
        replace: '',
      },
    ],
    rules: ['accused'],
    seedsMax: 10,
  },

  // --- What a broker that died knows -------------------------------------------------------------------------------
  {
    name: 'broker-queue-not-stored',
    clause: 'MQTT-4.1.0-1',
    why: 'what waits for a client is lost with the process',
    edits: [
      {
        file: DELIVERIES,
        find: '    this.adopt(session, delivery);\n    context.keeper.putDelivery(session, delivery, false);',
        replace: '    this.adopt(session, delivery);',
      },
    ],
    rules: ['lost', 'stuck'],
    seedsMax: 30,
  },
  {
    name: 'broker-packet-id-not-stored',
    clause: 'MQTT-4.4.0-1',
    why: 'a broker that died sends what was under way as new',
    edits: [
      { file: RESTORING, find: 'delivery.packetId = packetId;', replace: 'delivery.packetId = 0;' },
      { file: RESTORING, find: 'if (packetId === 0) deliveries', replace: 'if (!isReleased) deliveries' },
    ],
    rules: ['dup', 'malformed', 'packet-id', 'qos2-twice', 'unfinished', 'stuck'],
    seedsMax: 30,
  },
  {
    name: 'broker-subscription-not-stored',
    clause: 'MQTT-4.1.0-1',
    why: 'subscriptions are lost with the process, the sessions are not',
    edits: [{ file: SUBSCRIBE_HANDLER, find: 'context.keeper.putSubscription(subscription);', replace: '' }],
    rules: ['subscription'],
    seedsMax: 30,
  },
  {
    name: 'broker-pubrec-not-stored',
    clause: 'MQTT-4.3.3-5',
    why: 'a broker that died sends PUBLISH again though it had sent PUBREL',
    edits: [
      {
        file: DELIVERIES,
        find: 'this.context.keeper.putDelivery(session, delivery, true);',
        replace: '',
      },
    ],
    rules: ['qos2-twice', 'qos2'],
    seedsMax: 100,
  },
  {
    name: 'broker-session-not-stored',
    clause: 'MQTT-3.1.2-5',
    why: 'a session is stored when its connection ends, and is lost with a process that dies before',
    edits: [
      {
        file: SESSIONS,
        find: '    session.will = will;\n    this.context.keeper.putSession(session);',
        replace: '    session.will = will;',
      },
    ],
    rules: ['session-lost', 'lost', 'stuck', 'qos2-twice', 'will', 'retained', 'exception'],
    seedsMax: 10,
  },
  {
    name: 'broker-will-lost-in-crash',
    clause: 'MQTT-3.1.2-8',
    why: 'a broker that died does not publish the wills of those who were connected',
    edits: [
      {
        file: SESSIONS,
        find: '    if (session.will === null) return;\n    deadlines.set(',
        replace: '    if (session.endedAtMs > 0) return;\n    deadlines.set(',
      },
    ],
    rules: ['will'],
    seedsMax: 10,
  },
  {
    name: 'broker-sequence-begins-again',
    clause: 'MQTT-4.1.0-1',
    why: 'behind a crash, new messages take the places of others in the store, and are lost in the next',
    edits: [
      {
        file: RESTORING,
        find: 'session.nextSequence = Math.max(session.nextSequence, sequence + 1);',
        replace: '',
      },
    ],
    rules: ['packet-id', 'order', 'lost', 'stuck', 'unfinished', 'qos2', 'retained'],
    seedsMax: 100,
  },
  {
    name: 'broker-message-ids-begin-again',
    clause: 'docs/broker.md',
    why: 'behind a crash, new messages take the places of retained ones in the store',
    edits: [
      { file: RESTORING, find: 'for (const [id] of state.messages) keeper.startBehind(id);', replace: '' },
    ],
    rules: [
      'retained',
      'will',
      'wrong-qos',
      'qos2-twice',
      'lost',
      'stuck',
      'packet-id',
      'wrong-topic',
      'made-up',
    ],
    seedsMax: 30,
  },
  {
    name: 'broker-message-removed-early',
    clause: 'docs/broker.md',
    why: 'the store forgets a message with the first of those who refer to it',
    edits: [{ file: KEEPER, find: 'if (message.storeReferences > 0) return;', replace: '' }],
    rules: ['retained', 'lost', 'stuck', 'exception'],
    seedsMax: 10,
  },
  {
    name: 'broker-does-not-wake',
    clause: 'docs/broker.md',
    why: 'what is to be said during a commit is not said after it',
    edits: [
      {
        file: CORE,
        find: 'if (this.touched.length > 0 || store.hasChanges()) this.wake();',
        replace: '',
      },
    ],
    rules: ['late-answer', 'stuck', 'unfinished'],
    seedsMax: 100,
  },
];
