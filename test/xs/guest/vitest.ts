/**
 * Takes the place of vitest in an XS machine: `describe` and `it` keep a list, and the process outside, which has the
 * real vitest, asks for one test after the other. Knows nothing of what is tested.
 */
import { host, onMessage } from './host.ts';
import { show } from './values.ts';

export { expect } from './expect.ts';

/** A test as the process outside gets to know it; what it asks for is the place in the list. */
export interface ListedTest {
  file: string;
  name: string;
}

/** What became of a test. */
export interface Verdict {
  /** Why it failed; absent when it passed. */
  failure?: string | undefined;
  /** Where, as far as the engine says. */
  stack?: string | undefined;
}

type Body = (...args: never[]) => unknown;
type Options = Record<string, unknown>;

interface KeptTest extends ListedTest {
  /** The suites around it, from the outermost. */
  suites: Suite[];
  run: () => unknown;
}

interface Suite {
  name: string;
  before: (() => unknown)[];
  after: (() => unknown)[];
}

const tests: KeptTest[] = [];
/** The first is the file. */
const suites: Suite[] = [];
let file = '';

/** What follows is in this file. */
export function beginFile(path: string): void {
  file = path;
  suites[0] = { name: '', before: [], after: [] };
}

export function describe(name: string, body: () => void): void {
  suites.push({ name, before: [], after: [] });
  body();
  suites.pop();
}

/** Called before each test of the suite. */
export function beforeEach(step: () => unknown): void {
  suites[suites.length - 1].before.push(step);
}

/** Called after each test of the suite, failed ones too. */
export function afterEach(step: () => unknown): void {
  suites[suites.length - 1].after.push(step);
}

/** Options are vitest's: timeouts are the process's outside. */
export function it(name: string, options: Body | Options, body?: Body): void {
  const run = (typeof options === 'function' ? options : body) as () => unknown;
  const names = suites.slice(1).map((suite) => suite.name);
  tests.push({ file, name: [...names, name].join(' > '), suites: [...suites], run });
}

/** One row of a table as arguments: a list is spread, anything else is one. */
function argumentsOf(row: unknown): unknown[] {
  return Array.isArray(row) ? (row as unknown[]) : [row];
}

/** `%s` and the like filled with the arguments in turn, `$key` with what the first has under that key. */
function fill(name: string, args: readonly unknown[]): string {
  let next = 0;
  return name
    .replace(/%[sdij o]/g, (place) => {
      if (place === '% ' || next >= args.length) return place;
      const value = args[next++];
      return typeof value === 'string' && place === '%s' ? value : show(value);
    })
    .replace(/\$(\w+)/g, (place, key: string) => {
      const holder = args[0] as Record<string, unknown> | null;
      return typeof holder === 'object' && holder !== null && key in holder ? String(holder[key]) : place;
    });
}

describe.each = (rows: readonly unknown[]) => (name: string, body: Body) => {
  for (const row of rows) {
    const args = argumentsOf(row);
    describe(fill(name, args), () => body(...(args as never[])));
  }
};

it.each = (rows: readonly unknown[]) => (name: string, options: Body | Options, body?: Body) => {
  const run = (typeof options === 'function' ? options : body) as Body;
  for (const row of rows) {
    const args = argumentsOf(row);
    it(fill(name, args), () => run(...(args as never[])));
  }
};

/** The error and what caused it. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\nbecause of ${explain(error.cause)}`;
  return String(error) + cause;
}

function tell(verdict: Verdict): void {
  host.post(JSON.stringify(verdict));
}

function tellFailure(error: unknown): void {
  tell({ failure: explain(error), stack: error instanceof Error ? error.stack : undefined });
}

/** Runs steps in order, waiting only for what is a promise: most tests end before the message that began them does. */
function runSteps(steps: (() => unknown)[]): Promise<void> | undefined {
  for (let i = 0; i < steps.length; i++) {
    const result = steps[i]();
    if (result instanceof Promise) return result.then(() => runSteps(steps.slice(i + 1)));
  }
  return undefined;
}

/** Runs what is to run after a test, whatever became of that, and tells. */
function finish(test: KeptTest, error?: { thrown: unknown }): void {
  const conclude = (): void => {
    if (error === undefined) tell({});
    else tellFailure(error.thrown);
  };
  const steps = test.suites.flatMap((suite) => suite.after).reverse();
  try {
    const pending = runSteps(steps);
    if (pending === undefined) conclude();
    else pending.then(conclude, tellFailure);
  } catch (thrown) {
    tellFailure(thrown);
  }
}

function run(test: KeptTest): void {
  try {
    const pending = runSteps([...test.suites.flatMap((suite) => suite.before), test.run]);
    if (pending === undefined) finish(test);
    else {
      pending.then(
        () => finish(test),
        (thrown: unknown) => finish(test, { thrown }),
      );
    }
  } catch (thrown) {
    finish(test, { thrown });
  }
}

/** Tells the list; from then on a message is the decimal place of a test to run, and gets a verdict. */
export function serve(): void {
  onMessage((bytes) => {
    run(tests[Number(String.fromCharCode(...new Uint8Array(bytes)))]);
  });
  host.post(JSON.stringify(tests.map((test): ListedTest => ({ file: test.file, name: test.name }))));
}
