/**
 * Very many clients that do little, in a process of their own: `node connections-clients.js PORT`. Opens connections that
 * stay, asks all of them for a sign of life, and connects others at a rate. Does what its parent's messages say, answers
 * each with one, and ends with its parent.
 */
import { connect, type Socket } from 'node:net';
import { encodeObject, type PacketObject } from '../../src/packets/inspect.ts';

export type Order =
  /** Opens so many connections that stay. Answered with how many were let in. */
  | { kind: 'open'; count: number }
  /** Asks each of those for PINGRESP. Answered with how many gave one. */
  | { kind: 'ping' }
  /** Connects, one by one, so many clients a second, who leave once they are let in. Answered with a StormResult. */
  | { kind: 'storm'; perSecond: number; seconds: number };

export interface StormResult {
  /** Connections begun a second. */
  perSecond: number;
  accepted: number;
  /** Told so by CONNACK. */
  refused: number;
  /** Closed, or not answered in time. */
  failed: number;
  /** Milliseconds from CONNECT to CONNACK: medians and such of all that were answered. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** How many of those that stay are being opened at once. */
const OPENING_MAX = 200;
const PATIENCE_MS = 20_000;
/** Milliseconds from one salvo of the storm to the next. */
const SALVO_MS = 5;
/**
 * Addresses to connect from, in turns. All of them are this machine on Linux; a closed connection keeps its port for a
 * minute, and there are fewer ports of one address than connections here.
 */
const SOURCES =
  process.platform === 'linux'
    ? Array.from({ length: 40 }, (_, index) => `127.0.0.${index + 2}`)
    : [undefined];

const port = Number(process.argv[2]);
const PINGREQ = bytesOf({ type: 'PINGREQ' });
const DISCONNECT = bytesOf({ type: 'DISCONNECT' });
let count = 0;

function bytesOf(packet: PacketObject): Uint8Array {
  return encodeObject(packet, { protocolVersion: 5 });
}

interface Answered {
  socket: Socket;
  /** -1: there was no answer. */
  reasonCode: number;
  ms: number;
}

/** Connects and sends CONNECT; resolves with what came of it. */
function connectClient(): Promise<Answered> {
  const localAddress = SOURCES[count % SOURCES.length];
  const clientId = `client-${++count}`;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...(localAddress && { localAddress }) });
  return new Promise((resolve) => {
    let startedMs = performance.now();
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    const settle = (reasonCode: number): void => {
      clearTimeout(timer);
      resolve({ socket, reasonCode, ms: performance.now() - startedMs });
    };
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => settle(-1));
    socket.once('data', (bytes) => settle(bytes[3]));
    socket.once('connect', () => {
      startedMs = performance.now();
      socket.write(bytesOf({ type: 'CONNECT', clientId, cleanStart: true, keepAlive: 0 }));
    });
  });
}

const staying: Socket[] = [];

async function open(wanted: number): Promise<number> {
  let begun = 0;
  const openNext = async (): Promise<void> => {
    while (begun < wanted) {
      begun++;
      const { socket, reasonCode } = await connectClient();
      if (reasonCode === 0) staying.push(socket);
      else socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: OPENING_MAX }, openNext));
  return staying.length;
}

async function ping(): Promise<number> {
  const answers = staying.map(
    (socket) =>
      new Promise<number>((resolve) => {
        const timer = setTimeout(() => resolve(0), PATIENCE_MS);
        const settle = (answered: number) => (): void => {
          clearTimeout(timer);
          resolve(answered);
        };
        socket.once('data', settle(1));
        socket.once('close', settle(0));
        if (socket.destroyed) settle(0)();
        else socket.write(PINGREQ);
      }),
  );
  return (await Promise.all(answers)).reduce((sum, one) => sum + one, 0);
}

/** Salvos by the clock, so that a late one is made up for by the next. */
function storm(perSecond: number, seconds: number): Promise<StormResult> {
  const total = perSecond * seconds;
  const startedMs = performance.now();
  const answers: Promise<Answered>[] = [];
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const dueCount = Math.min(total, Math.floor(((performance.now() - startedMs) / 1000) * perSecond));
      while (answers.length < dueCount) answers.push(connectClient().then(leave));
      if (answers.length < total) return;
      clearInterval(timer);
      const begunPerSecond = (total * 1000) / (performance.now() - startedMs);
      void Promise.all(answers).then((all) => resolve(resultOf(begunPerSecond, all)));
    }, SALVO_MS);
  });
}

function leave(answered: Answered): Answered {
  const { socket } = answered;
  socket.resume();
  socket.end(DISCONNECT);
  return answered;
}

function resultOf(perSecond: number, all: Answered[]): StormResult {
  const answered = all.filter(({ reasonCode }) => reasonCode >= 0);
  const accepted = answered.filter(({ reasonCode }) => reasonCode === 0).length;
  const times = answered.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (part: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN;
  return {
    perSecond,
    accepted,
    refused: answered.length - accepted,
    failed: all.length - answered.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}

function obey(order: Order): Promise<number | StormResult> {
  switch (order.kind) {
    case 'open':
      return open(order.count);
    case 'ping':
      return ping();
    case 'storm':
      return storm(order.perSecond, order.seconds);
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => void obey(order).then((result) => process.send?.(result)));
process.send?.('ready');
