/**
 * Scenarios: `close` from everywhere, DISCONNECT by hand, and connecting again.
 */
import { CONNACK_3, CONNECTED, GOODBYE, bufferOf, publishHex, textOf } from './stage.ts';
import type { Options, Scenario, Stage, Step } from './stage.ts';

type Client = InstanceType<Stage['MQTTClient']>;

/** A scenario in which the client is closed in the callback `name` and must not hear anything more. */
function closeIn(
  name: 'onControl' | 'onReadable' | 'onWritable' | 'onError' | 'onClose',
  script: Step[],
  more: Partial<Options> = {},
): Scenario {
  return {
    name: `close in ${name}: says goodbye where there is somebody, and no callback follows`,
    server: [script],
    run(stage) {
      let isClosed = false;
      const callbacks: Record<string, (this: Client) => void> = {};
      for (const one of ['onControl', 'onReadable', 'onWritable', 'onError', 'onClose']) {
        callbacks[one] = function (this: Client) {
          if (isClosed) stage.fail(`${one} after close`);
          if (one !== name) return;
          this.close();
          isClosed = true;
          this.close();
          stage.expect(this.read() === undefined, true, 'read after close');
          stage.done();
        };
      }
      new stage.MQTTClient(stage.options({ ...callbacks, ...more }));
    },
  };
}

/** A scenario in which the connection breaks with a subscription and two messages under way. */
function connectAgain(name: string, second: Step[], more: Partial<Options>, operations: number[]): Scenario {
  return {
    name,
    server: [
      [
        ...CONNECTED,
        ['in', '82 08 0005 0003 612f62 00'],
        ['out', '90 03 0005 00'],
        ['in', publishHex('t', 'kept', 1, 6)],
        ['in', publishHex('t', 'twice', 2, 7)],
        ['reset'],
      ],
      [...second, ['out', publishHex('a/b', 'go')], ...GOODBYE],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      const told: unknown[] = [];
      new MQTTClient(
        stage.options({
          id: 'again',
          reconnect: { firstMs: 1 },
          ...more,
          onControl({ operation, id, reconnectInMs, error }) {
            told.push(operation);
            if (operation === MQTTClient.CONNACK && told.length === 1) {
              this.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a/b' }], id: 5 });
            }
            if (operation === MQTTClient.SUBACK && id === 5) {
              this.write(bufferOf('kept'), { topic: 't', QoS: 1, id: 6 });
              this.write(bufferOf('twice'), { topic: 't', QoS: 2, id: 7 });
            }
            if (operation === MQTTClient.DISCONNECT) {
              stage.expect(reconnectInMs! >= 0 && error instanceof Error, true, 'when it will try again');
            }
          },
          onReadable(count) {
            stage.expect(textOf(this.read(count)), 'go', 'on the second connection');
            stage.expect(told, operations, 'operations');
            this.close();
            stage.done();
          },
          onError: () => stage.fail('onError'),
        }),
      );
    },
  };
}

export const closing: Scenario[] = [
  closeIn('onControl', [...CONNECTED, ...GOODBYE]),
  closeIn('onWritable', [...CONNECTED, ...GOODBYE]),
  closeIn('onReadable', [...CONNECTED, ['out', publishHex('t', 'x') + publishHex('t', 'y')], ...GOODBYE]),
  closeIn('onError', [...CONNECTED, ['end']]),
  closeIn('onClose', [...CONNECTED, ['end']]),
  {
    name: 'close at once: nobody is told',
    server: 'none',
    run(stage) {
      const fail = (): void => stage.fail('a callback after close');
      const client = new stage.MQTTClient(
        stage.options({ onControl: fail, onWritable: fail, onError: fail, onClose: fail }),
      );
      client.close();
      stage.later(() => stage.later(() => stage.done()));
    },
  },
  {
    name: 'close before the server has answered',
    server: [[['in', '10..'], ['in', 'e0 00'], ['closed']]],
    run(stage) {
      const client = new stage.MQTTClient(
        stage.options({ connectTimeout: 5000, onError: () => stage.fail('onError') }),
      );
      // The socket is open and CONNECT on its way some turns from now.
      const wait = (turns: number): void => {
        if (turns > 0) stage.later(() => wait(turns - 1));
        else client.close();
      };
      wait(200);
      stage.done();
    },
  },
  {
    name: 'close while a message is unread, from outside of callbacks',
    server: [[...CONNECTED, ['out', publishHex('t', 'x', 1, 1) + publishHex('t', 'y', 1, 2)], ...GOODBYE]],
    run(stage) {
      let calls = 0;
      const client = new stage.MQTTClient(
        stage.options({
          onReadable() {
            calls++;
            stage.expect(calls, 1, 'calls');
            stage.later(() => {
              client.close();
              stage.done();
            });
          },
        }),
      );
    },
  },
  {
    name: 'everything written before close is sent before the goodbye',
    server: [[...CONNECTED, ['in', publishHex('t', 'a')], ['in', publishHex('t', 'b', 1, 1)], ...GOODBYE]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          onControl() {
            this.write(bufferOf('a'), { topic: 't' });
            this.write(bufferOf('b'), { topic: 't', QoS: 1 });
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'in the middle of a payload there is no goodbye',
    server: [[...CONNECTED, ['closed']]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          onControl() {
            this.write(bufferOf('ab'), { topic: 't', byteLength: 4 });
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'DISCONNECT by hand ends the connection, and onClose is told, without onError, not within write',
    server: [[...CONNECTED, ...GOODBYE]],
    run(stage) {
      let isWithin = false;
      const client = new stage.MQTTClient(
        stage.options({
          onControl() {
            stage.later(() => {
              isWithin = true;
              client.write(null, { operation: stage.MQTTClient.DISCONNECT });
              isWithin = false;
            });
          },
          onError: () => stage.fail('onError'),
          onClose() {
            stage.expect(isWithin, false, 'within write');
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'DISCONNECT by hand while a message is unread',
    server: [[...CONNECTED, ['out', publishHex('t', 'x')], ...GOODBYE]],
    run(stage) {
      const client = new stage.MQTTClient(
        stage.options({
          onReadable() {
            stage.later(() => client.write(null, { operation: stage.MQTTClient.DISCONNECT }));
          },
          onClose: () => stage.done(),
        }),
      );
    },
  },
  connectAgain(
    'connects again when asked to: a server that kept nothing gets it all anew',
    [
      ['in', '10..'],
      ['out', CONNACK_3],
      ['in', '82 08 0008 0003 612f62 00'],
      ['in', publishHex('t', 'kept', 1, 9)],
      ['in', publishHex('t', 'twice', 2, 10)],
      ['out', '90 03 0008 00'],
    ],
    { clean: true },
    [2, 9, 14, 2, 9],
  ),
  connectAgain(
    'connects again when asked to: a server that kept the session gets what it has not acknowledged',
    [
      ['in', '10..'],
      ['out', '20 02 01 00'],
      ['in', publishHex('t', 'kept', 1, 6, 8)],
      ['in', publishHex('t', 'twice', 2, 7, 8)],
      ['out', '40 02 0006 50 02 0007'],
      ['in', '62 02 0007'],
      ['out', '70 02 0007'],
    ],
    { clean: false },
    [2, 9, 14, 2, 4, 5, 7],
  ),
  {
    name: 'with reconnect, what is written offline waits: QoS 1 and 2, subscriptions; QoS 0 throws',
    server: [
      [
        ...CONNECTED,
        ['in', '82..'],
        ['in', publishHex('t', 'early', 1, 2)],
        ['out', '40 02 0002'],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      const client = new MQTTClient(
        stage.options({
          reconnect: true,
          onControl({ operation, id }) {
            if (operation !== MQTTClient.PUBACK) return;
            stage.expect(id, 44, 'number');
            this.close();
            stage.done();
          },
        }),
      );
      client.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a' }] });
      client.write(bufferOf('early'), { topic: 't', QoS: 1, id: 44 });
      let code = '';
      try {
        client.write(bufferOf('lost'), { topic: 't' });
      } catch (error) {
        code = (error as { code: string }).code;
      }
      stage.expect(code, 'ERR_NOT_CONNECTED', 'QoS 0 offline');
    },
  },
  {
    name: 'a refusal that will not pass ends a client that would connect again',
    server: [[['in', '10..'], ['out', '20 02 00 04'], ['closed']]],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          reconnect: true,
          onControl({ operation, returnCode, reconnectInMs }) {
            told.push([operation, returnCode, reconnectInMs]);
          },
          onError: ({ code }) => told.push(code),
          onClose() {
            stage.expect(told, [[2, 4, -1], 'ERR_CONNECTION_REFUSED'], 'what was told');
            stage.done();
          },
        }),
      );
    },
  },
];
