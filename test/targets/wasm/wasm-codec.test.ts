/**
 * The WASM codec beside the one in TypeScript: millions of chunks at random, and by hand what could make a table say what
 * is no longer so. The vectors and the fuzzer's strings are in test/packets, for both.
 */
import { createServer, connect, type AddressInfo } from 'node:net';
import { describe, expect, it, vi, type Mock } from 'vitest';
import { Differential, samePacket } from '../../../bench/wasm-differential.ts';
import { encodeAck } from '../../../src/packets/acks.ts';
import { Decoder } from '../../../src/packets/codec.ts';
import { encodeObject } from '../../../src/packets/inspect.ts';
import { Packet } from '../../../src/packets/packet.ts';
import { decodeRequest } from '../../../src/packets/requests.ts';
import {
  CONNECT,
  FROM_CLIENT,
  FROM_SERVER,
  PUBACK,
  PUBLISH,
  SUBACK,
  UNSUBACK,
  V3_1_1,
  V5,
} from '../../../src/packets/types.ts';
import { NEED_DATA, OK, PAYLOAD_STREAMS, VIOLATION } from '../../../src/status.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { WasmCodec, type WasmMemory } from '../../../targets/wasm/index.ts';
import { SEED, shareOf } from '../../seed.ts';
import { SessionDriver } from '../../support/session-driver.ts';
import { readVectors } from '../../support/vectors.ts';
import { testMemory } from './binary.ts';

const CASES = shareOf(300_000);

function publish(topicName: string, payloadByteLength = 64, protocolVersion = V5): Uint8Array {
  const payload = '5a'.repeat(payloadByteLength);
  return encodeObject({ type: 'PUBLISH', topicName, qos: 0, payload }, { protocolVersion });
}

function chunkOf(...packets: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(packets.flatMap((packet) => Array.from(packet)));
}

/** A codec that scans however little there is, and a buffer in its memory. */
function codecOn(memory: WasmMemory, sender = FROM_SERVER): WasmCodec {
  const codec = new WasmCodec(memory, V5, sender, decodeRequest);
  codec.scanBytesMin = 1;
  return codec;
}

/** Has every call into WebAssembly that scans noted. */
function watchScan(memory: WasmMemory): Mock<WasmMemory['exports']['scan']> {
  const scan = vi.fn(memory.exports.scan);
  Object.assign(memory, { exports: { ...memory.exports, scan } });
  return scan;
}

/** Topic Names in the order of their packets, as `codec` reads them. */
function topicsOf(codec: WasmCodec, bytes: Uint8Array, end: number): string[] {
  const packet = new Packet();
  const topics: string[] = [];
  for (let at = 0; codec.decode(bytes, at, end, packet) === OK; at = packet.end) {
    const { topicOffset, topicByteLength } = packet;
    topics.push(Buffer.from(bytes.subarray(topicOffset, topicOffset + topicByteLength)).toString());
  }
  return topics;
}

describe('both codecs on the same ring', () => {
  it(`say the same in ${CASES.toLocaleString('en')} cases`, { timeout: 120_000 }, async () => {
    const corpus = readVectors()
      .map((vector) => vector.bytes)
      .filter((bytes) => bytes.length <= 400);
    const tally = new Differential(await testMemory(), SEED, corpus).run(CASES);
    // Otherwise the cases are too wild to find anything behind the first check, or too tame.
    expect(tally.described / CASES).toBeGreaterThan(0.8);
    expect(tally.violations / CASES).toBeGreaterThan(0.2);
    expect(tally.incomplete / CASES).toBeGreaterThan(0.05);
  });

  it('would be found to differ, if the memory said something else of one reason code', async () => {
    const memory = await testMemory();
    const codes = new Uint16Array(memory.buffer, memory.codesAt(V5, FROM_SERVER), 256);
    codes[0x83] |= 1 << SUBACK;
    codes[0x00] &= ~(1 << UNSUBACK);
    codes[0x01] |= 1 << PUBACK;
    codes[0x02] |= 1 << PUBACK;
    codes[0xff] |= 1 << PUBACK;
    expect(() => new Differential(memory, SEED).run(100_000)).toThrow(/^case \d+ of seed/);
  });
});

describe('the codec', () => {
  it('crosses into WebAssembly once for a chunk, and not at all for its last, partial packet', async () => {
    const memory = await testMemory();
    const scan = watchScan(memory);
    const codec = codecOn(memory);
    const bytes = memory.allocate(65_536)!;
    const one = publish('a/b');
    let end = 0;
    for (; end + one.length <= bytes.length; end += one.length) bytes.set(one, end);
    bytes.set(one.subarray(0, bytes.length - end), end);
    const packet = new Packet();
    let at = 0;
    for (; codec.decode(bytes, at, bytes.length, packet) === OK; at = packet.end) {
      expect(packet.payloadByteLength).toBe(64);
    }
    expect(at).toBe(end);
    expect(codec.decode(bytes, at, bytes.length, packet)).toBe(NEED_DATA);
    expect(scan).toHaveBeenCalledTimes(1);
  });

  it('goes on where the table was full', async () => {
    const memory = await testMemory();
    const codec = codecOn(memory);
    const bytes = memory.allocate(65_536)!;
    let end = 0;
    for (let id = 1; end + 4 <= bytes.length; id++) {
      end = encodeAck(bytes, end, bytes.length, PUBACK, V5, id, 0, new Uint8Array(0), 0);
    }
    const packet = new Packet();
    let id = 0;
    for (let at = 0; at < end; at = packet.end) {
      expect(codec.decode(bytes, at, end, packet)).toBe(OK);
      id++;
      if (packet.packetId !== id || packet.end !== at + 4) throw new Error(`${packet.packetId} is not ${id}`);
    }
    expect(id).toBe(16_384);
  });

  it('reads what is not in the memory, or too little to be worth it, without WebAssembly', async () => {
    const memory = await testMemory();
    const scan = watchScan(memory);
    const codec = new WasmCodec(memory, V5, FROM_SERVER, null);
    const packets = chunkOf(...Array.from({ length: 20 }, (_, index) => publish(`topic/${index}`)));
    expect(topicsOf(codec, packets, packets.length)).toHaveLength(20);
    const bytes = memory.allocate(4096)!;
    bytes.set(packets);
    const short = publish('topic/0').length * 2;
    expect(topicsOf(codec, bytes, short)).toEqual(['topic/0', 'topic/1']);
    expect(scan).not.toHaveBeenCalled();
    expect(topicsOf(codec, bytes, packets.length)).toHaveLength(20);
    expect(scan).toHaveBeenCalledTimes(1);
  });

  it('sees the bytes that came in place of others', async () => {
    const memory = await testMemory();
    const codec = codecOn(memory);
    const bytes = memory.allocate(4096)!;
    for (const name of ['a', 'b', 'c']) {
      const chunk = chunkOf(publish(`${name}/1`), publish(`${name}/2`), publish(`${name}/3`));
      bytes.set(chunk);
      expect(topicsOf(codec, bytes, chunk.length)).toEqual([`${name}/1`, `${name}/2`, `${name}/3`]);
    }
  });

  it('sees them in the middle of a chunk when it is told', async () => {
    const memory = await testMemory();
    const codec = codecOn(memory);
    const bytes = memory.allocate(4096)!;
    const packet = new Packet();
    bytes.set(chunkOf(publish('a/1'), publish('a/2', 60)));
    expect(codec.decode(bytes, 0, 140, packet)).toBe(OK);
    const second = packet.end;
    bytes.set(publish('b/2', 50), second);
    codec.forget();
    expect(codec.decode(bytes, second, 140, packet)).toBe(OK);
    expect(packet.payloadByteLength).toBe(50);
  });

  it('knows the content of a ring that moved, or was cleared and filled again', async () => {
    const memory = await testMemory();
    const codec = codecOn(memory);
    const ring = new Ring(memory.allocate(256)!);
    const packet = new Packet();
    const next = (): string => {
      expect(codec.decode(ring.bytes, ring.start, ring.end, packet)).toBe(OK);
      ring.consume(packet.end - packet.offset);
      return String.fromCharCode(ring.bytes[packet.topicOffset]);
    };
    const write = (name: string): void => {
      const bytes = publish(name, 50);
      expect(ring.reserve(bytes.length)).toBe(true);
      ring.bytes.set(bytes, ring.end);
      ring.end += bytes.length;
    };
    for (const name of ['a', 'b', 'c', 'd']) write(name);
    expect(next()).toBe('a');
    // The packets b to d move one place down, and a packet of the same length makes the end what it was.
    const { end } = ring;
    write('e');
    expect([ring.start, ring.end]).toEqual([0, end]);
    expect([next(), next()]).toEqual(['b', 'c']);
    ring.clear();
    for (const name of ['f', 'g', 'h', 'i']) write(name);
    expect([next(), next(), next(), next()]).toEqual(['f', 'g', 'h', 'i']);
  });

  it('is one of several on a memory: each has the table until another scans', async () => {
    const memory = await testMemory();
    const codecs = [codecOn(memory), codecOn(memory)];
    const buffers = codecs.map(() => memory.allocate(4096)!);
    const chunks = ['a', 'b'].map((name) => chunkOf(...[1, 2, 3, 4].map((i) => publish(`${name}/${i}`))));
    buffers.forEach((bytes, index) => bytes.set(chunks[index]));
    const packet = new Packet();
    for (let at = 0; at < chunks[0].length; at = packet.end) {
      for (const [index, codec] of codecs.entries()) {
        expect(codec.decode(buffers[index], at, chunks[index].length, packet)).toBe(OK);
        expect(buffers[index][packet.topicOffset]).toBe('ab'.charCodeAt(index));
      }
    }
  });

  it('reads the rest of a chunk as the version that its CONNECT says', async () => {
    const memory = await testMemory();
    const codec = codecOn(memory, FROM_CLIENT);
    const bytes = memory.allocate(4096)!;
    const connectBytes = encodeObject(
      {
        type: 'CONNECT',
        protocolName: 'MQTT',
        protocolVersion: V3_1_1,
        cleanStart: true,
        keepAlive: 0,
        clientId: 'c',
      },
      { protocolVersion: V3_1_1 },
    );
    const chunk = chunkOf(connectBytes, publish('a', 3, V3_1_1), publish('b', 3, V3_1_1));
    bytes.set(chunk);
    const packet = new Packet();
    expect(codec.decode(bytes, 0, chunk.length, packet)).toBe(OK);
    expect(packet.type).toBe(CONNECT);
    codec.protocolVersion = V3_1_1;
    expect(codec.decode(bytes, packet.end, chunk.length, packet)).toBe(OK);
    expect([packet.type, packet.payloadByteLength]).toEqual([PUBLISH, 3]);
  });

  it.each([
    ['protocolVersion', V3_1_1],
    ['sender', FROM_CLIENT],
    ['maximumPacketSize', 20],
    ['windowByteLength', 64],
  ] as const)('does not keep what it knew when %s changes', async (name, value) => {
    const memory = await testMemory();
    const codec = codecOn(memory);
    const decoder = new Decoder(V5, FROM_SERVER, decodeRequest);
    const bytes = memory.allocate(4096)!;
    const identified = {
      type: 'PUBLISH',
      topicName: 'a',
      qos: 0,
      properties: { subscriptionIdentifiers: [7] },
    };
    const object = { ...identified, payload: '00'.repeat(10) } as Parameters<typeof encodeObject>[0];
    const packets = [publish('a', 10), encodeObject(object, { protocolVersion: V5 }), publish('b', 90)];
    const chunk = chunkOf(...packets);
    bytes.set(chunk);
    const [packet, expected] = [new Packet(), new Packet()];
    expect(codec.decode(bytes, 0, chunk.length, packet)).toBe(OK);
    codec[name] = value;
    decoder[name] = value;
    // The last packet is not whole.
    for (let at = packet.end; at < chunk.length;) {
      const status = codec.decode(bytes, at, chunk.length - 1, packet);
      expect(decoder.decode(bytes, at, chunk.length - 1, expected)).toBe(status);
      expect(samePacket(status, expected, packet)).toBe(true);
      if (status === VIOLATION || status === PAYLOAD_STREAMS || status === NEED_DATA) return;
      at = packet.end;
    }
  });

  it('does not scan ever more when packets are asked for one at a time', async () => {
    const memory = await testMemory();
    const scan = watchScan(memory);
    const codec = codecOn(memory);
    const bytes = memory.allocate(65_536)!;
    const one = publish('a/b');
    let end = 0;
    for (; end + one.length <= bytes.length; end += one.length) bytes.set(one, end);
    const packet = new Packet();
    // As when more bytes come with every packet that is taken.
    for (let at = 0; at < 20_000; at = packet.end) {
      expect(codec.decode(bytes, at, 40_000 + at, packet)).toBe(OK);
    }
    const [row, rowsEnd] = scan.mock.calls.at(-1)!.slice(6);
    expect(rowsEnd - row).toBeLessThan(500);
  });
});

describe('a session', () => {
  it('tells the same with windows in the memory as with the codec in TypeScript', async () => {
    const memory = await testMemory();
    const told = [false, true].map((isWasm) => {
      const driver = new SessionDriver({ receiveBytes: 2048, ...(isWasm ? { codec: codecOn(memory) } : {}) });
      if (isWasm) driver.session.receive.replace(memory.allocate(2048)!);
      driver.connected();
      driver.events();
      const properties = { contentType: 'text/plain', userProperties: [['a', 'b']] as [string, string][] };
      for (let round = 0; round < 50; round++) {
        const packets = Array.from({ length: 12 }, (_, index) =>
          driver.encode({
            type: 'PUBLISH',
            topicName: `t/${round}/${index}`,
            qos: index % 3,
            ...(index % 3 > 0 ? { packetId: 1 + index } : {}),
            payload: 'ab'.repeat(index * 10),
            ...(index % 2 > 0 ? { properties } : {}),
          }),
        );
        const chunk = chunkOf(...packets);
        driver.bytes(chunk, 1 + ((round * 37) % chunk.length));
        for (let index = 2; index < 12; index += 3) driver.ack('PUBREL', 1 + index);
      }
      return [driver.events(), driver.sent()];
    });
    expect(told[0][0].length).toBe(600);
    expect(told[1]).toStrictEqual(told[0]);
  });
});

describe('a socket', () => {
  it('reads straight into the memory', async () => {
    const memory = await testMemory();
    const window = memory.allocate(65_536)!;
    const chunk = chunkOf(...Array.from({ length: 50 }, (_, index) => publish(`topic/${index}`)));
    const server = createServer((socket) => socket.end(chunk));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const codec = codecOn(memory);
    const topics = await new Promise<string[]>((resolve, reject) => {
      let received = 0;
      const socket = connect({
        host: '127.0.0.1',
        port,
        onread: {
          buffer: window,
          // A second piece would overwrite the first: so small a chunk comes in one.
          callback(byteLength, buffer) {
            received += byteLength;
            if (received === chunk.length) resolve(topicsOf(codec, buffer, received));
            return true;
          },
        },
      });
      socket.on('error', reject);
    });
    server.close();
    expect(topics).toHaveLength(50);
    expect(topics[49]).toBe('topic/49');
    expect(memory.bytes.subarray(window.byteOffset, window.byteOffset + 8)).toEqual(chunk.subarray(0, 8));
  });
});
