/**
 * Scenarios: publishing, whole and in fragments, subscribing, pinging, and what `write` refuses.
 */
import { CONNECTED, GOODBYE, bufferOf, packetHex, patternOf, publishHex, textHex, textOf } from './stage.ts';
import type { Scenario, Stage } from './stage.ts';

/** The code of what `call` throws, '' when it throws nothing. */
function codeOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** A client that begins with `begin` once it is connected. */
function connect(
  stage: Stage,
  more: Parameters<Stage['options']>[0],
  begin: (client: InstanceType<Stage['MQTTClient']>) => void,
): void {
  const { onControl } = more;
  new stage.MQTTClient(
    stage.options({
      ...more,
      onControl(message) {
        if (message.operation === stage.MQTTClient.CONNACK) begin(this);
        else onControl?.call(this, message);
      },
    }),
  );
}

export const writing: Scenario[] = [
  {
    name: 'publishes and hears what it has published, with every QoS, and is told every step',
    server: 'broker',
    run(stage) {
      const { MQTTClient } = stage;
      const steps: unknown[] = [];
      const heard: unknown[] = [];
      const check = (client: InstanceType<typeof MQTTClient>): void => {
        if (heard.length < 3 || steps.length < 5) return;
        stage.expect(
          heard.sort(),
          [
            ['echo/0', 4, 0, false, 'zero'],
            ['echo/1', 3, 1, false, 'one'],
            ['echo/2', 3, 2, false, 'two'],
          ],
          'what was heard',
        );
        // PUBREL is the server's, of its own message and under its own identifier.
        const own = steps.filter((step) => (step as { operation: number }).operation !== MQTTClient.PUBREL);
        stage.expect(
          own,
          [
            { operation: MQTTClient.SUBACK, id: 300, payload: [2] },
            { operation: MQTTClient.PUBACK, id: 1234 },
            { operation: MQTTClient.PUBREC, id: 77 },
            { operation: MQTTClient.PUBCOMP, id: 77 },
          ],
          'the steps',
        );
        client.close();
        stage.done();
      };
      connect(
        stage,
        {
          onControl(message) {
            steps.push(message);
            if (message.operation === MQTTClient.SUBACK) {
              this.write(bufferOf('zero'), { topic: 'echo/0' });
              this.write(bufferOf('one'), { topic: 'echo/1', QoS: 1, id: 1234 });
            }
            if (message.operation === MQTTClient.PUBACK) {
              this.write(bufferOf('two'), { topic: 'echo/2', QoS: 2, id: 77 });
            }
            check(this);
          },
          onReadable(count, { topic, byteLength, QoS, more }) {
            heard.push([topic, byteLength, QoS, more, textOf(this.read(count))]);
            check(this);
          },
        },
        (client) => {
          client.write(null, {
            operation: MQTTClient.SUBSCRIBE,
            items: [{ topic: 'echo/+', QoS: 2 }],
            id: 300,
          });
        },
      );
    },
  },
  {
    name: 'packets leave in the order in which they were written, with the numbers that were given',
    server: [
      [
        ...CONNECTED,
        ['in', packetHex(0x82, '0007' + textHex('a/#') + '01' + textHex('b') + '00')],
        ['in', publishHex('a/1', 'x', 0, 0, 1)],
        ['in', packetHex(0xa2, '0008' + textHex('b'))],
        ['in', 'c0 00'],
        ['in', publishHex('a/2', 'y', 1, 300)],
        ['in', publishHex('a/2', 'z', 2, 301)],
        ['out', '90 04 0007 01 80  b0 02 0008  d0 00  40 02 012c  50 02 012d'],
        ['in', '62 02 012d'],
        ['out', '70 02 012d'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      const told: unknown[] = [];
      connect(
        stage,
        {
          onControl(message) {
            told.push(message);
            if (message.operation !== MQTTClient.PUBCOMP) return;
            stage.expect(
              told,
              [
                { operation: 9, id: 7, payload: [1, 128] },
                { operation: 11, id: 8 },
                { operation: 13 },
                { operation: 4, id: 300 },
                { operation: 5, id: 301 },
                { operation: 7, id: 301 },
              ],
              'what onControl was told',
            );
            this.close();
            stage.done();
          },
        },
        (client) => {
          client.write(null, {
            operation: MQTTClient.SUBSCRIBE,
            id: 7,
            items: [{ topic: 'a/#', QoS: 1 }, { topic: bufferOf('b') }],
          });
          client.write(new DataView(bufferOf('x')), { topic: 'a/1', retain: true });
          client.write(null, { operation: MQTTClient.UNSUBSCRIBE, id: 8, items: [{ topic: 'b' }] });
          client.write(null, { operation: MQTTClient.PINGREQ });
          client.write(new Uint8Array(bufferOf('y')), { topic: 'a/2', QoS: 1, id: 300 });
          client.write(bufferOf('z'), { topic: bufferOf('a/2'), QoS: 2, id: 301, duplicate: true });
        },
      );
    },
  },
  {
    name: 'a number that is in use is not used twice, and both messages are told of under it',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('t', 'a', 1, 9)],
        ['in', publishHex('t', 'b', 1, 10)],
        ['out', '40 02 000a 40 02 0009'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      let count = 0;
      connect(
        stage,
        {
          onControl(message) {
            stage.expect(message, { operation: 4, id: 9 }, 'PUBACK');
            count++;
            if (count < 2) return;
            this.close();
            stage.done();
          },
        },
        (client) => {
          client.write(bufferOf('a'), { topic: 't', QoS: 1, id: 9 });
          client.write(bufferOf('b'), { topic: 't', QoS: 1, id: 9 });
        },
      );
    },
  },
  {
    name: 'without a number a message is told of under its Packet Identifier',
    server: [[...CONNECTED, ['in', publishHex('t', 'a', 1, 1)], ['out', '40 02 0001'], ...GOODBYE]],
    run(stage) {
      connect(
        stage,
        {
          onControl(message) {
            stage.expect(message, { operation: 4, id: 1 }, 'PUBACK');
            this.close();
            stage.done();
          },
        },
        (client) => client.write(bufferOf('a'), { topic: 't', QoS: 1 }),
      );
    },
  },
  {
    name: 'an empty payload is published',
    server: [
      [...CONNECTED, ['in', publishHex('t', '', 0, 0, 1)], ['in', publishHex('t', '', 1, 1)], ...GOODBYE],
    ],
    run(stage) {
      connect(stage, {}, (client) => {
        client.write(new ArrayBuffer(0), { topic: 't', retain: true });
        client.write(null, { topic: 't', QoS: 1 });
        client.close();
        stage.done();
      });
    },
  },
  {
    name: 'a payload in fragments, written all at once',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('small', 'SMALL\n')],
        ['in', publishHex('small', 'SMALL\n', 2, 1)],
        ['in', publishHex('small', '0123456789', 1, 2)],
        ['in', publishHex('small', 'whole')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      connect(stage, {}, (client) => {
        client.write(bufferOf('SM'), { topic: 'small', byteLength: 6 });
        client.write(bufferOf('A'), null);
        client.write(new ArrayBuffer(0));
        client.write(bufferOf('LL\n'));
        client.write(bufferOf('SM'), { topic: 'small', byteLength: 6, QoS: 2 });
        client.write(bufferOf('ALL\n'));
        client.write(null, { topic: 'small', byteLength: 10, QoS: 1 });
        client.write(bufferOf('0123456789'));
        client.write(bufferOf('whole'), { topic: 'small' });
        client.close();
        stage.done();
      });
    },
  },
  ...[0, 1, 2].map((QoS): Scenario => ({
    name: `a payload of 16 KB in fragments as onWritable says, and read in fragments: QoS ${QoS}`,
    server: 'broker',
    run(stage) {
      const pattern = patternOf(16_384 + 3);
      let written = 3;
      let writes = 0;
      let read = 0;
      let fragments = 0;
      let acknowledged = 0;
      const finish = (client: InstanceType<Stage['MQTTClient']>): void => {
        if (read < pattern.length || acknowledged < (QoS > 0 ? 1 : 0)) return;
        stage.expect(fragments > 10, true, `fragments of 512 bytes at most: ${fragments}`);
        stage.expect(writes > 2, true, `writes: ${writes}`);
        client.close();
        stage.done();
      };
      const { MQTTClient } = stage;
      new stage.MQTTClient(
        stage.options({
          buffers: { receive: 512, transmit: 512 },
          onControl({ operation, id }) {
            if (operation === MQTTClient.CONNACK) {
              this.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'foo/xxl', QoS }] });
              this.write(pattern.slice(0, 3), {
                topic: 'foo/xxl',
                byteLength: pattern.length,
                QoS,
                id: 1234,
              });
            }
            if (operation === MQTTClient.PUBACK || operation === MQTTClient.PUBCOMP) {
              stage.expect(id, 1234, 'whose acknowledgement');
              acknowledged++;
              finish(this);
            }
          },
          onWritable(count) {
            if (written === pattern.length) return;
            const end = Math.min(written + count, pattern.length);
            const room = this.write(pattern.slice(written, end));
            stage.expect(room >= 0, true, `room ${room}`);
            written = end;
            writes++;
          },
          onReadable(count, options) {
            const buffer = this.read(count)!;
            const bytes = new Uint8Array(buffer);
            const wanted =
              fragments === 0 ? ['foo/xxl', pattern.length, QoS] : [undefined, undefined, undefined];
            stage.expect([options.topic, options.byteLength, options.QoS], wanted, 'first options');
            stage.expect(bytes.length, count, 'bytes of a fragment');
            stage.expect(bytes.length <= 512, true, `${bytes.length} bytes at most`);
            for (let i = 0; i < bytes.length; i++) {
              if (bytes[i] !== pattern[read + i]) stage.fail(`byte ${read + i} is another`);
            }
            read += bytes.length;
            fragments++;
            stage.expect(options.more, read < pattern.length, `more at ${read}`);
            if (!options.more) finish(this);
          },
        }),
      );
    },
  })),
  {
    name: 'onWritable is called again after every write, from outside too, and says what fits',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('t', '1')],
        ['in', publishHex('t', '2')],
        ['in', publishHex('t', '3')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      let calls = 0;
      let isWithin = false;
      const client = new stage.MQTTClient(
        stage.options({
          onWritable(count) {
            stage.expect(isWithin, false, 'within write');
            stage.expect(count > 400, true, `count ${count}`);
            calls++;
            if (calls === 4) {
              client.close();
              stage.done();
              return;
            }
            stage.later(() => {
              isWithin = true;
              const room = client.write(bufferOf(String(calls)), { topic: 't' });
              isWithin = false;
              stage.expect(room > 400, true, `room ${room}`);
            });
          },
        }),
      );
    },
  },
  {
    name: 'a message longer than the buffer for sending goes out whole where the socket has room',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('t', patternOf(3000))],
        ['in', publishHex('t', patternOf(3000), 1, 1)],
        ['out', '40 02 0001'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      connect(
        stage,
        {
          buffers: { transmit: 256 },
          onControl({ operation }) {
            stage.expect(operation, 4, 'operation');
            this.close();
            stage.done();
          },
        },
        (client) => {
          client.write(patternOf(3000), { topic: 't' });
          client.write(patternOf(3000), { topic: 't', QoS: 1 });
        },
      );
    },
  },
  {
    name: 'what does not fit throws, and nothing of it is written',
    server: [[...CONNECTED, ['in', publishHex('t', 'fits')], ...GOODBYE]],
    run(stage) {
      let isDone = false;
      new stage.MQTTClient(
        stage.options({
          buffers: { outboxMax: 1024 },
          onWritable(count) {
            if (isDone) return;
            isDone = true;
            const tooLong = new Uint8Array(count + 1);
            stage.expect(
              codeOf(() => this.write(tooLong, { topic: 't' })),
              'ERR_NO_SPACE',
              'too long',
            );
            stage.expect(
              codeOf(() => this.write(tooLong, { topic: 't', byteLength: 100_000 })),
              'ERR_NO_SPACE',
              'a fragment too long',
            );
            stage.expect(
              codeOf(() => this.write(new Uint8Array(1025), { topic: 't', QoS: 1 })),
              'ERR_NO_SPACE',
              'longer than what may be kept',
            );
            this.write(bufferOf('fi'), { topic: 't', byteLength: 4 });
            stage.expect(
              codeOf(() => this.write(bufferOf('tsx'))),
              'ERR_OUT_OF_RANGE',
              'more than was said',
            );
            stage.expect(
              codeOf(() => this.write(bufferOf('x'), { topic: 't' })),
              'ERR_INVALID_ARGUMENT',
              'another message before its end',
            );
            stage.expect(
              codeOf(() => this.write(null, { operation: 12 })),
              'ERR_INVALID_ARGUMENT',
              'a ping before its end',
            );
            this.write(bufferOf('ts'));
            stage.expect(
              codeOf(() => this.write(bufferOf('x'))),
              'ERR_INVALID_ARGUMENT',
              'beyond its end',
            );
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'what cannot be throws, and nothing of it is written',
    server: [[...CONNECTED, ['in', publishHex('t', 'last')], ...GOODBYE]],
    run(stage) {
      const client = new stage.MQTTClient(
        stage.options({
          onControl() {
            const wrong: [() => unknown, string][] = [
              [() => this.write(bufferOf('x'), { topic: 'a/+' }), 'ERR_INVALID_TOPIC'],
              [() => this.write(bufferOf('x'), { topic: '' }), 'ERR_INVALID_TOPIC'],
              [() => this.write(bufferOf('x'), {}), 'ERR_INVALID_ARGUMENT'],
              [() => this.write(bufferOf('x'), { topic: 't', QoS: 3 }), 'ERR_OUT_OF_RANGE'],
              [() => this.write(bufferOf('x'), { topic: 't', byteLength: 0 }), 'ERR_OUT_OF_RANGE'],
              [
                () => this.write(bufferOf('x'), { topic: 't', properties: { contentType: 'a' } }),
                'ERR_UNSUPPORTED_ON_3_1_1',
              ],
              [() => this.write(null, { operation: 8, items: [] }), 'ERR_INVALID_ARGUMENT'],
              [
                () => this.write(null, { operation: 8, items: [{ topic: 'a/#/b' }] }),
                'ERR_INVALID_TOPIC_FILTER',
              ],
              [
                () => this.write(null, { operation: 8, items: [{ topic: 'a', noLocal: true }] }),
                'ERR_UNSUPPORTED_ON_3_1_1',
              ],
              [() => this.write(null, { operation: 1 }), 'ERR_INVALID_ARGUMENT'],
            ];
            for (const [call, code] of wrong) stage.expect(codeOf(call), code, String(call));
            this.write(bufferOf('last'), { topic: 't' });
            this.close();
            stage.done();
          },
        }),
      );
      const early = codeOf(() => client.write(bufferOf('x'), { topic: 't' }));
      stage.expect(early, 'ERR_NOT_CONNECTED', 'before there is a connection');
    },
  },
  {
    name: 'goes on after 65,535 Packet Identifiers',
    server: 'acknowledging',
    run(stage) {
      const COUNT = 66_000;
      const data = new Uint8Array(1);
      let sent = 0;
      let acknowledged = 0;
      new stage.MQTTClient(
        stage.options({
          onWritable() {
            for (; sent < COUNT && sent - acknowledged < 50; sent++) this.write(data, { topic: 't', QoS: 1 });
          },
          onControl({ operation, id }) {
            if (operation !== stage.MQTTClient.PUBACK) return;
            if (id !== (acknowledged % 65_535) + 1) stage.fail(`number ${id} of message ${acknowledged}`);
            acknowledged++;
            if (acknowledged < COUNT) return;
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'releases a message of an earlier client when it is told to',
    server: [[...CONNECTED, ['in', '62 02 0123'], ['out', '70 02 0123'], ...GOODBYE]],
    run(stage) {
      connect(
        stage,
        {
          onControl(message) {
            stage.expect(message, { operation: 7, id: 0x123 }, 'PUBCOMP');
            this.close();
            stage.done();
          },
        },
        (client) => client.write(null, { operation: stage.MQTTClient.PUBREL, id: 0x123 }),
      );
    },
  },
  {
    name: 'more topics than are remembered, and more subscriptions than there was storage for',
    server: 'broker',
    run(stage) {
      const { MQTTClient } = stage;
      const heard: string[] = [];
      const name = (i: number): string => `rooms/on/the/second/floor/${i}`;
      connect(
        stage,
        {
          onControl({ operation, payload }) {
            if (operation !== MQTTClient.SUBACK) return;
            stage.expect(payload, new Array(30).fill(0), 'granted');
            for (let i = 0; i < 30; i++) this.write(bufferOf(String(i)), { topic: name(i) });
          },
          onReadable(count, { topic }) {
            heard.push(`${topic} ${textOf(this.read(count))}`);
            if (heard.length < 30) return;
            stage.expect(
              heard,
              heard.map((_, i) => `${name(i)} ${i}`),
              'what was heard',
            );
            this.close();
            stage.done();
          },
        },
        (client) => {
          const items = [];
          for (let i = 0; i < 30; i++) items.push({ topic: name(i) });
          client.write(null, { operation: MQTTClient.SUBSCRIBE, items });
        },
      );
    },
  },
  {
    name: 'unsubscribes',
    server: 'broker',
    run(stage) {
      const { MQTTClient } = stage;
      connect(
        stage,
        {
          onControl({ operation, id }) {
            if (operation === MQTTClient.SUBACK) {
              this.write(null, { operation: MQTTClient.UNSUBSCRIBE, items: [{ topic: 'no' }], id: 5 });
            }
            if (operation !== MQTTClient.UNSUBACK) return;
            stage.expect(id, 5, 'number');
            this.write(bufferOf('unheard'), { topic: 'no' });
            this.write(bufferOf('heard'), { topic: 'yes' });
          },
          onReadable(count) {
            stage.expect(textOf(this.read(count)), 'heard', 'the first that is heard');
            this.close();
            stage.done();
          },
        },
        (client) =>
          client.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'no' }, { topic: 'yes' }] }),
      );
    },
  },
];
