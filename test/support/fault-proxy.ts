/**
 * A TCP proxy inside the test's process that stands between a client and a broker and does what bad networks do: cuts,
 * goes silent with both sockets open, refuses, delivers byte by byte, loses a packet, or cuts at exactly the moment a
 * given packet travels. It keeps what passed. Of MQTT it knows only where one packet ends and the next begins.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterIo } from './wait.ts';

/** Which way a packet travels. */
export type Direction = 'toServer' | 'toClient';

/**
 * What is to happen to a packet. `cut` cuts the connection before any of it is forwarded, `cutInside` once half of its
 * bytes are, `cutAfter` once all are: the receiver then sees its last bytes followed by the end of the stream, the
 * sender a reset.
 */
export type Verdict = 'pass' | 'drop' | 'cut' | 'cutInside' | 'cutAfter';

/** Decides about one whole packet; `connection` counts the proxy's connections from 0. */
export type PacketRule = (bytes: Uint8Array, connection: number) => Verdict;

/** One packet as it reached the proxy. */
export interface RecordedPacket {
  /** The connection it came on: 0 for the first that the proxy accepted. */
  readonly connection: number;
  /** The whole packet, or in opaque mode one piece of the stream. */
  readonly bytes: Uint8Array;
  /** What was done with it. */
  readonly verdict: Verdict;
}

/** The control packet types by the names of the standard, for comparing with {@link packetType}. */
export const PACKET_TYPE = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

/** The name of a control packet type. */
export type PacketTypeName = keyof typeof PACKET_TYPE;

/** The control packet type of a whole packet: the upper half of its first byte. */
export function packetType(bytes: Uint8Array): number {
  return bytes[0] >> 4;
}

/** Where to listen, where to connect to, and how. */
export interface FaultProxyOptions {
  readonly targetPort: number;
  /** 127.0.0.1 unless told. */
  readonly targetHost?: string;
  /**
   * Write every byte on its own, in both directions, with a turn of the event loop in between: a reader in this process
   * then gets them one at a time, one in another process as it happens to read.
   */
  readonly oneByteAtATime?: boolean;
  /** Keep the packets in `recorded`; true unless told. Turn it off where very many travel. */
  readonly record?: boolean;
  /** Forward bytes as they come, without looking for packets: for TLS and WebSocket. Rules then see pieces. */
  readonly opaque?: boolean;
}

/** A running proxy and its controls. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Everything that arrived, in order, by direction. */
  readonly recorded: Readonly<Record<Direction, readonly RecordedPacket[]>>;
  /** Connections accepted so far, those refused not counted. */
  connectionCount(): number;
  /** Connections open now. */
  openCount(): number;
  /** Resets both sides of every open connection; returns how many there were. */
  cutAll(): number;
  /** From now on `cutAll()` every `ms` milliseconds; 0 ends that. */
  cutEveryMs(ms: number): void;
  /**
   * Stops forwarding in both directions and keeps every socket open, as a link that died without a word. What one side
   * does meanwhile, closing included, the other does not learn before `resume()`. New connections are accepted, and
   * nothing of theirs is forwarded either.
   */
  stall(): void;
  /** Forwards again, beginning with what came during the stall. */
  resume(): void;
  /** While true, every new connection is accepted and destroyed at once. Open ones stay. */
  refuse(refusing: boolean): void;
  /**
   * Asks `rule` about every packet in `direction`; the first rule that does not pass decides. A rule that throws cuts,
   * and `close()` rejects with what it threw. Returns the rule's removal.
   */
  onPacket(direction: Direction, rule: PacketRule): () => void;
  /** Loses the next packet in `direction` for which `predicate` holds. Resolves once it is lost. */
  dropNext(direction: Direction, predicate: (bytes: Uint8Array) => boolean): Promise<void>;
  /** Cuts once, when the next packet of that type travels in `direction`. Resolves once it is cut. */
  cutNext(
    direction: Direction,
    type: PacketTypeName,
    when: 'cut' | 'cutInside' | 'cutAfter',
  ): Promise<RecordedPacket>;
  /** Cuts every connection and stops listening. Rejects with what a rule threw, if one did; again does nothing. */
  close(): Promise<void>;
}

/**
 * Splits a byte stream into whole MQTT packets, by fixed header and remaining length alone. After a remaining length of
 * more than four bytes `malformed` is set, and everything from there on stays in `rest`.
 */
export class PacketSplitter {
  /** Bytes of the packet that is not complete yet. */
  rest: Uint8Array = new Uint8Array(0);
  malformed = false;

  /** Takes the next bytes of the stream and returns the packets they complete, each in memory of its own. */
  push(bytes: Uint8Array): Uint8Array[] {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    const packets: Uint8Array[] = [];
    let start = 0;
    while (!this.malformed) {
      const end = this.packetEnd(all, start);
      if (end < 0) break;
      packets.push(all.slice(start, end));
      start = end;
    }
    this.rest = start === 0 ? all : all.slice(start);
    return packets;
  }

  /** Index behind the packet that starts at `start`; -1 when its end is not there yet or cannot be known. */
  private packetEnd(bytes: Uint8Array, start: number): number {
    let remainingLength = 0;
    for (let i = 0; i < 4; i++) {
      const at = start + 1 + i;
      if (at >= bytes.length) return -1;
      remainingLength += (bytes[at] & 0x7f) * 128 ** i;
      if (bytes[at] < 0x80) {
        const end = at + 1 + remainingLength;
        return end <= bytes.length ? end : -1;
      }
    }
    this.malformed = true;
    return -1;
  }
}

/** Above this many unwritten bytes the other side is no longer read, so that back-pressure goes through the proxy. */
const UNWRITTEN_BYTES_MAX = 65536;

/** What the two directions of a connection share with each other and with the proxy. */
interface Link {
  readonly options: FaultProxyOptions;
  isStalled(): boolean;
  judge(direction: Direction, bytes: Uint8Array): Verdict;
  /** A verdict has cut the connection: the other direction forwards nothing more. */
  isCutting: boolean;
}

/** One direction of one connection: from `source`, through the rules, into a queue, to `sink`. */
class Flow {
  private readonly splitter = new PacketSplitter();
  private readonly queue: Uint8Array[] = [];
  private queuedByteLength = 0;
  private readonly direction: Direction;
  private readonly source: Socket;
  private readonly sink: Socket;
  private readonly link: Link;
  /** What to do once the queue is empty: pass the end of the stream on, or complete a cut. */
  private atEnd: 'none' | 'end' | 'cut' = 'none';
  private isWriting = false;

  constructor(direction: Direction, source: Socket, sink: Socket, link: Link) {
    this.direction = direction;
    this.source = source;
    this.sink = sink;
    this.link = link;
    source.on('data', (chunk: Buffer) => this.receive(chunk));
    source.on('end', () => {
      if (this.atEnd !== 'none') return;
      this.enqueue(this.splitter.rest);
      this.atEnd = 'end';
      this.advance();
    });
  }

  /** Writes what is queued and reads on, as far as a stall and back-pressure allow. */
  advance(): void {
    if (this.link.isStalled()) {
      this.source.pause();
      return;
    }
    if (this.queuedByteLength > UNWRITTEN_BYTES_MAX) this.source.pause();
    else this.source.resume();
    if (this.isWriting) return;
    if (this.link.isCutting && this.atEnd !== 'cut') return;
    const next = this.sink.destroyed ? undefined : this.queue.shift();
    if (next === undefined) {
      if (this.atEnd === 'end') this.sink.end();
      if (this.atEnd === 'cut') this.completeCut();
      return;
    }
    const isByteByByte = this.link.options.oneByteAtATime === true;
    const piece = isByteByByte ? next.subarray(0, 1) : next;
    if (piece.length < next.length) this.queue.unshift(next.subarray(1));
    this.isWriting = true;
    const onWritten = () => {
      this.isWriting = false;
      this.queuedByteLength -= piece.length;
      this.advance();
    };
    // A write that failed also calls back; the socket's 'close' then ends the connection.
    this.sink.write(piece, isByteByByte ? () => void afterIo().then(onWritten) : onWritten);
  }

  private receive(chunk: Uint8Array): void {
    if (this.atEnd !== 'none') return;
    const isOpaque = this.link.options.opaque === true || this.splitter.malformed;
    const pieces = isOpaque ? [new Uint8Array(chunk)] : this.splitter.push(chunk);
    if (!isOpaque && this.splitter.malformed) {
      pieces.push(this.splitter.rest); // no packets from here on: the receiver is to judge that
      this.splitter.rest = new Uint8Array(0);
    }
    for (const piece of pieces) {
      this.handlePiece(piece);
      if (this.atEnd !== 'none') break;
    }
    this.advance();
  }

  private handlePiece(bytes: Uint8Array): void {
    const verdict = this.link.judge(this.direction, bytes);
    if (verdict === 'drop') return;
    if (verdict === 'pass' || verdict === 'cutAfter') this.enqueue(bytes);
    if (verdict === 'cutInside') this.enqueue(bytes.subarray(0, Math.ceil(bytes.length / 2)));
    if (verdict === 'pass') return;
    this.atEnd = 'cut';
    this.link.isCutting = true;
  }

  private enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.queue.push(bytes);
    this.queuedByteLength += bytes.length;
  }

  /**
   * Everything before the cut is written: the sender's side is reset, and the receiver's side ends in order, since a
   * reset may overtake bytes that the receiver has not read yet.
   */
  private completeCut(): void {
    this.sink.destroySoon();
    resetSocket(this.source);
  }
}

/** Both sockets of one connection, and what goes on between them. */
interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  readonly flows: readonly Flow[];
  /** One of the sockets ended with an error. */
  hasFailed: boolean;
}

/** Resets both sides. */
function cut(connection: Connection): void {
  resetSocket(connection.client);
  resetSocket(connection.server);
}

/** Closes a TCP socket with a reset, so that its peer sees an error rather than an end. */
export function resetSocket(socket: Socket): void {
  // Node's resetAndDestroy() while the end is being written fails with EINVAL, never closes and keeps the descriptor.
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const recorded: Record<Direction, RecordedPacket[]> = { toServer: [], toClient: [] };
  const rules: Record<Direction, PacketRule[]> = { toServer: [], toClient: [] };
  const open = new Set<Connection>();
  let connectionCount = 0;
  let isStalled = false;
  let isRefusing = false;
  let cutTimer: NodeJS.Timeout | undefined;
  const ruleErrors: Error[] = [];

  function judge(direction: Direction, bytes: Uint8Array, connection: number): Verdict {
    let verdict: Verdict = 'pass';
    try {
      for (const rule of [...rules[direction]]) {
        verdict = rule(bytes, connection);
        if (verdict !== 'pass') break;
      }
    } catch (error) {
      ruleErrors.push(error instanceof Error ? error : new Error(String(error)));
      verdict = 'cut';
    }
    if (options.record !== false) recorded[direction].push({ connection, bytes, verdict });
    return verdict;
  }

  function accept(client: Socket): void {
    client.on('error', () => {}); // 'close' follows, and says that there was one
    if (isRefusing) {
      client.destroy();
      return;
    }
    const index = connectionCount++;
    const server = connect({
      host: options.targetHost ?? '127.0.0.1',
      port: options.targetPort,
      allowHalfOpen: true,
    });
    server.on('error', () => {});
    client.setNoDelay(true);
    server.setNoDelay(true);
    const link: Link = {
      options,
      isStalled: () => isStalled,
      judge: (direction, bytes) => judge(direction, bytes, index),
      isCutting: false,
    };
    const connection: Connection = {
      client,
      server,
      flows: [new Flow('toServer', client, server, link), new Flow('toClient', server, client, link)],
      hasFailed: false,
    };
    open.add(connection);
    const onClose = (hadError: boolean) => {
      if (hadError) connection.hasFailed = true;
      advance(connection);
    };
    client.on('close', onClose);
    server.on('close', onClose);
    advance(connection);
  }

  function advance(connection: Connection): void {
    // A socket's failure is news of the other side, which a stall holds back too.
    if (connection.hasFailed && !isStalled) cut(connection);
    if (connection.client.destroyed && connection.server.destroyed) open.delete(connection);
    else for (const flow of connection.flows) flow.advance();
  }

  const listener = createServer({ allowHalfOpen: true }, accept);
  listener.on('error', () => {});
  const listening = once(listener, 'listening');
  listener.listen(0, '127.0.0.1');
  await listening;
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  const proxy: FaultProxy = {
    host: '127.0.0.1',
    port: address.port,
    recorded,
    connectionCount: () => connectionCount,
    openCount: () => open.size,
    cutAll() {
      const connections = [...open];
      connections.forEach(cut);
      return connections.length;
    },
    cutEveryMs(ms) {
      clearInterval(cutTimer);
      cutTimer = ms > 0 ? setInterval(() => proxy.cutAll(), ms) : undefined;
    },
    stall() {
      isStalled = true;
      [...open].forEach(advance);
    },
    resume() {
      isStalled = false;
      [...open].forEach(advance);
    },
    refuse(refusing) {
      isRefusing = refusing;
    },
    onPacket(direction, rule) {
      rules[direction].push(rule);
      return () => {
        const index = rules[direction].indexOf(rule);
        if (index >= 0) rules[direction].splice(index, 1);
      };
    },
    async dropNext(direction, predicate) {
      await judgeOnce(proxy, direction, predicate, 'drop');
    },
    cutNext(direction, type, when) {
      return judgeOnce(proxy, direction, (bytes) => packetType(bytes) === PACKET_TYPE[type], when);
    },
    async close() {
      clearInterval(cutTimer);
      const closed = new Promise((resolve) => listener.close(resolve));
      proxy.cutAll();
      await closed;
      const [error] = ruleErrors.splice(0);
      if (error !== undefined) throw error;
    },
  };
  return proxy;
}

/** Gives `verdict` to the first packet for which `predicate` holds, and passes from then on. */
function judgeOnce(
  proxy: FaultProxy,
  direction: Direction,
  predicate: (bytes: Uint8Array) => boolean,
  verdict: Verdict,
): Promise<RecordedPacket> {
  return new Promise((resolve) => {
    const remove = proxy.onPacket(direction, (bytes, connection) => {
      if (!predicate(bytes)) return 'pass';
      remove();
      resolve({ connection, bytes, verdict });
      return verdict;
    });
  });
}
