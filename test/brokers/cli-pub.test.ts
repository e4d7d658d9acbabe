/**
 * `motemq pub`, built, beside mosquitto_pub against a real Mosquitto: with the same flags they publish the same, print
 * the same and end with the same exit status.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Running, checkPrograms, freshTopic, hasBroker, hasPeers, run, same } from '../cli/pub-sub-run.ts';
import { startMosquitto, type RunningBroker } from '../support/brokers.ts';

const VERSIONS = ['5', '311'] as const;

describe.runIf(hasBroker)('beside mosquitto', () => {
  let broker: RunningBroker;

  beforeAll(async () => {
    checkPrograms();
    broker = await startMosquitto({ maxQueuedMessages: 0 });
  });

  afterAll(async () => {
    await broker.stop();
  });

  /** The flags that say where the broker is. */
  function at(port = broker.tcpPort, host = broker.host): string[] {
    return ['-h', host, '-p', String(port)];
  }

  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'motemq-pub-sub-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  describe('motemq pub', () => {
    /** What a subscriber gets of both programs, one after the other, with `flags`. */
    async function received(
      flags: string[],
      count: number,
      input: string | Uint8Array = '',
    ): Promise<string[]> {
      const topicName = freshTopic();
      // Between bell and escape, to be told from what -d prints.
      const format = '\\a%q %r %C %D %E %F %R %P [%p]\\e';
      const words = [...at(), '-t', topicName, '-q', '2', '-F', format, '-d', '-C', String(2 * count)];
      const subscriber = new Running('motemq', 'sub', words);
      await subscriber.hasPrinted('Subscribed');
      for (const family of ['motemq', hasPeers ? 'mosquitto' : 'motemq'] as const) {
        const outcome = await run(family, 'pub', [...at(), '-t', topicName, ...flags], input);
        expect(outcome).toMatchObject({ status: 0, stderr: '' });
      }
      const { stdout, status } = await subscriber.outcome;
      expect(status).toBe(0);
      // eslint-disable-next-line no-control-regex
      return [...stdout.toString('latin1').matchAll(/\x07([^]*?)\x1b/g)].map(([, line]) => line);
    }

    const PROPERTIES = [
      ['content-type', 'a/b'],
      ['correlation-data', 'ö'],
      ['payload-format-indicator', '0'],
      ['response-topic', 'r/t'],
      ['user-property', 'k', 'v'],
      ['user-property', 'k', '-5'],
    ].flatMap((words) => ['-D', 'publish', ...words]);

    it.each([
      ['-m', ['-V', '5', '-m', 'hello'], 1, ''],
      ['3.1.1', ['-V', '311', '-m', '-5', '-q', '1'], 1, ''],
      ['-n', ['-V', '5', '-n', '-q', '2'], 1, ''],
      ['properties', ['-V', '5', '-m', 'x', '-q', '1', ...PROPERTIES], 1, ''],
      ['-s', ['-V', '5', '-s', '-q', '1'], 1, 'line\nline\r\n\0end'],
      ['-l', ['-V', '5', '-l'], 5, 'l1\nl2\r\n\nü\nlast'],
      ['-l at QoS 1', ['-V', '5', '-l', '-q', '1'], 3, 'l1\n\nlast\n'],
      ['-l at QoS 2', ['-V', '311', '-l', '-q', '2'], 2, 'l1\nl2'],
      ['--repeat', ['-V', '5', '-m', 'r', '--repeat', '3', '--repeat-delay', '0.05'], 3, ''],
      ['-r', ['-V', '5', '-m', 'r', '-r'], 1, ''],
    ])('sends what mosquitto_pub sends: %s', async (_name, words, count, input) => {
      const lines = await received(words, count, Buffer.from(input));
      expect(lines).toHaveLength(2 * count);
      expect(lines.slice(0, count)).toEqual(lines.slice(count));
    });

    it('sends a file of any bytes', async () => {
      const bytes = randomBytes(300_000);
      const file = join(folder, 'file');
      writeFileSync(file, bytes);
      const topicName = freshTopic();
      expect((await same('pub', [...at(), '-t', topicName, '-f', file, '-r', '-q', '1'])).status).toBe(0);
      const { stdout } = await same('sub', [...at(), '-t', topicName, '-C', '1', '-N']);
      expect(stdout.equals(bytes)).toBe(true);
    });

    it.each([0, 1, 2])('sends many lines at QoS %i, in order and whole', async (qos) => {
      const topicName = freshTopic();
      const lines = Array.from({ length: 5000 }, (_, i) => `line ${i} ${'x'.repeat(i % 200)}\n`).join('');
      const words = [...at(), '-t', topicName, '-q', String(qos)];
      const subscriber = new Running('motemq', 'sub', [
        ...words,
        '-C',
        '5000',
        '-i',
        `many-${qos}`,
        '-d',
        '-F',
        '> %p',
      ]);
      await subscriber.hasPrinted('Subscribed');
      expect(await run('motemq', 'pub', [...words, '-l'], lines)).toMatchObject({ status: 0, stderr: '' });
      const printed = (await subscriber.outcome).stdout.toString().split('\n');
      const got = printed.filter((line) => line.startsWith('> ')).map((line) => `${line.slice(2)}\n`);
      expect(got.join('') === lines).toBe(true);
    });

    it.each(VERSIONS)('tells its packets as mosquitto_pub does, version %s', async (version) => {
      for (const qos of ['1', '2']) {
        const words = [
          ...at(),
          '-V',
          version,
          '-t',
          freshTopic(),
          '-m',
          'x',
          '-q',
          qos,
          '-d',
          '-i',
          `debug-${qos}`,
        ];
        // One after the other, for they have the same client identifier; and to a topic that nobody has yet.
        const ours = await run('motemq', 'pub', words);
        expect(ours.stdout.toString()).toContain(`Client debug-${qos} sending CONNECT\n`);
        expect(ours.stdout.toString()).not.toContain(': x');
        if (hasPeers)
          expect(ours.stdout.toString()).toBe((await run('mosquitto', 'pub', words)).stdout.toString());
      }
    });
    it('ends when the connection is lost, but for -l', async () => {
      const words = [...at(), '-t', 'a', '-m', 'x', '--repeat', '3', '--repeat-delay', '3', '-d', '-q', '1'];
      const publisher = new Running('motemq', 'pub', words);
      await publisher.hasPrinted('PUBACK');
      await broker.restart();
      const { status, stderr } = await publisher.outcome;
      expect(status).toBe(7);
      expect(stderr).toMatch(/^motemq pub: the connection to 127\.0\.0\.1:\d+ was lost.*\n$/);
    });
  });
});
