/**
 * Which Topic Filters match a Topic Name (4.7): a tree with a node for each level of the filters. Filters are valid and
 * without their `$share/{ShareName}/`; what is kept under them is the caller's. Knows nothing of sessions.
 *
 * Every node is reached by one way only, so that a match visits a node at most once: it costs at most the levels of the
 * name, the nodes whose filters begin like the name, and the entries found. Filters such as `+/+/+/#` cost a node each
 * for each of their levels, never a power of them.
 */

const SLASH = '/';

/** Where the level that begins at `start` ends: at the next slash, or at the end. */
export function levelEnd(topic: string, start: number): number {
  const end = topic.indexOf(SLASH, start);
  return end < 0 ? topic.length : end;
}

/** A level of a tree of topics, with those below it. `N` is the class that extends this one. */
export class LevelNode<N extends LevelNode<N>> {
  /** Null for the root. */
  readonly parent: N | null;
  /** The text of the level, without slashes. */
  readonly level: string;
  /** The one below it; null when there is none, or `children` has them: most nodes need no Map. */
  private child: N | null = null;
  private children: Map<string, N> | null = null;

  constructor(parent: N | null, level: string) {
    this.parent = parent;
    this.level = level;
  }

  /** The node below for the level `topic[start..end]`. */
  find(topic: string, start: number, end: number): N | undefined {
    const { child, children } = this;
    if (children !== null) return children.get(topic.slice(start, end));
    if (child?.level.length !== end - start) return undefined;
    return topic.startsWith(child.level, start) ? child : undefined;
  }

  /** Puts a node below, for a level that has none. */
  attach(node: N): void {
    if (this.children !== null) this.children.set(node.level, node);
    else if (this.child === null) this.child = node;
    else {
      this.children = new Map([
        [this.child.level, this.child],
        [node.level, node],
      ]);
      this.child = null;
    }
  }

  /** Takes a node away that is below. */
  detach(node: N): void {
    if (this.child === node) this.child = null;
    else if (this.children?.delete(node.level) && this.children.size === 0) this.children = null;
  }

  hasChildren(): boolean {
    return this.child !== null || this.children !== null;
  }

  /** Appends all that are directly below. */
  appendChildren(found: N[]): void {
    if (this.child !== null) found.push(this.child);
    else if (this.children !== null) for (const node of this.children.values()) found.push(node);
  }
}

/** From so many on, entries of one filter are a Set: taking one away is to cost the same however many there are. */
const SET_COUNT = 16;

type Entries<T> = T[] | Set<T> | null;

class FilterNode<T> extends LevelNode<FilterNode<T>> {
  /** The node of the level `+` below; not among the others. */
  plus: FilterNode<T> | null = null;
  /** Of the filter that ends here. */
  entries: Entries<T> = null;
  /** Of the filter that ends with `#` below: it includes this level itself. */
  hashEntries: Entries<T> = null;

  isEmpty(): boolean {
    return this.entries === null && this.hashEntries === null && this.plus === null && !this.hasChildren();
  }
}

/** A match that reaches more nodes than this at once gives its arrays back. */
const KEPT_COUNT = 1000;

export class TopicTree<T> {
  /** Grows with every change: what was found before may be kept as long as it is the same. */
  version = 0;
  private readonly root = new FilterNode<T>(null, '');
  private entryCount = 0;
  /** The nodes that a match has reached at one level, and at the next; what is beyond their counts is stale. */
  private reached: FilterNode<T>[] = [];
  private reachedNext: FilterNode<T>[] = [];

  /** How many entries there are, counted once for each filter that they are under. */
  get count(): number {
    return this.entryCount;
  }

  /** Puts an entry under a filter. Once there, it is not added again. */
  add(topicFilter: string, entry: T): void {
    const { length } = topicFilter;
    let node = this.root;
    let start = 0;
    while (start <= length && !isHash(topicFilter, start)) {
      const end = levelEnd(topicFilter, start);
      node = enter(node, topicFilter, start, end);
      start = end + 1;
    }
    const isBelow = start <= length;
    const entries = isBelow ? node.hashEntries : node.entries;
    const changed = addEntry(entries, entry);
    if (changed === null) return;
    if (isBelow) node.hashEntries = changed;
    else node.entries = changed;
    this.entryCount++;
    this.version++;
  }

  /** Takes an entry away from under a filter. False when it was not there. */
  remove(topicFilter: string, entry: T): boolean {
    const { length } = topicFilter;
    let node = this.root;
    let start = 0;
    while (start <= length && !isHash(topicFilter, start)) {
      const end = levelEnd(topicFilter, start);
      const next = isPlus(topicFilter, start, end) ? node.plus : node.find(topicFilter, start, end);
      if (!next) return false;
      node = next;
      start = end + 1;
    }
    const isBelow = start <= length;
    const entries = isBelow ? node.hashEntries : node.entries;
    if (entries === null || !removeEntry(entries, entry)) return false;
    if (isEmptyEntries(entries)) {
      if (isBelow) node.hashEntries = null;
      else node.entries = null;
      prune(node);
    }
    this.entryCount--;
    this.version++;
    return true;
  }

  /** Appends every entry of every filter that matches the Topic Name; an entry under several of them several times. */
  match(topicName: string, found: T[]): void {
    const { length } = topicName;
    let { reached, reachedNext } = this;
    let count = 1;
    let widest = 1;
    reached[0] = this.root;
    // A filter that begins with a wildcard does not match a name that begins with $ [MQTT-4.7.2-1].
    let isWildcardMatched = !topicName.startsWith('$');
    for (let start = 0; start <= length && count > 0;) {
      const end = levelEnd(topicName, start);
      let nextCount = 0;
      for (let index = 0; index < count; index++) {
        const node = reached[index];
        if (isWildcardMatched) {
          if (node.hashEntries !== null) append(node.hashEntries, found);
          if (node.plus !== null) reachedNext[nextCount++] = node.plus;
        }
        const next = node.find(topicName, start, end);
        if (next !== undefined) reachedNext[nextCount++] = next;
      }
      [reached, reachedNext] = [reachedNext, reached];
      count = nextCount;
      if (count > widest) widest = count;
      isWildcardMatched = true;
      start = end + 1;
    }
    // The name has ended at these; where it went on after there were none left, there are none.
    for (let index = 0; index < count; index++) {
      const node = reached[index];
      if (node.entries !== null) append(node.entries, found);
      if (node.hashEntries !== null) append(node.hashEntries, found);
    }
    if (widest > KEPT_COUNT) {
      this.reached = [];
      this.reachedNext = [];
    }
  }
}

/** Whether the level at `start` is the `#` that ends a filter. */
function isHash(topicFilter: string, start: number): boolean {
  return start === topicFilter.length - 1 && topicFilter.endsWith('#');
}

function isPlus(topicFilter: string, start: number, end: number): boolean {
  return end === start + 1 && topicFilter[start] === '+';
}

/** The node below for a level of a filter, made when it is not there. */
function enter<T>(node: FilterNode<T>, topicFilter: string, start: number, end: number): FilterNode<T> {
  if (isPlus(topicFilter, start, end)) {
    node.plus ??= new FilterNode<T>(node, '+');
    return node.plus;
  }
  const known = node.find(topicFilter, start, end);
  if (known !== undefined) return known;
  const made = new FilterNode<T>(node, topicFilter.slice(start, end));
  node.attach(made);
  return made;
}

/** Takes away the nodes that hold nothing any more, from this one up. */
function prune<T>(node: FilterNode<T>): void {
  for (let parent = node.parent; parent !== null && node.isEmpty(); parent = node.parent) {
    if (parent.plus === node) parent.plus = null;
    else parent.detach(node);
    node = parent;
  }
}

/** The entries with one more; null when it was among them. */
function addEntry<T>(entries: Entries<T>, entry: T): Entries<T> {
  if (entries === null) return [entry];
  if (Array.isArray(entries)) {
    if (entries.includes(entry)) return null;
    if (entries.length >= SET_COUNT) return new Set(entries).add(entry);
    entries.push(entry);
    return entries;
  }
  return entries.has(entry) ? null : entries.add(entry);
}

/** False when it was not among them. */
function removeEntry<T>(entries: T[] | Set<T>, entry: T): boolean {
  if (!Array.isArray(entries)) return entries.delete(entry);
  const index = entries.indexOf(entry);
  if (index < 0) return false;
  entries.splice(index, 1);
  return true;
}

function isEmptyEntries<T>(entries: T[] | Set<T>): boolean {
  return (Array.isArray(entries) ? entries.length : entries.size) === 0;
}

function append<T>(entries: T[] | Set<T>, found: T[]): void {
  for (const entry of entries) found.push(entry);
}
