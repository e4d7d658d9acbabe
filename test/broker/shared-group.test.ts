/** Shared Subscriptions: who gets a message, by every strategy, as members come, go and are not ready. */
import { describe, expect, test } from 'vitest';
import { Message } from '../../sim/broker/message.ts';
import { SHARE_STRATEGIES, type ShareStrategy } from '../../sim/broker/options.ts';
import { SharedGroup, type GroupMember } from '../../sim/broker/shared-group.ts';
import { Random, SEED } from '../seed.ts';

class Member implements GroupMember {
  readonly clientId: string;
  isAway = false;

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  isReady(): boolean {
    return !this.isAway;
  }
}

function messageOf(topicName = 'a', publisherId = 'meter'): Message {
  return new Message(new Uint8Array(0), 0, 0, 0, 0, 0, 0, 0, false, Infinity, publisherId, topicName, false);
}

/** As many members as asked for, worker0 and so on, and their group. */
function groupOf(strategy: ShareStrategy, count: number): { group: SharedGroup<Member>; members: Member[] } {
  const random = new Random(SEED);
  const group = new SharedGroup<Member>('workers', 'a/#', strategy, () => random.below(0x1_0000_0000));
  const members = Array.from({ length: count }, (_, index) => new Member(`worker${index}`));
  for (const member of members) group.add(member);
  return { group, members };
}

/** Who gets each of these messages. */
function chosen(group: SharedGroup<Member>, messages: readonly Message[]): (string | undefined)[] {
  return messages.map((message) => group.choose(message)?.clientId);
}

function countOf(list: readonly unknown[], value: unknown): number {
  return list.filter((other) => other === value).length;
}

const TOPICS = Array.from({ length: 3000 }, (_, index) => messageOf(`site/${index}`));
const PUBLISHERS = Array.from({ length: 3000 }, (_, index) => messageOf('a', `meter${index}`));
const SAME = Array.from({ length: 3000 }, () => messageOf());

describe('SharedGroup', () => {
  test('knows its name, its filter and its members', () => {
    const { group, members } = groupOf('round-robin', 2);
    group.add(members[0]);
    expect(group.shareName).toBe('workers');
    expect(group.topicFilter).toBe('a/#');
    expect(group.members).toEqual(members);
    group.remove(members[0]);
    group.remove(members[0]);
    expect(group.members).toEqual([members[1]]);
  });

  describe.each(SHARE_STRATEGIES)('%s', (strategy) => {
    test('one member gets a message; none when there is none', () => {
      const { group, members } = groupOf(strategy, 0);
      expect(group.choose(messageOf())).toBeNull();
      const only = new Member('only');
      group.add(only);
      expect(group.choose(messageOf())).toBe(only);
      only.isAway = true;
      expect(group.choose(messageOf())).toBe(only);
      group.remove(only);
      expect(group.choose(messageOf())).toBeNull();
      expect(members).toEqual([]);
    });

    test('only ready members get messages, as long as there is one', () => {
      const random = new Random(SEED);
      const { group, members } = groupOf(strategy, 7);
      for (const message of [...TOPICS, ...PUBLISHERS]) {
        for (const member of members) member.isAway = random.below(2) === 0;
        const member = group.choose(message);
        expect(member).not.toBeNull();
        if (members.some((other) => other.isReady())) expect(member?.isReady()).toBe(true);
      }
    });

    test('whoever has left gets nothing', () => {
      const random = new Random(SEED);
      const { group, members } = groupOf(strategy, 5);
      const inside = new Set(members);
      for (const message of TOPICS) {
        const member = random.pick(members);
        if (inside.has(member)) {
          group.remove(member);
          inside.delete(member);
        } else {
          group.add(member);
          inside.add(member);
        }
        const choice = group.choose(message);
        if (choice === null) expect(inside.size).toBe(0);
        else expect(inside.has(choice)).toBe(true);
      }
    });
  });

  describe('round-robin', () => {
    test('one after the other, without those that are not ready', () => {
      const { group, members } = groupOf('round-robin', 3);
      const five = SAME.slice(0, 5);
      expect(chosen(group, five)).toEqual(['worker0', 'worker1', 'worker2', 'worker0', 'worker1']);
      members[2].isAway = true;
      expect(chosen(group, five)).toEqual(['worker0', 'worker1', 'worker0', 'worker1', 'worker0']);
      for (const member of members) member.isAway = true;
      expect(chosen(group, five)).toEqual(['worker1', 'worker2', 'worker0', 'worker1', 'worker2']);
    });

    test('whoever leaves does not cost another its turn', () => {
      const { group, members } = groupOf('round-robin', 4);
      chosen(group, SAME.slice(0, 2));
      group.remove(members[0]);
      expect(chosen(group, SAME.slice(0, 1))).toEqual(['worker2']);
      group.remove(members[3]);
      expect(chosen(group, SAME.slice(0, 3))).toEqual(['worker1', 'worker2', 'worker1']);
    });
  });

  test('random: each ready member as often as another', () => {
    const { group, members } = groupOf('random', 4);
    members[1].isAway = true;
    const list = chosen(group, SAME);
    // A thousand are expected of each; the deviation of that is 26.
    for (const index of [0, 2, 3]) {
      expect(Math.abs(countOf(list, `worker${index}`) - 1000)).toBeLessThan(150);
    }
    expect(countOf(list, 'worker1')).toBe(0);
  });

  describe.each([
    ['hash-client', PUBLISHERS],
    ['hash-topic', TOPICS],
  ] as const)('%s', (strategy, messages) => {
    test('the same goes to the same, and all get their share', () => {
      const { group } = groupOf(strategy, 3);
      const list = chosen(group, messages);
      expect(chosen(group, messages)).toEqual(list);
      for (let index = 0; index < 3; index++) {
        expect(Math.abs(countOf(list, `worker${index}`) - 1000)).toBeLessThan(150);
      }
    });

    test('does not depend on the order in which members came', () => {
      const { group, members } = groupOf(strategy, 5);
      const before = chosen(group, messages);
      for (const member of members.slice(0, 3)) {
        group.remove(member);
        group.add(member);
      }
      expect(chosen(group, messages)).toEqual(before);
    });

    test('only what a member had moves when it goes, and only to a member that comes', () => {
      const { group, members } = groupOf(strategy, 5);
      const before = chosen(group, messages);
      group.remove(members[2]);
      const without = chosen(group, messages);
      expect(without.filter((to, index) => before[index] !== 'worker2' && to !== before[index])).toEqual([]);
      group.add(members[2]);
      expect(chosen(group, messages)).toEqual(before);
      // The same as when it is only not ready.
      members[2].isAway = true;
      expect(chosen(group, messages)).toEqual(without);
    });

    test('when none is ready, they go where they would go if all were', () => {
      const { group, members } = groupOf(strategy, 5);
      const before = chosen(group, messages);
      for (const member of members) member.isAway = true;
      expect(chosen(group, messages)).toEqual(before);
    });
  });

  test('hash-client and hash-topic look at nothing else', () => {
    const byClient = groupOf('hash-client', 5).group;
    const byTopic = groupOf('hash-topic', 5).group;
    expect(new Set(chosen(byClient, TOPICS)).size).toBe(1);
    expect(new Set(chosen(byTopic, PUBLISHERS)).size).toBe(1);
  });

  test('sticky: the same until it is not ready or leaves, then another that stays', () => {
    const { group, members } = groupOf('sticky', 4);
    const first = group.choose(messageOf());
    expect(new Set(chosen(group, SAME))).toEqual(new Set([first?.clientId]));
    if (first === null) throw new Error('nobody was chosen');
    first.isAway = true;
    const second = group.choose(messageOf());
    expect(second).not.toBe(first);
    first.isAway = false;
    expect(new Set(chosen(group, SAME))).toEqual(new Set([second?.clientId]));
    if (second === null) throw new Error('nobody was chosen');
    // With none ready, it stays where it is.
    for (const member of members) member.isAway = true;
    expect(new Set(chosen(group, SAME))).toEqual(new Set([second.clientId]));
    group.remove(second);
    const third = group.choose(messageOf());
    expect(third).not.toBe(second);
    expect(new Set(chosen(group, SAME))).toEqual(new Set([third?.clientId]));
  });
});
