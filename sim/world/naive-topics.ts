/**
 * Topic Filters and Topic Names as strings, level by level (4.7, 4.8.2), for the naive broker. Takes filters to be valid.
 */

/** A Shared Subscription's Topic Filter in its parts. */
export interface SharedFilter {
  shareName: string;
  /** What is matched against Topic Names. */
  filter: string;
}

/** The parts of `$share/{ShareName}/{filter}`, or null for a Topic Filter that is not shared (4.8.2). */
export function splitShared(topicFilter: string): SharedFilter | null {
  const parts = topicFilter.split('/');
  if (parts[0] !== '$share' || parts.length < 3) return null;
  return { shareName: parts[1], filter: parts.slice(2).join('/') };
}

/** Whether the levels from `at` on match. */
function doLevelsMatch(filterLevels: string[], levels: string[], at: number): boolean {
  if (at === filterLevels.length) return at === levels.length;
  // The parent level, too: no level needs to be left (4.7.1.2).
  if (filterLevels[at] === '#') return true;
  if (at === levels.length) return false;
  if (filterLevels[at] !== '+' && filterLevels[at] !== levels[at]) return false;
  return doLevelsMatch(filterLevels, levels, at + 1);
}

/** Whether a Topic Filter, without its `$share` part, matches a Topic Name. */
export function doesFilterMatch(filter: string, topicName: string): boolean {
  const isWild = filter.startsWith('+') || filter.startsWith('#');
  if (topicName.startsWith('$') && isWild) return false; // [MQTT-4.7.2-1]
  // Most do not even begin alike.
  if (!isWild && !topicName.startsWith(filter.slice(0, 1))) return false;
  return doLevelsMatch(filter.split('/'), topicName.split('/'), 0);
}
