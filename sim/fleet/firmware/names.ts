/**
 * What the devices of a firmware fleet are called, and the way back from a Topic Name to the device: ids are what the
 * firmware calls itself and a number, topics are the firmware's.
 */
import { encodeUtf8 } from '../../../src/wire/utf8.ts';
import { FleetError } from '../failure.ts';
import { startsWith } from '../telemetry.ts';

/** What a message of a device is about. */
export const TELEMETRY = 1;
export const STATUS = 2;

/** Digits of a number at least. */
const DIGITS_MIN = 5;
const ROOT_DEFAULT = 'devices/{id}';
const ID = '{id}';
const ZERO = 48;
const NINE = 57;

function bytesOf(text: string, what: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes === undefined) throw new FleetError(`${what} must be UTF-8 without U+0000`, 'firmware');
  return bytes;
}

export class FirmwareNames {
  /** What every id begins with. */
  readonly prefix: string;
  /** With `{id}` in it. */
  readonly root: string;
  /** Of the Topic Name at hand: the device's index, and TELEMETRY or STATUS. */
  index = -1;
  kind = 0;
  private readonly head: Uint8Array;
  private readonly telemetry: Uint8Array;
  private readonly status: Uint8Array;

  /**
   * @param id what ids begin with: the definition's own, or another
   * @param root the definition's; throws a FleetError unless `{id}` is in it
   */
  constructor(id: string, root: string = ROOT_DEFAULT) {
    if (!root.includes(ID)) {
      const why = `must have {id} in it, or all devices would share their topics: ${root}`;
      throw new FleetError(`its root ${why}`, 'firmware');
    }
    this.prefix = `${id}-`;
    this.root = root;
    this.head = bytesOf(root.slice(0, root.indexOf(ID)) + this.prefix, 'root and id');
    this.telemetry = bytesOf('/telemetry', 'topic');
    this.status = bytesOf('/status', 'topic');
  }

  /** `climate-1-00001` for index 0: people count from one. */
  idOf(index: number): string {
    return this.prefix + String(index + 1).padStart(DIGITS_MIN, '0');
  }

  /** A Topic Filter that covers this topic of every device. */
  filterOf(leaf: string): string {
    const levels = this.root.split('/').map((level) => (level.includes(ID) ? '+' : level));
    return `${levels.join('/')}/${leaf}`;
  }

  /** Reads the Topic Name `bytes[at]` up to `end` into `index` and `kind`; false when it is no topic of these devices. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    if (!startsWith(bytes, at, end, this.head)) return false;
    let from = at + this.head.length;
    let number = 0;
    for (; from < end && bytes[from] >= ZERO && bytes[from] <= NINE; from++) {
      number = number * 10 + (bytes[from] - ZERO);
    }
    if (from - at < this.head.length + DIGITS_MIN) return false;
    if (endsWith(bytes, from, end, this.telemetry)) this.kind = TELEMETRY;
    else if (endsWith(bytes, from, end, this.status)) this.kind = STATUS;
    else return false;
    this.index = number - 1;
    return this.index >= 0;
  }
}

function endsWith(bytes: Uint8Array, at: number, end: number, expected: Uint8Array): boolean {
  return end - at >= expected.length && startsWith(bytes, end - expected.length, end, expected);
}
