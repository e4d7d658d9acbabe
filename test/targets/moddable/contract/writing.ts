/**
 * Scenarios: publishing, subscribing, pinging, and what `write` refuses; more of it in fragments.ts.
 */
import { fragments } from './fragments.ts';
import {
  CONNECTED,
  GOODBYE,
  bufferOf,
  codeOf,
  connect,
  packetHex,
  publishHex,
  textHex,
  textOf,
} from './stage.ts';
import type { Scenario } from './stage.ts';

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
        ['in', publishHex('a/2', 'z', 2, 301, 8)],
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
    name: 'what cannot be throws, and nothing of it is written',
    server: [[...CONNECTED, ['in', publishHex('t', 'last')], ...GOODBYE]],
    run(stage) {
      const client = new stage.MQTTClient(
        stage.options({
          onControl() {
            const wrong: [() => unknown, string][] = [
              [() => this.write(bufferOf('x'), { topic: 'a/+' }), 'ERR_INVALID_TOPIC'],
              [() => this.write(bufferOf('x'), { topic: '' }), 'ERR_INVALID_TOPIC'],
              [() => this.write(bufferOf('x'), {}), 'ERR_INVALID_TOPIC'],
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
  ...fragments,
];
