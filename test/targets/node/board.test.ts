/**
 * Node as a board: a transport that keeps what it received until somebody has room for it, on real sockets.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { BoardReceiver, BoardTransport } from '../../../src/line.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { NodeBoard, transportTo } from '../../../targets/node/index.ts';
import { eventually } from '../../support/wait.ts';

const WINDOW_BYTES = 64;

let server: Server;
let sockets: Socket[] = [];

async function listen(handle: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await new Promise((resolve) => server.close(resolve));
});

/** Reads into a window as small as a board's, only as much as it is told. */
class Reader implements BoardReceiver {
  readonly ring = new Ring(new Uint8Array(WINDOW_BYTES));
  readonly transport: BoardTransport;
  readonly calls: string[] = [];
  received = Buffer.alloc(0);
  hasMore = false;
  /** Bytes that it takes each time it hears of any. */
  appetite = Infinity;

  constructor(url: string) {
    this.transport = new NodeBoard(transportTo(url)).createTransport(this);
  }

  /** Takes up to `count` bytes, a window at a time. */
  read(count: number): void {
    const { ring } = this;
    while (count > 0) {
      this.hasMore = this.transport.read(ring);
      const taken = Math.min(count, ring.byteLength());
      if (taken === 0) return;
      this.received = Buffer.concat([this.received, ring.bytes.subarray(ring.start, ring.start + taken)]);
      ring.consume(taken);
      count -= taken;
    }
  }

  handleOpened(): void {
    this.calls.push('opened');
  }

  handleReadable(): void {
    this.calls.push('readable');
    this.read(this.appetite);
  }

  handleWritable(): void {
    this.calls.push('writable');
  }

  handleClosed(error?: unknown): void {
    this.read(Infinity);
    this.calls.push(error === undefined ? 'closed' : 'failed');
  }

  opened(): Promise<unknown> {
    return eventually(() => this.calls.includes('opened'), { what: 'the connection' });
  }
}

const PATTERN = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 255));

describe('a transport of NodeBoard', () => {
  it('hands over everything in order, through a window far smaller than what came', async () => {
    const port = await listen((socket) => socket.end(PATTERN));
    const reader = new Reader(`mqtt://127.0.0.1:${port}`);
    reader.transport.open();
    await eventually(() => reader.calls.includes('closed'), { what: 'the end' });
    expect(reader.received.equals(PATTERN)).toBe(true);
    reader.transport.close();
  });

  it('keeps what there is no room for, and lets the server feel it', async () => {
    let isHeard = false;
    const large = Buffer.alloc(64 << 20, 1);
    const port = await listen((socket) => socket.write(large, () => (isHeard = true)));
    const reader = new Reader(`mqtt://127.0.0.1:${port}`);
    reader.appetite = 10;
    reader.transport.open();
    await eventually(() => reader.received.length >= 10, { what: 'some bytes' });
    // What is kept is a few buffers at most: the rest is not taken from the server.
    const before = reader.calls.length;
    await eventually(() => sockets[0].writableLength > large.length / 2, { what: 'congestion' });
    expect(reader.calls.length - before).toBeLessThan(100);
    expect(isHeard).toBe(false);
    expect(reader.hasMore).toBe(true);
    // Asked for, it goes on.
    reader.appetite = Infinity;
    reader.read(Infinity);
    await eventually(() => reader.received.length >= 1 << 20, { what: 'a megabyte' });
    reader.transport.close();
  });

  it('tells the end when what came before is read, and nothing of it in the next connection', async () => {
    const port = await listen((socket) => socket.end(PATTERN.subarray(0, 100)));
    const reader = new Reader(`mqtt://127.0.0.1:${port}`);
    reader.appetite = 30;
    for (let connection = 0; connection < 3; connection++) {
      reader.received = Buffer.alloc(0);
      reader.transport.open();
      await eventually(() => reader.received.length === 30, { what: 'the beginning' });
      reader.transport.close();
      reader.ring.clear();
    }
    reader.received = Buffer.alloc(0);
    reader.transport.open();
    await eventually(() => reader.received.length === 30, { what: 'the beginning' });
    expect(reader.calls).not.toContain('closed');
    reader.read(Infinity);
    expect(reader.received.equals(PATTERN.subarray(0, 100))).toBe(true);
    await eventually(() => reader.calls.includes('closed'), { what: 'the end' });
    expect(reader.calls.filter((call) => call === 'closed')).toHaveLength(1);
  });

  it('forgets what it holds when it is closed, even from within a call', async () => {
    const port = await listen((socket) => socket.write(PATTERN.subarray(0, 1000)));
    const reader = new Reader(`mqtt://127.0.0.1:${port}`);
    reader.handleReadable = () => {
      reader.read(10);
      reader.transport.close();
      reader.calls.push('left');
    };
    reader.transport.open();
    await eventually(() => reader.calls.includes('left'), { what: 'the bytes' });
    expect(reader.transport.read(new Ring(new Uint8Array(16)))).toBe(false);
    expect(reader.received.length).toBe(10);
  });

  it('writes, and says why it did not open', async () => {
    let heard = '';
    const port = await listen((socket) => socket.on('data', (chunk) => (heard += chunk.toString())));
    const reader = new Reader(`mqtt://127.0.0.1:${port}`);
    reader.transport.open();
    await reader.opened();
    const ring = new Ring(Buffer.from('hello'));
    ring.end = 5;
    reader.transport.write(ring);
    await eventually(() => heard === 'hello', { what: 'hello' });
    expect(ring.byteLength()).toBe(0);
    reader.transport.close();
    const other = new Reader('mqtt://127.0.0.1:1');
    other.transport.open();
    await eventually(() => other.calls.includes('failed'), { what: 'the refusal' });
  });

  it('works on WebSocket', async () => {
    const port = await listen(() => {});
    const socketServer = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' });
    await once(socketServer, 'listening');
    socketServer.on('connection', (webSocket) => {
      for (let at = 0; at < 30_000; at += 1000) webSocket.send(PATTERN.subarray(at, at + 1000));
      webSocket.close();
    });
    const reader = new Reader(`ws://127.0.0.1:${(socketServer.address() as AddressInfo).port}`);
    reader.appetite = 500;
    reader.transport.open();
    await eventually(
      () => {
        reader.read(500);
        return reader.received.length === 30_000;
      },
      { what: 'all messages' },
    );
    expect(reader.received.equals(PATTERN.subarray(0, 30_000))).toBe(true);
    reader.transport.close();
    socketServer.close();
    expect(port).toBeGreaterThan(0);
  });
});

describe('NodeBoard', () => {
  it('has timers that can be taken back, and a clock that goes on', async () => {
    await listen(() => {});
    const board = new NodeBoard(transportTo('mqtt://127.0.0.1:1'));
    const begun = board.nowMs();
    const gone: string[] = [];
    board.clearTimer(board.setTimer(() => gone.push('taken back'), 0));
    board.clearTimer(board.setTimer(() => gone.push('far away'), 1e12));
    await new Promise<void>((resolve) => {
      board.setTimer(resolve, 1);
    });
    expect(gone).toEqual([]);
    expect(board.nowMs()).toBeGreaterThan(begun);
    expect(board.random()).toBeGreaterThanOrEqual(0);
    expect(new Set(Array.from({ length: 50 }, () => board.random())).size).toBeGreaterThan(40);
  });
});
