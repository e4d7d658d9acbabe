/**
 * The file of rights, in the syntax of Mosquitto's acl_file with sections for client identifiers besides: who may write
 * (publish) and read (subscribe) what. Nothing is allowed that no rule allows, and nothing that one denies.
 */
import { findFilterError, isShared } from '../../../src/topic.ts';
import { encodeUtf8 } from '../../../src/wire/utf8.ts';
import { AccessFileError, meaningfulLines, readAccessFile, type Line } from './access-file.ts';
import { covers, matches, overlaps, parseFilter, type Level, type TopicFilter } from './topic-filter.ts';

/** Rules that belong together: those of a user, of a client, those made of patterns. */
interface RuleSet {
  readonly read: TopicFilter[];
  readonly write: TopicFilter[];
  readonly deny: TopicFilter[];
}

type AccessWord = 'read' | 'write' | 'readwrite' | 'deny';
const ACCESS_WORDS: readonly string[] = ['read', 'write', 'readwrite', 'deny'] satisfies AccessWord[];

/** A rule for everybody, with `%u` and `%c` in texts of its levels. */
interface Pattern {
  readonly access: AccessWord;
  readonly template: TopicFilter;
}

function emptyRules(): RuleSet {
  return { read: [], write: [], deny: [] };
}

function addRule(rules: RuleSet, access: AccessWord, filter: TopicFilter): void {
  if (access === 'deny') rules.deny.push(filter);
  if (access === 'read' || access === 'readwrite') rules.read.push(filter);
  if (access === 'write' || access === 'readwrite') rules.write.push(filter);
}

/** What one client may do. */
export class ClientRights {
  private readonly sets: readonly RuleSet[];

  constructor(sets: readonly RuleSet[]) {
    this.sets = sets;
  }

  /** Whether a message may be published to this topic name. */
  mayPublish(topicName: string): boolean {
    const name = topicName.split('/');
    const isMatch = (filter: TopicFilter): boolean => matches(filter, name);
    if (this.sets.some(({ deny }) => deny.some(isMatch))) return false;
    return this.sets.some(({ write }) => write.some(isMatch));
  }

  /** Whether all that this filter could match may be read: rules allow all of it, and none denies any of it. */
  maySubscribe(topicFilter: string): boolean {
    const filter = parseFilter(topicFilter);
    if (this.sets.some(({ deny }) => deny.some((one) => overlaps(one, filter)))) return false;
    return covers(
      this.sets.flatMap(({ read }) => read),
      filter,
    );
  }
}

/** All rules of a file. */
export class Acl {
  private readonly anonymous = emptyRules();
  private readonly users = new Map<string, RuleSet>();
  private readonly clients = new Map<string, RuleSet>();
  private readonly patterns: Pattern[] = [];

  /** The rules before the first section: those of clients without a user name. */
  anonymousRules(): RuleSet {
    return this.anonymous;
  }

  /** The rules of a section, made when it is not there yet. */
  section(kind: 'user' | 'client', name: string): RuleSet {
    const sections = kind === 'user' ? this.users : this.clients;
    let rules = sections.get(name);
    if (rules === undefined) {
      rules = emptyRules();
      sections.set(name, rules);
    }
    return rules;
  }

  addPattern(access: AccessWord, template: TopicFilter): void {
    this.patterns.push({ access, template });
  }

  /** `userName` is who authenticated, null for an anonymous client. */
  rightsOf(userName: string | null, clientId: string): ClientRights {
    const own = userName === null ? this.anonymous : this.users.get(userName);
    const ofClient = this.clients.get(clientId);
    const ofPatterns = emptyRules();
    for (const { access, template } of this.patterns) {
      const filter = fillTemplate(template, access === 'deny', userName, clientId);
      if (filter !== null) addRule(ofPatterns, access, filter);
    }
    return new ClientRights([own, ofClient, ofPatterns].filter((rules) => rules !== undefined));
  }
}

/**
 * A pattern for one client, or null when it says nothing of that. Names are chosen by whoever wants to get in: as a text
 * of a level they are never a wildcard, and a rule that allows something does not apply to a name that is empty, holds
 * `/`, `+` or `#`, or makes the first level begin with `$`. One that denies takes a name with `/` as the levels it is.
 */
function fillTemplate(
  template: TopicFilter,
  isDeny: boolean,
  userName: string | null,
  clientId: string,
): TopicFilter | null {
  const levels: Level[] = [];
  for (const [index, level] of template.levels.entries()) {
    if (level === null || !/%[uc]/.test(level)) {
      levels.push(level);
      continue;
    }
    let isApplicable = true;
    const text = level.replace(/%[uc]/g, (sign) => {
      const name = sign === '%u' ? userName : clientId;
      if (name === null || (!isDeny && (name === '' || /[/+#]/.test(name)))) isApplicable = false;
      return name ?? '';
    });
    if (!isDeny && index === 0 && text.startsWith('$') && !level.startsWith('$')) isApplicable = false;
    if (!isApplicable) return null;
    levels.push(...(isDeny ? text.split('/') : [text]));
  }
  return { levels, hasRest: template.hasRest };
}

/** The first word of a text, and what follows it without the blanks between. */
function splitWord(text: string): [word: string, rest: string] {
  const [, word, rest] = /^(\S+)\s*([^]*)$/.exec(text) ?? [];
  return [word, rest];
}

/** What stands behind `topic` and `pattern`. Throws an Error. */
function parseRule(text: string): { access: AccessWord; filter: TopicFilter } {
  if (text === '') throw new Error('there is no topic filter');
  const [word, rest] = splitWord(text);
  // One word alone is a filter, be it "read"; a filter with a blank must have an access word before it.
  if (rest !== '' && !ACCESS_WORDS.includes(word)) {
    throw new Error(`"${word}" is not one of ${ACCESS_WORDS.join(', ')}`);
  }
  const filter = rest === '' ? word : rest;
  const bytes = encodeUtf8(filter);
  if (bytes === undefined || findFilterError(bytes, 0, bytes.length, false) >= 0) {
    throw new Error(`"${filter}" is not a topic filter`);
  }
  if (isShared(bytes, 0, bytes.length)) {
    throw new Error(
      'rules name the filter behind $share/NAME/, and hold for shared subscriptions as for others',
    );
  }
  return { access: rest === '' ? 'readwrite' : (word as AccessWord), filter: parseFilter(filter) };
}

/** The rules that `text` states. Throws an AccessFileError that names `file` and the line. */
export function parseAcl(text: string, file: string): Acl {
  const acl = new Acl();
  let section = acl.anonymousRules();
  const handleLine = (line: Line): void => {
    const [keyword, rest] = splitWord(line.text);
    if (keyword === 'user' || keyword === 'client') {
      if (rest === '') throw new Error(`there is no name behind "${keyword}"`);
      section = acl.section(keyword, rest);
    } else if (keyword === 'topic') {
      const { access, filter } = parseRule(rest);
      addRule(section, access, filter);
    } else if (keyword === 'pattern') {
      const { access, filter } = parseRule(rest);
      acl.addPattern(access, filter);
    } else {
      throw new Error(`"${keyword}" is not one of user, client, topic, pattern`);
    }
  };
  for (const line of meaningfulLines(text)) {
    try {
      handleLine(line);
    } catch (error) {
      throw new AccessFileError(file, line.number, (error as Error).message);
    }
  }
  return acl;
}

/** The rules of a file. Rejects with an AccessFileError. */
export async function loadAcl(file: string): Promise<Acl> {
  return parseAcl(await readAccessFile(file), file);
}
