/**
 * What `motemq pub` and `motemq sub` make of their flags, without a broker: URLs, properties, sources of payloads,
 * connection plans, and what is said of failures.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClientCommand } from '../../targets/cli/client-command.ts';
import {
  addConnectionOptions,
  planConnection,
  type ConnectionFlags,
  type ConnectionPlan,
} from '../../targets/cli/connection-flags.ts';
import {
  CommandError,
  UsageError,
  describeFailure,
  type Circumstances,
} from '../../targets/cli/exit-status.ts';
import { choosePayload, splitLines } from '../../targets/cli/payload-sources.ts';
import { parseProperties } from '../../targets/cli/property-flags.ts';
import { parseServerUrl } from '../../targets/cli/server-url.ts';
import {
  ConnectionError,
  ConnectionRefusedError,
  ProtocolError,
  PublishError,
  TimeoutError,
} from '../../targets/node/index.ts';

describe('the URL of -L', () => {
  it.each([
    ['mqtt://host/topic', { scheme: 'mqtt', host: 'host', port: undefined, topic: 'topic' }],
    ['MQTTS://host:1884/a/b', { scheme: 'mqtts', host: 'host', port: 1884, topic: 'a/b' }],
    ['mqtt://host/sensors/+/#', { topic: 'sensors/+/#' }],
    ['mqtt://host', { topic: undefined, userName: undefined, password: undefined }],
    ['mqtt://host/', { topic: undefined }],
    ['mqtt://alice@host/t', { userName: 'alice', password: undefined, host: 'host' }],
    ['mqtt://alice:se:cr@t@host:1/t', { userName: 'alice', password: 'se:cr@t', host: 'host', port: 1 }],
    ['mqtt://a%40b:p%2Fw@host/t%20u', { userName: 'a@b', password: 'p/w', topic: 't%20u' }],
    ['mqtt://a:100%@host/t', { password: '100%' }],
    ['mqtt://[::1]:1883/t', { host: '::1', port: 1883 }],
    ['ws://host:8080/mqtt/x', { scheme: 'ws', path: '/mqtt/x', topic: undefined }],
    ['wss://host', { scheme: 'wss', path: undefined }],
  ])('%s', (url, expected) => expect(parseServerUrl(url)).toMatchObject(expected));

  it.each(['http://host/t', 'host/t', 'mqtt://', 'mqtt:///t', 'mqtt://u:secret@/t', 'mqtt://u:secret@h:0/t'])(
    'not %s, of which nothing secret is shown',
    (url) => {
      expect(() => parseServerUrl(url)).toThrow(UsageError);
      expect(() => parseServerUrl(url)).not.toThrow(/secret/);
    },
  );

  it.each(['mqtt://u:secret@h:99999/t', 'mqtt://u:secret@h:x/t'])('not %s', (url) =>
    expect(() => parseServerUrl(url)).toThrow('the port must be a number from 1 to 65535'),
  );
});

describe('-D', () => {
  it('gathers properties by command, whatever its case', () => {
    const properties = parseProperties([
      ['publish', 'message-expiry-interval', '60'],
      ['PUBLISH', 'user-property', 'k', 'v'],
      ['publish', 'user-property', 'k', ''],
      ['connect', 'receive-maximum', '65535'],
      ['will', 'correlation-data', 'ä'],
      ['subscribe', 'subscription-identifier', '268435455'],
      ['disconnect', 'session-expiry-interval', '4294967295'],
    ]);
    expect(properties).toEqual({
      connect: { receiveMaximum: 65535 },
      publish: {
        messageExpiryInterval: 60,
        userProperties: [
          ['k', 'v'],
          ['k', ''],
        ],
      },
      subscribe: { subscriptionIdentifier: 268435455 },
      unsubscribe: {},
      disconnect: { sessionExpiryInterval: 4294967295 },
      will: { correlationData: new Uint8Array([0xc3, 0xa4]) },
    });
  });

  it.each([
    [[], 'needs a command, an identifier and a value'],
    [['publish'], 'needs a command, an identifier and a value'],
    [['publish', 'content-type'], 'needs a command, an identifier and a value'],
    [['publish', 'user-property', 'k'], 'needs a command, an identifier and a value'],
    [['wish', 'content-type', 'x'], "there is no command 'wish'"],
    [['puback', 'user-property', 'a', 'b'], "properties cannot be given for 'puback'"],
    [['publish', 'content', 'x'], "there is no property 'content'"],
    [['publish', 'receive-maximum', '1'], 'publish has no property receive-maximum'],
    [['publish', 'subscription-identifier', '1'], 'only a server sends subscription-identifier'],
    [['disconnect', 'server-reference', 'x'], 'only a server sends server-reference'],
    [['connect', 'receive-maximum', '0'], 'a whole number from 1 to 65535'],
    [['connect', 'receive-maximum', '65536'], 'a whole number from 1 to 65535'],
    [['connect', 'receive-maximum', 'many'], "not 'many'"],
    [['connect', 'request-problem-information', '2'], 'a whole number from 0 to 1'],
    [['will', 'will-delay-interval', '-1'], 'a whole number from 0 to 4294967295'],
  ])('%j is refused', (words, message) => {
    expect(() => parseProperties([words])).toThrow(UsageError);
    expect(() => parseProperties([words])).toThrow(message);
  });

  it('takes nothing twice but user properties', () => {
    const once = ['publish', 'content-type', 'x'];
    expect(() => parseProperties([once, once])).toThrow('publish content-type is given twice');
  });
});

/** Parses a command line as pub and sub do. */
function parse(...words: string[]): ConnectionFlags {
  const command = new ClientCommand('pub', new Command()).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  addConnectionOptions(command, 'QoS');
  command.parse(words, { from: 'user' });
  return command.opts();
}

function plan(...words: string[]): ConnectionPlan {
  return planConnection(parse(...words));
}

describe('the connection', () => {
  let folder = '';
  let certificate = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'motemq-flags-'));
    certificate = join(folder, 'ca.crt');
    writeFileSync(certificate, '-----BEGIN CERTIFICATE-----\n');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is to localhost with MQTT 5.0 unless told', () => {
    const { url, where, options } = plan();
    expect({ url, where }).toEqual({ url: 'mqtt://localhost:1883', where: 'localhost:1883' });
    expect(options).toMatchObject({ protocol: '5.0', cleanStart: true, keepAliveSeconds: 60 });
    expect(options.clientId).toBeUndefined();
    expect(options.will).toBeUndefined();
    expect(options.tls).toBeUndefined();
  });

  it('goes where the flags say, and they go before the URL', () => {
    expect(plan('-h', 'there', '-p', '1').url).toBe('mqtt://there:1');
    expect(plan('-h', '::1').url).toBe('mqtt://[::1]:1883');
    expect(plan('-L', 'mqtt://a:b@there:7/t')).toMatchObject({
      url: 'mqtt://there:7',
      topic: 't',
      options: { userName: 'a', password: 'b' },
    });
    expect(plan('-L', 'mqtt://a:b@there:7/t', '-p', '8', '-u', 'c').options).toMatchObject({ userName: 'c' });
    expect(plan('-L', 'ws://there:8080/way').url).toBe('ws://there:8080/way');
    expect(plan('-L', 'wss://there').url).toBe('wss://there:443/mqtt');
  });

  it('is by TLS where something asks for it', () => {
    expect(plan('--cafile', certificate)).toMatchObject({ url: 'mqtts://localhost:8883', isTls: true });
    expect(plan('--capath', folder).url).toBe('mqtts://localhost:8883');
    expect(plan('--tls-use-os-certs', '-p', '1').url).toBe('mqtts://localhost:1');
    expect(plan('-p', '8883').url).toBe('mqtts://localhost:8883');
    expect(plan('-L', 'mqtts://there/t').url).toBe('mqtts://there:8883');
    expect(plan('--insecure').url).toBe('mqtt://localhost:1883');
    const { tls } = plan(
      '-p',
      '8883',
      '--tls-version',
      'tlsv1.3',
      '--tls-alpn',
      'mqtt',
      '--insecure',
    ).options;
    expect(tls).toMatchObject({ minVersion: 'TLSv1.3', ALPNProtocols: ['mqtt'] });
    expect(tls?.checkServerIdentity).toBeTypeOf('function');
    // Without its name the certificate must still be one that is trusted.
    expect(tls?.rejectUnauthorized).toBeUndefined();
  });

  it('has the session that -c and -x ask for', () => {
    expect(plan('-c', '-i', 'x').options).toMatchObject({
      cleanStart: false,
      sessionExpirySeconds: 0xffffffff,
    });
    expect(plan('-c', '-i', 'x', '-x', '60').options).toMatchObject({ sessionExpirySeconds: 60 });
    expect(plan('-x', '0x10').options).toMatchObject({ cleanStart: true, sessionExpirySeconds: 16 });
    expect(plan('-x', '∞', '-i', 'x').options).toMatchObject({ sessionExpirySeconds: 0xffffffff });
    expect(plan('-c', '-i', 'x', '-V', '311').options.sessionExpirySeconds).toBeUndefined();
    expect(plan('-I', 'mote-').options.clientId).toBe(`mote-${process.pid}`);
  });

  it('has the will with its properties', () => {
    const words = ['--will-topic', 'w', '--will-payload', 'gone', '--will-qos', '1', '--will-retain'];
    const { will } = plan(...words, '-D', 'will', 'will-delay-interval', '5').options;
    expect(will).toMatchObject({
      topicName: 'w',
      payload: 'gone',
      qos: 1,
      retain: true,
      willDelaySeconds: 5,
    });
  });

  it('takes for a value what looks like a flag', () => {
    const flags = parse('-u', '-D', '-D', 'connect', 'user-property', '-a', '-5', '-k', '9');
    expect(flags).toMatchObject({
      username: '-D',
      property: [['connect', 'user-property', '-a', '-5']],
      keepalive: 9,
    });
  });

  it.each([
    [['-i', 'a', '-I', 'b'], '-i and -I'],
    [['-c'], 'needs a client identifier'],
    [['-x', '-1'], 'needs a client identifier'],
    [['-c', '-V', '311'], 'needs a client identifier'],
    [['-V', '311', '-D', 'connect', 'user-property', 'a', 'b'], '-D needs MQTT 5.0'],
    [['--will-payload', 'x'], 'no --will-topic'],
    [['-D', 'will', 'content-type', 'x'], 'no --will-topic'],
    [['--will-topic', 'a/+'], "invalid topic 'a/+'"],
    [['--cert', 'x'], '--cert and --key'],
    [['-D', 'connect', 'authentication-data', 'x'], 'needs an authentication-method'],
    [['-x', '5', '-D', 'connect', 'session-expiry-interval', '5'], 'are the same'],
    [['-D', 'disconnect', 'session-expiry-interval', '5'], 'needs a session that lasts'],
    [['-D', 'disconnect', 'user-property', 'a', 'b'], 'only session-expiry-interval is supported'],
  ])('%j contradict themselves', (words, message) => {
    expect(() => plan(...words)).toThrow(UsageError);
    expect(() => plan(...words)).toThrow(message);
  });

  it.each([
    ['-p', '0'],
    ['-p', '65536'],
    ['-q', '3'],
    ['-k', '-1'],
    ['-k', '65536'],
    ['-V', '31'],
    ['-V', '6'],
    ['-x', 'long'],
    ['-x', '4294967296'],
    ['--tls-version', 'sslv3'],
    ['--proxy', 'socks5h://x'],
    ['--unix', '/tmp/socket'],
    ['--psk', '00'],
  ])('%s %s is refused', (flag, value) => expect(() => parse(flag, value)).toThrow(/invalid/));

  it('says which file it cannot read', () => {
    expect(() => plan('--cafile', join(folder, 'none'))).toThrow(/--cafile: cannot read .*none: ENOENT/);
    const key = join(folder, 'empty');
    writeFileSync(key, '');
    expect(() => plan('--cafile', key)).toThrow(/there is no certificate/);
  });
});

async function linesOf(...chunks: string[]): Promise<string[]> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  }
  const lines: string[] = [];
  for await (const line of splitLines(stream())) lines.push(line.toString('latin1'));
  return lines;
}

describe('payloads', () => {
  it('are the bytes of lines, however they come', async () => {
    expect(await linesOf()).toEqual([]);
    expect(await linesOf('a\nb\n')).toEqual(['a', 'b']);
    expect(await linesOf('a\n\nb')).toEqual(['a', '', 'b']);
    expect(await linesOf('a', 'b\r', '\nc\xff', '\0\n')).toEqual(['ab\r', 'c\xff\0']);
  });

  it('come from one place', async () => {
    const source = choosePayload({ message: 'ü' });
    expect(source.kind === 'message' && [...(await source.load())]).toEqual([0xc3, 0xbc]);
    const none = choosePayload({ nullMessage: true });
    expect(none.kind === 'message' && (await none.load()).length).toBe(0);
    expect(choosePayload({ stdinLine: true }).kind).toBe('lines');
    expect(() => choosePayload({})).toThrow(UsageError);
    expect(() => choosePayload({ message: 'x', nullMessage: true })).toThrow('only one of');
    const missing = choosePayload({ file: join(tmpdir(), 'motemq-no-such-file') });
    const loaded = missing.kind === 'message' ? missing.load() : undefined;
    await expect(loaded).rejects.toThrow(/-f: cannot read .*: ENOENT/);
  });
});

describe('failures', () => {
  const before = { where: 'there:1883', isTls: false, wasConnected: false };
  const after = { ...before, wasConnected: true };
  const withCode = (code: string, message = code) => Object.assign(new Error(message), { code });
  const lost = (cause?: Error) => new ConnectionError('ERR_CONNECTION', 'words', undefined, { cause });

  it.each<[Error, Circumstances, number, string | RegExp]>([
    [new UsageError('so'), before, 1, 'so'],
    [new CommandError('so', 27), after, 27, 'so'],
    [
      new ConnectionRefusedError(0x87, 'Not authorized'),
      before,
      0x87,
      'connection refused: Not authorized (0x87)',
    ],
    [
      new ConnectionRefusedError(5, 'Connection Refused, not authorized'),
      before,
      5,
      'connection refused: not authorized (0x05)',
    ],
    [
      new ConnectionRefusedError(0x84, 'Unsupported Protocol Version'),
      before,
      0x84,
      'connection refused: Unsupported Protocol Version (0x84); try -V 311',
    ],
    [lost(withCode('ECONNREFUSED')), before, 1, 'cannot reach there:1883: ECONNREFUSED'],
    [
      lost(new AggregateError([withCode('ECONNREFUSED')], '')),
      before,
      1,
      'cannot reach there:1883: ECONNREFUSED',
    ],
    [lost(), before, 7, 'there:1883 closed the connection without an answer: does it want TLS?'],
    [
      lost(withCode('ECONNRESET')),
      { ...before, isTls: true },
      8,
      'there:1883 closed the connection without an answer: does it speak TLS?',
    ],
    [lost(withCode('ECONNRESET')), after, 7, 'the connection to there:1883 was lost: ECONNRESET'],
    [lost(), after, 7, 'the connection to there:1883 was lost'],
    [
      new ConnectionError('ERR_DISCONNECTED_BY_SERVER', 'the server disconnected: Banned', 0x8a),
      after,
      7,
      'the server disconnected: Banned (0x8a)',
    ],
    [lost(withCode('DEPTH_ZERO_SELF_SIGNED_CERT')), before, 8, 'TLS with there:1883 failed: words'],
    [
      new TimeoutError('ERR_CONNECT_TIMEOUT', 'no CONNACK in time'),
      before,
      27,
      'there:1883: no CONNACK in time',
    ],
    [new ProtocolError(3, 0x81, 0), after, 2, /^there:1883 broke the protocol: RESERVED_FLAGS/],
    [
      new PublishError('ERR_PUBLISH_REFUSED', 'no', 0x97),
      after,
      0x97,
      'the broker refused the message: Quota exceeded (0x97)',
    ],
    [new PublishError('ERR_PACKET_TOO_LARGE', 'too large'), after, 25, 'too large'],
    [withCode('ERR_OUT_OF_RANGE', 'qos is what'), before, 1, 'qos is what'],
  ])('%s', (error, circumstances, status, text) => {
    const ending = describeFailure(error, circumstances);
    expect(ending.status).toBe(status);
    if (typeof text === 'string') expect(ending.text).toBe(text);
    else expect(ending.text).toMatch(text);
  });

  it('a mistake of our own is no failure', () => {
    expect(() => describeFailure(new TypeError('oops'), before)).toThrow('oops');
  });
});
