/**
 * Comparing and showing values as the tests' matchers need it in an XS machine, where vitest cannot run. The three ways
 * to compare are those of vitest: equal, strictly equal, matching.
 */

type Key = string | number;
type Holder = Record<Key, unknown>;

/** How two values are compared. */
export interface Comparison {
  /** Keys with the value undefined count, and so do constructors. */
  isStrict: boolean;
  /** The found value may have more keys than the expected one. */
  isPartial: boolean;
}

export const EQUAL: Comparison = { isStrict: false, isPartial: false };
export const STRICTLY_EQUAL: Comparison = { isStrict: true, isPartial: false };
export const MATCHING: Comparison = { isStrict: false, isPartial: true };

/** Stands for several values in what is expected: `expect.any` and the like. */
export class Placeholder {
  readonly text: string;
  readonly fits: (found: unknown) => boolean;

  constructor(text: string, fits: (found: unknown) => boolean) {
    this.text = text;
    this.fits = fits;
  }
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null;
}

/** `[object Uint8Array]` and the like. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value);
}

/** Of dates and regular expressions. */
function textOf(value: object): string {
  return (value as RegExp).toString();
}

function keysOf(value: Holder, { isStrict }: Comparison): string[] {
  return Object.keys(value).filter((key) => isStrict || value[key] !== undefined);
}

/** Where the two differ, as a path from the top and both values; undefined when they do not. */
export function findDifference(
  found: unknown,
  expected: unknown,
  how: Comparison,
  path = 'the value',
): string | undefined {
  if (Object.is(found, expected)) return undefined;
  if (expected instanceof Placeholder) return expected.fits(found) ? undefined : tell(path, found, expected);
  if (!isHolder(found) || !isHolder(expected)) return tell(path, found, expected);
  const kind = kindOf(expected);
  if (how.isPartial && kind === '[object Object]') return findInObject(found, expected, how, path);
  if (kindOf(found) !== kind) return tell(path, found, expected);
  if (how.isStrict && found.constructor !== expected.constructor) {
    return `${path} has another constructor: ${show(found)}, not ${show(expected)}`;
  }
  if (kind === '[object Map]' || kind === '[object Set]') {
    const lists = [found, expected].map((one) => [...(one as unknown as Iterable<unknown>)]);
    return findDifference(lists[0], lists[1], how, path);
  }
  if (kind === '[object Date]' || kind === '[object RegExp]') {
    return textOf(found) === textOf(expected) ? undefined : tell(path, found, expected);
  }
  if (found instanceof Error) return findDifference(found.message, expected['message'], how, path);
  if (found instanceof ArrayBuffer) {
    return findDifference(
      new Uint8Array(found),
      new Uint8Array(expected as unknown as ArrayBuffer),
      how,
      path,
    );
  }
  if (Array.isArray(found) || ArrayBuffer.isView(found)) return findInList(found, expected, how, path);
  return findInObject(found, expected, how, path);
}

function findInList(found: Holder, expected: Holder, how: Comparison, path: string): string | undefined {
  const length = expected['length'] as number;
  if (found['length'] !== length) return tell(path, found, expected);
  for (let i = 0; i < length; i++) {
    if (how.isStrict && i in found !== i in expected) return tell(`${path}[${i}]`, found, expected);
    const difference = findDifference(found[i], expected[i], how, `${path}[${i}]`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function findInObject(found: Holder, expected: Holder, how: Comparison, path: string): string | undefined {
  const keys = how.isPartial ? Object.keys(expected) : keysOf(expected, how);
  for (const key of keys) {
    if (!(key in found)) return `${path} has no "${key}": ${show(found)}`;
    const difference = findDifference(found[key], expected[key], how, `${path}.${key}`);
    if (difference !== undefined) return difference;
  }
  if (how.isPartial) return undefined;
  for (const key of keysOf(found, how)) {
    if (!keys.includes(key)) return `${path} has a "${key}" that is not expected: ${show(found)}`;
  }
  return undefined;
}

function tell(path: string, found: unknown, expected: unknown): string {
  return `${path} is ${show(found)}, not ${show(expected)}`;
}

const SHOWN_MAX = 2000;

/** The value as text for messages. */
export function show(value: unknown): string {
  const text = showAt(value, 0);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function showAt(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (Object.is(value, -0)) return '-0';
  if (!isHolder(value)) return String(value);
  if (value instanceof Error || value instanceof RegExp) return String(value);
  if (value instanceof Placeholder) return value.text;
  if (depth > 6) return '…';
  const inside = (one: unknown): string => showAt(one, depth + 1);
  if (Array.isArray(value)) return `[${value.map(inside).join(', ')}]`;
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name} [${[...(value as unknown as Uint8Array)].join()}]`;
  const entries = Object.keys(value).map((key) => `${key}: ${inside(value[key])}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
