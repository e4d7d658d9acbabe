/**
 * Scenarios: messages on their way in, reading them whole, in pieces, late, and when they are acknowledged.
 */
import { CONNECTED, GOODBYE, bufferOf, hexOf, patternOf, publishHex, textOf } from './stage.ts';
import type { Scenario } from './stage.ts';

export const reading: Scenario[] = [
  {
    name: 'an empty payload is delivered, and what comes behind it too',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('e', '') + publishHex('e', '', 1, 3) + publishHex('t', 'next')],
        ['in', '40 02 0003'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          onReadable(count, { topic, byteLength, QoS, more }) {
            told.push([count, topic, byteLength, QoS, more]);
            if (topic === 'e') {
              stage.expect(this.read() === undefined, true, 'nothing to read');
              return;
            }
            stage.expect(textOf(this.read()), 'next', 'the message behind');
            stage.expect(
              told,
              [
                [0, 'e', 0, 0, false],
                [0, 'e', 0, 1, false],
                [4, 't', 4, 0, false],
              ],
              'what onReadable was told',
            );
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'reads pieces by number, into buffers, the rest; undefined when there is no more',
    server: [[...CONNECTED, ['out', publishHex('t', '0123456789abcdef')], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          onReadable(count) {
            stage.expect(count, 16, 'count');
            const first = this.read(2);
            stage.expect([first instanceof ArrayBuffer, textOf(first)], [true, '01'], 'by number');
            const bytes = new Uint8Array(6);
            stage.expect(this.read(bytes.subarray(1, 4)), 3, 'into a part of a buffer');
            stage.expect(hexOf(bytes), '003233340000', 'the buffer it is a part of');
            const buffer = new ArrayBuffer(2);
            stage.expect([this.read(buffer), textOf(buffer)], [2, '56'], 'into a buffer');
            const view = new DataView(new ArrayBuffer(3), 1);
            stage.expect([this.read(view), textOf(view.buffer)], [2, '\0' + '78'], 'into a view');
            let isError = false;
            try {
              this.read(new Uint16Array(1));
            } catch {
              isError = true;
            }
            stage.expect(isError, true, 'an array of something else than bytes throws');
            stage.expect(textOf(this.read(3)), '9ab', 'by number again');
            const large = new Uint8Array(100);
            stage.expect([this.read(large), large[3]], [4, 102], 'into a buffer with room to spare');
            stage.expect(this.read() === undefined, true, 'behind the end');
            stage.expect(this.read(1) === undefined, true, 'behind the end, by number');
            stage.expect(this.read(large) === undefined, true, 'behind the end, into a buffer');
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a message that is not read holds up those behind it, and no write; it is acknowledged once it is read',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t', 'first', 1, 1) + publishHex('t', 'second', 1, 2)],
        ['in', publishHex('busy', '0')],
        ['in', publishHex('busy', '1', 1, 1)],
        ['in', '40 02 0001'],
        ['in', '40 02 0002'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      let calls = 0;
      let isWithin = false;
      const client = new stage.MQTTClient(
        stage.options({
          onReadable(count) {
            stage.expect(isWithin, false, 'within a call');
            calls++;
            if (calls === 2) {
              stage.expect(textOf(this.read(count)), 'second', 'the second');
              stage.later(() => {
                client.close();
                stage.done();
              });
              return;
            }
            stage.expect(textOf(this.read(2)), 'fi', 'its beginning');
            stage.later(() => {
              isWithin = true;
              client.write(bufferOf('0'), { topic: 'busy' });
              client.write(bufferOf('1'), { topic: 'busy', QoS: 1 });
              isWithin = false;
              stage.later(() => {
                stage.expect(calls, 1, 'calls while it is not read');
                isWithin = true;
                stage.expect(textOf(client.read()), 'rst', 'its end');
                stage.expect(client.read() === undefined, true, 'nothing behind it yet');
                isWithin = false;
              });
            });
          },
        }),
      );
    },
  },
  {
    name: 'by hand, a message is acknowledged when the application says so, in the order they came',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t', 'a', 1, 7) + publishHex('t', 'b', 2, 8)],
        ['in', publishHex('read', 'both')],
        ['in', '40 02 0007'],
        ['in', '50 02 0008'],
        ['out', '62 02 0008'],
        ['in', '70 02 0008'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      const ids: number[] = [];
      new stage.MQTTClient(
        stage.options({
          manualAcknowledgement: true,
          onReadable(count, { id, QoS }) {
            this.read(count);
            ids.push(id!);
            if (QoS !== 2) return;
            this.write(bufferOf('both'), { topic: 'read' });
            stage.later(() => {
              // The later one first: it waits for the earlier.
              this.write(null, { operation: MQTTClient.PUBREC, id: ids[1] });
              this.write(null, { operation: MQTTClient.PUBACK, id: ids[0] });
            });
          },
          onControl({ operation, id }) {
            if (operation !== MQTTClient.PUBREL) return;
            stage.expect(id, 8, 'PUBREL');
            stage.later(() => {
              this.close();
              stage.done();
            });
          },
        }),
      );
    },
  },
  {
    name: 'a QoS 2 message that the server sends twice is delivered once',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t', 'once', 2, 5)],
        ['in', '50 02 0005'],
        ['out', publishHex('t', 'once', 2, 5, 8)],
        ['in', '50 02 0005'],
        ['out', '62 02 0005'],
        ['in', '70 02 0005'],
        ['out', publishHex('t', 'end', 2, 5)],
        ['in', '50 02 0005'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const heard: string[] = [];
      new stage.MQTTClient(
        stage.options({
          onReadable(count) {
            heard.push(textOf(this.read(count)));
            if (heard.length === 1) return;
            stage.expect(heard, ['once', 'end'], 'what was delivered');
            stage.later(() => {
              this.close();
              stage.done();
            });
          },
        }),
      );
    },
  },
  {
    name: 'tells retained and repeated messages',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t', 'x', 0, 0, 1) + publishHex('t', 'x', 1, 1, 8)],
        ['in', '40 02 0001'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          onReadable(count, { retain, duplicate }) {
            this.read(count);
            told.push([retain, duplicate]);
            if (told.length === 1) return;
            stage.expect(
              told,
              [
                [true, false],
                [false, true],
              ],
              'flags',
            );
            stage.later(() => {
              this.close();
              stage.done();
            });
          },
        }),
      );
    },
  },
  {
    name: 'a topic that fills the window comes with the first bytes of its payload',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t'.repeat(59), patternOf(100)).slice(0, 128)],
        ['in', 'c0 00'],
        ['out', publishHex('t'.repeat(59), patternOf(100)).slice(128)],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      let read = 0;
      new stage.MQTTClient(
        stage.options({
          buffers: { receive: 64 },
          onControl() {
            // The server goes on when it hears that the head has come.
            stage.later(() => this.write(null, { operation: stage.MQTTClient.PINGREQ }));
          },
          onReadable(count, { topic, byteLength, more }) {
            stage.expect(count > 0, true, 'bytes in the first call');
            stage.expect([topic, byteLength], read === 0 ? ['t'.repeat(59), 100] : [null, null], 'heading');
            read += this.read(count)!.byteLength;
            stage.expect(more, read < 100, 'more');
            if (more) return;
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'fragments are read late, and in pieces, and nothing is lost',
    server: [
      [
        ...CONNECTED,
        ['out', publishHex('t', patternOf(20_000), 1, 9)],
        ['in', '40 02 0009'],
        ['out', 'd0 00'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const pattern = patternOf(20_000);
      let at = 0;
      let isLast = false;
      const client = new stage.MQTTClient(
        stage.options({
          buffers: { receive: 512 },
          onControl({ operation }) {
            if (operation !== stage.MQTTClient.PINGRESP) return;
            stage.expect(at, pattern.length, 'bytes read');
            this.close();
            stage.done();
          },
          onReadable(_, { more }) {
            isLast = !more;
            stage.later(readSome);
          },
        }),
      );
      function readSome(): void {
        const bytes = new Uint8Array(client.read(300) ?? new ArrayBuffer(0));
        for (const byte of bytes) if (byte !== pattern[at++]) stage.fail(`byte ${at - 1} is another`);
        if (bytes.length === 300) {
          stage.later(readSome);
          return;
        }
        // Less than asked for, or nothing: the fragment is read, and the next is told.
        stage.expect(isLast, at === pattern.length, 'the last fragment');
      }
    },
  },
  {
    name: 'without onReadable messages go by, and are acknowledged',
    server: [
      [...CONNECTED, ['out', publishHex('t', 'x', 1, 1)], ['in', '40 02 0001'], ['out', 'd0 00'], ...GOODBYE],
    ],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          onControl({ operation }) {
            if (operation !== stage.MQTTClient.PINGRESP) return;
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'what had come before the connection broke is still read, and then the end is told',
    server: [[...CONNECTED, ['out', publishHex('t', 'before')], ['end']]],
    run(stage) {
      const told: string[] = [];
      const client = new stage.MQTTClient(
        stage.options({
          onReadable() {
            stage.later(() => {
              stage.later(() => {
                told.push(textOf(client.read()));
              });
            });
          },
          onError: (error) => told.push(error.code),
          onClose() {
            stage.expect(told, ['before', 'ERR_CONNECTION'], 'in this order');
            stage.done();
          },
        }),
      );
    },
  },
];
