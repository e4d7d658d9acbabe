/**
 * Scenarios: MQTT 5 at the beginning and the end of a connection: properties, reason codes, the session's expiry.
 */
import { GOODBYE, packetHex, textHex } from './stage.ts';
import type { Scenario } from './stage.ts';

/** CONNACK with nothing to say. */
export const CONNACK_5 = '20 03 00 00 00';

export const fiveConnecting: Scenario[] = [
  {
    name: 'CONNECT has the properties it was given, and so has the will',
    server: [
      [
        [
          'in',
          packetHex(
            0x10,
            textHex('MQTT') +
              '05 06 0000' +
              '20' + // 32 bytes of properties
              '11 00000e10' +
              '17 00' +
              '19 01' +
              '21 0008' +
              '22 0004' +
              '27 00001000' +
              ('26' + textHex('on') + textHex('esp32')) +
              textHex('dev') +
              '17' + // 23 of the will
              '01 01' +
              '02 0000003c' +
              ('03' + textHex('a/b')) +
              ('09' + '0002 0102') +
              '18 00000005' +
              textHex('w') +
              textHex('x'),
          ),
        ],
        ['out', CONNACK_5],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          id: 'dev',
          properties: {
            sessionExpiryInterval: 3600,
            requestProblemInformation: 0,
            requestResponseInformation: 1,
            receiveMaximum: 8,
            topicAliasMaximum: 4,
            maximumPacketSize: 4096,
            userProperties: [['on', 'esp32']],
          },
          will: {
            topic: 'w',
            message: 'x',
            properties: {
              payloadFormatIndicator: 1,
              messageExpiryInterval: 60,
              contentType: 'a/b',
              correlationData: new Uint8Array([1, 2]).buffer,
              willDelayInterval: 5,
            },
          },
          onControl(message) {
            stage.expect(
              message,
              { operation: 2, returnCode: 0, sessionPresent: false, reasonCode: 0 },
              'CONNACK',
            );
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: "CONNACK's properties are told",
    server: [
      [
        ['in', '10..'],
        [
          'out',
          packetHex(
            0x20,
            '00 00 23' +
              '21 000a' +
              '22 0003' +
              '24 01' +
              ('12' + textHex('given')) +
              ('1f' + textHex('hi')) +
              ('26' + textHex('a') + textHex('1')) +
              ('26' + textHex('a') + textHex('2')),
          ),
        ],
        ...GOODBYE,
      ],
    ],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          onControl({ reasonCode, properties }) {
            stage.expect(reasonCode, 0, 'reason code');
            stage.expect(
              properties,
              {
                receiveMaximum: 10,
                topicAliasMaximum: 3,
                maximumQos: 1,
                assignedClientIdentifier: 'given',
                reasonString: 'hi',
                userProperties: [
                  ['a', '1'],
                  ['a', '2'],
                ],
              },
              'properties',
            );
            this.close();
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'a refusal is told with its reason, to onControl and onError',
    server: [[['in', '10..'], ['out', packetHex(0x20, '00 8a 06' + ('1f' + textHex('bad')))], ['closed']]],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          onControl({ operation, returnCode, reasonCode, properties }) {
            told.push([operation, returnCode, reasonCode, properties]);
          },
          onError({ code, reasonCode }) {
            told.push([code, reasonCode]);
          },
          onClose() {
            stage.expect(
              told,
              [
                [2, 0x8a, 0x8a, { reasonString: 'bad' }],
                ['ERR_CONNECTION_REFUSED', 0x8a],
              ],
              'what was told',
            );
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: "the server's DISCONNECT is told with its reason, to onControl and onError",
    server: [
      [
        ['in', '10..'],
        ['out', CONNACK_5],
        ['out', packetHex(0xe0, '8b 05' + ('1c' + textHex('to')))],
        ['closed'],
      ],
    ],
    run(stage) {
      const told: unknown[] = [];
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          onControl({ operation, reasonCode, properties, reconnectInMs }) {
            if (operation === stage.MQTTClient.DISCONNECT) told.push([reasonCode, properties, reconnectInMs]);
          },
          onError({ code, reasonCode }) {
            told.push([code, reasonCode]);
          },
          onClose() {
            stage.expect(
              told,
              [
                [0x8b, { serverReference: 'to' }, -1],
                ['ERR_DISCONNECTED_BY_SERVER', 0x8b],
              ],
              'what was told',
            );
            stage.done();
          },
        }),
      );
    },
  },
  {
    name: 'DISCONNECT by hand has a reason and another expiry',
    server: [[['in', '10..'], ['out', CONNACK_5], ['in', 'e0 07 04 05 11 0000003c'], ['closed']]],
    run(stage) {
      new stage.MQTTClient(
        stage.options({
          protocol: 5,
          properties: { sessionExpiryInterval: 1 },
          onControl() {
            this.write(null, {
              operation: stage.MQTTClient.DISCONNECT,
              reasonCode: 4,
              properties: { sessionExpiryInterval: 60 },
            });
          },
          onError: () => stage.fail('onError'),
          onClose: () => stage.done(),
        }),
      );
    },
  },
];
