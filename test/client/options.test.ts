/**
 * Options and arguments that cannot be: each refused at once, with its code and class, before anything is sent.
 */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkDisconnectOptions, sessionOptionsOf } from '../../src/client/options.ts';
import { afterIo } from '../support/wait.ts';
import {
  ArgumentError,
  InvalidTopicError,
  UnsupportedError,
  connect,
  createClient,
} from '../../targets/node/index.ts';
import type { ConnectOptions, PublishOptions } from '../../targets/node/index.ts';
import { clientOf, connected, failureOf, serve } from './played-server.ts';

const LONG = 'x'.repeat(65536);
const SECRET = 's3cr3t';

const WRONG: [string, ConnectOptions, RegExp?][] = [
  ['ERR_INVALID_ARGUMENT', { protocol: '4' as never }, /protocol/],
  ['ERR_INVALID_ARGUMENT', { overflow: 'drop' as never }, /overflow/],
  ['ERR_INVALID_ARGUMENT', { protocol: '3.1.1', clientId: '', cleanStart: false }, /clientId/],
  ['ERR_INVALID_ARGUMENT', { clientId: 5 as never }, /clientId/],
  ['ERR_INVALID_TEXT', { clientId: 'a\0b' }, /clientId.*MQTT-1\.5\.4-1/],
  ['ERR_INVALID_TEXT', { userName: '\ud800' }, /userName/],
  ['ERR_INVALID_TEXT', { password: `${SECRET}\0` }, /password/],
  ['ERR_INVALID_TEXT', { userProperties: [['a', '\0']] }, /userProperties/],
  ['ERR_INVALID_TEXT', { will: { topicName: 't', contentType: '\0' } }, /will\.contentType/],
  ['ERR_OUT_OF_RANGE', { clientId: LONG }, /clientId/],
  ['ERR_OUT_OF_RANGE', { password: SECRET + LONG }, /password/],
  ['ERR_OUT_OF_RANGE', { password: new Uint8Array(65536) }, /password/],
  ['ERR_OUT_OF_RANGE', { keepAliveSeconds: 65536 }, /keepAliveSeconds/],
  ['ERR_OUT_OF_RANGE', { keepAliveSeconds: 1.5 }, /keepAliveSeconds/],
  ['ERR_OUT_OF_RANGE', { keepAliveSeconds: -1 }, /keepAliveSeconds/],
  ['ERR_OUT_OF_RANGE', { sessionExpirySeconds: 4294967296 }, /sessionExpirySeconds/],
  ['ERR_OUT_OF_RANGE', { receiveMaximum: 0 }, /receiveMaximum/],
  ['ERR_OUT_OF_RANGE', { receiveMaximum: 65536 }, /receiveMaximum/],
  ['ERR_OUT_OF_RANGE', { maximumPacketSize: 0 }, /maximumPacketSize/],
  ['ERR_OUT_OF_RANGE', { topicAliasMaximum: 65536 }, /topicAliasMaximum/],
  ['ERR_OUT_OF_RANGE', { outgoingAliasesMax: -1 }, /outgoingAliasesMax/],
  ['ERR_OUT_OF_RANGE', { inflightMax: 0 }, /inflightMax/],
  ['ERR_OUT_OF_RANGE', { connectTimeoutMs: 0 }, /connectTimeoutMs/],
  ['ERR_OUT_OF_RANGE', { connectTimeoutMs: Number.NaN }, /connectTimeoutMs/],
  ['ERR_OUT_OF_RANGE', { pingTimeoutMs: -1 }, /pingTimeoutMs/],
  ['ERR_OUT_OF_RANGE', { reconnect: { firstMs: -1 } }, /reconnect\.firstMs/],
  ['ERR_OUT_OF_RANGE', { reconnect: { maximumMs: -1 } }, /reconnect\.maximumMs/],
  ['ERR_OUT_OF_RANGE', { reconnect: { attemptsMax: -1 } }, /reconnect\.attemptsMax/],
  ['ERR_OUT_OF_RANGE', { receiveWindowBytes: 63 }, /receiveWindowBytes/],
  ['ERR_OUT_OF_RANGE', { transmitBytes: 63 }, /transmitBytes/],
  ['ERR_OUT_OF_RANGE', { transmitBytesMax: -1 }, /transmitBytesMax/],
  ['ERR_OUT_OF_RANGE', { outboxBytes: -1 }, /outboxBytes/],
  ['ERR_OUT_OF_RANGE', { outboxBytesMax: 0.5 }, /outboxBytesMax/],
  ['ERR_OUT_OF_RANGE', { will: { topicName: 't', payload: new Uint8Array(65536) } }, /will\.payload/],
  ['ERR_OUT_OF_RANGE', { will: { topicName: 't', qos: 3 } }, /will\.qos/],
  ['ERR_OUT_OF_RANGE', { will: { topicName: 't', willDelaySeconds: -1 } }, /will\.willDelaySeconds/],
  ['ERR_INVALID_TOPIC', { will: { topicName: '' } }, /will\.topicName.*MQTT-4\.7\.3-1/],
  ['ERR_INVALID_TOPIC', { will: { topicName: 'a/#' } }, /will\.topicName.*MQTT-3\.3\.2-2/],
  ['ERR_INVALID_TOPIC', { will: { topicName: 't', responseTopic: '+' } }, /will\.responseTopic/],
];

const V5_ONLY: ConnectOptions[] = [
  { sessionExpirySeconds: 1 },
  { maximumPacketSize: 100 },
  { topicAliasMaximum: 1 },
  { outgoingAliasesMax: 1 },
  { requestResponseInformation: true },
  { requestProblemInformation: false },
  { userProperties: [['a', 'b']] },
  { authentication: { method: 'M', start: () => null, next: () => null } },
  { password: SECRET },
  { will: { topicName: 't', willDelaySeconds: 1 } },
  { will: { topicName: 't', messageExpirySeconds: 1 } },
  { will: { topicName: 't', userProperties: [['a', 'b']] } },
];

describe('options of a client', () => {
  it.each(WRONG)('%s: %o', async (code, options, message) => {
    const kind = code === 'ERR_INVALID_TOPIC' ? InvalidTopicError : ArgumentError;
    // Nothing listens there, and nothing must be tried.
    expect(() => createClient('mqtt://127.0.0.1:1', options)).toThrow(kind);
    const error = await failureOf(connect('mqtt://127.0.0.1:1', options));
    expect(error).toBeInstanceOf(kind);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message!);
    expect(inspect(error)).not.toContain(SECRET);
  });

  it('of 5.0 alone are refused on 3.1.1, and the server hears nothing', async () => {
    const { server, url } = await serve(4);
    for (const options of V5_ONLY) {
      const error = await failureOf(connect(url, { ...options, protocol: '3.1.1' }));
      expect(error, inspect(options)).toBeInstanceOf(UnsupportedError);
      expect(error.code).toBe('ERR_UNSUPPORTED_ON_3_1_1');
      expect(inspect(error)).not.toContain(SECRET);
    }
    await afterIo();
    expect(server.connections).toHaveLength(0);
  });

  it('that are given as undefined are not given', () => {
    const names = Object.keys(Object.assign({}, ...V5_ONLY) as object);
    const options = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(sessionOptionsOf({ ...options, protocol: '3.1.1' })).toMatchObject({ protocolVersion: 4 });
  });
});

describe('arguments', () => {
  it('are refused where they are given, with one class everywhere', async () => {
    const { client, peer } = await connected();
    const topics = [
      client.publish('a/+', 'x'),
      client.publish('', 'x'),
      client.publish('t', 'x', { responseTopic: '#' }),
      client.request('a/#', 'x'),
      client.request('t', 'x', { replyTopic: 'a/+' }),
      client.subscribe('a#'),
      client.subscribe(['fine', 'a/#/b']),
      client.subscribe('$share/x'),
      client.unsubscribe(''),
      client.respond('a+', () => ''),
    ];
    for (const promise of topics) {
      const error = await failureOf(promise);
      expect(error).toBeInstanceOf(InvalidTopicError);
      expect(error.code).toMatch(/^ERR_INVALID_TOPIC(_FILTER)?$/);
    }
    expect(() => client.topic('#')).toThrow(InvalidTopicError);
    expect(() => client.topic('t', { qos: 3 as never })).toThrow(ArgumentError);
    const range: Promise<unknown>[] = [
      client.publish('t', 'x', { qos: 3 as never }),
      client.publish('t', 'x', { messageExpirySeconds: 0.5 }),
      client.publish('t', 'x', { payloadFormatIndicator: 2 as 1 }),
      client.publish('t', 'x', { correlationData: new Uint8Array(65536) }),
      client.publish(LONG, 'x'),
      client.subscribe('t', { qos: 3 as never }),
      client.subscribe('t', { retainHandling: 3 as 2 }),
      client.subscribe('t', { bufferedMessagesMax: 0 }),
      client.request('t', 'x', { timeoutMs: -1 }),
      client.disconnect({ timeoutMs: -1 }),
      client.disconnect({ reasonCode: 0x87 }),
    ];
    for (const promise of range) {
      const error = await failureOf(promise);
      expect([error.constructor, error.code]).toEqual([ArgumentError, 'ERR_OUT_OF_RANGE']);
    }
    const other: [Promise<unknown>, string][] = [
      [client.publish(5 as unknown as string, 'x'), 'ERR_INVALID_ARGUMENT'],
      [client.publish('t', {} as string), 'ERR_INVALID_ARGUMENT'],
      [client.topic('t').publishSettled({} as string), 'ERR_INVALID_ARGUMENT'],
      [client.subscribe([]), 'ERR_INVALID_ARGUMENT'],
      [client.unsubscribe([]), 'ERR_INVALID_ARGUMENT'],
      [client.subscribe('$share/g/t', { noLocal: true }), 'ERR_INVALID_ARGUMENT'],
      [client.reauthenticate(), 'ERR_INVALID_ARGUMENT'],
      [client.disconnect({ sessionExpirySeconds: 5 }), 'ERR_INVALID_ARGUMENT'],
      [client.publish('a\0', 'x'), 'ERR_INVALID_TEXT'],
      [client.publish('t', 'x', { contentType: '\0' }), 'ERR_INVALID_TEXT'],
      [client.subscribe('t', { userProperties: [['\0', '']] }), 'ERR_INVALID_TEXT'],
    ];
    for (const [promise, code] of other) {
      const error = await failureOf(promise);
      expect([error.constructor, error.code]).toEqual([ArgumentError, code]);
    }
    const topic = client.topic('t');
    for (const byteLength of [2, -1, 0.5, Number.NaN]) {
      expect(() => topic.publish(new Uint8Array(1), byteLength)).toThrow(ArgumentError);
    }
    // None of it ended the connection, or was sent.
    await client.publish('last', '');
    await peer.next('PUBLISH');
    expect(peer.receivedTypes).toEqual(['CONNECT', 'PUBLISH']);
  });

  it('of 5.0 alone are refused on 3.1.1 before anything is sent', async () => {
    const { client, peer } = await connected({ protocol: '3.1.1' });
    const properties: PublishOptions[] = [
      { messageExpirySeconds: 1 },
      { payloadFormatIndicator: 1 },
      { contentType: 'x' },
      { responseTopic: 'x' },
      { correlationData: new Uint8Array(1) },
      { userProperties: [] },
    ];
    for (const options of properties) {
      expect(await failureOf(client.publish('t', '', options))).toBeInstanceOf(UnsupportedError);
      expect(() => client.topic('t', options)).toThrow(UnsupportedError);
    }
    const others = [
      client.subscribe('t', { noLocal: true }),
      client.subscribe('t', { retainAsPublished: true }),
      client.subscribe('t', { retainHandling: 1 }),
      client.subscribe('t', { userProperties: [['a', 'b']] }),
      client.unsubscribe('t', { userProperties: [['a', 'b']] }),
      client.request('t', 'x'),
      client.disconnect({ reasonCode: 4 }),
      client.disconnect({ sessionExpirySeconds: 0 }),
    ];
    for (const promise of others) expect(await failureOf(promise)).toBeInstanceOf(UnsupportedError);
    await client.publish('last', '');
    await peer.next('PUBLISH');
    expect(peer.receivedTypes).toEqual(['CONNECT', 'PUBLISH']);
  });

  it('of a goodbye are checked against what CONNECT said [MQTT-3.14.2-1]', () => {
    expect(() => checkDisconnectOptions({ sessionExpirySeconds: 5 }, true, 1)).not.toThrow();
    expect(() => checkDisconnectOptions({ sessionExpirySeconds: 0 }, true, undefined)).not.toThrow();
    expect(() => checkDisconnectOptions({ sessionExpirySeconds: 5 }, true, 0)).toThrow(/3\.14\.2\.2\.2/);
    expect(() => checkDisconnectOptions({ sessionExpirySeconds: 4294967296 }, true, 1)).toThrow(
      /sessionExpiry/,
    );
    for (const reasonCode of [1, 0x87, 256]) {
      expect(() => checkDisconnectOptions({ reasonCode }, true, 1)).toThrow(/reasonCode/);
    }
  });
});

describe('what CONNECT says', () => {
  it('is what the options say', async () => {
    const { connect: packet } = await connected({
      clientId: 'grün',
      cleanStart: true,
      keepAliveSeconds: 7,
      userName: 'u',
      password: 'p',
      sessionExpirySeconds: 9,
      userProperties: [['a', 'b']],
      will: { topicName: 'w', payload: 'gone', qos: 1, retain: true, willDelaySeconds: 3 },
    });
    expect(packet).toMatchObject({
      clientId: 'grün',
      cleanStart: true,
      keepAlive: 7,
      userName: 'u',
      password: Buffer.from('p').toString('hex'),
      properties: { sessionExpiryInterval: 9, userProperties: [['a', 'b']] },
      willTopic: 'w',
      willPayload: Buffer.from('gone').toString('hex'),
      willQos: 1,
      willRetain: true,
      willProperties: { willDelayInterval: 3 },
    });
  });

  it('has user name and password of the URL, unless the options have others', async () => {
    const { url, nextPeer } = await serve();
    const withUser = url.replace('//', '//j%C3%B6rg:a%40b@');
    const first = clientOf(withUser);
    expect(await (await nextPeer()).accept()).toMatchObject({ userName: 'jörg', password: '614062' });
    first.destroy();
    clientOf(withUser, { userName: 'other', password: Uint8Array.of(1) });
    expect(await (await nextPeer()).accept()).toMatchObject({ userName: 'other', password: '01' });
  });
});
