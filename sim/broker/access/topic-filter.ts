/**
 * Topic filters as sets of topic names: whether one holds a name, whether some together hold all names of another,
 * whether two have one in common (4.7). Exact. Filters are valid, and without `$share/NAME/`.
 *
 * A name is a list of levels. So is what `covers` asks for: where the filter has `+` it puts ANY, a level that no rule
 * names, which only another wildcard matches.
 */

/** `+`: any level at all. */
const ANY = null;
/** The text of a level, or ANY. */
export type Level = string | typeof ANY;

export interface TopicFilter {
  /** Without `#`. */
  readonly levels: readonly Level[];
  /** Whether `#` follows them. */
  readonly hasRest: boolean;
}

export function parseFilter(text: string): TopicFilter {
  const levels = text.split('/');
  const hasRest = levels[levels.length - 1] === '#';
  if (hasRest) levels.pop();
  return { levels: levels.map((level) => (level === '+' ? ANY : level)), hasRest };
}

/** Whether a level is one that a wildcard in the first level does not match [MQTT-4.7.2-1]. */
function isHidden(level: Level | undefined): boolean {
  return typeof level === 'string' && level.startsWith('$');
}

/** Whether `filter` matches the topic name with these levels, of which there is at least one. */
export function matches({ levels, hasRest }: TopicFilter, name: readonly Level[]): boolean {
  // `#` matches the level before it as well, so none at all behind that (4.7.1.2).
  if (hasRest ? name.length < levels.length : name.length !== levels.length) return false;
  if (isHidden(name[0]) && (levels.length === 0 || levels[0] === ANY)) return false;
  for (let i = 0; i < levels.length; i++) if (levels[i] !== ANY && levels[i] !== name[i]) return false;
  return true;
}

/** No topic name is empty [MQTT-4.7.3-1]. */
function isTopicName(name: readonly Level[]): boolean {
  return name.length > 1 || (name.length === 1 && name[0] !== '');
}

/** Whether every topic name that `filter` matches is matched by one of `rules`. */
export function covers(rules: readonly TopicFilter[], filter: TopicFilter): boolean {
  const name = [...filter.levels];
  // Names that are longer still are all alike to every rule; nor is there one of no level, or of an empty one.
  const longest = rules.reduce((most, rule) => Math.max(most, rule.levels.length), 1) + 1;
  const end = filter.hasRest ? Math.max(longest, name.length) : name.length;
  for (;;) {
    if (isTopicName(name) && !rules.some((rule) => matches(rule, name))) return false;
    if (name.length >= end) return true;
    name.push(ANY);
  }
}

/** Whether there is a topic name that both match. */
export function overlaps(a: TopicFilter, b: TopicFilter): boolean {
  const [first, second] = [a.levels[0], b.levels[0]];
  // A wildcard in the first level on one side, `$` on the other [MQTT-4.7.2-1].
  if ((isHidden(first) && isWildFirst(b)) || (isHidden(second) && isWildFirst(a))) return false;
  const count = Math.min(a.levels.length, b.levels.length);
  for (let i = 0; i < count; i++) {
    const [left, right] = [a.levels[i], b.levels[i]];
    if (left !== ANY && right !== ANY && left !== right) return false;
  }
  if (a.hasRest && b.hasRest) return true;
  if (!a.hasRest && !b.hasRest && a.levels.length !== b.levels.length) return false;
  const [fixed, other] = a.hasRest ? [b, a] : [a, b];
  if (other.levels.length > fixed.levels.length) return false;
  return isTopicName(fixed.levels.map((level, i) => level ?? other.levels[i] ?? ANY));
}

function isWildFirst({ levels }: TopicFilter): boolean {
  return levels.length === 0 || levels[0] === ANY;
}
