/**
 * How connections begin: what CONNECT says, and what is thrown before anything is sent.
 */
import { describe, expect, it } from 'vitest';
import { V3_1_1 } from '../../src/packets/types.ts';
import { Session } from '../../src/session/session.ts';
import type { SessionOptions } from '../../src/session/options.ts';
import { SessionDriver, bytesOf, hexOf } from '../support/session-driver.ts';

/** The code of the error that options throw. */
function codeFor(options: Partial<SessionOptions>): string {
  try {
    new SessionDriver(options);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was thrown';
}

describe('CONNECT', () => {
  it('is the first packet, and the only one [MQTT-3.1.0-1], [MQTT-3.1.0-2]', () => {
    const driver = new SessionDriver();
    driver.publish('a', 'early', 1);
    driver.subscribe(['a']);
    driver.open();
    expect(driver.sentTypes()).toEqual(['CONNECT']);
    driver.advance(5000);
    expect(driver.sentTypes()).toEqual([]);
    driver.server({ type: 'CONNACK' });
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 1', 'PUBLISH 2']);
  });

  it('says little when little is asked for: protocol name, version, Clean Start [MQTT-3.1.2-1]', () => {
    const [connect] = new SessionDriver().open().sent();
    expect(connect).toEqual({
      type: 'CONNECT',
      protocolName: 'MQTT',
      protocolVersion: 5,
      cleanStart: true,
      keepAlive: 60,
      properties: { receiveMaximum: 16 },
      clientId: 'c',
    });
  });

  it('has every option, in the order of the payload [MQTT-3.1.3-1], [MQTT-3.1.3-11], [MQTT-3.1.3-12]', () => {
    const driver = new SessionDriver({
      clientId: 'device-å',
      cleanStart: false,
      keepAliveSeconds: 65535,
      userName: 'ü',
      password: 'pass',
      sessionExpirySeconds: 4294967295,
      receiveMaximum: 65535,
      maximumPacketSize: 1000,
      topicAliasMaximum: 7,
      requestResponseInformation: true,
      requestProblemInformation: false,
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
      will: {
        topicName: 'will/ü',
        payload: bytesOf('gone'),
        qos: 2,
        retain: true,
        willDelaySeconds: 30,
        messageExpirySeconds: 60,
        payloadFormatIndicator: 1,
        contentType: 'text',
        responseTopic: 'answer',
        correlationData: Uint8Array.of(1, 2),
        userProperties: [['w', 'x']],
      },
    });
    expect(driver.open().sent()).toEqual([
      {
        type: 'CONNECT',
        protocolName: 'MQTT',
        protocolVersion: 5,
        cleanStart: false,
        keepAlive: 65535,
        properties: {
          sessionExpiryInterval: 4294967295,
          requestProblemInformation: 0,
          requestResponseInformation: 1,
          receiveMaximum: 65535,
          topicAliasMaximum: 7,
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
          maximumPacketSize: 1000,
        },
        clientId: 'device-å',
        willQos: 2,
        willRetain: true,
        willProperties: {
          payloadFormatIndicator: 1,
          messageExpiryInterval: 60,
          contentType: 'text',
          responseTopic: 'answer',
          correlationData: '0102',
          willDelayInterval: 30,
          userProperties: [['w', 'x']],
        },
        willTopic: 'will/ü',
        willPayload: hexOf('gone'),
        userName: 'ü',
        password: hexOf('pass'),
      },
    ]);
  });

  it.each([
    [{}, {}],
    [{ will: { topicName: 'w' } }, { willQos: 0, willRetain: false, willTopic: 'w', willPayload: '' }],
    [
      { will: { topicName: 'w', qos: 1, payload: 'é' } },
      { willQos: 1, willRetain: false, willTopic: 'w', willPayload: hexOf('é') },
    ],
    [{ userName: '' }, { userName: '' }],
    [{ password: '' }, { password: '' }],
    [
      { userName: 'u', password: Uint8Array.of(0, 255) },
      { userName: 'u', password: '00ff' },
    ],
  ])(
    // The driver takes no CONNECT whose reserved flag is set.
    'sets the flags of will, user name and password as they are there: %o [MQTT-3.1.2-3], [MQTT-3.1.2-7], [MQTT-3.1.2-9], ' +
      '[MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-16], [MQTT-3.1.2-17], [MQTT-3.1.2-18], [MQTT-3.1.2-19]',
    (options, expected) => {
      const [connect] = new SessionDriver(options).open().sent();
      const { type, protocolName, protocolVersion, cleanStart, keepAlive, properties, clientId, ...rest } =
        connect as unknown as Record<string, unknown>;
      expect([type, protocolName, protocolVersion, cleanStart, keepAlive, clientId]).toHaveLength(6);
      expect(properties).toEqual({ receiveMaximum: 16 });
      expect(rest).toEqual(expected);
    },
  );

  it('is one of 3.1.1 without properties', () => {
    const driver = new SessionDriver({
      protocolVersion: V3_1_1,
      userName: 'u',
      password: 'p',
      will: { topicName: 'w', payload: 'x', qos: 1 },
    });
    expect(driver.open().sent()).toEqual([
      {
        type: 'CONNECT',
        protocolName: 'MQTT',
        protocolVersion: 4,
        cleanStart: true,
        keepAlive: 60,
        clientId: 'c',
        willQos: 1,
        willRetain: false,
        willTopic: 'w',
        willPayload: hexOf('x'),
        userName: 'u',
        password: hexOf('p'),
      },
    ]);
  });

  it('may leave the client identifier to the server [MQTT-3.1.3-6]', () => {
    for (const protocolVersion of [5, 4]) {
      const [connect] = new SessionDriver({ clientId: '', protocolVersion }).open().sent();
      expect(connect).toMatchObject({ clientId: '', cleanStart: true });
    }
  });

  it('that does not fit the transmit ring ends the attempt, and there is no driver', () => {
    const driver = new SessionDriver({ transmitBytes: 64, userName: 'u'.repeat(60) }).open();
    expect(driver.events()).toEqual([
      { event: 'DISCONNECTED', cause: 'CONNECT_TOO_LARGE', reasonCode: 0, reconnectInMs: -1 },
    ]);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
  });
});

describe('options', () => {
  it.each([
    [{ protocolVersion: 3 }, 'ERR_INVALID_ARGUMENT'],
    [{ clientId: '\0' }, 'ERR_INVALID_TEXT'],
    [{ clientId: '\ud800' }, 'ERR_INVALID_TEXT'],
    [{ clientId: 'x'.repeat(65536) }, 'ERR_OUT_OF_RANGE'],
    [{ keepAliveSeconds: 65536 }, 'ERR_OUT_OF_RANGE'],
    [{ keepAliveSeconds: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ password: new Uint8Array(65536) }, 'ERR_OUT_OF_RANGE'],
    [{ sessionExpirySeconds: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ sessionExpirySeconds: 4294967296 }, 'ERR_OUT_OF_RANGE'],
    [{ receiveMaximum: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ receiveMaximum: 65536 }, 'ERR_OUT_OF_RANGE'],
    [{ maximumPacketSize: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ topicAliasMaximum: 65536 }, 'ERR_OUT_OF_RANGE'],
    [{ topicAliasMaximum: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ outgoingAliasesMax: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ inflightMax: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ connectTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ pingTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ userProperties: [['\0', 'x']] as [string, string][] }, 'ERR_INVALID_TEXT'],
    [{ authenticationMethod: '\0' }, 'ERR_INVALID_TEXT'],
    [{ will: { topicName: '' } }, 'ERR_INVALID_TOPIC'],
    [{ will: { topicName: 'a/#' } }, 'ERR_INVALID_TOPIC'],
    [{ will: { topicName: 'w', qos: 3 } }, 'ERR_OUT_OF_RANGE'],
    [{ will: { topicName: 'w', payload: new Uint8Array(65536) } }, 'ERR_OUT_OF_RANGE'],
    [{ will: { topicName: 'w', responseTopic: '+' } }, 'ERR_INVALID_TOPIC'],
    [{ will: { topicName: 'w', payloadFormatIndicator: 2 } }, 'ERR_OUT_OF_RANGE'],
    [{ reconnect: { firstMs: -1 } }, 'ERR_OUT_OF_RANGE'],
    [{ receiveBytes: 63 }, 'ERR_OUT_OF_RANGE'],
    [{ transmitBytes: 63 }, 'ERR_OUT_OF_RANGE'],
  ])(
    'that are wrong are thrown back by the constructor: %o [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-1.5.7-1]',
    (options, code) => {
      expect(codeFor(options as Partial<SessionOptions>)).toBe(code);
    },
  );

  it.each([
    { sessionExpirySeconds: 0 },
    { maximumPacketSize: 100 },
    { topicAliasMaximum: 0 },
    { outgoingAliasesMax: 1 },
    { requestResponseInformation: false },
    { requestProblemInformation: true },
    { userProperties: [] },
    { authenticationMethod: 'm' },
    { will: { topicName: 'w', willDelaySeconds: 0 } },
    { will: { topicName: 'w', messageExpirySeconds: 0 } },
    { will: { topicName: 'w', payloadFormatIndicator: 0 } },
    { will: { topicName: 'w', contentType: '' } },
    { will: { topicName: 'w', responseTopic: 'r' } },
    { will: { topicName: 'w', correlationData: new Uint8Array(0) } },
    { will: { topicName: 'w', userProperties: [] } },
    { password: 'without userName' },
  ])('of 5.0 alone throw under 3.1.1: %o', (options) => {
    expect(codeFor({ ...options, protocolVersion: V3_1_1 })).toBe('ERR_UNSUPPORTED_ON_3_1_1');
  });

  it('ask for a client identifier where 3.1.1 needs one', () => {
    expect(codeFor({ protocolVersion: V3_1_1, clientId: '', cleanStart: false })).toBe(
      'ERR_INVALID_ARGUMENT',
    );
  });

  it('are of a session without buffers no longer than it takes to say so', () => {
    expect(() => new Session({} as SessionOptions)).toThrow();
  });
});
