/**
 * The end of connections over sockets of ECMA-419: nothing that was written is lost by closing, and TLS, which throws
 * where nobody can catch it, ends a connection only.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { Ring } from '../../../src/wire/ring.ts';
import type { SocketOptions } from '../../../targets/moddable/socket-transport.ts';
import { PlayedClock } from './played-clock.ts';
import { PlayedNetwork, PlayedSocket } from './played-network.ts';
import { Bench, count, ringOf } from './transport-bench.ts';

let network: PlayedNetwork;
let clock: PlayedClock;

beforeEach(() => {
  network = new PlayedNetwork();
  clock = new PlayedClock();
});

function benchWith(options: Partial<SocketOptions> = {}): Bench {
  return new Bench(network, clock, options);
}

describe('closing', () => {
  it('is done at once when the server has everything', () => {
    const bench = benchWith();
    const socket = bench.opened();
    bench.write(ringOf([1]));
    socket.send([2, 3]);
    network.run();
    bench.close();
    expect(socket).toMatchObject({ isClosed: true, isReset: false });
    expect(clock.left).toEqual([]);
  });

  it('waits for what was written to arrive, and reads on meanwhile', () => {
    const bench = benchWith();
    const socket = bench.opened();
    socket.send(count(0, 200)); // which nobody reads any more
    network.run();
    bench.take();
    network.isHeld = true;
    bench.write(ringOf([0xe0, 0]));
    bench.close();
    expect(socket.isClosed).toBe(false);
    socket.send(count(0, 100));
    network.run();
    expect(socket.unread).toBe(0);
    network.release();
    expect(socket).toMatchObject({ isClosed: true, isReset: false, arrived: [0xe0, 0] });
    expect(bench.diary).toEqual([]);
    expect(clock.left).toEqual([]);
  });

  it('does not wait for a server that has closed', () => {
    const bench = benchWith();
    const socket = bench.opened();
    network.isHeld = true;
    bench.write(ringOf([0xe0, 0]));
    bench.close();
    socket.end();
    network.run();
    expect(socket.isClosed).toBe(true);
    expect(bench.diary).toEqual([]);
    expect(clock.left).toEqual([]);
  });

  it('does not wait for ever', () => {
    const bench = benchWith();
    const socket = bench.opened();
    network.isHeld = true;
    bench.write(ringOf([0xe0, 0]));
    bench.close();
    clock.advance(999);
    expect(socket.isClosed).toBe(false);
    clock.advance(1);
    expect(socket.isClosed).toBe(true);
  });

  it('does not wait when a new connection is wanted', () => {
    const bench = benchWith();
    const socket = bench.opened();
    network.isHeld = true;
    bench.write(ringOf([0xe0, 0]));
    bench.close();
    bench.open();
    expect(socket.isClosed).toBe(true);
    network.release();
    expect(socket).toMatchObject({ isReset: false, arrived: [0xe0, 0] });
    expect(network.sockets).toHaveLength(2);
    expect(bench.diary).toEqual(['opened']);
  });

  it('from within a report leaves the rest of it untold', () => {
    const bench = benchWith();
    network.isHeld = true;
    bench.open();
    network.run();
    const { socket } = network;
    bench.onReport = () => bench.transport.close();
    socket.send([1]);
    socket.connected();
    network.release();
    expect(bench.diary).toEqual(['opened']);
    expect(socket.isClosed).toBe(true);
  });

  it('ignores what a closed socket still has to say', () => {
    const bench = benchWith();
    const first = bench.opened();
    bench.close();
    bench.open();
    network.isHeld = true;
    network.run();
    first.options.onReadable?.call(first, 5);
    first.options.onWritable?.call(first, 5);
    first.options.onError?.call(first);
    clock.advance(60_000);
    expect(bench.diary).toEqual([]);
    expect(first.arrays).toEqual([]);
  });

  it('twice is once', () => {
    const bench = benchWith();
    bench.opened();
    bench.close();
    bench.close();
    expect(clock.left).toEqual([]);
    expect(bench.diary).toEqual([]);
  });
});

describe('TLS', () => {
  const CLIENT_HELLO = [22, 3, 3, 0, 1, 1];
  const CHANGE_CIPHER_SPEC = [20, 3, 3, 0, 1, 1];
  const HANDSHAKE = [...CLIENT_HELLO, ...CHANGE_CIPHER_SPEC];

  /** A TLS socket on top of the one below, with room for records left out; what it is told to throws. */
  class PlayedTls {
    static last: PlayedTls;
    readonly options: any;
    readonly socket: PlayedSocket;
    isHandshakeBad = false;
    /** Somebody on the way ended the handshake, and that passes for its end. */
    isHandshakeCut = false;
    isGivingBuffers = false;
    private isReady = false;
    constructor(options: any) {
      PlayedTls.last = this;
      this.options = options;
      this.socket = new options.TCP.io({
        ...options,
        onReadable: (byteLength: number) => {
          if (this.isHandshakeBad) throw new Error('bad certificate');
          options.onReadable(byteLength);
        },
        onWritable: (byteLength: number) => {
          if (this.isHandshakeBad) throw new Error('bad certificate');
          if (!this.isReady) {
            this.isReady = true;
            this.send(CLIENT_HELLO);
            if (!this.isHandshakeCut) this.send(CHANGE_CIPHER_SPEC);
          }
          options.onWritable(byteLength - 96);
        },
        onError: () => options.onError(),
      });
    }
    private send(record: number[]): void {
      const bytes = Uint8Array.from(record);
      this.socket.write(this.isGivingBuffers ? (bytes.buffer as never) : bytes);
    }
    read(bytes: Uint8Array): number | undefined {
      return this.socket.read(bytes);
    }
    write(bytes: Uint8Array): number | undefined {
      if (bytes.length > 16384) throw new Error('too large');
      const room = this.socket.write(new Uint8Array([...bytes, ...new Uint8Array(85)]));
      return room === undefined ? undefined : Math.max(0, room - 32);
    }
    close(): void {
      this.socket.close();
    }
  }

  function tlsBench(): Bench {
    return benchWith({
      port: 8883,
      socket: { io: PlayedTls, TCP: { io: network.TCP }, secure: { verify: true } },
    });
  }

  it('is given its own class, the one below and its options', () => {
    const bench = tlsBench();
    const socket = bench.opened();
    expect(PlayedTls.last.options).toMatchObject({ host: 'broker', secure: { verify: true } });
    bench.write(ringOf([1, 2, 3]));
    network.run();
    expect(socket.arrived.slice(0, HANDSHAKE.length + 3)).toEqual([...HANDSHAKE, 1, 2, 3]);
  });

  it('always has room for the rest of a record', () => {
    const bench = tlsBench();
    const socket = bench.opened();
    network.isHeld = true;
    // Until there is no room: a record that does not fit would throw, and end the connection.
    for (let i = 0; i < 100; i++) bench.write(ringOf(count(i, 10)));
    clock.advance(0);
    expect(bench.take()).toEqual([]);
    network.release();
    expect(bench.take()).toEqual(['writable']);
    expect(socket.arrived.length).toBeGreaterThan(500);
  });

  it('gets no more at once than a record holds', () => {
    const bench = tlsBench();
    network.sendBytes = 100_000;
    const socket = bench.opened();
    const ring = new Ring(new Uint8Array(40_000));
    ring.end = 40_000;
    bench.write(ring);
    expect(ring.byteLength()).toBe(0);
    network.run();
    expect(socket.arrived).toHaveLength(HANDSHAKE.length + 40_000 + 3 * 85);
  });

  it.each([
    ['while it connects', (socket: PlayedSocket) => socket.connected()],
    ['while it reads', (socket: PlayedSocket) => socket.send([22])],
  ])('ends the connection, not the program, when it throws %s', (_, happens) => {
    const bench = tlsBench();
    network.isHeld = true;
    bench.open();
    network.run();
    PlayedTls.last.isHandshakeBad = true;
    happens(network.socket);
    network.run();
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toMatchObject([{ message: 'bad certificate' }]);
    expect(network.socket.isClosed).toBe(true);
  });

  it('that is open before it encrypts is not: nothing is written', () => {
    const bench = tlsBench();
    network.isHeld = true;
    bench.open();
    network.run();
    PlayedTls.last.isHandshakeCut = true;
    network.socket.connected();
    network.release();
    expect(bench.diary).toEqual(['closed']);
    expect(bench.errors).toMatchObject([{ code: 'ERR_TLS' }]);
    bench.write(ringOf([1, 2, 3]));
    network.run();
    expect(network.socket.arrived).toEqual(CLIENT_HELLO);
    expect(network.socket.isClosed).toBe(true);
  });

  it.each([false, true])(
    'is looked at no more once it encrypts, its records being buffers: %s',
    (isBuffer) => {
      const bench = tlsBench();
      network.isHeld = true;
      bench.open();
      network.run();
      PlayedTls.last.isGivingBuffers = isBuffer;
      network.socket.connected();
      expect(network.socket.write).not.toBe(PlayedSocket.prototype.write);
      network.release();
      expect(bench.diary).toEqual(['opened']);
      expect(network.socket.write).toBe(PlayedSocket.prototype.write);
      expect(network.socket.arrived).toEqual(HANDSHAKE);
    },
  );

  it('passes on what the receiver throws', () => {
    const bench = tlsBench();
    bench.onReport = () => {
      throw new Error("the application's own");
    };
    bench.open();
    expect(() => network.run()).toThrow("the application's own");
    expect(bench.diary).toEqual(['opened']);
  });
});
