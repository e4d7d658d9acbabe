/**
 * `motemq sub`, built, beside mosquitto_sub against a real Mosquitto: with the same flags they print the same bytes
 * and end with the same exit status.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Running,
  both,
  checkPrograms,
  freshTopic,
  hasBroker,
  hasPeers,
  run,
  same,
  type Outcome,
} from '../cli/pub-sub-run.ts';
import { startMosquitto, type RunningBroker } from '../support/brokers.ts';
import { eventually } from '../support/wait.ts';

const VERSIONS = ['5', '311'] as const;

describe.runIf(hasBroker)('beside mosquitto', () => {
  let broker: RunningBroker;

  beforeAll(async () => {
    checkPrograms();
    broker = await startMosquitto();
  });

  afterAll(async () => {
    await broker.stop();
  });

  /** The flags that say where the broker is. */
  function at(port = broker.tcpPort, host = broker.host): string[] {
    return ['-h', host, '-p', String(port)];
  }

  async function publish(topicName: string, payload: string | Uint8Array, ...words: string[]): Promise<void> {
    const outcome = await run(
      'motemq',
      'pub',
      [...at(), '-t', topicName, '-s', '-q', '1', ...words],
      payload,
    );
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  }

  describe('motemq sub prints', () => {
    const topicName = 'printed/é';

    beforeAll(async () => {
      const properties = [
        ['content-type', 'text/plain'],
        ['response-topic', 'a/b'],
        ['correlation-data', 'çd'],
        ['payload-format-indicator', '1'],
        ['user-property', 'k', 'v'],
        ['user-property', 'k', 'w'],
      ].flatMap((words) => ['-D', 'publish', ...words]);
      await publish(topicName, 'héllo', '-r', ...properties);
      await publish('bytes', new Uint8Array([0x61, 0x00, 0xff, 0x0a, 0x62]), '-r');
    });

    it('what -F says', async () => {
      const formats = [
        ...['%p', '%20p', '%-20p', '%020p', '%2p', '%x %X', '%4x', '%5X', '%t', '%12t', '%-12t', '%.3t'],
        ...['%8.3t', '%08t', '%l %5l %05l %-5l', '%q %r %m %%', '%C %15C %.4C %-15C', '%D %P', '%R %12R'],
        ...['%F %3F %03F %-3F', '%A%E%S', '%5A%5E%05S', '@Y-@m-@d @H @z @Z @@', '@a @A @b @B @j @y @C'],
        ...[
          '@U @W @V @G @g @u @w @D @F @e @p @P @h @n @t @x',
          '@% @E @q',
          '\\a\\e[0m\\\\\\t\\v\\r\\0',
          'ü%tü',
        ],
      ];
      const format = formats.map((one) => `[${one}]`).join('\\n');
      for (const version of VERSIONS) {
        await same('sub', [...at(), '-V', version, '-t', topicName, '-C', '1', '-F', format]);
      }
    });

    it('topic and line end, or not', async () => {
      for (const flags of [['-v'], ['-N'], ['-v', '-N']]) {
        for (const version of VERSIONS) {
          await same('sub', [...at(), '-V', version, '-t', topicName, '-C', '1', ...flags]);
        }
      }
    });

    it('JSON', async () => {
      for (const flags of [
        ['-F', '%j'],
        ['-F', '%j', '--pretty'],
      ]) {
        for (const version of VERSIONS) {
          const words = [...at(), '-V', version, '-t', 'bytes', '-C', '1', ...flags];
          const [ours, theirs] = await both('sub', words);
          // mosquitto leaves out what follows a zero byte; the time is another each time.
          const shape = ({ stdout }: Outcome) =>
            stdout.toString().replace(/"(tst|payload)":(\t?)"[^"]*"/g, '$1$2');
          expect(shape(ours)).toBe(shape(theirs));
        }
      }
    });

    it('any bytes as they are', async () => {
      const { stdout } = await same('sub', [...at(), '-t', 'bytes', '-C', '1']);
      expect([...stdout]).toEqual([0x61, 0x00, 0xff, 0x0a, 0x62, 0x0a]);
    });

    it('a line of JSON with --json', async () => {
      const { stdout } = await run('motemq', 'sub', [
        ...at(),
        '-t',
        'bytes',
        '-t',
        topicName,
        '-C',
        '2',
        '--json',
      ]);
      const lines = stdout.toString().trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
        { topic: 'bytes', payloadHex: '6100ff0a62', retain: true },
        { topic: topicName, payload: 'héllo', properties: { contentType: 'text/plain' } },
      ]);
    });
  });

  describe('motemq sub', () => {
    it('tells its packets as mosquitto_sub does', async () => {
      const [first, second] = [freshTopic(), freshTopic()];
      await publish(first, 'x', '-r');
      for (const version of VERSIONS) {
        const words = [
          ...at(),
          '-V',
          version,
          '-t',
          first,
          '-t',
          second,
          '-E',
          '-d',
          '-q',
          '1',
          '-i',
          'debug',
        ];
        const ours = await run('motemq', 'sub', words);
        const lines = (outcome: Outcome) =>
          outcome.stdout
            .toString()
            .split('\n')
            .filter((line) => /CONN|SUB|Sub/.test(line));
        expect(lines(ours)).toContain('Subscribed (mid: 1): 1, 1');
        if (hasPeers) expect(lines(ours)).toEqual(lines(await run('mosquitto', 'sub', words)));
      }
    });

    it('leaves out what -T and -R say, and stops as --retained-only says', async () => {
      const root = freshTopic();
      for (const name of ['a', 'b', 'c']) await publish(`${root}/${name}`, name, '-r');
      for (const version of VERSIONS) {
        const words = [...at(), '-V', version, '-t', `${root}/#`, '-v'];
        const { stdout } = await same('sub', [...words, '-T', `${root}/b`, '-C', '2']);
        expect(stdout.toString()).toBe(`${root}/a a\n${root}/c c\n`);
        expect((await same('sub', [...words, '-R', '-W', '1'])).stdout.toString()).toBe('');
        expect((await same('sub', [...words, '-T', '#', '-W', '1'])).status).toBe(27);

        const subscriber = new Running('motemq', 'sub', [...words, '--retained-only', '-d']);
        await subscriber.hasPrinted(`${root}/c c`);
        await publish(`${root}/live`, 'live');
        const { status, stdout: printed } = await subscriber.outcome;
        expect(status).toBe(0);
        expect(printed.toString()).not.toContain('/live live');
      }
    });

    it('clears retained messages', async () => {
      const root = freshTopic();
      for (const name of ['a', 'b', 'c']) await publish(`${root}/${name}`, name, '-r');
      const words = [...at(), '-t', `${root}/#`, '-v'];
      const cleared = await run('motemq', 'sub', [
        ...words,
        '--remove-retained',
        '-T',
        `${root}/b`,
        '-C',
        '2',
      ]);
      expect(cleared.stdout.toString()).toBe(`${root}/a a\n${root}/c c\n`);
      expect((await same('sub', [...words, '-W', '1'])).stdout.toString()).toBe(`${root}/b b\n`);
    });

    it('retains as published, and asks for retained messages as told', async () => {
      const topicName = freshTopic();
      const words = [...at(), '-t', topicName, '-F', '%r%p', '-C', '1'];
      for (const flags of [['--retain-as-published'], []]) {
        const subscriber = new Running('motemq', 'sub', [
          ...words,
          ...flags,
          '--retain-handling',
          'never',
          '-d',
        ]);
        await subscriber.hasPrinted('Subscribed');
        await publish(topicName, 'x', '-r');
        const lines = (await subscriber.outcome).stdout.toString().split('\n');
        expect(lines).toContain(flags.length > 0 ? '1x' : '0x');
      }
      const refused = await run('motemq', 'sub', [...words, '--retain-as-published', '-V', '311']);
      expect(refused).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('need MQTT 5.0') as string,
      });
    });

    it('gives messages the identifier of -D subscribe', async () => {
      const topicName = freshTopic();
      await publish(topicName, 'x', '-r');
      const words = [...at(), '-V', '5', '-t', topicName, '-C', '1', '-F', '[%S]'];
      expect((await same('sub', words)).stdout.toString()).toBe('[]\n');
      const identifier = ['-D', 'subscribe', 'subscription-identifier', '7'];
      expect((await same('sub', [...words, ...identifier])).stdout.toString()).toBe('[7]\n');
    });

    it.each(VERSIONS)(
      'keeps what is behind the last of -C for the next time, version %s',
      async (version) => {
        for (const qos of ['1', '2']) {
          const topicName = freshTopic();
          const words = [
            ...at(),
            '-V',
            version,
            '-c',
            '-i',
            `keeper-${qos}-${version}`,
            '-t',
            topicName,
            '-q',
            qos,
          ];
          expect((await run('motemq', 'sub', [...words, '-E'])).status).toBe(0);
          await run('motemq', 'pub', [...at(), '-t', topicName, '-q', qos, '-l'], '1\n2\n3\n4\n5\n');
          for (const [count, expected] of [
            ['2', '1\n2\n'],
            ['1', '3\n'],
            ['2', '4\n5\n'],
          ]) {
            expect((await run('motemq', 'sub', [...words, '-C', count])).stdout.toString()).toBe(expected);
          }
          const rest = await run('motemq', 'sub', [...words, '-W', '1', '-U', topicName]);
          expect(rest).toMatchObject({ status: 27 });
          expect(rest.stdout.toString()).toBe('');
        }
      },
    );

    it('says goodbye when it is interrupted, so that nobody hears of its will', async () => {
      const [topicName, willTopic] = [freshTopic(), freshTopic()];
      const watcher = new Running('motemq', 'sub', [...at(), '-t', willTopic, '-C', '1', '-d']);
      await watcher.hasPrinted('Subscribed');
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const words = [...at(), '-t', topicName, '-d', '--will-topic', willTopic, '--will-payload', 'gone'];
        const subscriber = new Running('motemq', 'sub', words);
        await subscriber.hasPrinted('Subscribed');
        subscriber.child.kill(signal);
        const { status, stdout, stderr } = await subscriber.outcome;
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        expect(stdout.toString()).toMatch(/sending DISCONNECT\n$/);
      }
      await publish(willTopic, 'no will');
      expect((await watcher.outcome).stdout.toString()).toMatch(/^no will$/m);
      expect(watcher.text()).not.toContain('gone');
    });

    it('ends quietly when nobody reads on', async () => {
      const topicName = freshTopic();
      const subscriber = new Running('motemq', 'sub', [...at(), '-t', topicName, '-d']);
      await subscriber.hasPrinted('Subscribed');
      subscriber.child.stdout?.destroy();
      await publish(topicName, 'x');
      expect(await subscriber.outcome).toMatchObject({ signal: null, stderr: '' });
    });

    it('connects again, as pub -l does, when the broker was away', async () => {
      const topicName = freshTopic();
      const words = [...at(), '-t', topicName, '-q', '1'];
      const subscriber = new Running('motemq', 'sub', [...words, '-C', '3', '-d']);
      const publisher = new Running('motemq', 'pub', [...words, '-l', '-d']);
      await subscriber.hasPrinted('Subscribed');
      publisher.child.stdin?.write('before\n');
      await subscriber.hasPrinted('\nbefore\n');
      await broker.restart();
      const lost = new RegExp(`^motemq (pub|sub): .*${broker.tcpPort}.* lost.*; connecting again\\n$`);
      await eventually(() => /Subscribed[^]*Subscribed/.test(subscriber.text()), {
        what: 'the second SUBACK',
        withinMs: 10_000,
      });
      publisher.child.stdin?.end('after\nlast');
      const [subscribed, published] = await Promise.all([subscriber.outcome, publisher.outcome]);
      expect(subscribed.status).toBe(0);
      expect(subscribed.stdout.toString()).toMatch(/^after$[^]*^last$/m);
      expect(subscribed.stderr).toMatch(lost);
      expect(published).toMatchObject({ status: 0 });
      expect(published.stderr).toMatch(lost);
    });
  });
});
