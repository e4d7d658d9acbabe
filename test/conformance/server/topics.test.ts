/**
 * Topic Names and Topic Filters (4.7): what matches what, where wildcards may stand, topics that begin with `$`, and that
 * no two names are the same that are not the same bytes.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import type { BrokerUnderTest } from '../broker-under-test.ts';
import { Peer, uniqueTopic } from '../peer.ts';
import {
  SUBSCRIBE_BYTE,
  UNSUBSCRIBE_BYTE,
  VERSIONS,
  expectFilterRefused,
  messageOf,
  rawRequest,
  stringField,
  textsOf,
} from '../subscribing.ts';
import type { ProtocolVersion } from '../subscribing.ts';

/** Names of the topics that messages among these packets came with. */
function topicsOf(packets: readonly PacketObject[]): string[] {
  return packets.flatMap((packet) => (packet.type === 'PUBLISH' ? [packet.topicName ?? ''] : []));
}

/** One level of a topic that nothing else uses. */
function uniqueLevel(): string {
  return uniqueTopic().split('/')[1];
}

/** Those of `topics` that one message each reaches a subscriber to `filter` of. */
async function matched(
  broker: BrokerUnderTest,
  protocolVersion: ProtocolVersion,
  filter: string,
  topics: readonly string[],
): Promise<string[]> {
  const peer = await Peer.connect(broker, { protocolVersion });
  expect((await peer.subscribe(filter)).reasonCodes, filter).toEqual([0]);
  for (const topic of topics) await peer.publish(messageOf(topic, 'x', 1));
  return topicsOf(await peer.drain()).filter((topic) => topics.includes(topic));
}

describeBroker('Topic Filters', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    // After the standard’s own examples; R is a level that only this test uses.
    it.each<[string, string[], string[]]>([
      [
        'R/player1/#',
        ['R/player1', 'R/player1/ranking', 'R/player1/score/x'],
        ['R', 'R/player2', 'R/player10'],
      ],
      ['R/#', ['R', 'R/', 'R/a', 'R//a', 'R/a/b/c/d'], ['/R', 'r/R', 'Rx/a']],
      ['R/player1/+', ['R/player1/a', 'R/player1/'], ['R/player1', 'R/player1/a/b', 'R/x/a']],
      ['R/+', ['R/', 'R/a'], ['R', 'R/a/', 'R//', 'R/a/b']],
      ['+/R', ['/R', 'a/R'], ['R', 'a/b/R', 'a/R/', '//R']],
      ['/+/R', ['/a/R', '//R'], ['a/R', '/R', '/a/b/R']],
      ['+/+/R', ['//R', 'a/b/R'], ['/R', 'a/b/c/R']],
      ['+/R/#', ['/R', 'a/R', 'a/R/', 'a/R/b/c'], ['R', 'R/a', 'a/b/R']],
      ['R/+/x/+', ['R/a/x/b', 'R//x/'], ['R/a/x', 'R/a/y/b', 'R/a/x/b/c']],
      ['R/+/#', ['R/', 'R/a', 'R/a/b', 'R//'], ['R']],
      ['R', ['R'], ['R/', '/R', 'R/R', 'Rx', 'xR']],
      ['R/', ['R/'], ['R', 'R//', 'R/a']],
      ['R//x', ['R//x'], ['R/x', 'R///x', 'R/a/x']],
      ['R/a b/ ', ['R/a b/ '], ['R/ab/', 'R/a b/', 'R/a b/  ']],
    ])(
      '%s matches %j and not %j [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1], [v3.1.1 MQTT-4.7.1-2], [v3.1.1 MQTT-4.7.1-3]',
      async (filter, matching, others) => {
        const level = uniqueLevel();
        const named = (topic: string): string => topic.replaceAll('R', level).replaceAll('r', `r${level}`);
        const topics = [...matching, ...others].map(named);
        const came = await matched(broker, protocolVersion, named(filter), topics);
        expect(came.sort()).toEqual(matching.map(named).sort());
      },
    );

    it('# alone matches every topic, and + every topic of one level [MQTT-4.7.1-1], [MQTT-4.7.1-2]', async () => {
      const level = uniqueLevel();
      const topics = [level, `/${level}`, `${level}/a/b/c`];
      expect(await matched(broker, protocolVersion, '#', topics)).toEqual(topics);
      expect(await matched(broker, protocolVersion, '+', topics)).toEqual([level]);
    });

    it.each(['a#', 'a/b#', '#/a', 'a/#/b', '##', '#a', '/#/', 'a/#+'])(
      '%s is refused, since # is no level of its own at the end [MQTT-4.7.1-1], [v3.1.1 MQTT-4.7.1-2]',
      async (filter) => {
        const bytes = stringField(Buffer.from(filter));
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, bytes, Uint8Array.of(0)));
        await expectFilterRefused(peer);
      },
    );

    it.each(['a+', '+a', 'a/b+', 'a/+b/c', '++', '+#', 'a/+/b+/c'])(
      '%s is refused, since + is no whole level [MQTT-4.7.1-2], [v3.1.1 MQTT-4.7.1-3]',
      async (filter) => {
        const bytes = stringField(Buffer.from(filter));
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, bytes, Uint8Array.of(0)));
        await expectFilterRefused(peer);
      },
    );

    it('of no character is refused, to subscribe and to unsubscribe [MQTT-4.7.3-1], [v3.1.1 MQTT-4.7.3-1]', async () => {
      const nothing = stringField(new Uint8Array(0));
      const subscriber = await Peer.connect(broker, { protocolVersion });
      subscriber.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, nothing, Uint8Array.of(0)));
      await expectFilterRefused(subscriber);
      const leaver = await Peer.connect(broker, { protocolVersion });
      leaver.sendBytes(rawRequest(UNSUBSCRIBE_BYTE, protocolVersion, nothing));
      await expectFilterRefused(leaver);
    });

    it('with U+0000 is malformed, to subscribe and to unsubscribe [MQTT-4.7.3-2], [v3.1.1 MQTT-4.7.3-2]', async () => {
      const filter = stringField(Uint8Array.of(0x61, 0, 0x62));
      const subscriber = await Peer.connect(broker, { protocolVersion });
      subscriber.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, filter, Uint8Array.of(0)));
      await subscriber.expectDisconnect(0x81);
      const leaver = await Peer.connect(broker, { protocolVersion });
      leaver.sendBytes(rawRequest(UNSUBSCRIBE_BYTE, protocolVersion, filter));
      await leaver.expectDisconnect(0x81);
    });
  });
});

describeBroker('Topic Names', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    const rawPublish = (topic: string): Uint8Array => {
      const name = stringField(Buffer.from(topic));
      const properties = protocolVersion === 5 ? [0] : [];
      return Uint8Array.from([0x30, name.length + properties.length, ...name, ...properties]);
    };

    it.each(['+', '#', 'a/+', 'a/#', 'a+', 'a/+/b'])(
      '%s: none has a wildcard [MQTT-4.7.0-1], [v3.1.1 MQTT-4.7.1-1]',
      async (topic) => {
        const witness = await Peer.connect(broker, { protocolVersion });
        await witness.subscribe('a/#');
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawPublish(topic));
        await peer.expectDisconnect(0x90, 0x81, 0x82);
        expect(await witness.drain()).toEqual([]);
      },
    );

    it('of no character is a Protocol Error [MQTT-4.7.3-1], [v3.1.1 MQTT-4.7.3-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawPublish(''));
      // 5.0 calls an empty Topic Name without alias a Protocol Error (3.3.2.1); as a name it is invalid.
      await peer.expectDisconnect(0x82, 0x90);
    });

    it('with U+0000 is malformed [MQTT-4.7.3-2], [v3.1.1 MQTT-4.7.3-2]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawPublish('a\0b'));
      await peer.expectDisconnect(0x81);
    });

    it('may be of one character, even a slash or a blank [MQTT-4.7.3-1], [v3.1.1 MQTT-4.7.3-1]', async () => {
      for (const topic of ['/', ' ', '~']) {
        const publisher = await Peer.connect(broker, { protocolVersion });
        await publisher.subscribe(topic);
        await publisher.publish(messageOf(topic, 'x', 1));
        expect(topicsOf(await publisher.drain())).toContain(topic);
      }
    });

    it('may be of 65,535 bytes, and so may filters [MQTT-4.7.3-3], [v3.1.1 MQTT-4.7.3-3]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const start = `${uniqueLevel()}/ü`;
      const name = start + 'x'.repeat(65_535 - Buffer.byteLength(start));
      expect((await peer.subscribe(name)).reasonCodes).toEqual([0]);
      await peer.publish(messageOf(name, 'long', 1));
      const message = await peer.nextOf('PUBLISH');
      expect(message.topicName === name).toBe(true);
    });

    it.each([
      ['small and capital letters', ['R/ACCOUNTS', 'R/Accounts', 'R/accounts']],
      ['slashes before, behind and between', ['R', '/R', 'R/', '//R', 'R//', '/R/']],
      ['levels of nothing', ['R/a', 'R//a', 'R///a']],
      ['dots like those of paths', ['R/a', 'R/./a', 'R/b/../a']],
      ['blanks', ['R/a', 'R/ a', 'R/a ', 'R/a\u00a0', 'R/ a ']],
      ['composed and decomposed characters', ['R/\u00e9', 'R/e\u0301']],
      ['compatible characters', ['R/\u212b', 'R/\u00c5', 'R/A\u030a']],
      ['a byte order mark', ['R/a', 'R/\ufeffa', '\ufeffR/a']],
      ['a percent sign', ['R/a', 'R/%61']],
    ])(
      'that differ in %s are different topics [MQTT-4.7.3-4], [v3.1.1 MQTT-4.7.3-4]',
      async (_, patterns) => {
        const level = uniqueLevel();
        const topics = patterns.map((pattern) => pattern.replaceAll('R', level));
        for (const topic of topics) {
          expect(await matched(broker, protocolVersion, topic, topics), topic).toEqual([topic]);
        }
      },
    );

    it('that differ in letters have a retained message each [MQTT-4.7.3-4], [v3.1.1 MQTT-4.7.3-4]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const level = uniqueLevel();
      const topics = [`${level}/a`, `${level}/A`, `${level}//a`, `${level}/a/`];
      for (const topicName of topics) {
        await peer.publish({ ...messageOf(topicName, topicName, 1), retain: true });
      }
      for (const topic of topics) {
        await peer.subscribe(topic);
        expect(textsOf(await peer.drain()), topic).toEqual([topic]);
      }
    });
  });
});

describeBroker('topics that begin with $', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    /** Publishes, retained as well; a server may keep clients from such topics (4.7.2), so any answer will do. */
    async function publishSystem(topicName: string): Promise<void> {
      for (const retain of [false, true]) {
        const publisher = await Peer.connect(broker, { protocolVersion });
        const message = messageOf(topicName, 'x', 1);
        await publisher.publish({ ...message, retain }).catch(() => publisher.expectClosed());
      }
    }

    it('match no filter that begins with a wildcard [MQTT-4.7.2-1], [v3.1.1 MQTT-4.7.2-1]', async () => {
      const level = uniqueLevel();
      const topics = [`$${level}/monitor/Clients`, `$SYS/${level}/Clients`, `$/${level}/Clients`];
      const filters = ['#', '+/monitor/Clients', `+/${level}/Clients`, '+/+/Clients', '+/#', '+/+/+'];
      const early = await Peer.connect(broker, { protocolVersion });
      for (const filter of filters) await early.subscribe(filter);
      for (const topic of topics) await publishSystem(topic);
      const late = await Peer.connect(broker, { protocolVersion });
      for (const filter of filters) await late.subscribe(filter);
      for (const peer of [early, late]) {
        expect(topicsOf(await peer.drain()).filter((topic) => topic.startsWith('$'))).toEqual([]);
      }
    });

    it('match filters that begin alike: 4.7.2', async () => {
      const level = uniqueLevel();
      const topic = `$${level}/monitor/Clients`;
      const probe = await Peer.connect(broker, { protocolVersion });
      await probe.subscribe(topic);
      await publishSystem(topic);
      // If the server exchanges such messages at all, it does so for each of these.
      const expected = [...new Set(topicsOf(await probe.drain()))];
      for (const filter of [`$${level}/#`, `$${level}/monitor/+`, `$${level}/+/Clients`]) {
        const peer = await Peer.connect(broker, { protocolVersion });
        await peer.subscribe(filter);
        await publishSystem(topic);
        expect([...new Set(topicsOf(await peer.drain()))], filter).toEqual(expected);
      }
    });
  });
});

describeWith({ sysIntervalSeconds: 1 }, 'what the broker says of itself', (broker) => {
  it.each(VERSIONS)(
    'comes to who asks for $SYS/#, and to nobody who asks for # (version %i) [MQTT-4.7.2-1], [v3.1.1 MQTT-4.7.2-1]',
    async (protocolVersion) => {
      const everything = await Peer.connect(broker, { protocolVersion });
      await everything.subscribe('#');
      await everything.subscribe('+/#');
      const curious = await Peer.connect(broker, { protocolVersion });
      await curious.subscribe('$SYS/#');
      expect((await curious.nextOf('PUBLISH')).topicName).toMatch(/^\$SYS\//);
      expect(await everything.drain()).toEqual([]);
    },
  );
});
