/** The retained messages: by name, by filter, and when they expire; held against a plain list. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Message } from '../../sim/broker/message.ts';
import { RetainedMessages } from '../../sim/broker/retained.ts';
import { isMatch } from '../../src/topic.ts';
import { runs } from '../seed.ts';

const encoder = new TextEncoder();

function isMatchOf(topicFilter: string, topicName: string): boolean {
  const filter = encoder.encode(topicFilter);
  const name = encoder.encode(topicName);
  return isMatch(filter, 0, filter.length, name, 0, name.length);
}

function messageOf(topicName: string, text = '', expiresAtMs = Infinity): Message {
  const bytes = encoder.encode(topicName + text);
  const topicByteLength = encoder.encode(topicName).length;
  const payloadByteLength = bytes.length - topicByteLength;
  return new Message(
    bytes,
    0,
    topicByteLength,
    topicByteLength,
    0,
    topicByteLength,
    payloadByteLength,
    1,
    true,
    expiresAtMs,
    'meter',
    topicName,
    false,
  );
}

function namesOf(retained: RetainedMessages, topicFilter: string, nowMs = 0): string[] {
  const found: Message[] = [];
  retained.match(topicFilter, nowMs, found);
  return found.map(({ topicName }) => topicName).sort();
}

function retainedOf(...topicNames: string[]): RetainedMessages {
  const retained = new RetainedMessages();
  for (const topicName of topicNames) retained.set(messageOf(topicName));
  return retained;
}

const level = fc.constantFrom('', 'a', 'b', 'A', '$SYS', '$');
const nameOf = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filterOf = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.constantFrom(null, '#'))
  .map(([levels, last]) => (last === null ? levels : [...levels, last]).join('/'))
  .filter((filter) => filter !== '');

describe('RetainedMessages', () => {
  test('[MQTT-3.3.1-5] keeps one message for a name and replaces it', () => {
    const retained = new RetainedMessages();
    const first = messageOf('a/b', 'first');
    const second = messageOf('a/b', 'the second');
    expect(retained.set(first)).toBeUndefined();
    expect(retained.set(second)).toBe(first);
    expect(retained.get('a/b')).toBe(second);
    expect(retained.get('a')).toBeUndefined();
    expect(retained.count).toBe(1);
    expect(retained.byteLength).toBe(second.cost());
    expect([...retained.values()]).toEqual([second]);
  });

  test('[MQTT-3.3.1-6] deletes the message of a name, and no other', () => {
    const retained = retainedOf('a', 'a/b', 'a/b/c');
    const message = retained.get('a/b');
    expect(retained.delete('a/b')).toBe(message);
    expect(retained.delete('a/b')).toBeUndefined();
    expect(retained.delete('a/x')).toBeUndefined();
    expect(namesOf(retained, '#')).toEqual(['a', 'a/b/c']);
    expect(retained.delete('a/b/c')).toBeDefined();
    expect(retained.delete('a')).toBeDefined();
    expect(retained.count).toBe(0);
    expect(retained.byteLength).toBe(0);
    expect(namesOf(retained, '#')).toEqual([]);
  });

  test('finds by filter', () => {
    const retained = retainedOf(
      'sport',
      'sport/',
      'sport/tennis',
      'sport/tennis/player1',
      '/finance',
      'Sport',
    );
    expect(namesOf(retained, 'sport/tennis')).toEqual(['sport/tennis']);
    expect(namesOf(retained, 'sport/golf')).toEqual([]);
    expect(namesOf(retained, 'sport/#')).toEqual(['sport', 'sport/', 'sport/tennis', 'sport/tennis/player1']);
    expect(namesOf(retained, 'sport/+')).toEqual(['sport/', 'sport/tennis']);
    expect(namesOf(retained, '+')).toEqual(['Sport', 'sport']);
    expect(namesOf(retained, '+/+')).toEqual(['/finance', 'sport/', 'sport/tennis']);
    expect(namesOf(retained, '+/tennis/#')).toEqual(['sport/tennis', 'sport/tennis/player1']);
    expect(namesOf(retained, '+/+/+/+/#')).toEqual([]);
  });

  test('[MQTT-4.7.2-1] a filter that begins with a wildcard finds no name that begins with $', () => {
    const retained = retainedOf('$SYS', '$SYS/broker/uptime', 'a/$b');
    expect(namesOf(retained, '#')).toEqual(['a/$b']);
    expect(namesOf(retained, '+')).toEqual([]);
    expect(namesOf(retained, '+/#')).toEqual(['a/$b']);
    expect(namesOf(retained, '+/+')).toEqual(['a/$b']);
    expect(namesOf(retained, '+/broker/uptime')).toEqual([]);
    expect(namesOf(retained, '$SYS/#')).toEqual(['$SYS', '$SYS/broker/uptime']);
    expect(namesOf(retained, '$SYS')).toEqual(['$SYS']);
  });

  test('what has expired is not found, and goes when it is asked to', () => {
    const retained = new RetainedMessages();
    const removed: Message[] = [];
    retained.set(messageOf('late', '', 20));
    retained.set(messageOf('early', '', 10));
    retained.set(messageOf('never'));
    expect(namesOf(retained, '+', 9)).toEqual(['early', 'late', 'never']);
    expect(namesOf(retained, '+', 10)).toEqual(['late', 'never']);
    expect(namesOf(retained, '#', 20)).toEqual(['never']);
    expect(namesOf(retained, 'early', 10)).toEqual([]);
    expect(retained.count).toBe(3);
    retained.removeExpired(9, removed);
    expect(removed).toEqual([]);
    retained.removeExpired(25, removed);
    expect(removed.map(({ topicName }) => topicName)).toEqual(['early', 'late']);
    expect(retained.get('early')).toBeUndefined();
    expect(retained.count).toBe(1);
    retained.removeExpired(30, removed);
    expect(removed).toHaveLength(2);
  });

  test('the expiry of a message that was replaced or deleted says nothing of a later one', () => {
    const retained = new RetainedMessages();
    const removed: Message[] = [];
    retained.set(messageOf('a', 'short', 10));
    retained.set(messageOf('a', 'longer', 20));
    retained.set(messageOf('b', '', 10));
    retained.set(messageOf('b'));
    retained.set(messageOf('c', '', 10));
    retained.delete('c');
    retained.set(messageOf('c'));
    retained.removeExpired(15, removed);
    expect(removed).toEqual([]);
    retained.removeExpired(20, removed);
    expect(removed.map((message) => message.text())).toEqual(['longer']);
    expect(namesOf(retained, '#', 20)).toEqual(['b', 'c']);
  });

  test('thousands of levels are no danger', () => {
    const name = '/'.repeat(30_000);
    const retained = retainedOf(name);
    expect(namesOf(retained, '#')).toEqual([name]);
    expect(namesOf(retained, Array<string>(30_001).fill('+').join('/'))).toEqual([name]);
    expect(retained.delete(name)?.topicName).toBe(name);
    expect(namesOf(retained, '#')).toEqual([]);
  });

  test('does as a plain list does', () => {
    const step = fc.record({
      verb: fc.constantFrom('set', 'set', 'delete', 'removeExpired'),
      name: nameOf,
      text: fc.constantFrom('', '20.5', 'long'),
      afterMs: fc.constantFrom(1, 2, 5, Infinity),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(filterOf, { maxLength: 10 }),
        (steps, filters) => {
          const retained = new RetainedMessages();
          const model = new Map<string, Message>();
          for (const [nowMs, { verb, name, text, afterMs }] of steps.entries()) {
            const known = model.get(name);
            if (verb === 'set') {
              const message = messageOf(name, text, nowMs + afterMs);
              expect(retained.set(message)).toBe(known);
              model.set(name, message);
            } else if (verb === 'delete') {
              expect(retained.delete(name)).toBe(known);
              model.delete(name);
            } else {
              const removed: Message[] = [];
              retained.removeExpired(nowMs, removed);
              const expected = [...model.values()].filter((message) => message.isExpired(nowMs));
              for (const { topicName } of expected) model.delete(topicName);
              expect(new Set(removed)).toEqual(new Set(expected));
              expect(removed).toHaveLength(expected.length);
            }
            const kept = [...model.values()];
            expect(retained.count).toBe(kept.length);
            expect(retained.byteLength).toBe(kept.reduce((sum, message) => sum + message.cost(), 0));
          }
          const nowMs = steps.length;
          for (const filter of filters) {
            const expected = [...model.values()].filter(
              (message) => !message.isExpired(nowMs) && isMatchOf(filter, message.topicName),
            );
            const found: Message[] = [];
            retained.match(filter, nowMs, found);
            expect(found).toHaveLength(expected.length);
            expect(new Set(found)).toEqual(new Set(expected));
          }
          expect(new Set(retained.values())).toEqual(new Set(model.values()));
          for (const name of model.keys()) retained.delete(name);
          const { root } = retained as unknown as { root: { hasChildren(): boolean } };
          expect(root.hasChildren()).toBe(false);
        },
      ),
      runs(300),
    );
  });
});
