/**
 * Scenarios: payloads in fragments, how much there is room for, and what becomes of what is too much.
 */
import { CONNECTED, GOODBYE, bufferOf, codeOf, connect, patternOf, publishHex } from './stage.ts';
import type { Scenario, Stage } from './stage.ts';

export const fragments: Scenario[] = [
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
  ...[
    { QoS: 0, reconnect: false },
    { QoS: 1, reconnect: false },
    { QoS: 2, reconnect: false },
    { QoS: 1, reconnect: true },
    { QoS: 2, reconnect: true },
  ].map(({ QoS, reconnect }): Scenario => ({
    name:
      `a payload of 16 KB in fragments as onWritable says, and read in fragments: QoS ${QoS}` +
      (reconnect ? ', kept until it is acknowledged' : ''),
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
          reconnect,
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
        ['in', publishHex('t', patternOf(2000), 1, 1)],
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
          client.write(patternOf(2000), { topic: 't', QoS: 1 });
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
              codeOf(() => this.write(tooLong, { topic: 't', QoS: 1 })),
              'ERR_NO_SPACE',
              'too long, with QoS 1',
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
    name: 'what is kept until it is acknowledged takes more storage while it does, and no more than it may',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('t', patternOf(900), 1, 1)],
        ['out', '40 02 0001'],
        ['in', publishHex('t', 'small', 2, 2)],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      connect(
        stage,
        {
          reconnect: true,
          buffers: { outbox: 64, outboxMax: 1024 },
          onControl({ operation }) {
            stage.expect(operation, stage.MQTTClient.PUBACK, 'operation');
            this.write(bufferOf('small'), { topic: 't', QoS: 2 });
            this.close();
            stage.done();
          },
        },
        (client) => {
          stage.expect(
            codeOf(() => client.write(new Uint8Array(1024), { topic: 't', QoS: 1 })),
            'ERR_PACKET_TOO_LARGE',
            'longer than what may be kept',
          );
          client.write(patternOf(900), { topic: 't', QoS: 1 });
          stage.expect(
            codeOf(() => client.write(new Uint8Array(200), { topic: 't', QoS: 2 })),
            'ERR_NO_SPACE',
            'more than may be kept',
          );
        },
      );
    },
  },
  {
    name: 'with reconnect, too, messages leave in the order in which they were written',
    server: [
      [
        ...CONNECTED,
        ['in', publishHex('t', '1')],
        ['in', publishHex('t', '2', 1, 60)],
        ['in', publishHex('t', '3')],
        ['in', publishHex('t', '4', 2, 61)],
        ['in', publishHex('t', '5')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      connect(stage, { reconnect: true }, (client) => {
        client.write(bufferOf('1'), { topic: 't' });
        client.write(bufferOf('2'), { topic: 't', QoS: 1, id: 60 });
        client.write(bufferOf('3'), { topic: 't' });
        client.write(bufferOf('4'), { topic: 't', QoS: 2, id: 61 });
        client.write(bufferOf('5'), { topic: 't' });
        client.close();
        stage.done();
      });
    },
  },
];
