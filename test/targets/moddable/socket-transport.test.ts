/**
 * Sockets of ECMA-419 as a transport: what they are asked for they can give, and what they say is told once and at a
 * moment when it may be told.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { Ring } from '../../../src/wire/ring.ts';
import type { SocketOptions } from '../../../targets/moddable/socket-transport.ts';
import { PlayedClock } from './played-clock.ts';
import { PlayedNetwork } from './played-network.ts';
import type { PlayedSocket } from './played-network.ts';
import { Bench, contentOf, count, ringOf } from './transport-bench.ts';

let network: PlayedNetwork;
let clock: PlayedClock;

beforeEach(() => {
  network = new PlayedNetwork();
  clock = new PlayedClock();
});

function benchWith(options: Partial<SocketOptions> = {}): Bench {
  return new Bench(network, clock, options);
}

describe('opening', () => {
  it('finds the host, then gives the socket its address, its name, and the options for it', () => {
    const bench = benchWith({ socket: { io: network.TCP, secure: { trace: true } } });
    bench.open();
    expect(network.sockets).toHaveLength(0);
    network.run();
    expect(network.asked).toEqual(['broker']);
    expect(network.resolversClosed).toBe(1);
    expect(network.socket.options).toMatchObject({
      address: '10.0.0.1',
      host: 'broker',
      port: 1883,
      nodelay: true,
      secure: { trace: true },
    });
    expect(bench.diary).toEqual(['opened']);
  });

  it.each([
    ['a host that is an address', { host: '10.0.0.7' }],
    ['an address beside the host', { host: 'broker', address: '10.0.0.7' }],
    ['an address alone', { host: undefined, address: '10.0.0.7' }],
    ['no resolver', { host: '10.0.0.7', dns: undefined }],
  ])('needs no resolver for %s', (_, options) => {
    const bench = benchWith(options);
    bench.opened();
    expect(network.asked).toEqual([]);
    expect(network.socket.options.address).toBe('10.0.0.7');
  });

  it('lets the options for the socket say that small packets may wait', () => {
    const bench = benchWith({ socket: { io: network.TCP, nodelay: false } });
    bench.opened();
    expect(network.socket.options).toMatchObject({ nodelay: false });
  });

  it('fails when the host is not found', () => {
    const bench = benchWith({ host: 'nowhere' });
    bench.open();
    network.run();
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toMatchObject([
      { code: 'ERR_HOST_NOT_FOUND', message: expect.stringMatching(/nowhere/) as string },
    ]);
    expect(network.resolversClosed).toBe(1);
  });

  it('fails when the connection is refused, and names the server', () => {
    network.isRefusing = true;
    const bench = benchWith();
    bench.open();
    network.run();
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toMatchObject([
      { code: 'ERR_SOCKET', message: expect.stringMatching(/broker:1883/) as string },
    ]);
    expect(network.socket.isClosed).toBe(true);
  });

  it.each([
    ['the socket', { host: 'not an address', dns: undefined }],
    [
      'the resolver',
      {
        dns: {
          io: class {
            constructor() {
              throw new Error('out of sockets');
            }
          } as never,
        },
      },
    ],
  ])('fails later when %s throws at once', (_, options) => {
    const bench = benchWith(options);
    bench.open();
    expect(bench.diary).toEqual([]);
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors[0]).toBeInstanceOf(Error);
  });

  it('fails later when the socket throws for the address that was found', () => {
    network.names['broker'] = 'fe80::1';
    const bench = benchWith();
    bench.open();
    network.run();
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toMatchObject([{ message: 'invalid address' }]);
  });

  it('reports later what a resolver answers at once', () => {
    class Impatient {
      resolve({ host, onError }: { host: string; onError(error: unknown): void }): void {
        onError(new Error(host));
      }
    }
    const bench = benchWith({ dns: { io: Impatient } });
    bench.open();
    expect(bench.diary).toEqual([]);
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
  });

  it('can be tried again after it failed', () => {
    network.isRefusing = true;
    const bench = benchWith();
    bench.open();
    network.run();
    network.isRefusing = false;
    bench.take();
    bench.opened();
    expect(network.sockets).toHaveLength(2);
  });

  it('can be given up while the host is being found', () => {
    const bench = benchWith();
    bench.open();
    bench.close();
    expect(network.resolversClosed).toBe(1);
    network.run();
    clock.advance(60_000);
    expect(network.sockets).toHaveLength(0);
    expect(bench.diary).toEqual([]);
  });

  it('can be given up while the connection is being made', () => {
    const bench = benchWith();
    network.isHeld = true;
    bench.open();
    network.run();
    bench.close();
    expect(network.socket.isClosed).toBe(true);
    network.socket.connected();
    network.release();
    expect(bench.diary).toEqual([]);
    expect(clock.left).toEqual([]);
  });

  it('tells what came together with the opening after it', () => {
    const bench = benchWith();
    network.isHeld = true;
    bench.open();
    network.run();
    network.socket.send([1, 2]);
    network.socket.connected();
    network.run();
    expect(bench.diary).toEqual(['opened', 'readable']);
  });
});

describe('writing', () => {
  it('hands over what there is room for and goes on when there is more', () => {
    const bench = benchWith();
    network.sendBytes = 100;
    const socket = bench.opened();
    network.isHeld = true;
    const ring = ringOf(count(0, 250));
    bench.write(ring);
    expect(ring.byteLength()).toBe(150);
    bench.write(ring);
    expect(ring.byteLength()).toBe(150);
    network.run();
    expect(bench.take()).toEqual([]);
    network.release();
    expect(bench.take()).toEqual(['writable']);
    bench.write(ring);
    network.run();
    bench.write(ring);
    network.run();
    expect(ring.byteLength()).toBe(0);
    expect(socket.arrived).toEqual(count(0, 250));
    expect(bench.take()).toEqual(['writable']);
    bench.write(ringOf([1]));
    network.run();
    expect(bench.take()).toEqual([]);
  });

  it('says nothing of room when nobody was kept waiting for it', () => {
    const bench = benchWith();
    const socket = bench.opened();
    bench.write(ringOf([1, 2, 3]));
    network.run();
    expect(socket.arrived).toEqual([1, 2, 3]);
    expect(bench.diary).toEqual([]);
  });

  it('writes nothing before it is open', () => {
    const bench = benchWith();
    network.isHeld = true;
    bench.open();
    network.run();
    const ring = ringOf([1]);
    bench.write(ring);
    expect(ring.byteLength()).toBe(1);
    expect(network.socket.arrays).toEqual([]);
  });

  it.each([
    ['takes nothing', (socket: PlayedSocket) => socket.end()],
    ['throws', (socket: PlayedSocket) => (socket.isReady = false)],
  ])('ends the connection later when the socket %s', (_, happens) => {
    const bench = benchWith();
    happens(bench.opened());
    const ring = ringOf([1]);
    bench.write(ring);
    expect(ring.byteLength()).toBe(1);
    expect(bench.diary).toEqual([]);
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
    network.run();
    clock.advance(60_000);
    expect(bench.diary).toEqual(['closed']);
  });

  it('makes no array for a length it had before, of several lengths in turn', () => {
    const bench = benchWith();
    const socket = bench.opened();
    const ring = new Ring(new Uint8Array(256));
    const lengths = [84, 4, 2, 64, 84, 84, 4, 2, 64];
    for (const length of lengths) {
      ring.end = length;
      bench.write(ring);
      network.run();
    }
    expect(new Set(socket.arrays).size).toBe(4);
    expect(socket.arrays.map(({ length }) => length)).toEqual(lengths);
    expect(socket.arrived).toHaveLength(392);
  });

  it('remembers no more than a few lengths', () => {
    const bench = benchWith();
    const socket = bench.opened();
    const ring = new Ring(new Uint8Array(256));
    for (let round = 0; round < 2; round++) {
      for (let length = 1; length <= 20; length++) {
        ring.end = length;
        bench.write(ring);
        network.run();
      }
    }
    expect(new Set(socket.arrays).size).toBe(40);
  });

  it('writes the right bytes when the ring has got other storage', () => {
    const bench = benchWith();
    const socket = bench.opened();
    bench.write(ringOf([1, 2, 3]));
    bench.write(ringOf([4, 5, 6]));
    const storage = new Uint8Array(64);
    bench.write(new Ring(storage.subarray(8)));
    const ring = new Ring(storage.subarray(16));
    ring.bytes.set([7, 8, 9]);
    ring.end = 3;
    bench.write(ring);
    network.run();
    expect(socket.arrived).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('reading', () => {
  it('fills the ring and leaves the rest where it is', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.send(count(0, 100));
    network.run();
    expect(bench.take()).toEqual(['readable']);
    const ring = ringOf([], 64);
    bench.read(ring);
    expect(contentOf(ring)).toEqual(count(0, 64));
    bench.read(ring);
    expect(ring.byteLength()).toBe(64);
    ring.consume(60);
    bench.read(ring);
    expect(contentOf(ring)).toEqual(count(60, 40));
    bench.read(ring);
    expect(ring.byteLength()).toBe(40);
    network.run();
    expect(bench.diary).toEqual([]);
  });

  it('adds what came meanwhile', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.send([1, 2]);
    network.run();
    socket.send([3, 4]);
    const ring = ringOf([]);
    bench.read(ring);
    expect(contentOf(ring)).toEqual([1, 2]);
    network.run();
    bench.read(ring);
    expect(contentOf(ring)).toEqual([1, 2, 3, 4]);
    expect(bench.diary).toEqual(['readable', 'readable']);
  });

  it('makes no array for a length it had before', () => {
    const bench = benchWith();
    const socket = bench.opened();
    const ring = ringOf([]);
    for (let round = 0; round < 3; round++) {
      for (const length of [84, 4, 2]) {
        socket.send(count(0, length));
        network.run();
        bench.read(ring);
        expect(ring.byteLength()).toBe(length);
        ring.clear();
      }
    }
    expect(new Set(socket.arrays).size).toBe(3);
  });

  it('tells the end once everything is read', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.send(count(0, 100));
    socket.end();
    network.run();
    expect(bench.take()).toEqual(['readable']);
    const ring = ringOf([], 60);
    bench.read(ring);
    network.run();
    clock.advance(0);
    expect(bench.diary).toEqual([]);
    ring.clear();
    bench.read(ring);
    network.run();
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toEqual([undefined]);
    expect(socket.isClosed).toBe(true);
  });

  it('holds the end back also for bytes that the socket forgets about when it fails', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.send([1, 2, 3]);
    network.run();
    // A TLS socket has decrypted bytes while the one below reports its end.
    socket.options.onError?.call(socket);
    expect(bench.take()).toEqual(['readable']);
    const ring = ringOf([]);
    bench.read(ring);
    expect(contentOf(ring)).toEqual([1, 2, 3]);
    clock.advance(0);
    expect(bench.diary).toEqual(['closed']);
  });

  it('ends the connection later when the socket throws', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.options.onReadable?.call(socket, 10); // there is nothing, and then less
    const ring = ringOf([]);
    bench.read(ring);
    expect(ring.byteLength()).toBe(0);
    socket.send([1]);
    socket.options.onReadable?.call(socket, 10);
    bench.read(ring);
    clock.advance(0);
    expect(bench.diary).toEqual(['readable', 'readable', 'closed']);
    expect(bench.errors).toMatchObject([{ message: 'invalid' }]);
  });
});
