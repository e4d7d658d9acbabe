/**
 * Several hooks as one.
 */
import { describe, expect, it } from 'vitest';
import { combineHooks } from '../../sim/broker/combine-hooks.ts';
import type { AuthenticationMethod, ClientView, ConnectAttempt, Hooks } from '../../sim/broker/hooks.ts';
import type { Message } from '../../sim/broker/message.ts';

const ORIGIN = { transport: 'tcp', remoteAddress: '127.0.0.1', certificateName: null } as const;
const CLIENT: ClientView = { clientId: 'a', userName: null, protocolVersion: 5, origin: ORIGIN };
const ATTEMPT = {} as ConnectAttempt;
const MESSAGE = {} as unknown as Message;

function method(name: string): AuthenticationMethod {
  return {
    name,
    begin: () => {
      throw new Error('nobody begins');
    },
  };
}

describe('combined hooks', () => {
  it('have nothing that none of them has: an absent hook costs nothing', () => {
    expect(combineHooks([])).toEqual({});
    expect(combineHooks([{}, {}])).toEqual({});
    const only: Hooks = { authorise: () => true };
    expect(combineHooks([only])).toBe(only);
  });

  it('tell all of them, in their order, with everything', () => {
    const told: unknown[][] = [];
    const telling = (name: string): Hooks => ({
      connected: (...words) => void told.push([name, 'connected', ...words]),
      disconnected: (...words) => void told.push([name, 'disconnected', ...words]),
      refused: (...words) => void told.push([name, 'refused', ...words]),
      delivered: (...words) => void told.push([name, 'delivered', ...words]),
      authenticated: (...words) => void told.push([name, 'authenticated', ...words]),
    });
    const hooks = combineHooks([telling('first'), {}, telling('second')]);
    hooks.connected?.(CLIENT, true);
    hooks.disconnected?.(CLIENT, 4, 'gone');
    hooks.refused?.(ORIGIN, 'a', 0x87, 'no');
    hooks.delivered?.(MESSAGE, CLIENT);
    hooks.authenticated?.(ATTEMPT, false);
    const expected = [
      ['connected', CLIENT, true],
      ['disconnected', CLIENT, 4, 'gone'],
      ['refused', ORIGIN, 'a', 0x87, 'no'],
      ['delivered', MESSAGE, CLIENT],
      ['authenticated', ATTEMPT, false],
    ];
    expect(told).toEqual(expected.flatMap((words) => ['first', 'second'].map((name) => [name, ...words])));
  });

  it('allow what all of them allow', () => {
    const only = (topic: string): Hooks => ({
      authorise: (_client, _access, asked) => asked.includes(topic),
    });
    const hooks = combineHooks([only('a'), {}, only('b')]);
    const isAllowed = (topic: string) => hooks.authorise?.(CLIENT, 'publish', topic);
    expect(['a', 'b', 'ab', 'c'].map(isAllowed)).toEqual([false, false, true, false]);
  });

  it('refuse a message with the first refusal', () => {
    const saying = (reasonCode: number | undefined): Hooks => ({ published: () => reasonCode });
    const of = (...codes: (number | undefined)[]) =>
      combineHooks(codes.map(saying)).published?.(MESSAGE, CLIENT);
    expect([of(undefined, undefined), of(undefined, 0x87), of(0x97, 0x87)]).toEqual([undefined, 0x87, 0x97]);
  });

  it('let one of them say who is let in', () => {
    const deciding = (reasonCode: number): Hooks => ({ authenticate: () => ({ reasonCode }) });
    expect(combineHooks([{}, deciding(0x86), {}]).authenticate?.(ATTEMPT)).toEqual({ reasonCode: 0x86 });
    expect(() => combineHooks([deciding(0), deciding(0)])).toThrow(TypeError);
  });

  it('know the methods of all, the first of a name before others', () => {
    const [one, two, other] = [method('A'), method('B'), method('A')];
    expect(combineHooks([{ methods: [one] }, { methods: [two, other] }]).methods).toEqual([one, two, other]);
  });
});
