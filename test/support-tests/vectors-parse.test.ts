/**
 * The vectors judge the codec; this judges the vectors. It says which packets, properties and reason codes have to be
 * there, and that a vector written wrongly is noticed instead of skipped.
 */
import { describe, expect, it } from 'vitest';
import { parseVectors, PROPERTY_NAMES, readVectors } from '../support/vectors.ts';
import type { PacketObject, Vector, Version } from '../support/vectors.ts';

const vectors = readVectors();

const MINIMUM_COUNTS: Readonly<Record<string, number>> = {
  'acks.md': 60,
  'auth.md': 12,
  'connack.md': 45,
  'connect.md': 60,
  'disconnect.md': 40,
  'fixed-header.md': 45,
  'ping.md': 6,
  'properties.md': 240,
  'publish.md': 45,
  'suback.md': 18,
  'subscribe.md': 45,
  'unsuback.md': 14,
  'unsubscribe.md': 20,
  'utf8.md': 40,
};

const TYPES_311 = [
  ...['CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'],
  ...['SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT'],
];
const TYPES_5 = [...TYPES_311, 'AUTH'];

/** Every reason code of 5.0 and the packets it is valid for, as in table 2-6 of the standard. */
const REASON_CODES: Readonly<Record<string, readonly number[]>> = {
  CONNACK: [
    ...[0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a],
    ...[0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
  ],
  PUBACK: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREC: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREL: [0x00, 0x92],
  PUBCOMP: [0x00, 0x92],
  SUBACK: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    ...[0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94],
    ...[0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  ],
  AUTH: [0x00, 0x18, 0x19],
};
const RETURN_CODES_311: Readonly<Record<string, readonly number[]>> = {
  CONNACK: [0, 1, 2, 3, 4, 5],
  SUBACK: [0x00, 0x01, 0x02, 0x80],
};

describe('the vectors', () => {
  it('are there in number, file by file', () => {
    const counts = new Map<string, number>();
    for (const { file } of vectors) counts.set(file, (counts.get(file) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(
      Object.keys(MINIMUM_COUNTS)
        .map((name) => `test/vectors/${name}`)
        .sort(),
    );
    for (const [name, minimum] of Object.entries(MINIMUM_COUNTS)) {
      expect(counts.get(`test/vectors/${name}`), name).toBeGreaterThanOrEqual(minimum);
    }
  });

  it('have a remaining length that agrees with their bytes', () => {
    for (const vector of vectors) {
      // A refusal at offset 1 is of the remaining length itself.
      if ('error' in vector.expected && vector.expected.error.offset === 1) continue;
      let width = 1;
      while ((vector.bytes[width] & 0x80) !== 0) width++;
      let remainingLength = 0;
      for (let i = width; i > 0; i--) remainingLength = remainingLength * 128 + (vector.bytes[i] & 0x7f);
      expect(vector.bytes.length, where(vector)).toBe(1 + width + remainingLength);
    }
  });

  it('do not contradict each other: the same bytes have one outcome', () => {
    const outcomes = new Map<string, { vector: Vector; outcome: string }>();
    for (const vector of vectors) {
      const ways =
        vector.direction === 'both' ? ['client to server', 'server to client'] : [vector.direction];
      for (const version of vector.versions) {
        for (const way of ways) {
          const key = `${version} ${way} ${Buffer.from(vector.bytes).toString('hex')}`;
          const outcome =
            'packet' in vector.expected
              ? canonical(vector.expected.packet)
              : `${vector.expected.error.reasonCode} at ${vector.expected.error.offset}`;
          const earlier = outcomes.get(key);
          if (earlier === undefined) outcomes.set(key, { vector, outcome });
          else expect(outcome, `${where(vector)} against ${where(earlier.vector)}`).toBe(earlier.outcome);
        }
      }
    }
  });

  it('give one encoding to one object', () => {
    const encodings = new Map<string, string>();
    for (const vector of vectors) {
      if (!('packet' in vector.expected) || !vector.encodes) continue;
      const hex = Buffer.from(vector.bytes).toString('hex');
      for (const version of vector.versions) {
        const key = `${version} ${canonical(vector.expected.packet)}`;
        expect(encodings.get(key) ?? hex, where(vector)).toBe(hex);
        encodings.set(key, hex);
      }
    }
  });

  it.each([
    ['5.0', TYPES_5],
    ['3.1.1', TYPES_311],
  ] as const)('show every packet of %s, decoded, encoded and refused', (version, types) => {
    const accepted = new Set(packets(version).map(({ packet }) => packet.type));
    expect([...accepted].sort()).toEqual([...types].sort());
    const encoded = new Set(
      packets(version)
        .filter(({ vector }) => vector.encodes)
        .map(({ packet }) => packet.type),
    );
    expect([...encoded].sort()).toEqual([...types].sort());
    const refused = new Set<number>();
    for (const vector of vectors) {
      if ('error' in vector.expected && vector.versions.includes(version)) refused.add(vector.bytes[0] >> 4);
    }
    // Type 0 is reserved in both versions, type 15 in 3.1.1.
    expect([...refused].sort((a, b) => a - b)).toEqual([...Array(16).keys()]);
  });

  it('show every property accepted and refused', () => {
    expect(PROPERTY_NAMES).toHaveLength(27);
    const accepted = new Set<string>();
    for (const { packet } of packets('5.0')) {
      for (const key of ['properties', 'willProperties']) {
        for (const name of Object.keys((packet[key] as object | undefined) ?? {})) accepted.add(name);
      }
    }
    expect([...accepted].sort()).toEqual([...PROPERTY_NAMES].sort());
    for (const name of PROPERTY_NAMES) {
      const words = name
        .replace('userProperties', 'userProperty')
        .replace(/Identifiers$/, 'Identifier')
        .replace(/[A-Z]/g, ' $&')
        .toLowerCase();
      const refusals = vectors.filter(
        ({ file, title, expected }) =>
          file.endsWith('/properties.md') && 'error' in expected && title.toLowerCase().startsWith(words),
      );
      expect(refusals.length, words).toBeGreaterThan(0);
    }
  });

  it('show every reason code of 5.0 in every packet it is valid for', () => {
    expect(Object.fromEntries(reasonCodes('5.0'))).toEqual(REASON_CODES);
  });

  it('show every return code of 3.1.1', () => {
    expect(Object.fromEntries(reasonCodes('3.1.1'))).toEqual(RETURN_CODES_311);
  });
});

describe('a vector that is written wrongly', () => {
  const good = {
    title: '## A ping',
    why: 'Because. [MQTT-1.5.5-1] [v3.1.1 MQTT-2.2.2-1]',
    version: '- version: 5.0, 3.1.1',
    direction: '- direction: client to server',
    encodes: '- encodes: yes',
    hex: '```hex\nc0 00   # a ping\n```',
    outcome: '```json\n{ "type": "PINGREQ" }\n```',
  };
  const error = '```error\nreasonCode: 0x81\noffset: 0\nabout: reserved flags\n```';

  function parse(changes: Partial<typeof good>, after = ''): Vector[] {
    const all = { ...good, ...changes };
    const list = [all.version, all.direction, all.encodes].filter((text) => text !== '').join('\n');
    const parts = ['# Pings', '', all.title, '', all.why, '', list, '', all.hex, '', all.outcome, '', after];
    return parseVectors('pings.md', parts.join('\n'));
  }

  it('is not this one', () => {
    expect(parse({})).toEqual([
      {
        file: 'pings.md',
        line: 3,
        title: 'A ping',
        why: good.why,
        clauses: ['MQTT-1.5.5-1', 'v3.1.1 MQTT-2.2.2-1'],
        versions: ['5.0', '3.1.1'],
        direction: 'client to server',
        encodes: true,
        bytes: Uint8Array.of(0xc0, 0),
        expected: { packet: { type: 'PINGREQ' } },
      },
    ]);
    expect(
      parse({ hex: '```hex\nc1 00\n```', encodes: '- encodes: no', outcome: error })[0].expected,
    ).toEqual({
      error: { reasonCode: 0x81, offset: 0, about: 'reserved flags' },
    });
  });

  it.each<[string, Partial<typeof good>, RegExp]>([
    ['no title', { title: '## ' }, /^pings\.md:3: no title/],
    ['no reason', { why: '' }, /^pings\.md:3: no word of why/],
    ['a made-up clause', { why: 'Because. [MQTT-X]' }, /:3: not a clause/],
    ['a clause of another version', { version: '- version: 5.0' }, /:3: \[v3\.1\.1 .* does not bind 5\.0/],
    ['no version', { version: '' }, /:3: version is/],
    ['an unknown version', { version: '- version: 3.1' }, /:3: version is .* not "3\.1"/],
    ['an unknown direction', { direction: '- direction: up' }, /:3: direction is/],
    ['an unknown encodes', { encodes: '- encodes: maybe' }, /:3: encodes is/],
    ['an unknown key', { encodes: '- encode: yes' }, /:9: unknown key "encode"/],
    ['a key twice', { encodes: '- version: 5.0' }, /:9: a second "version"/],
    ['no bytes', { hex: '```hex\n# nothing\n```' }, /:12: no bytes/],
    ['no hex', { hex: '' }, /: the json block is out of place/],
    ['half a byte', { hex: '```hex\nc0 0\n```' }, /:12: not a byte in two lower-case hex digits: "0"/],
    ['upper-case hex', { hex: '```hex\nC0 00\n```' }, /:12: not a byte/],
    ['an open block', { outcome: '```json\n{}' }, /:15: a block without an end/],
    ['an unknown block', { outcome: '```yaml\n```' }, /:15: unknown block/],
    ['no outcome', { outcome: '' }, /:3: one block of json or error/],
    ['two outcomes', { outcome: `${good.outcome}\n${error}` }, /:3: one block of json or error/],
    ['a remaining length too large', { hex: '```hex\nc0 01\n```' }, /:12: .* says 1, 0 bytes are there/],
    ['a remaining length too small', { hex: '```hex\nc0 00 00\n```' }, /:12: .* says 0, 1 bytes are there/],
    ['a remaining length without end', { hex: '```hex\nc0 80\n```' }, /:12: .* does not end/],
    ['a remaining length not minimal', { hex: '```hex\nc0 80 00\n```' }, /:12: .* not minimal/],
    ['the wrong type', { hex: '```hex\nd0 00\n```' }, /:12: the first byte does not say PINGREQ/],
    ['bad JSON', { outcome: '```json\n{\n```' }, /:16: bad JSON/],
    ['an unknown type', { outcome: '```json\n{"type":"PING"}\n```' }, /:16: no packet of 5\.0/],
    ['a type of one version', { outcome: '```json\n{"type":"AUTH"}\n```' }, /:16: no packet of 3\.1\.1/],
    ['an unknown field', { outcome: '```json\n{"type":"PINGREQ","id":1}\n```' }, /:16: .* unknown key "id"/],
    ['a missing field', { outcome: '```json\n{"type":"PUBACK"}\n```' }, /:16: .* "packetId" is missing/],
    [
      'a field of the wrong kind',
      { outcome: '```json\n{"type":"PUBACK","packetId":"1"}\n```' },
      /:16: .* "packetId" cannot be "1"/,
    ],
    ['a refusal that encodes', { outcome: error }, /:3: a refusal cannot be encoded/],
    [
      'an offset beyond the end',
      { encodes: '- encodes: no', outcome: error.replace('offset: 0', 'offset: 3') },
      /:16: offset 3 is beyond the end/,
    ],
    [
      'a reason code that is no failure',
      { encodes: '- encodes: no', outcome: error.replace('0x81', '0x01') },
      /:16: reasonCode is a failure/,
    ],
    [
      'an unknown key in an error',
      { encodes: '- encodes: no', outcome: error.replace('about', 'what') },
      /:18: unknown key "what"/,
    ],
    ['text after the blocks', { outcome: `${good.outcome}\nAnd so on.` }, /:18: text after the blocks/],
  ])('throws for %s', (_, changes, message) => {
    expect(() => parse(changes)).toThrow(message);
  });

  it('throws for a title that is taken', () => {
    const again = [good.title, good.why, good.version, good.direction, good.encodes, good.hex, good.outcome];
    expect(() => parse({}, again.join('\n'))).toThrow(/^pings\.md:19: a second vector called "A ping"/);
  });

  it('throws for a file without vectors', () => {
    expect(() => parseVectors('empty.md', '# Nothing\n')).toThrow('empty.md:1: no vectors');
    expect(() => parseVectors('empty.md', '\n')).toThrow('empty.md:1: a vector file begins with');
  });
});

function where(vector: Vector): string {
  return `${vector.file}:${vector.line} ${vector.title}`;
}

function packets(version: Version): { vector: Vector; packet: PacketObject }[] {
  return vectors.flatMap((vector) =>
    'packet' in vector.expected && vector.versions.includes(version)
      ? [{ vector, packet: vector.expected.packet }]
      : [],
  );
}

/** Per packet type the codes seen in accepted vectors, ascending; absent codes do not count. */
function reasonCodes(version: Version): Map<string, number[]> {
  const seen = new Map<string, Set<number>>();
  for (const { packet } of packets(version)) {
    const codes = [packet['reasonCode'], packet['reasonCodes']].flat().filter((code) => code !== undefined);
    if (codes.length === 0) continue;
    const known = seen.get(packet.type) ?? new Set();
    for (const code of codes) known.add(code as number);
    seen.set(packet.type, known);
  }
  return new Map([...seen].map(([type, codes]) => [type, [...codes].sort((a, b) => a - b)]));
}

/** JSON with the keys of every object sorted, so that equal objects have equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}
