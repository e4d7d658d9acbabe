/**
 * Scenarios: MQTT 5 through the class: properties both ways, reason codes, aliases, limits of the server.
 */
import { CONNACK_5, fiveConnecting } from './five-connecting.ts';
import { GOODBYE, bufferOf, codeOf, packetHex, textHex, textOf } from './stage.ts';
import type { Scenario, Step } from './stage.ts';

const CONNECTED_5: Step[] = [
  ['in', '10..'],
  ['out', CONNACK_5],
];

/** A PUBLISH of 5.0; the name is empty where an alias stands for it. */
function publishFive(topic: string, properties: string, payload: string, qos = 0, id = ''): string {
  const { length } = properties.replace(/ /g, '');
  const section = (length / 2).toString(16).padStart(2, '0') + properties;
  const bytes = textHex(payload).slice(4);
  return packetHex(0x30 | (qos << 1), textHex(topic) + id + section + bytes);
}

export const five: Scenario[] = [
  ...fiveConnecting,
  {
    name: 'topics get aliases by themselves, as many as the server takes',
    server: [
      [
        ['in', '10..'],
        ['out', packetHex(0x20, '00 00 03 22 0001')],
        ['in', publishFive('a/long/topic', '23 0001', '1')],
        ['in', publishFive('', '23 0001', '2')],
        ['in', publishFive('', '23 0001', '3', 1, '0001')],
        ['in', publishFive('another', '23 0001', '4')],
        ['in', publishFive('a/long/topic', '23 0001', '5')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          onControl() {
            this.write(bufferOf('1'), { topic: 'a/long/topic' });
            this.write(bufferOf('2'), { topic: bufferOf('a/long/topic') });
            this.write(bufferOf('3'), { topic: 'a/long/topic', QoS: 1 });
            this.write(bufferOf('4'), { topic: 'another' });
            this.write(bufferOf('5'), { topic: 'a/long/topic' });
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'messages have properties, both ways, and those of aliases have their topic',
    server: [
      [
        ...CONNECTED_5,
        [
          'in',
          publishFive(
            't',
            '01 01  02 0000000a' +
              ('03' + textHex('text')) +
              ('08' + textHex('re')) +
              '09 0001 ff' +
              ('26' + textHex('k') + textHex('v')),
            'x',
          ),
        ],
        ['in', publishFive('t', '02 00000001', 'ab', 0)],
        [
          'out',
          publishFive('in', '23 0001 01 01' + ('08' + textHex('re')) + '09 0001 fe 0b 05 0b 06', 'y') +
            publishFive('', '23 0001', 'z'),
        ],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const heard: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          properties: { topicAliasMaximum: 1 },
          onControl() {
            this.write(bufferOf('x'), {
              topic: 't',
              properties: {
                payloadFormatIndicator: 1,
                messageExpiryInterval: 10,
                contentType: 'text',
                responseTopic: 're',
                correlationData: new Uint8Array([255]),
                userProperties: [['k', 'v']],
              },
            });
            this.write(bufferOf('a'), {
              topic: 't',
              byteLength: 2,
              properties: { messageExpiryInterval: 1 },
            });
            this.write(bufferOf('b'));
          },
          onReadable(count, { topic, properties }) {
            const data = properties?.['correlationData'];
            if (properties !== undefined)
              properties['correlationData'] = new Uint8Array(data as ArrayBuffer)[0];
            heard.push([textOf(this.read(count)), topic, properties]);
            if (heard.length < 2) return;
            stage.expect(
              heard,
              [
                [
                  'y',
                  'in',
                  {
                    payloadFormatIndicator: 1,
                    responseTopic: 're',
                    correlationData: 254,
                    subscriptionIdentifier: [5, 6],
                  },
                ],
                ['z', 'in', undefined],
              ],
              'what was heard',
            );
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'subscriptions have options, an identifier, user properties; acknowledgements have reasons',
    server: [
      [
        ...CONNECTED_5,
        [
          'in',
          packetHex(
            0x82,
            '0003' +
              '0a' +
              '0b c801' +
              ('26' + textHex('a') + textHex('b')) +
              textHex('s') +
              '2d' +
              textHex('r') +
              '00',
          ),
        ],
        ['out', packetHex(0x90, '0003 00 01 87')],
        ['in', packetHex(0xa2, '0004 00' + textHex('s'))],
        ['out', packetHex(0xb0, '0004 00 11')],
        ['in', publishFive('t', '', 'x', 1, '0005')],
        ['out', packetHex(0x40, '0005 10')],
        ['in', publishFive('t', '', 'x', 1, '0006')],
        ['out', packetHex(0x40, '0006 97 06' + ('1f' + textHex('sry')))],
        ['in', publishFive('t', '', 'x', 2, '0007')],
        ['out', packetHex(0x50, '0007 87')],
        ['in', publishFive('t', '', 'x', 2, '0008')],
        ['out', packetHex(0x50, '0008')],
        ['in', '62 02 0008'],
        ['out', packetHex(0x70, '0008')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      const told: unknown[] = [];
      new MQTTClient(
        stage.options({
          protocol: 5,
          onControl(message) {
            if (message.operation === MQTTClient.CONNACK) {
              this.write(null, {
                operation: MQTTClient.SUBSCRIBE,
                id: 3,
                items: [
                  { topic: 's', QoS: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 },
                  { topic: 'r' },
                ],
                properties: { subscriptionIdentifier: 200, userProperties: [['a', 'b']] },
              });
              return;
            }
            told.push(message);
            if (message.operation === MQTTClient.SUBACK) {
              this.write(null, { operation: MQTTClient.UNSUBSCRIBE, items: [{ topic: 's' }], id: 4 });
            } else if (told.length < 4) {
              this.write(bufferOf('x'), { topic: 't', QoS: 1, id: told.length + 3 });
            } else if (told.length < 6) {
              this.write(bufferOf('x'), { topic: 't', QoS: 2, id: told.length + 3 });
            } else if (message.operation === MQTTClient.PUBCOMP) {
              stage.expect(
                told,
                [
                  { operation: 9, id: 3, reasonCode: 0, payload: [1, 0x87] },
                  { operation: 11, id: 4, reasonCode: 0, payload: [0x11] },
                  { operation: 4, id: 5, reasonCode: 0x10 },
                  { operation: 4, id: 6, reasonCode: 0x97, properties: { reasonString: 'sry' } },
                  { operation: 5, id: 7, reasonCode: 0x87 },
                  { operation: 5, id: 8, reasonCode: 0 },
                  { operation: 7, id: 8, reasonCode: 0 },
                ],
                'what was told',
              );
              this.close();
              stage.done();
            }
          },
        }),
      );
    },
  },
  {
    name: 'there are as many messages on their way as the server takes, one of them in fragments',
    server: [
      [
        ['in', '10..'],
        ['out', packetHex(0x20, '00 00 03 21 0001')],
        ['in', publishFive('t', '', 'abcd', 1, '0001')],
        ['in', publishFive('t', '', 'free')],
        ['out', packetHex(0x40, '0001')],
        ['in', publishFive('t', '', 'next', 2, '0002')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      let rooms = 0;
      new MQTTClient(
        stage.options({
          protocol: 5,
          onControl({ operation }) {
            if (operation !== MQTTClient.CONNACK) return;
            const room = this.write(bufferOf('ab'), { topic: 't', QoS: 1, byteLength: 4 });
            stage.expect(room > 0, true, 'room for the rest');
            stage.expect(this.write(bufferOf('cd')), 0, 'room for another message of any QoS');
            stage.expect(
              codeOf(() => this.write(bufferOf('x'), { topic: 't', QoS: 1 })),
              'ERR_NO_SPACE',
              'another message',
            );
            this.write(bufferOf('free'), { topic: 't' });
          },
          onWritable() {
            rooms++;
            stage.expect(rooms, 1, 'calls of onWritable');
            this.write(bufferOf('next'), { topic: 't', QoS: 2 });
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'what the server does not take is refused or told of',
    server: [
      [
        ['in', '10..'],
        // Maximum QoS 1, no retained messages, Maximum Packet Size 64, no wildcards.
        ['out', packetHex(0x20, '00 00 0b 24 01 25 00 27 00000040 28 00')],
        ['in', publishFive('t', '', 'x')],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      const { MQTTClient } = stage;
      new MQTTClient(
        stage.options({
          protocol: 5,
          onControl({ operation, id, error }) {
            if (operation === MQTTClient.CONNACK) {
              const codes = [
                codeOf(() => this.write(bufferOf('x'), { topic: 't', QoS: 2 })),
                codeOf(() => this.write(bufferOf('x'), { topic: 't', retain: true })),
                codeOf(() => this.write(new Uint8Array(64), { topic: 't', QoS: 1 })),
                codeOf(() => this.write(bufferOf('x'), { topic: 't', properties: { receiveMaximum: 1 } })),
                codeOf(() => this.write(bufferOf('x'), { topic: 't', properties: { colour: 1 } })),
                codeOf(() =>
                  this.write(bufferOf('x'), { topic: 't', properties: { messageExpiryInterval: 1.5 } }),
                ),
              ];
              stage.expect(
                codes,
                [
                  'ERR_NOT_SUPPORTED_BY_SERVER',
                  'ERR_NOT_SUPPORTED_BY_SERVER',
                  'ERR_PACKET_TOO_LARGE',
                  'ERR_INVALID_ARGUMENT',
                  'ERR_INVALID_ARGUMENT',
                  'ERR_OUT_OF_RANGE',
                ],
                'what is thrown',
              );
              this.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a/#' }], id: 9 });
              return;
            }
            stage.expect(
              [operation, id, (error as { code?: string } | undefined)?.code],
              [8, 9, 'ERR_NOT_SUPPORTED_BY_SERVER'],
              'the subscription',
            );
            this.write(bufferOf('x'), { topic: 't' });
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
];
