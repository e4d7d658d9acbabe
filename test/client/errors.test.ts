/**
 * What an application catches: which class, which code, which words, for every end of a connection and every mistake
 * of the caller's; and never a password.
 */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { codedError } from '../../src/assert.ts';
import { errorOfEnd, errorOfStatus, typed, typedError } from '../../src/client/errors.ts';
import { Packet } from '../../src/packets/packet.ts';
import { CONNACK, PUBLISH } from '../../src/packets/types.ts';
import { INVALID_QOS, INVALID_REASON_CODE } from '../../src/packets/violations.ts';
import * as causes from '../../src/session/event.ts';
import { SessionEvent } from '../../src/session/event.ts';
import * as statuses from '../../src/status.ts';
import * as api from '../../targets/node/index.ts';
import { failureOf } from './played-server.ts';

const { ConnectionError, ConnectionRefusedError, ProtocolError, TimeoutError } = api;
const { ArgumentError, InvalidTopicError, MotemqError, PublishError, UnsupportedError } = api;

function end(cause: number, values: Partial<SessionEvent> = {}): SessionEvent {
  return Object.assign(new SessionEvent(new Packet()), { kind: causes.EVENT_DISCONNECTED, cause, ...values });
}

describe('the end of a connection', () => {
  it('on purpose is no error', () => {
    expect(errorOfEnd(end(causes.CAUSE_CLIENT), true, undefined, undefined, undefined)).toBeUndefined();
  });

  it.each([
    [causes.CAUSE_CONNECT_TIMEOUT, {}, TimeoutError, 'ERR_CONNECT_TIMEOUT', 'no CONNACK in time'],
    [causes.CAUSE_PING_TIMEOUT, {}, TimeoutError, 'ERR_KEEP_ALIVE_TIMEOUT', /^no PINGRESP in time/],
    [causes.CAUSE_UNFINISHED, {}, TimeoutError, 'ERR_KEEP_ALIVE_TIMEOUT', /^the rest of a message/],
    [causes.CAUSE_CONNECT_TOO_LARGE, {}, ConnectionError, 'ERR_PACKET_TOO_LARGE', /^CONNECT does not fit/],
    [causes.CAUSE_TRANSPORT, {}, ConnectionError, 'ERR_CONNECTION', 'the connection was closed'],
    [causes.CAUSE_NOT_OPENED, {}, ConnectionError, 'ERR_CONNECTION', 'the connection was closed'],
    [
      causes.CAUSE_VIOLATION,
      { violation: INVALID_QOS, violationOffset: 3, reasonCode: 0x81 },
      ProtocolError,
      'ERR_PROTOCOL',
      'INVALID_QOS: a QoS of 3, at byte 3',
    ],
    [
      causes.CAUSE_SERVER,
      { reasonCode: 0x8b },
      ConnectionError,
      'ERR_DISCONNECTED_BY_SERVER',
      'the server disconnected: Server shutting down',
    ],
    [
      causes.CAUSE_REFUSED,
      { reasonCode: 0x86 },
      ConnectionRefusedError,
      'ERR_CONNECTION_REFUSED',
      'connection refused: Bad User Name or Password (0x86)',
    ],
  ])('of cause %i %o is told in class, code and words', (cause, values, kind, code, message) => {
    const error = errorOfEnd(end(cause, values), true, undefined, undefined, undefined)!;
    expect(error).toBeInstanceOf(kind);
    expect(error).toBeInstanceOf(MotemqError);
    expect(error).toMatchObject({ code, name: kind.name });
    expect(error.message).toMatch(message);
    if ('reasonCode' in values) expect(error).toMatchObject({ reasonCode: values.reasonCode });
  });

  it('has a case for every cause there is', () => {
    const numbers = Object.entries(causes).filter(
      ([name]) => name.startsWith('CAUSE_') && name !== 'CAUSE_NONE',
    );
    const told = numbers.map(([, cause]) =>
      errorOfEnd(end(cause as number), true, undefined, undefined, undefined),
    );
    expect(told.filter((error) => error === undefined)).toHaveLength(1);
  });

  it('by a refusal has what the server said of it', () => {
    const error = errorOfEnd(
      end(causes.CAUSE_REFUSED, { reasonCode: 0x9d }),
      true,
      'away',
      'there:1',
      undefined,
    );
    expect(error).toMatchObject({
      reasonCode: 0x9d,
      reasonName: 'Server moved',
      reasonString: 'away',
      serverReference: 'there:1',
      message: 'connection refused: Server moved (0x9d): away',
    });
  });

  it('by a refusal of 3.1.1 has the words of 3.1.1', () => {
    const error = errorOfEnd(
      end(causes.CAUSE_REFUSED, { reasonCode: 5 }),
      false,
      undefined,
      undefined,
      undefined,
    );
    expect(error).toMatchObject({ reasonCode: 5, reasonName: 'Connection Refused, not authorized' });
  });

  it('by return code 1 of 3.1.1 to a CONNECT of 5.0 says which protocol to try', () => {
    const event = end(causes.CAUSE_VIOLATION, { violation: INVALID_REASON_CODE, violationOffset: 3 });
    Object.assign(event.packet, { type: CONNACK, reasonCode: 1 });
    const error = errorOfEnd(event, true, undefined, undefined, undefined);
    expect(error).toBeInstanceOf(ConnectionRefusedError);
    expect(error).toMatchObject({ reasonCode: 0x84 });
    expect(error?.message).toMatch(/Unsupported Protocol Version \(0x84\): .* try protocol '3\.1\.1'/);
    event.packet.type = PUBLISH;
    expect(errorOfEnd(event, true, undefined, undefined, undefined)).toBeInstanceOf(ProtocolError);
  });

  it('by the transport has its words, or those of the first address that was tried', () => {
    const lost = (error: Error): Error =>
      errorOfEnd(end(causes.CAUSE_NOT_OPENED), true, undefined, undefined, error)!;
    const plain = new Error('connect ECONNREFUSED 127.0.0.1:1');
    expect(lost(plain)).toMatchObject({ message: plain.message, cause: plain });
    expect(lost(new AggregateError([plain, new Error('other')], '')).message).toBe(plain.message);
    expect(lost(Object.assign(new Error(''), { code: 'EPIPE' })).message).toBe('EPIPE');
    expect(lost(new RangeError('')).message).toBe('RangeError');
  });
});

describe('a status', () => {
  const failures = Object.entries(statuses).filter(([, value]) => typeof value === 'number' && value < 0);

  it.each(failures as [string, number][])('%s becomes an error with its name', (name, status) => {
    const error = errorOfStatus(status, 'the message', PublishError);
    expect(error).toBeInstanceOf(PublishError);
    expect(error.code).toBe(`ERR_${name}`);
    expect(error.message).toMatch(/^the message was not accepted: ./);
  });
});

describe("the caller's mistake", () => {
  it.each([
    ['ERR_INVALID_TOPIC', InvalidTopicError],
    ['ERR_INVALID_TOPIC_FILTER', InvalidTopicError],
    ['ERR_UNSUPPORTED_ON_3_1_1', UnsupportedError],
    ['ERR_OUT_OF_RANGE', ArgumentError],
    ['ERR_INVALID_ARGUMENT', ArgumentError],
    ['ERR_INVALID_TEXT', ArgumentError],
  ])('%s has a class of its own, and all that the core said', (code, kind) => {
    const cause = codedError(code, 'which must not be');
    const error = typedError(cause) as Error;
    expect(error).toBeInstanceOf(kind);
    expect(error).toBeInstanceOf(MotemqError);
    expect(error).toMatchObject({ code, message: cause.message, name: kind.name, cause });
    expect(error.stack).toBe(cause.stack?.replace('Error', kind.name));
    expect(error.stack).toContain('errors.test.ts');
    expect(() => typed(() => { throw cause; })).toThrow(kind); // prettier-ignore
  });

  it("is told from everybody else's errors, which stay what they are", () => {
    const others = [
      new PublishError('ERR_NO_SPACE', 'full'),
      Object.assign(new Error('no such file'), { code: 'ENOENT' }),
      Object.assign(new TypeError('Node says'), { code: 'ERR_INVALID_ARG_TYPE' }),
      new Error('no code'),
      'a string',
      undefined,
    ];
    for (const other of others) expect(typedError(other)).toBe(other);
    expect(typed(() => 5)).toBe(5);
  });
});

describe('a URL', () => {
  const SECRET = 's3cr3t%zz';

  it.each([
    [`mqtt//user:${SECRET}@host`],
    [`http://user:${SECRET}@host`],
    [`mqtt://user:${SECRET}@host:99999`],
    [`mqtt://user:${SECRET}@host`],
    [`mqtt://user:${SECRET}@`],
    ['mqtt://'],
    [''],
  ])('that is none (%s) is ERR_INVALID_URL, without the password', async (url) => {
    expect(() => api.createClient(url)).toThrow(ArgumentError);
    const error = await failureOf(api.connect(url));
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.code).toBe('ERR_INVALID_URL');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('s3cr3t');
  });
});
