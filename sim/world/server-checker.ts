/**
 * Watches the server's end of all connections: which session each client finds, how what it is sent is sent again, how long
 * a silent client is waited for, and that a client has one connection. Knows of the server what can be seen on the wire, and
 * when it died.
 */
import type { Packet } from '../../src/packets/packet.ts';
import { P_SESSION_EXPIRY_INTERVAL } from '../../src/packets/property-table.ts';
import {
  CONNACK,
  CONNECT,
  CONNECT_CLEAN_START,
  DISCONNECT,
  FROM_CLIENT,
  FROM_SERVER,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from '../../src/packets/types.ts';
import { PacketStream, nameOf, valueOf } from './packet-stream.ts';
import type { EndWatcher } from './sim-link.ts';

/** Whether the server has a session of a client: it said so; it may, for it read a CONNECT; it cannot. */
type SessionState = 'kept' | 'maybe' | 'none';

/** A QoS 1 or 2 message to a client. */
interface UnderWay {
  readonly qos: number;
  readonly name: string;
  connection: Watched;
  /** PUBREL was sent: the server knows of the PUBREC, even when it dies. */
  isReleased: boolean;
  /** When PUBREC came; Infinity before. */
  receivedMs: number;
  /** The server died since: what it had heard it may not know. */
  isUncertain: boolean;
}

/** One client, from the server's side. */
interface Client {
  readonly clientId: string;
  session: SessionState;
  expiryMs: number;
  /** When its last connection ended, as the server saw it, is between these; Infinity while there is one. */
  endedFromMs: number;
  endedToMs: number;
  /** Ended for the server when it came back, for it does not know better. */
  isEndedByCrash: boolean;
  /** The connection that CONNACK was sent on last. */
  current: Watched | null;
  connectionCount: number;
  readonly underWay: Map<number, UnderWay>;
}

/** One connection. */
interface Watched {
  readonly client: Client;
  /** Infinity until it is over. */
  overMs: number;
  keepAliveMs: number;
  connectMs: number;
  expiryMs: number;
  isCleanStart: boolean;
  /** Whether the server had its session before. */
  sessionBefore: SessionState;
  /** When bytes came last. */
  receivedMs: number;
  /** When a whole packet came last, and when that one did that ended the last silence of one and a half times the keep alive. */
  packetMs: number;
  silenceEndedMs: number;
  /** When requests came that have to be answered, by `requestOf` of the answer. */
  readonly requests: Map<number, number>;
  /** Bytes that its network takes now. */
  readonly roomOf: () => number;
  /** What was written last had to wait for the network. */
  isBlocked: boolean;
  /** Another connection has the session since; Infinity while none has. */
  supersededMs: number;
}

export interface ServerSurroundings {
  report: (rule: string, text: string) => void;
  nowMs: () => number;
  /** A session is over because its time is: what it held is lost, as it must be. */
  handleSessionExpired: (clientId: string) => void;
  /** A client is told that its session is new; whether it hears of that nobody knows. */
  handleNewSession: (clientId: string) => void;
}

/** Milliseconds between the end of a connection for the broker and for its network: a last write, a slow disk. */
const ENDING_MS = 14_000;
/** Milliseconds within which what a broker knows comes to its disk. */
const COMMIT_MS = 3000;
/** Milliseconds that an answer may take: two commits of the slowest disk. */
const ANSWER_MS_MAX = 2100;
const NEVER = 4_294_967_295;
const KEEP_ALIVE_TIMEOUT = 0x8d;

export class ServerChecker {
  private readonly surroundings: ServerSurroundings;
  private readonly clients = new Map<string, Client>();
  private readonly open = new Set<Watched>();
  private crashCount = 0;

  constructor(surroundings: ServerSurroundings) {
    this.surroundings = surroundings;
  }

  /** Watches a new connection of a client; `roomOf` gives the bytes that its network takes at that time. */
  watch(clientId: string, roomOf: () => number): EndWatcher {
    const { report, nowMs } = this.surroundings;
    const sent = new PacketStream(FROM_SERVER);
    const received = new PacketStream(FROM_CLIENT);
    const watched = this.makeWatched(clientId, roomOf);
    return {
      handleSent: (bytes) => {
        // A process that died says nothing any more, whatever it writes.
        if (watched.overMs < Infinity) return;
        if (!sent.take(bytes, (packet, whole) => this.handleSent(watched, packet, whole))) {
          report('malformed', `the server sent ${clientId} what is no packet`);
        }
        watched.isBlocked = roomOf() < bytes.length;
      },
      handleReceived: (bytes) => {
        this.open.add(watched);
        watched.receivedMs = nowMs();
        // What is no packet the client's end has told of.
        received.take(bytes, (packet) => {
          if (nowMs() - watched.packetMs >= watched.keepAliveMs * 1.5) watched.silenceEndedMs = nowMs();
          watched.packetMs = nowMs();
          this.handleReceived(watched, packet);
        });
      },
      handleBlocked: () => {},
      handleOver: () => this.handleOver(watched),
    };
  }

  private makeWatched(clientId: string, roomOf: () => number): Watched {
    let client = this.clients.get(clientId);
    if (client === undefined) {
      client = {
        clientId,
        session: 'none',
        expiryMs: 0,
        endedFromMs: Infinity,
        endedToMs: Infinity,
        isEndedByCrash: false,
        current: null,
        connectionCount: 0,
        underWay: new Map(),
      };
      this.clients.set(clientId, client);
    }
    client.connectionCount++;
    const nowMs = this.surroundings.nowMs();
    return {
      client,
      overMs: Infinity,
      keepAliveMs: 0,
      connectMs: 0,
      expiryMs: 0,
      isCleanStart: false,
      sessionBefore: 'none',
      receivedMs: nowMs,
      packetMs: nowMs,
      silenceEndedMs: -Infinity,
      supersededMs: Infinity,
      requests: new Map(),
      roomOf,
      isBlocked: false,
    };
  }

  // --- The server's process ----------------------------------------------------------------------------------------

  /** It died; `isStateLost`: and will come back with nothing. Its connections are over. */
  handleCrash(isStateLost: boolean): void {
    const nowMs = this.surroundings.nowMs();
    this.crashCount++;
    for (const client of this.clients.values()) {
      for (const message of client.underWay.values()) message.isUncertain = true;
      // What it noted last may not have come to its disk: of connections, or of those of its last life when it came back.
      if (client.endedToMs > nowMs - COMMIT_MS) {
        client.endedFromMs = Math.min(client.endedFromMs, nowMs);
        client.isEndedByCrash = true;
      }
      if (!isStateLost) continue;
      client.session = 'none';
      client.underWay.clear();
    }
  }

  handleRestart(): void {
    const nowMs = this.surroundings.nowMs();
    for (const client of this.clients.values()) {
      if (client.isEndedByCrash) client.endedToMs = nowMs;
      client.isEndedByCrash = false;
    }
  }

  // --- Connections -------------------------------------------------------------------------------------------------

  private handleOver(watched: Watched): void {
    if (watched.overMs < Infinity) return;
    watched.overMs = this.surroundings.nowMs();
    this.open.delete(watched);
    this.checkSilence(watched);
    this.checkSuperseded(watched);
    const { client } = watched;
    const nowMs = this.surroundings.nowMs();
    if (client.current === watched) {
      client.endedFromMs = nowMs - ENDING_MS;
      client.endedToMs = nowMs;
    } else if (watched.connectMs > 0 && client.current !== null && client.current.overMs < Infinity) {
      // It had the session, or not: CONNACK did not leave.
      client.endedToMs = nowMs;
    }
  }

  /** Nobody is waited for much longer than one and a half times the keep alive. */
  private checkSilence({ client, keepAliveMs, receivedMs }: Watched): void {
    const gapMs = this.surroundings.nowMs() - receivedMs;
    if (keepAliveMs === 0 || gapMs <= keepAliveMs * 1.5 + ENDING_MS) return;
    const text = `the server waited ${gapMs} ms for ${client.clientId}, whose keep alive is ${keepAliveMs}`;
    this.surroundings.report('server-keep-alive', `${text} [MQTT-3.1.2-22]`);
  }

  private checkSuperseded({ client, supersededMs }: Watched): void {
    const gapMs = this.surroundings.nowMs() - supersededMs;
    if (gapMs <= ENDING_MS) return;
    const text = `an old connection of ${client.clientId} was there for ${gapMs} ms more [MQTT-3.1.4-3]`;
    this.surroundings.report('takeover', text);
  }

  // --- Packets -----------------------------------------------------------------------------------------------------

  private handleReceived(watched: Watched, packet: Packet): void {
    const { client } = watched;
    const { type, packetId, reasonCode } = packet;
    const answer = answerTo(packet);
    if (answer > 0) {
      const request = requestOf(answer, packetId);
      if (!watched.requests.has(request)) watched.requests.set(request, this.surroundings.nowMs());
    }
    if (type === CONNECT) {
      this.handleConnect(watched, packet);
    } else if (type === PUBACK || type === PUBCOMP || (type === PUBREC && reasonCode >= 0x80)) {
      client.underWay.delete(packetId);
    } else if (type === PUBREC) {
      const message = client.underWay.get(packetId);
      if (message === undefined) return;
      message.receivedMs = this.surroundings.nowMs();
      message.isUncertain = false;
    }
  }

  private handleConnect(watched: Watched, packet: Packet): void {
    const { client } = watched;
    const { connect } = packet;
    const seconds = valueOf(packet, P_SESSION_EXPIRY_INTERVAL, 0);
    watched.connectMs = this.surroundings.nowMs();
    watched.expiryMs = seconds === NEVER ? Infinity : seconds * 1000;
    watched.keepAliveMs = (connect?.keepAliveSeconds ?? 0) * 1000;
    watched.isCleanStart = ((connect?.flags ?? 0) & CONNECT_CLEAN_START) !== 0;
    watched.sessionBefore = client.session;
    if (client.session === 'none') client.session = 'maybe';
  }

  private handleSent(watched: Watched, packet: Packet, bytes: Uint8Array): void {
    const { type, reasonCode } = packet;
    if (ANSWERS.includes(type)) this.checkAnswer(watched, requestOf(type, packet.packetId));
    if (type === CONNACK && reasonCode === 0) this.handleConnack(watched, packet);
    else if (type === PUBLISH && packet.qos > 0) this.handlePublish(watched, packet, bytes);
    else if (type === PUBREL && reasonCode === 0) this.handleRelease(watched, packet);
    else if (type === DISCONNECT && reasonCode === KEEP_ALIVE_TIMEOUT) this.checkPatience(watched);
  }

  private checkAnswer({ client, requests, isBlocked }: Watched, request: number): void {
    const askedMs = requests.get(request);
    requests.delete(request);
    if (askedMs === undefined || isBlocked) return;
    const gapMs = this.surroundings.nowMs() - askedMs;
    if (gapMs <= ANSWER_MS_MAX) return;
    this.surroundings.report('late-answer', `the server answered ${client.clientId} after ${gapMs} ms`);
  }

  private checkPatience({ client, keepAliveMs, packetMs, silenceEndedMs }: Watched): void {
    const nowMs = this.surroundings.nowMs();
    // A server may count packets, or bytes.
    const gapMs = nowMs - packetMs;
    // Something may have come while this was on its way out.
    if (gapMs >= keepAliveMs * 1.5 || nowMs - silenceEndedMs < ENDING_MS) return;
    const text = `the server gave ${client.clientId} up after ${gapMs} ms, and its keep alive is ${keepAliveMs}`;
    this.surroundings.report('server-keep-alive', `${text} [MQTT-3.1.2-22]`);
  }

  private handleConnack(watched: Watched, { sessionPresent }: Packet): void {
    const { client } = watched;
    this.checkSessionPresent(watched, sessionPresent);
    if (client.current !== null && client.current !== watched) {
      client.current.supersededMs = this.surroundings.nowMs();
    }
    client.current = watched;
    client.session = 'kept';
    client.expiryMs = watched.expiryMs;
    client.endedFromMs = Infinity;
    client.endedToMs = Infinity;
    client.isEndedByCrash = false;
    if (sessionPresent === 1) return;
    client.underWay.clear();
    this.surroundings.handleNewSession(client.clientId);
  }

  private checkSessionPresent(
    { client, sessionBefore, isCleanStart, connectMs }: Watched,
    present: number,
  ): void {
    const { report, handleSessionExpired } = this.surroundings;
    const { clientId, expiryMs, endedFromMs, endedToMs } = client;
    const mayBeOver = connectMs - endedFromMs >= expiryMs;
    const mustBeOver = connectMs - endedToMs > expiryMs + 1000;
    if (present === 1) {
      if (isCleanStart)
        report('session-present', `${clientId} has a session after a Clean Start [MQTT-3.2.2-2]`);
      if (sessionBefore === 'none')
        report('session-kept', `there can be no session of ${clientId} [MQTT-3.2.2-3]`);
      else if (mustBeOver) report('session-kept', `the session of ${clientId} is over [MQTT-4.1.0-2]`);
    } else if (sessionBefore === 'kept' && !isCleanStart) {
      if (mayBeOver) handleSessionExpired(clientId);
      else report('session-lost', `the session of ${clientId} is not over, and it is lost [MQTT-3.1.2-5]`);
    }
  }

  private handleRelease({ client }: Watched, { packetId }: Packet): void {
    const message = client.underWay.get(packetId);
    if (message !== undefined) message.isReleased = true;
  }

  private handlePublish(watched: Watched, packet: Packet, bytes: Uint8Array): void {
    const { client } = watched;
    // What was ready for a connection before another took its place may leave behind that.
    if (client.current !== watched) return;
    const { packetId, qos, dup } = packet;
    const name = nameOf(packet, bytes);
    const { report } = this.surroundings;
    const known = client.underWay.get(packetId);
    if (known === undefined) {
      if (dup === 1 && client.connectionCount === 1 && this.crashCount === 0) {
        report('dup', `DUP on the first PUBLISH ${packetId} to ${client.clientId} [MQTT-3.3.1-1]`);
      }
      client.underWay.set(packetId, {
        qos,
        name,
        connection: watched,
        isReleased: false,
        receivedMs: Infinity,
        isUncertain: false,
      });
      return;
    }
    if (known.connection === watched) {
      report('packet-id', `${packetId} twice on one connection to ${client.clientId} [MQTT-2.2.1-4]`);
    } else if (known.name !== name || known.qos !== qos) {
      report('packet-id', `${packetId}, in use, for another message to ${client.clientId} [MQTT-2.2.1-4]`);
    } else if (dup === 0) {
      report('dup', `no DUP on PUBLISH ${packetId} that is sent ${client.clientId} again [MQTT-3.3.1-1]`);
    } else if (this.isReceived(known)) {
      report('qos2', `PUBLISH ${packetId} to ${client.clientId} again after its PUBREC [MQTT-4.3.3-5]`);
    }
    known.connection = watched;
  }

  /** Whether the server must have understood the PUBREC: it reads nothing of a connection that it is ending. */
  private isReceived({ connection, receivedMs, isUncertain, isReleased }: UnderWay): boolean {
    if (isReleased) return true;
    const endedMs = Math.min(connection.overMs, connection.supersededMs);
    return receivedMs < endedMs - ENDING_MS && !isUncertain;
  }

  // --- The end -----------------------------------------------------------------------------------------------------

  /** What is not acknowledged, in words, or null. */
  describeRest(clientId: string): string | null {
    const [first] = this.clients.get(clientId)?.underWay.values() ?? [];
    return first === undefined ? null : `${first.name} was sent to ${clientId}, and that was never completed`;
  }

  /** The world ends. */
  close(): void {
    for (const watched of this.open) {
      this.checkSilence(watched);
      this.checkSuperseded(watched);
    }
  }
}

const ANSWERS = [CONNACK, PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK, PINGRESP];

/** Type of the packet that has to answer this one, or 0. */
function answerTo({ type, qos }: Packet): number {
  switch (type) {
    case CONNECT:
      return CONNACK;
    case PUBLISH:
      return qos === 0 ? 0 : qos === 1 ? PUBACK : PUBREC;
    case PUBREL:
      return PUBCOMP;
    case SUBSCRIBE:
      return SUBACK;
    case UNSUBSCRIBE:
      return UNSUBACK;
    case PINGREQ:
      return PINGRESP;
    default:
      return 0;
  }
}

/** What stands for a request: its answer's type, and its packet identifier. */
function requestOf(answer: number, packetId: number): number {
  const hasId = answer !== CONNACK && answer !== PINGRESP;
  return answer * 65_536 + (hasId ? packetId : 0);
}
