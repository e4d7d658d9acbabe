/**
 * SCRAM-SHA-256 as Moddable's apps get it, on stand-ins for the modules `crypt` and `timer`: for a line and for the
 * promise client.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { Line } from '../../src/line.ts';
import type { Board, BoardReceiver, BoardTransport, LineOwner } from '../../src/line.ts';
import { decodeObjects, encodeObject, toHex } from '../../src/packets/inspect.ts';
import type { PacketObject, PropertiesObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import { EVENT_CONNECTED } from '../../src/session/event.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { RfcServer } from './rfc-server.ts';

/** What `Timer.set` was given and has not been called. */
const timers: (() => void)[] = [];

vi.mock('timer', () => ({ default: { set: (callback: () => void) => timers.push(callback) } }));
vi.mock('crypt', () => ({
  Digest: class {
    hash = createHash('sha256');

    constructor(type: string) {
      expect(type).toBe('SHA256');
    }

    reset(): void {
      this.hash = createHash('sha256');
    }

    write(bytes: ArrayBuffer | Uint8Array): void {
      this.hash.update(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
    }

    close(): ArrayBuffer {
      return Uint8Array.from(this.hash.digest()).buffer;
    }
  },
}));

const { createScram, scramSha256 } = await import('../../targets/moddable/scram.ts');

/** Runs timers until there are none; returns how many there were. */
function runTimers(): number {
  let count = 0;
  for (; timers.length > 0; count++) timers.shift()!();
  return count;
}

/** A board with one transport, whose other end the test is. */
class TestBoard implements Board {
  receiver!: BoardReceiver;
  readonly random = (): number => 7;
  private readonly sent: number[] = [];
  private incoming: Uint8Array = new Uint8Array(0);

  nowMs(): number {
    return 1000;
  }

  setTimer(callback: () => void, ms: number): unknown {
    // The session's own deadlines are none of this test's.
    if (ms === 0) timers.push(callback);
    return undefined;
  }

  clearTimer(): void {}

  createTransport(receiver: BoardReceiver): BoardTransport {
    this.receiver = receiver;
    return {
      open: () => {},
      close: () => {},
      write: (ring: Ring) => {
        this.sent.push(...ring.bytes.subarray(ring.start, ring.end));
        ring.consume(ring.byteLength());
      },
      read: (ring: Ring) => {
        if (this.incoming.length === 0 || !ring.reserve(this.incoming.length)) return false;
        ring.bytes.set(this.incoming, ring.end);
        ring.end += this.incoming.length;
        this.incoming = new Uint8Array(0);
        return false;
      },
    };
  }

  /** The packets since this was last asked. */
  packets(): PacketObject[] {
    const bytes = Uint8Array.from(this.sent.splice(0));
    return decodeObjects(bytes, { protocolVersion: 5, sender: FROM_CLIENT }).packets;
  }

  server(packet: PacketObject): void {
    this.incoming = encodeObject(packet, { protocolVersion: 5 });
    this.receiver.handleReadable();
  }
}

const said = (data: Uint8Array): PropertiesObject => ({
  authenticationMethod: 'SCRAM-SHA-256',
  authenticationData: toHex(data),
});

const dataOf = (packet: PacketObject): Buffer =>
  Buffer.from((packet as { properties: PropertiesObject }).properties.authenticationData!, 'hex');

describe('createScram', () => {
  it.each([
    ['pencil', true],
    ['wrong', false],
  ])(
    'authenticates a line with the password %s: %s [MQTT-4.12.0-2], [MQTT-4.12.0-3]',
    (password, isRight) => {
      const board = new TestBoard();
      const scram = createScram({ userName: 'user', password });
      const told: number[] = [];
      const owner: LineOwner = {
        handleEvent: (event: SessionEvent, nowMs) => {
          if (!scram.handleEvent(line, event, nowMs)) told.push(event.kind);
        },
        handleIdle: () => {},
      };
      const size = (bytes: number): Uint8Array => new Uint8Array(bytes);
      const line = new Line(
        board,
        {
          authenticationMethod: scram.method,
          buffers: { receive: size(512), transmit: size(512), outbox: size(512), subscriptions: size(128) },
        },
        owner,
      );
      line.connect();
      board.receiver.handleOpened();
      const [connect] = board.packets();
      expect(connect.type).toBe('CONNECT');
      const server = new RfcServer();
      board.server({ type: 'AUTH', reasonCode: 0x18, properties: said(server.first(dataOf(connect))) });
      expect(board.packets()).toEqual([]);
      expect(runTimers()).toBe(82);
      const [auth] = board.packets();
      expect(auth).toMatchObject({ type: 'AUTH', reasonCode: 0x18 });
      // A server that takes anybody.
      const final = server.final(dataOf(auth));
      board.server({ type: 'CONNACK', reasonCode: 0, properties: said(final) });
      if (isRight) {
        expect(told).toEqual([EVENT_CONNECTED]);
        expect(scram.error).toBeNull();
      } else {
        expect(told).not.toContain(EVENT_CONNECTED);
        expect(scram.error).toMatchObject({ code: 'ERR_SCRAM_SERVER_ERROR' });
        expect(board.packets()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x83 }]);
      }
    },
  );

  it('takes no server that wants more than 65,536 rounds, unless told to', () => {
    const first = (iterationsMax?: number): (() => unknown) => {
      const { client } = createScram({ userName: 'user', password: 'pencil', iterationsMax });
      const message = new RfcServer({ iterations: 65537 }).first(client.first());
      return () => client.handleServerFirst(message);
    };
    expect(first()).toThrow(/65537 iterations/);
    expect(first(65537)()).toBeNull();
  });
});

describe('scramSha256', () => {
  it('derives the key between timers', async () => {
    const hook = scramSha256({ userName: 'user', password: 'pencil' });
    expect(hook.method).toBe('SCRAM-SHA-256');
    const server = new RfcServer();
    const start = (await hook.start())!;
    const next = hook.next(server.first(start));
    // The first slice is done at once.
    expect(runTimers()).toBe(81);
    const final = server.final((await next)!);
    expect(() => hook.finish!(final)).not.toThrow();
    // And with the key at hand, nothing is derived.
    const again = new RfcServer();
    const answer = await hook.next(again.first((await hook.start())!));
    expect(timers).toEqual([]);
    expect(() => hook.finish!(undefined)).toThrow(/did not show/);
    expect(again.final(answer!).toString()).toMatch(/^v=/);
  });

  it('has another nonce each time', async () => {
    const hook = scramSha256({ userName: 'user', password: 'pencil' });
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) seen.add(Buffer.from((await hook.start())!).toString());
    expect(seen.size).toBe(50);
  });
});
