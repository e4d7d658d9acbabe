/**
 * `motemq decode` and `motemq encode` as people run them: the real command, built, with its output and exit status.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/packets/inspect.ts';
import { readVectors } from '../support/vectors.ts';

const BIN = fileURLToPath(new URL('../../bin/motemq.js', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/targets/cli/motemq.js', import.meta.url));

interface Result {
  status: number | null;
  lines: string[];
  stderr: string;
}

/** Runs the command with `input` on standard input. */
function run(words: string[], input: string | string[] = ''): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...words]);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, lines: stdout.split('\n').slice(0, -1), stderr }));
    // It may have ended before it has read all.
    child.stdin.on('error', () => {});
    for (const piece of [input].flat()) child.stdin.write(piece);
    child.stdin.end();
  });
}

function parsed({ lines }: Result): Record<string, any>[] {
  return lines.map((line) => JSON.parse(line) as Record<string, any>);
}

const PINGREQ = { type: 'PINGREQ' };
const PUBLISH = { type: 'PUBLISH', dup: false, qos: 0, retain: false, topicName: 'a', payload: '6869' };

beforeAll(() => {
  if (!existsSync(BUILT)) throw new Error('the command is not built: npm run build');
});

describe('motemq', () => {
  it('says its version and what it can do', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await run(['--version'])).toMatchObject({ status: 0, lines: [version] });
    const help = (await run(['--help'])).lines.join('\n');
    for (const word of ['decode', 'encode', 'Examples:']) expect(help).toContain(word);
    expect((await run(['decode', '--help'])).lines.join('\n')).toContain('--mqtt');
  });

  it('refuses what it does not know', async () => {
    for (const words of [
      ['frobnicate'],
      ['decode', '--mqtt', '6', 'c000'],
      ['decode', '--from', 'me', 'c000'],
    ]) {
      const { status, stderr } = await run(words);
      expect(status).toBe(1);
      expect(stderr).toContain('error:');
    }
  });
});

describe('motemq decode', () => {
  it('prints a line of JSON for each packet', async () => {
    const result = await run(['decode', '3006000161006869c000']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.lines).toEqual([JSON.stringify(PUBLISH), JSON.stringify(PINGREQ)]);
  });

  it.each([
    [['30:06:00:01:61:00:68:69']],
    [['0x30 0x06 0x00 0x01 0x61 0x00 0x68 0x69']],
    [['0x30060001', '0X61006869']],
    [['30', '06', '00', '01', '61', '00', '68', '69']],
    [[' 3006\n0001\t6100\r\n6869 ']],
    [['300', '6000161006869']],
  ])('reads hex as it is written: %j', async (words) => {
    expect(parsed(await run(['decode', ...words]))).toEqual([PUBLISH]);
  });

  it('reads standard input, in pieces that end anywhere', async () => {
    const pieces = Array.from('0x30 06 00 01 61 00 68 69\nc0:00\n');
    for (const words of [['decode', '-'], ['decode']]) {
      const result = await run(words, pieces);
      expect(result.status).toBe(0);
      expect(parsed(result)).toEqual([PUBLISH, PINGREQ]);
    }
    expect(await run(['decode', '-'], '')).toEqual({ status: 0, lines: [], stderr: '' });
  });

  it('reads 3.1.1 when told, and behind a CONNECT what that says', async () => {
    const hex = '3005000161' + '6869';
    expect(parsed(await run(['decode', '--mqtt', '3.1.1', hex]))).toEqual([PUBLISH]);
    const connect = '100c00044d5154540402003c0000';
    const [first, second] = parsed(await run(['decode', connect + hex]));
    expect(first).toMatchObject({ type: 'CONNECT', protocolVersion: 4 });
    expect(second).toEqual(PUBLISH);
    expect((await run(['decode', '--mqtt', '5', connect + hex])).status).toBe(1);
  });

  it('checks who sent it, when told', async () => {
    expect((await run(['decode', '--from', 'client', 'c000'])).status).toBe(0);
    const result = await run(['decode', '--from', 'server', 'c000']);
    expect(result.status).toBe(1);
    expect(parsed(result)).toEqual([
      { error: { code: 'WRONG_SENDER', reasonCode: 0x82, offset: 0, message: expect.any(String) } },
    ]);
  });

  it.each([
    ['36060001610000000a', { code: 'INVALID_QOS', reasonCode: 0x81, offset: 0 }],
    ['300400016123', { code: 'FIELD_TRUNCATED', reasonCode: 0x81, offset: 5 }],
    ['30050002612300', { code: 'INVALID_TOPIC_NAME', reasonCode: 0x90, offset: 5 }],
    ['30', { code: 'TRUNCATED_PACKET', reasonCode: 0x81, offset: 1 }],
    ['3006000161006', { code: 'BAD_HEX', reasonCode: 0x81, offset: 6, character: 13 }],
    ['c0zz', { code: 'BAD_HEX', reasonCode: 0x81, offset: 1, character: 2 }],
    ['c0x00', { code: 'BAD_HEX', reasonCode: 0x81, offset: 1, character: 2 }],
    ['c:0:00', { code: 'BAD_HEX', reasonCode: 0x81, offset: 0, character: 1 }],
  ])('ends with an error for %s', async (hex, error) => {
    const result = await run(['decode', hex]);
    expect(result).toMatchObject({ status: 1, stderr: '' });
    expect(parsed(result)).toEqual([{ error: { ...error, message: expect.any(String) } }]);
  });

  it('prints what is before an error, and counts from the start of the input', async () => {
    for (const [hex, code, offset, packetOffset] of [
      ['c000c0013601', 'TRAILING_BYTES', 4, 2],
      ['c00030', 'TRUNCATED_PACKET', 3, 1],
    ] as const) {
      const result = await run(['decode', '-'], hex);
      expect(result.status).toBe(1);
      const [first, second, ...rest] = parsed(result);
      expect([first, rest]).toEqual([PINGREQ, []]);
      expect(second['error']).toMatchObject({ code, offset, packetOffset });
    }
    expect(parsed(await run(['decode', 'c000!!']))).toMatchObject([
      PINGREQ,
      { error: { code: 'BAD_HEX', offset: 2 } },
    ]);
  });
});

describe('motemq encode', () => {
  it('prints a line of hex for each line of JSON', async () => {
    const input = `${JSON.stringify(PUBLISH)}\n\n  ${JSON.stringify(PINGREQ)}\r\n{"type":"PINGRESP"}`;
    const expected = { status: 0, lines: ['3006000161006869', 'c000', 'd000'], stderr: '' };
    expect(await run(['encode'], input)).toEqual(expected);
    expect(await run(['encode', '-'], Array.from(input))).toEqual(expected);
  });

  it('takes the objects as arguments, too', async () => {
    const result = await run(['encode', JSON.stringify(PUBLISH), JSON.stringify(PINGREQ)]);
    expect(result).toEqual({ status: 0, lines: ['3006000161006869', 'c000'], stderr: '' });
  });

  it('writes 3.1.1 when told, and behind a CONNECT what that says', async () => {
    const publish = JSON.stringify(PUBLISH);
    expect((await run(['encode', '--mqtt', '3.1.1', publish])).lines).toEqual(['3005000161' + '6869']);
    const connect = '{"type":"CONNECT","protocolVersion":4}';
    expect((await run(['encode', connect, publish])).lines[1]).toBe('3005000161' + '6869');
    expect((await run(['encode', '--mqtt', '5', connect, publish])).lines[1]).toBe('3006000161006869');
    expect((await run(['encode', '--mqtt', '3.1.1', '{"type":"CONNECT"}'])).lines).toEqual([
      '100c00044d515454040200000000',
    ]);
  });

  it.each([
    ['{', { code: 'BAD_JSON' }],
    ['null', { code: 'WRONG_TYPE' }],
    ['{"type":"NO"}', { code: 'UNKNOWN_TYPE', field: 'type' }],
    ['{"type":"PUBACK","packetId":"1"}', { code: 'WRONG_TYPE', field: 'packetId' }],
    [
      '{"type":"PUBLISH","topicName":"a","properties":{"receiveMaximum":1}}',
      { code: 'MISPLACED_PROPERTY', field: 'properties.receiveMaximum', reasonCode: 0x81 },
    ],
    [
      '{"type":"PUBLISH","topicName":"a#"}',
      { code: 'INVALID_TOPIC_NAME', field: 'topicName', reasonCode: 0x90, offset: 5 },
    ],
  ])('ends with an error for %s, behind what was before it', async (line, error) => {
    const result = await run(['encode'], `${JSON.stringify(PINGREQ)}\n${line}\n${JSON.stringify(PINGREQ)}\n`);
    expect(result.status).toBe(1);
    expect(result.lines).toHaveLength(2);
    expect(result.lines[0]).toBe('c000');
    expect(JSON.parse(result.lines[1])).toEqual({
      error: { ...error, line: 2, message: expect.any(String) },
    });
  });

  it('gives back every vector that decode reads', async () => {
    for (const version of ['5.0', '3.1.1'] as const) {
      const vectors = readVectors().filter((vector) => vector.encodes && vector.versions.includes(version));
      const hex = vectors.map((vector) => toHex(vector.bytes));
      const mqtt = ['--mqtt', version];
      const decoded = await run(['decode', ...mqtt, '-'], hex.join('\n'));
      expect(decoded).toMatchObject({ status: 0, stderr: '' });
      const objects = vectors.map(({ expected }) => 'packet' in expected && expected.packet);
      expect(parsed(decoded)).toEqual(objects);
      expect(await run(['encode', ...mqtt], decoded.lines.join('\n'))).toEqual({
        status: 0,
        lines: hex,
        stderr: '',
      });
    }
  });
});

describe('a long stream', () => {
  const COUNT = 200_000;

  it('goes through, there and back', { timeout: 60_000 }, async () => {
    const decoded = await run(['decode', '-'], Array<string>(COUNT / 1000).fill('c0 00 '.repeat(1000)));
    expect(decoded).toMatchObject({ status: 0, stderr: '' });
    expect(decoded.lines).toHaveLength(COUNT);
    const encoded = await run(['encode'], `${decoded.lines.join('\n')}\n`);
    expect(encoded.lines).toHaveLength(COUNT);
    expect(new Set(encoded.lines)).toEqual(new Set(['c000']));
  });

  it('may hold one large packet', { timeout: 60_000 }, async () => {
    const payload = 'ab'.repeat(3_000_000);
    const object = JSON.stringify({ type: 'PUBLISH', topicName: 'a', payload });
    const { lines } = await run(['encode'], object);
    const decoded = parsed(await run(['decode', '-'], lines[0]));
    expect(decoded[0]['payload'] === payload).toBe(true);
  });

  it.each([
    ['decode', 'c000\n'],
    ['encode', '{"type":"PINGREQ"}\n'],
  ])('ends without a word when nobody reads what %s prints', async (command, line) => {
    const child = spawn(process.execPath, [BIN, command, '-']);
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    child.stdin.on('error', () => {});
    const closed = new Promise((resolve) => child.on('close', resolve));
    child.stdout.once('data', () => child.stdout.destroy());
    const input = line.repeat(1000);
    const feed = (): void => {
      while (child.exitCode === null && child.stdin.writable && child.stdin.write(input));
    };
    child.stdin.on('drain', feed);
    feed();
    expect(await closed).toBe(0);
    expect(stderr).toBe('');
  });
});
