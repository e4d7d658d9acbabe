/**
 * How `motemq pub` and `motemq sub`, built, end: with mosquitto_pub's and mosquitto_sub's exit statuses against a real
 * Mosquitto, and with one line that says what went wrong.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { both, checkPrograms, freshTopic, hasBroker, run, same, type Kind } from '../cli/pub-sub-run.ts';
import { PASSWORD, USERNAME, startAedes, startMosquitto, type RunningBroker } from '../support/brokers.ts';
import { freePort } from '../support/wait.ts';

const VERSIONS = ['5', '311'] as const;

describe.runIf(hasBroker)('beside mosquitto', () => {
  let folder: string;
  let broker: RunningBroker;

  beforeAll(async () => {
    checkPrograms();
    folder = mkdtempSync(join(tmpdir(), 'motemq-pub-sub-'));
    const aclFile = join(folder, 'acl');
    writeFileSync(aclFile, 'topic readwrite #\ntopic deny forbidden\n');
    broker = await startMosquitto({ extraListenerLines: [`acl_file ${aclFile}`] });
  });

  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true });
  });

  /** The flags that say where the broker is. */
  function at(port = broker.tcpPort, host = broker.host): string[] {
    return ['-h', host, '-p', String(port)];
  }

  describe('exit statuses', () => {
    const CASES: [name: string, kind: Kind, words: () => string[], status: number, stderr: string][] = [
      ['no topic', 'sub', () => at(), 1, 'a topic must be given'],
      ['no message', 'pub', () => [...at(), '-t', 'a'], 1, 'a message must be given'],
      ['two messages', 'pub', () => [...at(), '-t', 'a', '-m', 'x', '-n'], 1, 'only one of'],
      ['a wildcard', 'pub', () => [...at(), '-t', 'a/+', '-m', 'x'], 1, "invalid topic 'a/+'"],
      ['a bad filter', 'sub', () => [...at(), '-t', 'a#'], 1, "invalid topic filter 'a#'"],
      ['a bad -T', 'sub', () => [...at(), '-t', 'a', '-T', 'b+'], 1, "-T: invalid topic filter 'b+'"],
      ['an unknown flag', 'sub', () => ['-Z'], 1, "unknown option '-Z'"],
      ['a missing value', 'pub', () => ['-t'], 1, 'argument missing'],
      ['a bad QoS', 'pub', () => [...at(), '-t', 'a', '-m', 'x', '-q', '3'], 1, 'is invalid'],
      ['a bad format', 'sub', () => [...at(), '-t', 'a', '-F', '%z'], 1, "invalid format specifier 'z'"],
      [
        'a bad property',
        'pub',
        () => [...at(), '-t', 'a', '-m', 'x', '-D', 'publish', 'x', 'y'],
        1,
        "no property 'x'",
      ],
      ['-c without -i', 'sub', () => [...at(), '-t', 'a', '-c'], 1, 'needs a client identifier'],
      [
        'a will without topic',
        'pub',
        () => [...at(), '-t', 'a', '-m', 'x', '--will-payload', 'x'],
        1,
        '--will-topic',
      ],
      ['a missing file', 'pub', () => [...at(), '-t', 'a', '-f', join(folder, 'none')], 1, 'ENOENT'],
      ['nothing for -s', 'pub', () => [...at(), '-t', 'a', '-s'], 1, 'nothing on standard input'],
      [
        'a missing CA file',
        'pub',
        () => [...at(), '-t', 'a', '-m', 'x', '--cafile', join(folder, 'none')],
        1,
        'ENOENT',
      ],
      [
        'an unknown host',
        'pub',
        () => ['-h', 'nobody.invalid', '-t', 'a', '-m', 'x'],
        1,
        'cannot reach nobody.invalid:1883',
      ],
      ['a timeout', 'sub', () => [...at(), '-t', freshTopic(), '-W', '1'], 27, 'timed out'],
      ['subscribed', 'sub', () => [...at(), '-t', 'a', '-E'], 0, ''],
      ['published', 'pub', () => [...at(), '-t', freshTopic(), '-m', 'x', '-q', '2'], 0, ''],
      [
        'published to somebody',
        'pub',
        () => ['-L', `mqtt://${broker.host}:${broker.tcpPort}/a`, '-m', 'x'],
        0,
        '',
      ],
      ['no lines', 'pub', () => [...at(), '-t', 'a', '-l'], 0, ''],
      ['another URL', 'sub', () => ['-L', `http://${broker.host}/a`], 1, '-L: the URL must begin with'],
    ];

    it.concurrent.each(CASES)('%s', async (_name, kind, words, status, stderr) => {
      const [ours, theirs] = await both(kind, words());
      expect(ours.status, ours.stderr).toBe(status);
      // Where nothing is published mosquitto_pub prints its usage.
      expect(theirs.status, theirs.stderr).toBe(status);
      if (stderr === '') expect(ours.stderr).toBe('');
      else expect(ours.stderr).toContain(stderr);
      // One line, and for usage a second that says where there is more.
      expect(ours.stderr).toMatch(
        stderr === '' ? /^$/ : new RegExp(`^motemq ${kind}: .*\\n(\\(motemq ${kind} --help .*\\n)?$`),
      );
    });

    it.each(VERSIONS)('a refused connection, version %s', async (version) => {
      const expected = version === '5' ? 135 : 5;
      for (const [kind, words] of [
        ['sub', ['-t', 'a']],
        ['pub', ['-t', 'a', '-m', 'x']],
        ['pub', ['-t', 'a', '-m', 'x', '-u', USERNAME, '-P', 'hidden-word']],
        ['pub', ['-t', 'a', '-l']],
      ] as [Kind, string[]][]) {
        const ours = await same(kind, [...at(broker.passwordPort), '-V', version, ...words]);
        expect(ours.status).toBe(expected);
        expect(ours.stderr).toMatch(
          /^motemq (pub|sub): connection refused: not authorized \(0x(87|05)\)\n$/i,
        );
        expect(ours.stderr).not.toContain('hidden-word');
        const quiet = await run('motemq', kind, [
          ...at(broker.passwordPort),
          '-V',
          version,
          ...words,
          '--quiet',
        ]);
        expect(quiet).toMatchObject({ status: expected, stderr: '' });
      }
      const words = [...at(broker.passwordPort), '-t', 'a', '-E', '-u', USERNAME, '-P', PASSWORD];
      expect(await same('sub', words)).toMatchObject({ status: 0, stderr: '' });
    });

    it('nobody there', async () => {
      const port = await freePort();
      const { status, stderr } = await same('sub', [...at(port), '-t', 'a']);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: `motemq sub: cannot reach 127.0.0.1:${port}: ECONNREFUSED\n`,
      });
    });

    it('a server that knows 3.1.1 only', async () => {
      const aedes = await startAedes();
      try {
        const { status, stderr } = await same('sub', [...at(aedes.tcpPort), '-V', '5', '-t', 'a', '-W', '5']);
        expect(status).toBe(132);
        expect(stderr).toContain('Unsupported Protocol Version (0x84); try -V 311');
      } finally {
        await aedes.stop();
      }
    });

    it('a refused message, of which mosquitto_pub only warns', async () => {
      const words = [...at(), '-V', '5', '-t', 'forbidden', '-m', 'x', '-q', '1'];
      const [ours] = await both('pub', words);
      expect(ours).toMatchObject({
        status: 135,
        stderr: 'motemq pub: the broker refused the message: Not authorized (0x87)\n',
      });
    });
  });

  describe('over other transports', () => {
    it('TLS, checked', async () => {
      const words = ['-t', 'a', '-E'];
      const [port, localhost] = [broker.tlsPort, 'localhost'];
      expect((await same('sub', [...at(port, localhost), '--cafile', broker.caFile, ...words])).status).toBe(
        0,
      );
      const untrusted = await run('motemq', 'sub', [...at(port, localhost), '--tls-use-os-certs', ...words]);
      expect(untrusted.status).toBe(8);
      expect(untrusted.stderr).toMatch(/^motemq sub: TLS with localhost:\d+ failed: .*\n$/);
      const plain = await run('motemq', 'sub', [
        ...at(broker.tcpPort, localhost),
        '--cafile',
        broker.caFile,
        ...words,
      ]);
      expect(plain).toMatchObject({
        status: 8,
        stderr: expect.stringContaining('does it speak TLS?') as string,
      });
      const byUrl = ['-L', `mqtts://localhost:${port}/a`, '--cafile', broker.caFile, '-E'];
      expect((await same('sub', byUrl)).status).toBe(0);
    });

    it('TLS with a certificate of its own', async () => {
      const words = [...at(broker.mutualTlsPort, 'localhost'), '--cafile', broker.caFile, '-t', 'a', '-E'];
      const own = ['--cert', broker.clientCertificateFile, '--key', broker.clientKeyFile];
      expect((await same('sub', [...words, ...own])).status).toBe(0);
      expect((await run('motemq', 'sub', words)).status).not.toBe(0);
    });

    it('WebSocket', async () => {
      const words = ['-t', 'a', '-E'];
      expect(await run('motemq', 'sub', ['-L', `ws://127.0.0.1:${broker.wsPort}`, ...words])).toMatchObject({
        status: 0,
        stderr: '',
      });
      const secure = ['-L', `wss://localhost:${broker.wssPort}/mqtt`, '--cafile', broker.caFile, ...words];
      expect(await run('motemq', 'sub', secure)).toMatchObject({ status: 0, stderr: '' });
    });
  });
});
