/**
 * Topic aliases out: given to handles, replaced by least use, never above the server's maximum, and bound to one
 * connection.
 */
import { describe, expect, it } from 'vitest';
import { OutgoingAliases } from '../../src/session/topic-aliases.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';
import { Random, SEED } from '../seed.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, bytesOf } from '../support/session-driver.ts';

function connected(topicAliasMaximum: number, options: DriverOptions = {}): SessionDriver {
  return new SessionDriver(options).connected({ properties: { topicAliasMaximum } });
}

/** Topic and alias of each PUBLISH sent since last asked. */
function sentTopics(driver: SessionDriver): string[] {
  return driver.sent().map((packet) => {
    const { topicName, properties } = packet as { topicName?: string; properties?: { topicAlias?: number } };
    return `${topicName}=${properties?.topicAlias ?? '-'}`;
  });
}

describe('an alias', () => {
  it('comes with the topic first and in its place afterwards [MQTT-3.3.2-8], [MQTT-3.3.2-12]', () => {
    const driver = connected(10);
    const handles = ['a', 'b'].map((topic) => driver.session.createTopic(topic));
    for (const i of [0, 1, 0, 1]) driver.publish(handles[i], 'x', i);
    expect(sentTopics(driver)).toEqual(['a=1', 'b=2', '=1', '=2']);
  });

  it('is not for topics without a handle', () => {
    const driver = connected(10);
    driver.publish('a', 'x');
    driver.publish('a', 'x', 1);
    expect(sentTopics(driver)).toEqual(['a=-', 'a=-']);
  });

  it('goes to the least recently used, and never above the server’s maximum [MQTT-3.1.2-26], [MQTT-3.2.2-17]', () => {
    const driver = connected(2);
    const [a, b, c] = ['a', 'b', 'c'].map((topic) => driver.session.createTopic(topic));
    for (const handle of [a, b, a, c, a, b, c]) driver.publish(handle, 'x');
    expect(sentTopics(driver)).toEqual(['a=1', 'b=2', '=1', 'c=2', '=1', 'b=2', 'c=1']);
  });

  it('is one of outgoingAliasesMax, however many the server offers', () => {
    const driver = connected(65535, { outgoingAliasesMax: 1 });
    const [a, b] = ['a', 'b'].map((topic) => driver.session.createTopic(topic));
    for (const handle of [a, b, b, a]) driver.publish(handle, 'x');
    expect(sentTopics(driver)).toEqual(['a=1', 'b=1', '=1', 'a=1']);
    const none = connected(10, { outgoingAliasesMax: 0 });
    none.publish(none.session.createTopic('a'), 'x');
    expect(sentTopics(none)).toEqual(['a=-']);
  });

  it('is forgotten with the connection and introduced again on the next [MQTT-3.3.2-7]', () => {
    const driver = connected(10, { sessionExpirySeconds: 100 });
    const [a, b] = ['a', 'b'].map((topic) => driver.session.createTopic(topic));
    for (const handle of [a, b, a]) driver.publish(handle, 'x', 1);
    driver.sent();
    driver.cut();
    driver.publish(b, 'offline', 0);
    driver.skip();
    driver.accept({ sessionPresent: true, properties: { topicAliasMaximum: 1 } });
    // Replayed messages introduce it as any other.
    expect(sentTopics(driver)).toEqual(['a=1', 'b=1', 'a=1', 'b=1']);
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    expect(sentTopics(driver)).toEqual(['a=-', 'b=-', 'a=-']);
  });

  it('does not go where the packet becomes too large by it [MQTT-3.2.2-15]', () => {
    const driver = new SessionDriver().connected({
      properties: { topicAliasMaximum: 5, maximumPacketSize: 12 },
    });
    const handle = driver.session.createTopic('topic');
    expect(driver.publish(handle, 'xx')).toBe(0); // 2 + 7 + 1 + 2
    expect(sentTopics(driver)).toEqual(['topic=-']);
    expect(driver.publish(handle, '')).toBe(0);
    expect(sentTopics(driver)).toEqual(['topic=-']);
    const other = new SessionDriver().connected({
      properties: { topicAliasMaximum: 5, maximumPacketSize: 13 },
    });
    const again = other.session.createTopic('topic');
    for (const payload of ['', 'xxxxx']) expect(other.publish(again, payload)).toBe(0);
    expect(sentTopics(other)).toEqual(['topic=1', '=1']);
  });

  it('is not what makes a message fit that may have to be sent again: that needs room for its name', () => {
    const driver = new SessionDriver();
    const handle = driver.session.createTopic('topic');
    const fitting = driver.publish(handle, 'xxx', 1); // 2 + 7 + 2 + 1 + 3
    const tooLarge = driver.publish(handle, 'xxxx', 1);
    driver.publish(handle, '', 1);
    driver.publish(handle, 'xxxx', 0);
    driver.open().sent();
    driver.server({ type: 'CONNACK', properties: { topicAliasMaximum: 5, maximumPacketSize: 15 } });
    const published = driver.events().filter(({ event }) => event === 'PUBLISHED');
    const refused = published.filter((one) => 'status' in one && one.status !== 'OK');
    expect(refused).toMatchObject([{ ticket: tooLarge, status: 'PACKET_TOO_LARGE' }]);
    expect(fitting).not.toBe(tooLarge);
    expect(sentTopics(driver)).toEqual(['topic=-', 'topic=1', '=1']);
    // And while the alias is in force, the other that just fits still does.
    expect(driver.publish(handle, 'xxx', 1)).toBeGreaterThan(0);
    expect(sentTopics(driver)).toEqual(['topic=-']);
  });

  it('does not open a way past the checks: what is no QoS and no RETAIN is refused behind an alias, too', () => {
    const driver = connected(5);
    const handle = driver.session.createTopic('topic');
    driver.publish(handle, 'x');
    expect(handle.isShort).toBe(true);
    for (const wrong of [0.5, NaN, -1, 3, null, undefined, false] as number[]) {
      expect(() => driver.session.publish(handle, NO_BYTES, 0, wrong, 0, null, 0)).toThrow(/qos/);
      expect(() => driver.session.publish(handle, NO_BYTES, 0, 0, wrong, null, 0)).toThrow(/retain/);
    }
    expect(driver.publish(handle, 'y')).toBe(0);
    expect(sentTopics(driver)).toEqual(['topic=1', '=1']);
  });

  it('is not given while the ring is full', () => {
    const driver = connected(5, { transmitBytes: 64 });
    const [a, b] = ['a', 'b'].map((topic) => driver.session.createTopic(topic));
    driver.drain(0);
    driver.publish(a, 'x'.repeat(30));
    driver.publish(b, 'y'.repeat(30));
    expect([a.alias, b.alias]).toEqual([1, 0]);
    driver.drain();
    expect(sentTopics(driver)).toEqual(['a=1', 'b=2']);
  });
});

describe('aliases against a naive model', () => {
  it('say what a server that keeps a table understands (seed from MOTEMQ_SEED)', () => {
    const random = new Random(SEED);
    for (let round = 0; round < 100; round++) {
      const aliases = new OutgoingAliases(1 + random.below(5));
      const handles: TopicHandle[] = [];
      for (let i = 0; i < 8; i++) handles.push(aliases.createHandle(bytesOf(`topic ${i}`)));
      let maximum = 0;
      let table = new Map<number, TopicHandle>();
      let uses: TopicHandle[] = [];
      for (let step = 0; step < 200; step++) {
        if (step === 0 || random.below(40) === 0) {
          maximum = random.below(6);
          aliases.start(maximum, 1000);
          table = new Map();
          uses = [];
          expect(handles.every(({ alias }) => alias === 0)).toBe(true);
        }
        const handle = random.pick(handles);
        const alias = aliases.choose(handle);
        const available = Math.min(maximum, aliases.aliasesMax);
        expect(alias).toBeLessThanOrEqual(available);
        if (alias === 0) {
          expect(available).toBe(0);
          continue;
        }
        const isKnown = handle.alias === alias;
        if (isKnown) expect(table.get(alias)).toBe(handle);
        else {
          // A new one while there are any, then that of the topic not used for longest.
          const oldest = Array.from(table.values()).sort(
            (x, y) => uses.lastIndexOf(x) - uses.lastIndexOf(y),
          )[0];
          if (table.size === available) expect(table.get(alias)).toBe(oldest);
          else expect(table.has(alias)).toBe(false);
          table.set(alias, handle);
        }
        uses.push(handle);
        aliases.give(handle, alias);
      }
    }
  });
});
