/**
 * Scenarios: options, connecting, being refused, the will.
 */
import { CONNACK_3, CONNECTED, GOODBYE, bufferOf, hexOf, packetHex, textHex, textOf } from './stage.ts';
import type { Scenario } from './stage.ts';

const CONNECT_OF_ALL = packetHex(
  0x10,
  textHex('MQTT') +
    '04 f6 0005' + // user, password, will retained with QoS 2, clean; 4,001 ms are 5 s
    textHex('dev1') +
    textHex('a/will') +
    textHex('level') +
    textHex('user') +
    textHex('password'),
);
const CONNECT_OF_NONE = packetHex(0x10, textHex('MQTT') + '04 02 0000 0000');

export const connecting: Scenario[] = [
  {
    name: 'connects: CONNACK to onControl, then onWritable, the client being this in both',
    server: 'broker',
    run(stage) {
      const told: unknown[] = [];
      const client = new stage.MQTTClient(
        stage.options({
          onControl(message) {
            told.push([this === client, message]);
          },
          onWritable(count) {
            stage.expect(this === client, true, 'this in onWritable');
            stage.expect(count > 400, true, `room for a message: ${count}`);
            stage.expect(
              told,
              [[true, { operation: 2, returnCode: 0, sessionPresent: false }]],
              'what came before',
            );
            client.close();
            stage.done();
          },
        }),
      );
      stage.expect(told, [], 'callbacks within the constructor');
    },
  },
  {
    name: 'sends the CONNECT of its options',
    server: [[['in', CONNECT_OF_ALL], ['out', CONNACK_3], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          id: 'dev1',
          clean: true,
          keepAlive: 4001,
          user: 'user',
          password: bufferOf('password'),
          will: { topic: 'a/will', message: 'level', QoS: 2, retain: 1 },
          onControl() {
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'sends the CONNECT of no options: no keep-alive, a clean session, no user for null and the empty text',
    server: [[['in', CONNECT_OF_NONE], ['out', CONNACK_3], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          user: '',
          password: null,
          will: null,
          onControl() {
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'takes keepalive, the name that option had before',
    server: [[['in', packetHex(0x10, textHex('MQTT') + '04 02 003c 0000')], ['out', CONNACK_3], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          keepalive: 60_000,
          onControl() {
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'tells that the server had kept the session',
    server: [[['in', '10..'], ['out', '20 02 01 00'], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          id: 'kept',
          clean: false,
          onControl(message) {
            stage.expect(message, { operation: 2, returnCode: 0, sessionPresent: true }, 'CONNACK');
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a refusal comes to onError with its code, then onClose; not to onControl of an application that knows no refusals',
    server: [[['in', '10..'], ['out', '20 02 00 05'], ['closed']]],
    run(stage) {
      const told: unknown[] = [];
      const client = new stage.MQTTClient(
        stage.options({
          user: 'a',
          password: 'wrong',
          onControl(message) {
            told.push(message);
          },
          onWritable() {
            told.push('writable');
          },
          onError(error) {
            stage.expect(this === client, true, 'this in onError');
            told.push([error instanceof Error, error.code, error.reasonCode]);
          },
          onClose() {
            stage.expect(this === client, true, 'this in onClose');
            stage.expect(told, [[true, 'ERR_CONNECTION_REFUSED', 5]], 'what came before onClose');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a refusal comes to onControl too when the application names the protocol',
    server: [[['in', '10..'], ['out', '20 02 00 05'], ['closed']]],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          protocol: 4,
          onControl({ operation, returnCode }) {
            told.push([operation, returnCode]);
          },
          onError(error) {
            told.push(error.reasonCode);
          },
          onClose() {
            stage.expect(told, [[2, 5], 5], 'what came before onClose');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a host that is not found is told to onError, then onClose',
    server: 'none',
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          host: 'nowhere.invalid',
          onControl: () => told.push('control'),
          onError(error) {
            told.push([error.code, error.cause instanceof Error]);
          },
          onClose() {
            stage.expect(told, [['ERR_CONNECTION', true]], 'what came before onClose');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a port where nobody listens is told to onError, then onClose',
    server: 'none',
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          onError: (error) => told.push(error.code),
          onClose() {
            stage.expect(told, ['ERR_CONNECTION'], 'what came before onClose');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a server that never answers is given up',
    server: [[['in', '10..'], ['closed']]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          connectTimeout: 50,
          onError(error) {
            stage.expect(error.code, 'ERR_CONNECT_TIMEOUT', 'code');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a server that breaks the standard is left',
    server: [[...CONNECTED, ['out', 'f0 00'], ['closed']]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          onError(error) {
            stage.expect(error.code, 'ERR_PROTOCOL', 'code');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a connection that is lost is told to onError, then onClose; afterwards nothing can be written',
    server: [[...CONNECTED, ['end']]],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          onError: (error) => told.push(error.code),
          onClose() {
            stage.expect(told, ['ERR_CONNECTION'], 'what came before onClose');
            let thrown = '';
            try {
              this.write(bufferOf('x'), { topic: 't' });
            } catch (error) {
              thrown = (error as { code: string }).code;
            }
            stage.expect(thrown, 'ERR_CLOSED', 'write afterwards');
            stage.expect(this.read() === undefined, true, 'read afterwards');
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'the will is published when the connection breaks',
    server: 'broker',
    run(stage) {
      const sockets: { close(): void }[] = [];
      const RecordedTCP = class extends stage.TCP {
        constructor(options: unknown) {
          super(options);
          sockets.push(this);
        }
      };
      const witness = new stage.MQTTClient(
        stage.options({
          onControl(message) {
            if (message.operation === stage.MQTTClient.CONNACK) {
              this.write(null, { operation: 8, items: [{ topic: 'wills/+', QoS: 1 }] });
            }
            if (message.operation !== stage.MQTTClient.SUBACK) return;
            new stage.MQTTClient(
              stage.options({
                id: 'mortal',
                socket: { io: RecordedTCP },
                will: { topic: 'wills/mortal', message: bufferOf('gone'), QoS: 1, retain: false },
                onControl() {
                  // As if its power had failed: not a word of MQTT.
                  for (const socket of sockets) socket.close();
                },
              }),
            );
          },
          onReadable(count, { topic, QoS }) {
            stage.expect([topic, QoS, textOf(this.read(count))], ['wills/mortal', 1, 'gone'], 'the will');
            witness.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'refuses options that cannot be, at once',
    server: 'none',
    run(stage) {
      const wrong: [Parameters<typeof stage.options>[0], string][] = [
        [{ host: '' }, 'ERR_INVALID_ARGUMENT'],
        [{ id: '', clean: false }, 'ERR_INVALID_ARGUMENT'],
        [{ will: { topic: 'a/+', message: 'x' } }, 'ERR_INVALID_TOPIC'],
        [{ will: { topic: 'a', message: 'x', QoS: 3 } }, 'ERR_OUT_OF_RANGE'],
        [{ keepAlive: 65_536_000 }, 'ERR_OUT_OF_RANGE'],
        [{ protocol: 3 }, 'ERR_INVALID_ARGUMENT'],
        [{ properties: { sessionExpiryInterval: 1 } }, 'ERR_UNSUPPORTED_ON_3_1_1'],
        [{ protocol: 5, properties: { sessionExpirySeconds: 1 } }, 'ERR_INVALID_ARGUMENT'],
        [{ will: { topic: 'a', properties: { willDelayInterval: 1 } } }, 'ERR_UNSUPPORTED_ON_3_1_1'],
        [{ buffers: { receive: 63 } }, 'ERR_OUT_OF_RANGE'],
      ];
      for (const [more, code] of wrong) {
        let thrown: unknown;
        try {
          new stage.MQTTClient(stage.options(more));
        } catch (error) {
          thrown = (error as { code?: string }).code;
        }
        stage.expect(thrown, code, JSON.stringify(more));
      }
      let isRangeError = false;
      try {
        new stage.MQTTClient(stage.options({ format: 'number' }));
      } catch (error) {
        isRangeError = error instanceof RangeError;
      }
      stage.expect(isRangeError, true, 'another format');
      stage.done();
    },
  },
  {
    name: 'has a format, a target and the operations, and nothing else in the way of an application',
    server: 'none',
    run(stage) {
      const target = { a: 1 };
      const client = new stage.MQTTClient(stage.options({ target, format: 'buffer' }));
      stage.expect(Object.keys(client), ['target'], 'names of its own');
      stage.expect((client as { target?: unknown }).target === target, true, 'target');
      stage.expect(client.format, 'buffer', 'format');
      const names =
        'CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ';
      const all = `${names} PINGRESP DISCONNECT AUTH`.split(' ');
      const numbers = all.map((name) => (stage.MQTTClient as unknown as Record<string, number>)[name]);
      stage.expect(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], 'operations');
      stage.expect(hexOf(new Uint8Array(bufferOf('é'))), 'c3a9', 'a text as a buffer');
      client.close();
      stage.done();
    },
  },
];
