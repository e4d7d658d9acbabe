/**
 * The topics of a fleet: a pattern with placeholders gives each device its own, and the collector one filter for all.
 * Telemetry goes to the pattern's topic; status, command and reply stand beside it, or below it where beside it they
 * would not be one device's alone.
 */
import { findWildcard } from '../../src/topic.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { FleetError } from './failure.ts';

/** What a device puts in the placeholders' place. */
export interface TopicNames {
  clientId: string;
  index: number;
  userName: string | undefined;
}

/** The last levels that are not telemetry. */
const RESERVED = ['status', 'command', 'reply'] as const;
export type ControlTopic = (typeof RESERVED)[number];

/** The placeholders that tell devices apart. */
const OWN_PLACEHOLDER = /%[ci]/;

export class TopicPattern {
  readonly text: string;
  private readonly base: string;

  /** Throws a FleetError when the pattern gives no topics. */
  constructor(text: string, hasUserName: boolean) {
    const wrong = (why: string): FleetError => new FleetError(`${why}: ${text}`, 'topic');
    const bytes = encodeUtf8(text);
    if (bytes === undefined || bytes.length === 0 || bytes.length > 1024) {
      throw wrong('it must be 1 to 1,024 bytes of UTF-8 without U+0000');
    }
    if (findWildcard(bytes, 0, bytes.length) >= 0)
      throw wrong('devices publish to it, so + and # cannot be in it');
    if (text.startsWith('$')) throw wrong('what begins with $ belongs to the server');
    if (/%[^ciu%]|%$/.test(text.replaceAll('%%', '')))
      throw wrong('after % there must be c, i, u or another %');
    if (text.replaceAll('%%', '').includes('%u') && !hasUserName) throw wrong('%u needs a user name');
    this.text = text;
    this.base = baseOf(text);
  }

  telemetry(names: TopicNames): string {
    return expand(this.text, names);
  }

  control(kind: ControlTopic, names: TopicNames): string {
    return expand(`${this.base}/${kind}`, names);
  }

  telemetryFilter(userName: string | undefined): string {
    return filterOf(this.text, userName);
  }

  controlFilter(kind: ControlTopic, userName: string | undefined): string {
    return filterOf(`${this.base}/${kind}`, userName);
  }
}

function baseOf(text: string): string {
  const slash = text.lastIndexOf('/');
  const parent = slash < 0 ? '' : text.slice(0, slash);
  const last = text.slice(slash + 1);
  // Beside `fleet/%c/telemetry` there is room for `fleet/%c/status`; not beside `telemetry/%c`, whose neighbours are
  // other devices, nor beside a last level that could itself be read as one of ours.
  const isOwn = OWN_PLACEHOLDER.test(parent.replaceAll('%%', ''));
  if (isOwn && !last.includes('%') && !RESERVED.some((kind) => kind === last)) return parent;
  return OWN_PLACEHOLDER.test(text.replaceAll('%%', '')) ? text : `${text}/%c`;
}

function expand(pattern: string, { clientId, index, userName }: TopicNames): string {
  return pattern.replace(/%([ciu%])/g, (_, letter: string) => {
    if (letter === 'c') return clientId;
    if (letter === 'i') return String(index);
    return letter === 'u' ? (userName ?? '') : '%';
  });
}

/** A level in which devices differ becomes `+`. */
function filterOf(pattern: string, userName: string | undefined): string {
  return pattern
    .split('/')
    .map((level) =>
      OWN_PLACEHOLDER.test(level.replaceAll('%%', ''))
        ? '+'
        : expand(level, { clientId: '', index: 0, userName }),
    )
    .join('/');
}
