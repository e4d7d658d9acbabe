/**
 * What a socket transport does with its buffers and its reading, over sockets of this machine.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TransportReceiver } from '../../../src/client/platform.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { SocketTransport } from '../../../targets/node/socket-transport.ts';
import { afterIo, eventually } from '../../support/wait.ts';

let server: Server;
let peer: Socket;
let transport: SocketTransport;
let heard: number[];
let writableCount: number;

beforeEach(async () => {
  heard = [];
  writableCount = 0;
  server = createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let handleOpened = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    handleOpened = resolve;
  });
  const receiver: TransportReceiver = {
    handleOpened,
    handleBytes: (bytes, at, end) => heard.push(...bytes.subarray(at, end)),
    handleWritable: () => writableCount++,
    handleClosed: () => undefined,
  };
  const { port } = server.address() as AddressInfo;
  transport = new SocketTransport({ host: '127.0.0.1', port }, receiver);
  transport.open();
  [peer] = (await once(server, 'connection')) as [Socket];
  peer.on('error', () => peer.destroy());
  await opened;
});

afterEach(() => {
  transport.close();
  peer.destroy();
  server.close();
});

/** Writes until the socket takes no more at once; returns the storage that it took. */
function congest(ring: Ring): Uint8Array {
  for (;;) {
    const { bytes } = ring;
    ring.end = bytes.length;
    transport.write(ring);
    if (transport.isCongested) return bytes;
  }
}

describe('a socket transport', () => {
  it('that is congested time and again goes on with the same few buffers', async () => {
    peer.pause();
    const ring = new Ring(new Uint8Array(1 << 20));
    const buffers = new Set<Uint8Array>();
    for (let round = 1; round <= 6; round++) {
      const taken = congest(ring);
      expect(ring.byteLength()).toBe(0);
      expect(ring.bytes === taken).toBe(false); // compared by identity alone: they are large
      buffers.add(taken).add(ring.bytes);
      peer.resume();
      await eventually(() => writableCount === round, { what: 'room in the socket' });
      peer.pause();
    }
    expect(buffers.size).toBe(2);
  });

  it('hears everything, in order, from a server that writes byte by byte as fast as it can', async () => {
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      peer.write(Uint8Array.of(i & 255));
      if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => heard.length === count, { what: 'every byte' });
    expect(heard.every((byte, i) => byte === (i & 255))).toBe(true);
    expect(transport.bytesIn).toBe(count);
  });

  it('that was told not to read does not, whatever else it does', async () => {
    for (let i = 0; i < 5000; i++) {
      peer.write(Uint8Array.of(7));
      if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => heard.length === 5000, { what: 'every byte' });
    transport.pauseReading();
    peer.write(Uint8Array.of(8));
    transport.endPause(); // as the timer would, had it been a pause of its own
    await afterIo();
    expect(heard).toHaveLength(5000);
    transport.resumeReading();
    await eventually(() => heard.length === 5001, { what: 'the byte that waited' });
  });
});
