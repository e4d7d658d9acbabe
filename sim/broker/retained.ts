/**
 * The retained messages (3.3.1.3): one for each Topic Name, found by name or by filter, and taken away when they expire.
 * What is retained, sent and stored is decided elsewhere.
 */
import { Deadlines, type Deadline } from './deadlines.ts';
import type { Message } from './message.ts';
import { levelEnd, LevelNode } from './topic-tree.ts';

class NameNode extends LevelNode<NameNode> {
  /** Of the Topic Name that ends here. */
  message: Message | null = null;
  /** Null when the message does not expire. */
  expiry: Expiry | null = null;
}

class Expiry implements Deadline {
  atMs = Infinity;
  heapIndex = -1;
  private readonly expired: Message[];
  private readonly message: Message;

  constructor(message: Message, expired: Message[]) {
    this.message = message;
    this.expired = expired;
  }

  fire(): void {
    this.expired.push(this.message);
  }
}

export class RetainedMessages {
  private readonly root = new NameNode(null, '');
  private readonly byName = new Map<string, NameNode>();
  private readonly expiries = new Deadlines();
  /** What `removeExpired` has just found. */
  private readonly expired: Message[] = [];
  private costs = 0;

  get count(): number {
    return this.byName.size;
  }

  /** What all of them cost: `Message.cost`. */
  get byteLength(): number {
    return this.costs;
  }

  /** The message of a Topic Name, expired or not. */
  get(topicName: string): Message | undefined {
    return this.byName.get(topicName)?.message ?? undefined;
  }

  /** Keeps a message, whose bytes are its own, for its Topic Name [MQTT-3.3.1-5]. Returns the one that it replaces. */
  set(message: Message): Message | undefined {
    const { topicName, expiresAtMs } = message;
    let node = this.byName.get(topicName);
    if (node === undefined) {
      node = this.enter(topicName);
      this.byName.set(topicName, node);
    }
    const replaced = this.take(node);
    node.message = message;
    this.costs += message.cost();
    if (expiresAtMs !== Infinity) {
      node.expiry = new Expiry(message, this.expired);
      this.expiries.set(node.expiry, expiresAtMs);
    }
    return replaced;
  }

  /** Removes the message of a Topic Name [MQTT-3.3.1-6] and returns it. */
  delete(topicName: string): Message | undefined {
    const node = this.byName.get(topicName);
    if (node === undefined) return undefined;
    const message = this.take(node);
    this.byName.delete(topicName);
    prune(node);
    return message;
  }

  /**
   * Appends the messages whose Topic Names match the filter, which has no `$share` part, and that have not expired. A
   * filter without wildcards costs one look-up. One with wildcards visits no name's level twice, and only those that
   * begin like the filter.
   */
  match(topicFilter: string, nowMs: number, found: Message[]): void {
    if (!topicFilter.includes('+') && !topicFilter.includes('#')) {
      appendMessage(this.byName.get(topicFilter), nowMs, found);
      return;
    }
    let reached = [this.root];
    for (let start = 0; start <= topicFilter.length && reached.length > 0;) {
      const end = levelEnd(topicFilter, start);
      const level = end - start === 1 ? topicFilter[start] : '';
      if (level === '#') {
        appendAllBelow(reached, nowMs, found);
        return;
      }
      const next: NameNode[] = [];
      for (const node of reached) {
        if (level === '+') appendForWildcard(node, next);
        else {
          const child = node.find(topicFilter, start, end);
          if (child !== undefined) next.push(child);
        }
      }
      reached = next;
      start = end + 1;
    }
    for (const node of reached) appendMessage(node, nowMs, found);
  }

  /**
   * Removes the messages that have expired and appends them to `removed`, the earliest first. Cheap when there are none:
   * call it as often as you like.
   */
  removeExpired(nowMs: number, removed: Message[]): void {
    this.expiries.advance(nowMs);
    if (this.expired.length === 0) return;
    for (const message of this.expired.splice(0)) {
      this.delete(message.topicName);
      removed.push(message);
    }
  }

  /** All of them, expired or not. */
  *values(): IterableIterator<Message> {
    for (const { message } of this.byName.values()) if (message !== null) yield message;
  }

  /** The node of a name, made when it is not there. */
  private enter(topicName: string): NameNode {
    let node = this.root;
    for (let start = 0; start <= topicName.length;) {
      const end = levelEnd(topicName, start);
      let next = node.find(topicName, start, end);
      if (next === undefined) {
        next = new NameNode(node, topicName.slice(start, end));
        node.attach(next);
      }
      node = next;
      start = end + 1;
    }
    return node;
  }

  /** Takes the message of a node away. */
  private take(node: NameNode): Message | undefined {
    const { message } = node;
    if (message === null) return undefined;
    if (node.expiry !== null) this.expiries.clear(node.expiry);
    node.expiry = null;
    node.message = null;
    this.costs -= message.cost();
    return message;
  }
}

function appendMessage(node: NameNode | undefined, nowMs: number, found: Message[]): void {
  const message = node?.message;
  if (message && !message.isExpired(nowMs)) found.push(message);
}

/** What is directly below, for a wildcard: at the root without the names that begin with $ [MQTT-4.7.2-1]. */
function appendForWildcard(node: NameNode, found: NameNode[]): void {
  if (node.parent !== null) {
    node.appendChildren(found);
    return;
  }
  const children: NameNode[] = [];
  node.appendChildren(children);
  for (const child of children) if (!child.level.startsWith('$')) found.push(child);
}

/** The messages of these nodes and of all below them, for `#`, which includes the level above it. */
function appendAllBelow(nodes: NameNode[], nowMs: number, found: Message[]): void {
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    appendMessage(node, nowMs, found);
    appendForWildcard(node, nodes);
  }
}

/** Takes away the nodes that hold nothing any more, from this one up. */
function prune(node: NameNode): void {
  for (
    let parent = node.parent;
    parent !== null && node.message === null && !node.hasChildren();
    parent = node.parent
  ) {
    parent.detach(node);
    node = parent;
  }
}
