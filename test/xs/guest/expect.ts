/**
 * `expect` as the tests that run in an XS machine use it: the matchers they need and no others, with vitest's meaning. A
 * matcher that is not here makes its test fail, as no function.
 */
import { EQUAL, MATCHING, Placeholder, STRICTLY_EQUAL, findDifference, show } from './values.ts';
import type { Comparison } from './values.ts';

class Expectation {
  private readonly found: unknown;
  private readonly message: string | undefined;
  private readonly isNegated: boolean;

  constructor(found: unknown, message: string | undefined, isNegated: boolean) {
    this.found = found;
    this.message = message;
    this.isNegated = isNegated;
  }

  get not(): Expectation {
    return new Expectation(this.found, this.message, !this.isNegated);
  }

  toBe(expected: unknown): void {
    this.judge(Object.is(this.found, expected), () => `is ${show(this.found)}, not ${show(expected)}`);
  }

  toBeUndefined(): void {
    this.toBe(undefined);
  }

  toBeNull(): void {
    this.toBe(null);
  }

  toBeInstanceOf(expected: { name: string; prototype: object }): void {
    const isOne = Object.prototype.isPrototypeOf.call(expected.prototype, this.found as object);
    this.judge(isOne, () => `${show(this.found)} is no ${expected.name}`);
  }

  toEqual(expected: unknown): void {
    this.compare(expected, EQUAL);
  }

  toStrictEqual(expected: unknown): void {
    this.compare(expected, STRICTLY_EQUAL);
  }

  toMatchObject(expected: unknown): void {
    this.compare(expected, MATCHING);
  }

  toHaveLength(expected: number): void {
    const { length } = this.found as ArrayLike<unknown>;
    this.judge(length === expected, () => `has the length ${length}, not ${expected}: ${show(this.found)}`);
  }

  toBeGreaterThan(bound: number): void {
    this.order((this.found as number) > bound, 'greater than', bound);
  }

  toBeGreaterThanOrEqual(bound: number): void {
    this.order((this.found as number) >= bound, 'at least', bound);
  }

  toBeLessThan(bound: number): void {
    this.order((this.found as number) < bound, 'less than', bound);
  }

  toBeLessThanOrEqual(bound: number): void {
    this.order((this.found as number) <= bound, 'at most', bound);
  }

  /** In a text or, by identity, in a list. */
  toContain(item: unknown): void {
    const list = this.found as { includes(item: unknown): boolean };
    this.judge(list.includes(item), () => `${show(this.found)} contains no ${show(item)}`);
  }

  toContainEqual(item: unknown): void {
    const isThere = (this.found as unknown[]).some((one) => findDifference(one, item, EQUAL) === undefined);
    this.judge(isThere, () => `${show(this.found)} contains no ${show(item)}`);
  }

  toMatch(pattern: RegExp | string): void {
    this.judge(isMatch(this.found as string, pattern), () => `${show(this.found)} does not match ${pattern}`);
  }

  /** By a text or pattern in the message, a class, or what it must match. */
  toThrow(expected?: unknown): void {
    let thrown: { error: unknown } | undefined;
    try {
      (this.found as () => unknown)();
    } catch (error) {
      thrown = { error };
    }
    const isAsExpected = thrown !== undefined && isThrown(thrown.error, expected);
    this.judge(
      isAsExpected,
      () => `throws ${thrown === undefined ? 'nothing' : show(thrown.error)}, not ${show(expected)}`,
    );
  }

  private compare(expected: unknown, how: Comparison): void {
    const difference = findDifference(this.found, expected, how);
    this.judge(difference === undefined, () => difference ?? `is ${show(expected)}`);
  }

  private order(isInOrder: boolean, relation: string, bound: number): void {
    this.judge(isInOrder, () => `${show(this.found)} is not ${relation} ${bound}`);
  }

  private judge(isTrue: boolean, explain: () => string): void {
    if (isTrue !== this.isNegated) return;
    const prefix = this.message === undefined ? '' : `${this.message}: `;
    throw new Error(prefix + (this.isNegated ? `expected otherwise: ${show(this.found)}` : explain()));
  }
}

function isMatch(text: string, pattern: RegExp | string): boolean {
  return typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
}

function isThrown(error: unknown, expected: unknown): boolean {
  if (expected === undefined) return true;
  if (typeof expected === 'string' || expected instanceof RegExp) {
    return isMatch(error instanceof Error ? error.message : String(error), expected);
  }
  if (typeof expected === 'function') return error instanceof expected;
  return findDifference(error, expected, MATCHING) === undefined;
}

export function expect(found: unknown, message?: string): Expectation {
  return new Expectation(found, message, false);
}

expect.any = (expected: { name: string; prototype: object }): Placeholder =>
  new Placeholder(
    `any ${expected.name}`,
    (found) =>
      typeof found === expected.name.toLowerCase() ||
      Object.prototype.isPrototypeOf.call(expected.prototype, found as object),
  );

expect.closeTo = (expected: number, digits = 2): Placeholder =>
  new Placeholder(
    `${expected} to ${digits} digits`,
    (found) => Math.abs((found as number) - expected) < 10 ** -digits / 2,
  );

expect.stringMatching = (pattern: RegExp | string): Placeholder =>
  new Placeholder(`text like ${pattern}`, (found) => typeof found === 'string' && isMatch(found, pattern));

expect.stringContaining = (part: string): Placeholder =>
  new Placeholder(`text with ${part}`, (found) => typeof found === 'string' && found.includes(part));

expect.objectContaining = (expected: object): Placeholder =>
  new Placeholder(
    `something with ${show(expected)}`,
    (found) => findDifference(found, expected, MATCHING) === undefined,
  );

expect.not = {
  objectContaining: (expected: object): Placeholder =>
    new Placeholder(
      `something without ${show(expected)}`,
      (found) => findDifference(found, expected, MATCHING) !== undefined,
    ),
};

expect.fail = (message: string): never => {
  throw new Error(message);
};
