/**
 * The members of a Shared Subscription (4.8.2), and which of them gets a message. Knows of a member its client id and
 * whether it is ready; what is delivered, and how, is decided elsewhere.
 */
import type { Message } from './message.ts';
import type { ShareStrategy } from './options.ts';

export interface GroupMember {
  readonly clientId: string;
  /** Connected, and not behind. */
  isReady(): boolean;
}

export class SharedGroup<M extends GroupMember> {
  readonly shareName: string;
  /** Without `$share/{ShareName}/`. */
  readonly topicFilter: string;
  private readonly strategy: ShareStrategy;
  private readonly random: () => number;
  private readonly list: M[] = [];
  /** Hashes of the client ids, in the order of `list`. */
  private readonly hashes: number[] = [];
  /** Whose turn it is, round-robin. */
  private turn = 0;
  /** Who got the last message, sticky. */
  private last: M | null = null;

  /** `random` gives integers, 0 to 4,294,967,295. */
  constructor(shareName: string, topicFilter: string, strategy: ShareStrategy, random: () => number) {
    this.shareName = shareName;
    this.topicFilter = topicFilter;
    this.strategy = strategy;
    this.random = random;
  }

  /** In the order they came. Not to be changed, and not to be kept: it changes with the group. */
  get members(): readonly M[] {
    return this.list;
  }

  /** Once a member, it is not added again. */
  add(member: M): void {
    if (this.list.includes(member)) return;
    this.list.push(member);
    this.hashes.push(hashOf(member.clientId));
  }

  remove(member: M): void {
    const index = this.list.indexOf(member);
    if (index < 0) return;
    this.list.splice(index, 1);
    this.hashes.splice(index, 1);
    if (index < this.turn) this.turn--;
    if (this.last === member) this.last = null;
  }

  /**
   * The one member that gets the message: a ready one, or, when none is ready, any of them, in whose session it then
   * waits. Null only when there is no member.
   */
  choose(message: Message): M | null {
    if (this.list.length === 0) return null;
    switch (this.strategy) {
      case 'round-robin':
        return this.chooseNext();
      case 'random':
        return this.chooseRandom();
      case 'hash-client':
        return this.chooseByHash(hashOf(message.publisherId));
      case 'hash-topic':
        return this.chooseByHash(hashOf(message.topicName));
      case 'sticky':
        if (this.last?.isReady() !== true) this.last = this.chooseOther();
        return this.last;
    }
  }

  private chooseNext(): M {
    const { list } = this;
    const { length } = list;
    let index = this.turn % length;
    for (let count = 0; count < length && !list[index].isReady(); count++) index = (index + 1) % length;
    this.turn = index + 1;
    return list[index];
  }

  /** Each of the ready ones, or of all when none is ready, with the same chance. */
  private chooseRandom(): M {
    const member = this.list[this.randomIndex(this.list.length)];
    if (member.isReady()) return member;
    const ready = this.list.filter((other) => other.isReady());
    return ready.length === 0 ? member : ready[this.randomIndex(ready.length)];
  }

  /** A ready one; when none is ready, it stays with the one it had. */
  private chooseOther(): M {
    const member = this.chooseRandom();
    return this.last !== null && !member.isReady() ? this.last : member;
  }

  /**
   * The one with the highest weight, a hash of both: rendezvous hashing. A member that goes gives up what it had, one
   * that comes takes its share of each, and nothing else moves.
   */
  private chooseByHash(keyHash: number): M {
    const { list, hashes } = this;
    let best = list[0];
    let bestWeight = -1;
    let isBestReady = false;
    for (let index = 0; index < list.length; index++) {
      const weight = weigh(keyHash, hashes[index]);
      // First what costs least: most members are not in question.
      if (weight <= bestWeight && isBestReady) continue;
      const isReady = list[index].isReady();
      if (isReady === isBestReady ? weight <= bestWeight : !isReady) continue;
      best = list[index];
      bestWeight = weight;
      isBestReady = isReady;
    }
    return best;
  }

  private randomIndex(count: number): number {
    return Math.floor((this.random() / 0x1_0000_0000) * count);
  }
}

/** FNV-1a over the UTF-16 code units, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/** 0 to 4,294,967,295. Ends as MurmurHash3 does, so that every bit of both hashes tells. */
function weigh(keyHash: number, memberHash: number): number {
  let hash = Math.imul(keyHash, 0x9e3779b1) + memberHash;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
