/**
 * The client's small parts: payloads, topic names, messages, and how listeners are told.
 */
import { describe, expect, it } from 'vitest';
import { Emitter } from '../../src/client/emitter.ts';
import { Message, decodeText } from '../../src/client/message.ts';
import { encodePayload } from '../../src/client/payload.ts';
import { TopicNames } from '../../src/client/topic-names.ts';
import { unhandledDuring } from './played-server.ts';

describe('a payload', () => {
  it.each([
    ['text', 'grün 🌱', Buffer.from('grün 🌱')],
    ['an empty string', '', Buffer.alloc(0)],
    ['a number as its text', -12.5, Buffer.from('-12.5')],
    ['a boolean as its text', true, Buffer.from('true')],
    ['null as nothing', null, Buffer.alloc(0)],
    ['undefined as nothing', undefined, Buffer.alloc(0)],
    ['an ArrayBuffer', Uint8Array.of(1, 2).buffer, Buffer.from([1, 2])],
    ['the part that a view shows', new DataView(Uint8Array.of(1, 2, 3).buffer, 1, 1), Buffer.from([2])],
    ['larger elements as their bytes', Uint16Array.of(0x0101), Buffer.from([1, 1])],
  ])('may be %s', (_, payload, bytes) => {
    expect(Buffer.from(encodePayload(payload))).toEqual(bytes);
  });

  it('of bytes is not copied', () => {
    const bytes = Uint8Array.of(1, 2, 3).subarray(1);
    expect(encodePayload(bytes)).toBe(bytes);
  });

  it.each([[{ a: 1 }], [[1]], [() => 1], [Symbol('s')], [10n], [new Date(0)]])(
    'must not be something else: %s',
    (payload) => {
      expect(() => encodePayload(payload as unknown as string)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
      );
    },
  );
});

describe('topic names', () => {
  const get = (names: TopicNames, text: string): string => {
    const bytes = Buffer.from(`<${text}>`);
    return names.get(bytes, 1, bytes.length - 2);
  };

  it('are the names in the bytes, however many there are', () => {
    const names = new TopicNames();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2000; i++) expect(get(names, `haus/${i}/über`)).toBe(`haus/${i}/über`);
    }
    expect(get(names, '')).toBe('');
  });

  it('do not change when the bytes they came from do', () => {
    const names = new TopicNames();
    const bytes = Buffer.from('a/b');
    expect(names.get(bytes, 0, 3)).toBe('a/b');
    bytes.write('x/y');
    expect(names.get(bytes, 0, 3)).toBe('x/y');
    expect(names.get(Buffer.from('a/b'), 0, 3)).toBe('a/b');
  });
});

describe('a message', () => {
  const messageOf = (payload: Uint8Array, acknowledger?: () => void): Message =>
    new Message('t', payload, 0, false, false, undefined, acknowledger);

  it('is read as text, a byte order mark and what is not well-formed included [MQTT-1.5.4-3]', () => {
    expect(messageOf(Buffer.from('grün 🌱')).text()).toBe('grün 🌱');
    expect(messageOf(Buffer.from('\uFEFFx')).text()).toBe('\uFEFFx');
    expect(messageOf(Uint8Array.of(0x61, 0xff, 0x62)).text()).toBe('a\uFFFDb');
    expect(messageOf(new Uint8Array(0)).text()).toBe('');
    expect(decodeText(Buffer.from('a\0b'))).toBe('a\0b');
  });

  it('is read as JSON, or throws a SyntaxError', () => {
    expect(messageOf(Buffer.from('{"a":[1,null]}')).json()).toEqual({ a: [1, null] });
    expect(() => messageOf(Buffer.from('{')).json()).toThrow(SyntaxError);
    expect(() => messageOf(new Uint8Array(0)).json()).toThrow(SyntaxError);
  });

  it('has properties, if none', () => {
    expect(messageOf(new Uint8Array(0)).properties).toEqual({});
  });

  it('is acknowledged by who received it, or not at all', () => {
    let count = 0;
    messageOf(new Uint8Array(0), () => count++).acknowledge();
    expect(count).toBe(1);
    expect(() => messageOf(new Uint8Array(0)).acknowledge()).not.toThrow();
  });
});

describe('listeners', () => {
  class Bell extends Emitter<{ ring: number; other: undefined }> {
    ring(value: number): void {
      this.emit('ring', value);
    }
  }

  it('are told in the order they came, until they go', () => {
    const bell = new Bell();
    const told: string[] = [];
    const second = (value: number): unknown => told.push(`second ${value}`);
    const stopFirst = bell.on('ring', (value) => told.push(`first ${value}`));
    bell.on('ring', second);
    bell.once('ring', (value) => told.push(`once ${value}`));
    bell.on('other', () => told.push('other'));
    bell.ring(1);
    stopFirst();
    stopFirst();
    bell.ring(2);
    bell.off('ring', second);
    expect(bell.has('ring')).toBe(false);
    bell.ring(3);
    expect(told).toEqual(['first 1', 'second 1', 'once 1', 'second 2']);
    expect([bell.has('other'), new Bell().has('ring')]).toEqual([true, false]);
  });

  it('may go, and come, while they are told: the others are told all the same', () => {
    const bell = new Bell();
    const told: string[] = [];
    const stop = bell.on('ring', (value) => {
      told.push(`first ${value}`);
      stop();
      bell.on('ring', (later) => told.push(`new ${later}`));
    });
    bell.on('ring', (value) => told.push(`second ${value}`));
    bell.ring(1);
    expect(told).toEqual(['first 1', 'second 1']);
    bell.ring(2);
    expect(told.slice(2)).toEqual(['second 2', 'new 2']);
  });

  it('that throw keep nobody from being told, and are reported', async () => {
    const bell = new Bell();
    const told: number[] = [];
    const mistake = new Error('mine');
    const unhandled = await unhandledDuring(async () => {
      bell.on('ring', () => {
        throw mistake;
      });
      bell.on('ring', (value) => told.push(value));
      bell.ring(1);
    });
    expect([told, unhandled]).toEqual([[1], [mistake]]);
  });
});
