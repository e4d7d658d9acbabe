/**
 * The core's language subset, tried out: each construct that eslint/core-subset.js bans is reported in a snippet that
 * uses it, code as the core is written is not, and the rules hold in the core and nowhere else. The snippets are
 * linted as files that do not exist, without type information, which the subset does not need.
 */
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { coreSubset } from '../eslint/core-subset.js';

const root = fileURLToPath(new URL('..', import.meta.url));

const eslint = new ESLint({
  cwd: root,
  overrideConfigFile: true,
  overrideConfig: [{ files: ['**/*.ts'], languageOptions: { parser: tseslint.parser } }, ...coreSubset],
});

/** What the subset says about `code` as if it stood in `filePath`, one message a line. */
async function lint(code: string, filePath = 'src/wire/sample.ts'): Promise<string> {
  const [result] = await eslint.lintText(code, { filePath });
  return result.messages.map((message) => message.message).join('\n');
}

/** Construct, snippet, and the beginning of what must be said about it. */
const banned: [name: string, code: string, says: RegExp][] = [
  ['async function', 'async function f() {}', /async\/await: Espruino/],
  ['async method', 'class A { async f() {} }', /async\/await/],
  ['async arrow', 'const f = async () => {};', /async\/await/],
  ['top-level await', 'await f();', /async\/await/],
  ['for await', 'async function f(a) { for await (const b of a) b(); }', /async\/await/],
  ['generator', 'function* f() { yield 1; }', /Generator: Espruino/],
  ['generator method', 'class A { *f() { yield 1; } }', /Generator/],
  ['#private field', 'class A { #a; constructor() { this.#a = 1; } }', /#private/],
  ['#private method', 'class A { #a() {} }', /#private/],
  ['default parameter', 'function f(a = 1) { return a; }', /Default parameter/],
  ['default parameter of a method', 'class A { f(a = 1) { return a; } }', /Default parameter/],
  ['rest parameter', 'function f(...a: number[]) { return a; }', /Rest parameter/],
  ['destructured object parameter', 'function f({ a }) { return a; }', /Destructuring/],
  ['destructured array parameter', 'const f = ([a]) => a;', /Destructuring/],
  ['object destructuring', 'function f(b) { const { a } = b; return a; }', /Destructuring/],
  ['array destructuring', 'function f(b) { const [a] = b; return a; }', /Destructuring/],
  ['assignment destructuring', 'function f(a, b) { [a, b] = [b, a]; }', /Destructuring/],
  ['for-of destructuring', 'function f(a) { for (const [b] of a) b(); }', /Destructuring/],
  ['for-in destructuring', 'function f(a) { for (const [b] in a) b(); }', /Destructuring/],
  ['array spread', 'const a = [...b];', /Spread/],
  ['object spread', 'const a = { ...b };', /Spread/],
  ['call spread', 'f(...a);', /Spread/],
  ['optional member', 'f(a?.b);', /Optional chaining/],
  ['optional call', 'a?.();', /Optional chaining/],
  ['optional index', 'f(a?.[0]);', /Optional chaining/],
  ['**', 'const a = b ** 2;', /Operator `\*\*`/],
  ['**=', 'function f(a) { a **= 2; }', /Operator `\*\*`/],
  ['??=', 'function f(a) { a ??= 2; }', /Logical assignment/],
  ['||=', 'function f(a) { a ||= 2; }', /Logical assignment/],
  ['&&=', 'function f(a) { a &&= 2; }', /Logical assignment/],
  ['BigInt literal', 'const a = 1n;', /BigInt/],
  ['tagged template', 'const a = f`b`;', /Tagged template/],
  ['new.target', 'function F() { return new.target; }', /new\.target/],
  ['import.meta', 'const a = import.meta.url;', /import\.meta/],
  ['import()', 'void import("a");', /import\(\)/],
  ['getter of a class', 'class A { get a() { return 1; } }', /Getter or setter/],
  ['setter of a class', 'class A { set a(b) { f(b); } }', /Getter or setter/],
  ['getter of an object', 'const a = { get b() { return 1; } };', /Getter or setter/],
  ['inheritance', 'class A extends B {}', /Inheritance/],
  ['inheritance of a class expression', 'const A = class extends B {};', /Inheritance/],
  ['field with an array', 'class A { a = []; }', /Initialised field/],
  ['field with an instance', 'class A { a = new B(); }', /Initialised field/],
  ['field with a number', 'class A { a = 0; }', /Initialised field/],
  ['static field', 'class A { static a = 0; }', /Initialised field/],
  ['static field without a value', 'class A { static a: number; }', /Static state/],
  ['static block', 'class A { static { f(); } }', /Static state/],
  ['field with !', 'class A { a!: number; constructor() { this.a = 1; } }', /Field with `!`/],
  ['field never assigned', 'class A { a: number | undefined; }', /Field `a` is not assigned/],
  [
    'field assigned only in a method',
    'class A { a?: number; constructor() {} f() { this.a = 1; } }',
    /Field `a` is not assigned/,
  ],
  ['computed method', 'class A { [b]() {} }', /Computed key/],
  ['computed key', 'const a = { [b]: 1 };', /Computed key/],
  ['method named like a keyword', 'class A { delete() {} }', /Method named like a keyword/],
  ['object method named like a keyword', 'const a = { return() {} };', /Method named like a keyword/],
  ['label', 'a: for (;;) break a;', /Label/],
  ['case after default', 'switch (a) { default: f(); break; case 1: g(); }', /`case` after `default`/],
  ['var', 'function f() { var a = 1; return a; }', /`var`/],
  ['using', 'function f(b) { using a = b(); g(a); }', /`using`/],
  ['let at module level', 'let a = 1;', /Variable at module level/],
  ['exported let', 'export let a = 1;', /Variable at module level/],
  ['var at module level', 'var a = 1;', /`var`/],
  ['empty array at module level', 'const a: number[] = [];', /at module level/],
  ['exported empty object', 'export const a = {};', /at module level/],
  ['instance at module level', 'const a = new Ring();', /at module level/],
  ['instance at module level, exported', 'export const a = new Ring();', /at module level/],
  ['table changed by a function', 'const A = [1, 2]; function f() { A[0] = 1; }', /state of a module/],
  [
    'table filled by a method',
    'const A = new Uint8Array(2); class B { f() { A.fill(0); } }',
    /state of a module/,
  ],
  ['member counted up', 'const A = { b: { c: 1 } }; function f() { A.b.c++; }', /state of a module/],
  ['member deleted', 'const A = { b: 1 }; function f() { delete A.b; }', /state of a module/],
  ['import changed', 'import { A } from "./a.ts"; function f() { A.b = 1; }', /state of a module/],
  ['arrow in a function', 'function f(a) { return a.map((b) => b + 1); }', /Function made inside a function/],
  ['function in a method', 'class A { f() { return function () {}; } }', /Function made inside a function/],
  ['declaration in a function', 'function f() { function g() {} g(); }', /Function made inside a function/],
  ['class in a function', 'function f() { return class {}; }', /Function made inside a function/],
  ['use before declaration', 'f(); function f() {}', /Espruino hoists nothing/],
  ['Array.from', 'const a = Array.from(b);', /Array\.from/],
  ['Array.of', 'const a = Array.of(1);', /Array\.of/],
  ['Uint8Array.from', 'const a = Uint8Array.from(b);', /Uint8Array\.from/],
  ['slice', 'function f(a) { return a.slice(1); }', /slice of a Uint8Array/],
  ['copyWithin', 'function f(a) { a.copyWithin(0, 1); }', /moveDown/],
  ['Math.trunc', 'const a = Math.trunc(b);', /Math\.trunc/],
  ['Math.imul', 'const a = Math.imul(b, c);', /Math\.imul/],
  ['Math.clz32', 'const a = Math.clz32(b);', /Math\.clz32/],
  ['Math.random', 'const a = Math.random();', /random source/],
  ['Number.isInteger', 'const a = Number.isInteger(b);', /Number\.isInteger/],
  ['Number.isNaN', 'const a = Number.isNaN(b);', /Number\.isNaN/],
  ['Object.freeze', 'const a = Object.freeze([1]);', /Object\.freeze/],
];

const bannedGlobals =
  'Map Set WeakMap WeakSet Symbol Proxy BigInt TextEncoder TextDecoder Promise setTimeout setInterval setImmediate ' +
  'clearTimeout clearInterval queueMicrotask Date performance console Buffer process globalThis';

/** The core as it is written: whatever this holds must pass. */
const good = `
import { NO_SPACE, OK } from '../status.ts';
import type { Clock } from './clock.ts';

declare const __DEBUG__: boolean;

const CAPACITY_BYTES = 16;
const NAMES = ['CONNECT', 'CONNACK'] as const;
const REASON = { success: 0, quotaExceeded: 0x97 } as const;
const CRC = new Uint8Array(256);
for (let i = 0; i < 256; i++) CRC[i] = (i * 7) & 255;

export type Listener = (...values: number[]) => void;

export interface Store {
  readonly [key: string]: number;
}

export const codec = {
  encode(value: number): number {
    return value & 0xff;
  },
  delete: 0,
};

export class Window implements Closable {
  private readonly bytes: Uint8Array;
  private readonly held: Window[];
  declare clock: Clock;
  start: number;
  name: string | undefined;

  constructor(bytes: Uint8Array, clock: Clock) {
    this.bytes = bytes;
    this.held = [];
    this.clock = clock;
    this.start = 0;
    this.name = undefined;
  }

  static of(bytes: Uint8Array, clock: Clock): Window {
    return new Window(bytes, clock);
  }

  put(byte: number, text?: string): number {
    const at = this.start;
    if (at >= CAPACITY_BYTES) return NO_SPACE;
    this.bytes[at] = byte ^ CRC[byte];
    this.start = at + 1;
    this.held.push(this);
    this.bytes.set(this.bytes.subarray(0, at), 0);
    this.name = text ?? \`byte \${byte} at \${at}\`;
    return later(OK);
  }

  describe(status: number): string {
    for (const name of NAMES) if (name.length === status) return name;
    switch (status) {
      case REASON.success:
      case REASON.quotaExceeded:
        return String.fromCharCode(status);
      default:
        return Math.floor(status / 2).toString();
    }
  }

  close(): void {
    try {
      while (this.start > 0) this.start--;
    } catch {
      this.start = 0;
    } finally {
      Object.assign(this, { name: undefined });
    }
  }
}

function later(status: number): number {
  return status | 0;
}
`;

describe('the core language subset', () => {
  it.each(banned)('reports: %s', async (_name, code, says) => {
    expect(await lint(code)).toMatch(says);
  });

  it.each(bannedGlobals.split(' '))('reports the global %s', async (name) => {
    expect(await lint(`export function f() { return ${name}; }`)).toContain(`Unexpected use of '${name}'`);
  });

  it('says nothing about code as the core is written', async () => {
    expect(await lint(good)).toBe('');
    expect(await lint(good, 'src/session/sample.ts')).toBe('');
  });

  it('knows a local name from a global one', async () => {
    expect(await lint('export function f(process: number, Date: number) { return process + Date; }')).toBe(
      '',
    );
  });

  it('leaves copyWithin to src/wire/bytes.ts, and the rest of the list holds there', async () => {
    expect(await lint('function f(a) { a.copyWithin(0, 1); }', 'src/wire/bytes.ts')).toBe('');
    expect(await lint('const a = Math.trunc(b);', 'src/wire/bytes.ts')).toMatch(/Math\.trunc/);
    expect(await lint('class A { a = 1; }', 'src/wire/bytes.ts')).toMatch(/Initialised field/);
  });

  it('allows closures outside the rooms that run per packet, but not in a loop that they look into', async () => {
    const closure = 'export function f(a) { a.listen((b) => { a.put(b); }); }';
    expect(await lint(closure, 'src/pump.ts')).toBe('');
    for (const room of ['src/packets/a.ts', 'src/session/a.ts', 'src/topic.ts']) {
      expect(await lint(closure, room)).toMatch(/Function made inside a function/);
    }
    const loop = 'export function f(a) { let n = 0; while (n < 9) { a.listen(() => n); n++; } }';
    expect(await lint(loop, 'src/pump.ts')).toMatch(/Function declared in a loop/);
  });

  it.each(['src/client/a.ts', 'src/packets/inspect.ts', 'sim/fleet/a.ts', 'targets/node/a.ts', 'test/a.ts'])(
    'does not hold in %s',
    async (filePath) => {
      expect(await lint('export async function* f(...a) { yield [...a, new Map()]; }', filePath)).toBe('');
    },
  );

  it('is part of the configuration that `npm run lint` uses, as errors', async () => {
    const used = new ESLint({ cwd: root });
    const rulesOf = async (filePath: string): Promise<Record<string, [severity: number]>> =>
      (await used.calculateConfigForFile(filePath)).rules;
    const names = coreSubset.flatMap((config) => Object.keys(config.rules ?? {}));
    for (const filePath of [
      'src/index.ts',
      'src/wire/a.ts',
      'src/packets/a.ts',
      'src/session/a.ts',
      'src/device/a.ts',
    ]) {
      const rules = await rulesOf(filePath);
      for (const name of names) expect(rules[name][0], `${name} in ${filePath}`).toBe(2);
    }
    expect(await rulesOf('src/client/a.ts')).not.toHaveProperty('no-restricted-globals');
    expect(await rulesOf('src/packets/inspect.ts')).not.toHaveProperty('no-restricted-globals');
  });
});
