/**
 * The number of a telemetry message, found in what the runtime's own writers write.
 */
import { describe, expect, it } from 'vitest';
import { readSequence } from '../../../../sim/fleet/firmware/sequence-reader.ts';
import { CborWriter } from '../../../../src/device/cbor-writer.ts';
import { JsonWriter } from '../../../../src/device/json-writer.ts';
import { HEAD_NUMBERS, HEAD_SEQUENCE, HEAD_TIMESTAMP } from '../../../../src/device/telemetry-writer.ts';

const IDS = ['a', 'greenhouse-1-00001', 'quote " and \\', 'Fühler-00001', 'x'.repeat(300)];
const SEQUENCES = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_294];

function write(format: 'json' | 'cbor', id: string, sequence: number, dropped = 0): Uint8Array {
  const bytes = new Uint8Array(1024);
  const writer =
    format === 'json'
      ? new JsonWriter(id, ['temperature'], bytes)
      : new CborWriter(id, ['temperature'], bytes);
  const head = new Float64Array(HEAD_NUMBERS);
  head[HEAD_SEQUENCE] = sequence;
  head[HEAD_TIMESTAMP] = 1_750_498_200_123;
  writer.begin(head, 0, true, dropped);
  writer.beginRow(20);
  writer.addSample(0, Float64Array.of(21.3), 0, 1);
  writer.finish();
  return bytes.slice(0, writer.at);
}

describe.each(['json', 'cbor'] as const)('a sequence in %s', (format) => {
  it.each(IDS)('is found behind the id %j', (id) => {
    for (const sequence of SEQUENCES) {
      const message = write(format, id, sequence);
      expect(readSequence(message, 0, message.length)).toBe(sequence);
      const inside = Buffer.concat([Buffer.from('before'), message, Buffer.from('0123')]);
      expect(readSequence(inside, 6, 6 + message.length)).toBe(sequence);
    }
  });

  it('is found in a message that tells of dropped samples', () => {
    const message = write(format, 'a', 17, 3);
    expect(readSequence(message, 0, message.length)).toBe(17);
  });

  it('is not found where the message ends before it', () => {
    const message = write(format, 'greenhouse-1', 24);
    const whole = format === 'json' ? '{"device":"greenhouse-1","seq":'.length : 1 + 7 + 13 + 4 + 1;
    for (let end = 0; end <= whole; end++) expect(readSequence(message, 0, end)).toBe(-1);
    expect(readSequence(message, 0, whole + 1)).toBe(format === 'json' ? 2 : 24);
  });
});

describe('what is no telemetry', () => {
  it.each([
    '',
    '{}',
    '{"device":1}',
    '{"device":"a","ts":1}',
    '{"device":"a","seq":x',
    'online',
    '\u00a5foo',
  ])('has no sequence: %j', (text) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(readSequence(bytes, 0, bytes.length)).toBe(-1);
  });
});
