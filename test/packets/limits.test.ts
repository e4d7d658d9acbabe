/**
 * Packets that are larger than what was agreed, or than the window they arrive in.
 */
import { describe, expect, it } from 'vitest';
import { encodeObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { FROM_SERVER, V3_1_1, V5 } from '../../src/packets/types.ts';
import { HEAD_TOO_LARGE, TOO_LARGE, violationReasonCode } from '../../src/packets/violations.ts';
import { NEED_DATA, OK, PAYLOAD_STREAMS, VIOLATION } from '../../src/status.ts';
import { CODECS, VERSIONS } from './decoding.ts';

const WINDOW = 64;

function publish(topic: string, payloadByteLength: number, protocolVersion: number): Uint8Array {
  const payload = '5a'.repeat(payloadByteLength);
  return encodeObject(
    { type: 'PUBLISH', topicName: topic, qos: 1, packetId: 7, payload },
    { protocolVersion },
  );
}

function suback(byteLength: number): Uint8Array {
  const reasonCodes = Array<number>(byteLength - 5).fill(0);
  return encodeObject({ type: 'SUBACK', packetId: 1, reasonCodes }, { protocolVersion: V5 });
}

describe.each(CODECS)('the $name codec', (codec) => {
  it('refuses a packet above the Maximum Packet Size from its fixed header [MQTT-3.1.2-24]', () => {
    const bytes = publish('a', 40, V5);
    const decoder = codec.create(V5, FROM_SERVER);
    const packet = new Packet();
    decoder.maximumPacketSize = bytes.length;
    expect(decoder.decode(bytes, 0, bytes.length, packet)).toBe(OK);
    decoder.maximumPacketSize = bytes.length - 1;
    for (let end = 2; end <= bytes.length; end++) {
      expect(decoder.decode(bytes, 0, end, packet)).toBe(VIOLATION);
      expect([packet.violation, packet.violationOffset]).toEqual([TOO_LARGE, 1]);
      expect(violationReasonCode(packet.violation)).toBe(0x95);
    }
  });

  it('takes the largest Remaining Length there is, and waits for the rest', () => {
    const packet = new Packet();
    const decoder = codec.create(V5, FROM_SERVER);
    const bytes = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x01, 0x61, 0x00);
    expect(decoder.decode(bytes, 0, bytes.length, packet)).toBe(NEED_DATA);
    decoder.windowByteLength = WINDOW;
    expect(decoder.decode(bytes, 0, bytes.length, packet)).toBe(PAYLOAD_STREAMS);
    expect(packet.payloadByteLength).toBe(268_435_455 - 4);
  });

  it('refuses at once what never gets whole in the window, a PUBLISH apart', () => {
    const decoder = codec.create(V5, FROM_SERVER);
    decoder.windowByteLength = WINDOW;
    const packet = new Packet();
    const fits = suback(WINDOW);
    expect(decoder.decode(fits, 0, fits.length - 1, packet)).toBe(NEED_DATA);
    expect(decoder.decode(fits, 0, fits.length, packet)).toBe(OK);
    const doesNot = suback(WINDOW + 1);
    expect(decoder.decode(doesNot, 0, 2, packet)).toBe(VIOLATION);
    expect([packet.violation, packet.violationOffset]).toEqual([HEAD_TOO_LARGE, 1]);
  });

  it.each(VERSIONS)(
    'hands over a PUBLISH larger than the window once its head is there, version %d',
    (version) => {
      const bytes = publish('a/b', 3 * WINDOW, version);
      const headByteLength = bytes.length - 3 * WINDOW;
      const decoder = codec.create(version, FROM_SERVER);
      decoder.windowByteLength = WINDOW;
      for (const at of [0, 5]) {
        const buffer = new Uint8Array(at + bytes.length).fill(0xff);
        buffer.set(bytes, at);
        for (let have = 0; have <= WINDOW; have++) {
          const packet = new Packet();
          const status = decoder.decode(buffer, at, at + have, packet);
          expect(status, `${have} bytes`).toBe(have < headByteLength ? NEED_DATA : PAYLOAD_STREAMS);
          if (status === NEED_DATA) continue;
          expect(packet).toMatchObject({
            end: at + bytes.length,
            qos: 1,
            packetId: 7,
            topicOffset: at + headByteLength - (version === V3_1_1 ? 5 : 6),
            topicByteLength: 3,
            payloadOffset: at + headByteLength,
            payloadByteLength: 3 * WINDOW,
          });
        }
      }
    },
  );

  it('does not stream a PUBLISH that fits the window', () => {
    const bytes = publish('a', WINDOW - 8, V5);
    expect(bytes).toHaveLength(WINDOW);
    const decoder = codec.create(V5, FROM_SERVER);
    decoder.windowByteLength = WINDOW;
    const packet = new Packet();
    for (let end = 0; end < WINDOW; end++) expect(decoder.decode(bytes, 0, end, packet)).toBe(NEED_DATA);
    expect(decoder.decode(bytes, 0, WINDOW, packet)).toBe(OK);
  });

  it.each(VERSIONS)('refuses a PUBLISH whose head fills the window, version %d', (version) => {
    const bytes = publish('x'.repeat(WINDOW), 8, version);
    const decoder = codec.create(version, FROM_SERVER);
    decoder.windowByteLength = WINDOW;
    const packet = new Packet();
    expect(decoder.decode(bytes, 0, WINDOW - 1, packet)).toBe(NEED_DATA);
    expect(decoder.decode(bytes, 0, WINDOW, packet)).toBe(VIOLATION);
    expect([packet.violation, packet.violationOffset]).toEqual([HEAD_TOO_LARGE, 1]);
  });

  it('finds what is wrong with the head of a PUBLISH that streams [MQTT-3.3.2-2] [MQTT-3.3.1-4]', () => {
    const decoder = codec.create(V5, FROM_SERVER);
    decoder.windowByteLength = WINDOW;
    const packet = new Packet();
    const wildcard = publish('abc', 3 * WINDOW, V5);
    wildcard[6] = 0x23;
    expect(decoder.decode(wildcard, 0, WINDOW, packet)).toBe(VIOLATION);
    expect(packet.violationOffset).toBe(6);
    const qos3 = publish('abc', 3 * WINDOW, V5);
    qos3[0] |= 6;
    expect(decoder.decode(qos3, 0, 4, packet)).toBe(VIOLATION);
    expect(packet.violationOffset).toBe(0);
  });
});
