/**
 * What a reader may rely on in every file, checked: imports run one way and in no circle, every file says what it is
 * for, none is longer than one sitting, names are kebab-case, nothing of one machine is left in the tree, and no test
 * is switched off. The checks are functions of path and text, tried on bad samples below before they see the tree.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE_ROOTS = ['src', 'targets', 'sim', 'test', 'bench'];
const LINES_MAX = 500;

/** One file: its path from the root, with `/`, and its text. */
interface File {
  path: string;
  text: string;
}

/** A problem in words that begin with `file:line`. */
type Problem = string;

// --- Which room may import which ---------------------------------------------------------------------------------

/** Files that know nothing but numbers: every room may import them, and they one another. */
const GROUND = ['src/status', 'src/limits', 'src/assert'];
const BELOW_SESSION = [...GROUND, 'src/wire', 'src/packets', 'src/topic'];
const BELOW_CLIENT = [...BELOW_SESSION, 'src/session', 'src/pump', 'src/line'];

/**
 * Every room with the rooms that it may import besides itself. A room is a directory, or a file written without its
 * ending; a longer name goes before a shorter one that it begins with. A file in no room is a problem: whoever builds
 * a new room says here where it stands.
 */
const ROOMS: Record<string, string[]> = {
  'src/status': GROUND,
  'src/limits': GROUND,
  'src/assert': GROUND,
  'src/wire': GROUND,
  'src/topic': [...GROUND, 'src/wire'],
  'src/packets': [...GROUND, 'src/wire', 'src/topic'],
  'src/session': BELOW_SESSION,
  'src/pump': [...BELOW_SESSION, 'src/session'],
  'src/line': [...BELOW_SESSION, 'src/session', 'src/pump'],
  // Messages and keys; only the authenticator knows packets and sessions.
  'src/scram/authenticator': [...BELOW_SESSION, 'src/session', 'src/scram'],
  'src/scram': [...GROUND, 'src/wire'],
  'src/client': [...BELOW_CLIENT, 'src/scram'],
  'src/callbacks': BELOW_CLIENT,
  // Not the client: devices run where that cannot.
  'src/device': BELOW_CLIENT,
  'src/index': ['src'],

  // The command line stands on top of everything that ships.
  'targets/cli': ['src', 'targets', 'sim'],
  targets: ['src'],

  // Two readings of the standard meet on the wire: the broker shares no session logic with the client.
  'sim/broker': [...BELOW_SESSION, 'src/scram', 'targets'],
  // Knows nothing of MQTT: it runs what it is given.
  'sim/xs': [],
  // Runs in Node only, and in real time.
  'sim/world/real': ['src', 'targets', 'sim/world'],
  'sim/world': ['src', 'targets', 'sim/broker', 'sim/xs'],
  'sim/fleet': ['src', 'targets', 'sim/world', 'sim/broker', 'sim/xs'],
  sim: ['src', 'targets'],

  bench: ['src', 'targets', 'sim'],
  test: ['src', 'targets', 'sim', 'bench', 'eslint'],
};

/** Whether `path` (a file) is the room or lies in it. */
function isIn(path: string, room: string): boolean {
  return path.startsWith(`${room}/`) || path.replace(/(\.d)?\.[jt]s$/, '') === room;
}

/** The room of a file, or undefined when it lies in none. */
function roomOf(path: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => isIn(path, room))
    .sort((a, b) => b.length - a.length)[0];
}

interface Import {
  specifier: string;
  line: number;
  /** Path from the root of what a relative specifier names; undefined for packages and builtins. */
  target: string | undefined;
}

/** Every import, export-from, import() and import type of a file. */
function importsOf({ path, text }: File): Import[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({
    specifier: fileName,
    line: lineOf(text, pos),
    target: /^\.{1,2}(\/|$)/.test(fileName) ? posix.join(posix.dirname(path), fileName) : undefined,
  }));
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Imports that run up, or out of `src`. */
function checkDirections(file: File): Problem[] {
  const room = roomOf(file.path);
  if (room === undefined)
    return [`${file.path}:1 lies in no known room: say in test/tidy.test.ts, ROOMS, what it may import`];
  const mayImport = [room, ...ROOMS[room]];
  const problems: Problem[] = [];
  for (const { specifier, line, target } of importsOf(file)) {
    const at = `${file.path}:${line} imports '${specifier}'`;
    if (target === undefined) {
      if (file.path.startsWith('src/'))
        problems.push(`${at}: src imports nothing outside src, no package and no builtin`);
    } else if (target.startsWith('../')) {
      problems.push(`${at}: that is outside the repository`);
    } else {
      const theirs = roomOf(target) ?? target;
      // The command line is a room of its own: what may import targets may not import that.
      const isAllowed =
        mayImport.some((one) => isIn(target, one)) &&
        (theirs !== 'targets/cli' || mayImport.includes(theirs) || room === 'test');
      if (!isAllowed)
        problems.push(
          `${at}: imports run one way, and ${room} may import ${mayImport.join(', ')}; not ${theirs}`,
        );
    }
  }
  return problems;
}

/** Circles of imports, each told once, from its first file in the alphabet. Imports of types count. */
function checkCycles(files: File[]): Problem[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const problems: Problem[] = [];

  function visit(path: string): void {
    state.set(path, 'open');
    trail.push(path);
    for (const { target, line } of importsOf(byPath.get(path)!)) {
      const next = target && [target, target.replace(/\.js$/, '.ts')].find((one) => byPath.has(one));
      if (!next) continue;
      if (state.get(next) === 'open') {
        const circle = [...trail.slice(trail.indexOf(next)), next];
        problems.push(`${path}:${line} closes a circle of imports: ${circle.join(' -> ')}`);
      } else if (!state.has(next)) {
        visit(next);
      }
    }
    trail.pop();
    state.set(path, 'done');
  }

  for (const path of [...byPath.keys()].sort()) if (!state.has(path)) visit(path);
  return problems;
}

// --- What a single file looks like -------------------------------------------------------------------------------

/** The words of the comment that a file begins with, a line each; undefined when it begins with none. */
function headerOf(text: string): string[] | undefined {
  const start = text.replace(/^#!.*\n/, '');
  const comment = /^(\/\*[^]*?\*\/|(\/\/(?!\/).*(\n|$))+)/.exec(start)?.[0];
  if (comment === undefined || /^\W*(eslint|@ts-|prettier|@vitest)/.test(comment)) return undefined;
  const lines = comment
    .split('\n')
    .map((line) => line.replace(/^\s*(\/\*+|\*+\/|\*|\/\/)?\s*|\s*\*\/\s*$/g, ''));
  return lines.some((line) => line !== '') ? lines : undefined;
}

function checkHeader({ path, text }: File): Problem[] {
  if (headerOf(text)) return [];
  return [`${path}:1 does not begin with a comment that says what the file is responsible for`];
}

function checkLength({ path, text }: File): Problem[] {
  const count = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (count <= LINES_MAX || headerOf(text)?.some((line) => line.startsWith('Long because'))) return [];
  return [
    `${path}:${LINES_MAX + 1} goes on to line ${count}: split it, or begin a line of its header with "Long because"`,
  ];
}

function checkName({ path }: File): Problem[] {
  const part = '[a-z0-9]+(-[a-z0-9]+)*';
  if (new RegExp(`^(${part}/)*${part}(\\.(test|config|d))?\\.ts$`).test(path)) return [];
  return [`${path}:1 has a name that is not kebab-case`];
}

/** Assembled here, so that this file does not hold what it looks for. */
const FORBIDDEN: [pattern: RegExp, why: string][] = [
  [new RegExp('/(wo' + 'rk|ro' + 'ot)/'), 'is a path of one machine'],
  [new RegExp('\\.\\./sha' + 'red(/|\\b(?![-\\w.]))'), 'is outside the repository'],
  [new RegExp('cla' + 'ude', 'i'), 'has no place here'],
];

function checkWords({ path, text }: File): Problem[] {
  return text.split('\n').flatMap((line, index) =>
    FORBIDDEN.flatMap(([pattern, why]) => {
      const found = pattern.exec(line)?.[0];
      return found === undefined ? [] : [`${path}:${index + 1} holds "${found}", which ${why}`];
    }),
  );
}

function checkSwitchedOff({ path, text }: File): Problem[] {
  const pattern = /\b(describe|suite|it|test|bench|ctx|context)(\.\w+)*\.(only|skip)\b(?=\s*(\(|\.\w|`))/g;
  return [...text.matchAll(pattern)].map(
    (match) => `${path}:${lineOf(text, match.index)} has ${match[0]}: every test runs, or is deleted`,
  );
}

// --- The tree ----------------------------------------------------------------------------------------------------

/** Every file below `directory` that git would keep, as far as the plain lines of .gitignore say. */
function readTree(directory = ''): File[] {
  const ignored = readFileSync(`${ROOT}/.gitignore`, 'utf8').split('\n').filter(Boolean);
  const isIgnored = (name: string): boolean =>
    name === '.git' ||
    ignored.some((line) =>
      line.startsWith('*') ? name.endsWith(line.slice(1)) : name === line.replace(/\/$/, ''),
    );
  return readdirSync(`${ROOT}/${directory}`, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(directory, entry.name);
    if (isIgnored(entry.name)) return [];
    if (entry.isDirectory()) return readTree(path);
    return entry.isFile() ? [{ path, text: readFileSync(`${ROOT}/${path}`, 'utf8') }] : [];
  });
}

function expectNone(problems: Problem[]): void {
  expect(problems, `\n${problems.join('\n')}\n`).toEqual([]);
}

describe('the tree', () => {
  // What is not text has a zero byte.
  const everything = readTree().filter((file) => !file.text.includes('\0'));
  const sources = everything.filter(
    ({ path }) => path.endsWith('.ts') && SOURCE_ROOTS.includes(path.split('/')[0]),
  );

  it('was found', () => {
    expect(sources.map((file) => file.path)).toContain('test/tidy.test.ts');
    expect(everything.map((file) => file.path)).toEqual(
      expect.arrayContaining(['package.json', '.prettierrc.json']),
    );
  });
  it('imports run one way', () => expectNone(sources.flatMap(checkDirections)));
  it('imports run in no circle', () => expectNone(checkCycles(sources)));
  it('every file says what it is for', () => expectNone(sources.flatMap(checkHeader)));
  it(`no file is longer than ${LINES_MAX} lines without a reason`, () =>
    expectNone(sources.flatMap(checkLength)));
  it('file names are kebab-case', () => expectNone(sources.flatMap(checkName)));
  it('nothing of one machine is left', () => expectNone(everything.flatMap(checkWords)));
  it('no test is switched off', () =>
    expectNone(sources.filter(({ path }) => path.startsWith('test/')).flatMap(checkSwitchedOff)));
});

// --- The checks themselves ---------------------------------------------------------------------------------------

describe('the checks', () => {
  const importing = (path: string, ...specifiers: string[]): File => ({
    path,
    text: specifiers.map((one) => `import { a } from '${one}';\n`).join(''),
  });

  it.each([
    ['src/wire/ring.ts', './bytes.ts'],
    ['src/wire/ring.ts', '../limits.ts'],
    ['src/status.ts', './limits.ts'],
    ['src/packets/connect.ts', '../wire/cursor.ts'],
    ['src/session/session.ts', '../topic.ts'],
    ['src/pump.ts', './session/session.ts'],
    ['src/scram/client.ts', '../wire/utf8.ts'],
    ['src/scram/authenticator.ts', '../session/event.ts'],
    ['src/client/client.ts', '../pump.ts'],
    ['src/index.ts', './client/client.ts'],
    ['targets/node/tcp.ts', '../../src/index.ts'],
    ['targets/node/tcp.ts', 'node:net'],
    ['targets/gateway/gateway.ts', '../node/tcp.ts'],
    ['targets/cli/fleet.ts', '../../sim/fleet/index.ts'],
    ['targets/cli/fleet.ts', '../node/index.ts'],
    ['sim/fleet/device.ts', '../../targets/node/index.ts'],
    ['sim/fleet/device.ts', '../world/clock.ts'],
    ['sim/broker/routing.ts', '../../src/topic.ts'],
    ['bench/codec.ts', '../src/index.ts'],
    ['test/cli/sub.test.ts', '../../targets/cli/sub.ts'],
    ['test/lint.test.ts', '../eslint/core-subset.js'],
  ])('%s may import %s', (path, specifier) => {
    expect(checkDirections(importing(path, specifier))).toEqual([]);
  });

  it.each([
    ['src/wire/ring.ts', '../topic.ts'],
    ['src/wire/ring.ts', '../packets/types.ts'],
    ['src/status.ts', './wire/ring.ts'],
    ['src/topic.ts', './packets/types.ts'],
    ['src/packets/connect.ts', '../session/options.ts'],
    ['src/session/session.ts', '../pump.ts'],
    ['src/pump.ts', './client/client.ts'],
    ['src/scram/client.ts', '../session/event.ts'],
    ['src/client/client.ts', '../index.ts'],
    ['src/device/device.ts', '../client/client.ts'],
    ['src/wire/ring.ts', 'node:buffer'],
    ['src/client/client.ts', 'ws'],
    ['src/index.ts', '../targets/node/index.ts'],
    ['src/index.ts', '../../elsewhere/index.ts'],
    ['targets/node/tcp.ts', '../../sim/fleet/index.ts'],
    ['targets/node/tcp.ts', '../cli/motemq.ts'],
    ['targets/node/tcp.ts', '../../test/support/wait.ts'],
    ['sim/fleet/device.ts', '../../targets/cli/motemq.ts'],
    ['sim/world/clock.ts', '../fleet/device.ts'],
    ['sim/broker/session.ts', '../../src/session/session.ts'],
    ['bench/codec.ts', '../test/support/wait.ts'],
    ['src/nowhere/file.ts', '../status.ts'],
  ])('%s may not import %s', (path, specifier) => {
    const problems = checkDirections(importing(path, specifier));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${path}:1 `));
  });

  it('sees every way to import, and not what a comment says', () => {
    const text = [
      "// import { a } from '../session/a.ts';",
      "import type { A } from '../session/a.ts';",
      "export * from '../session/b.ts';",
      "type C = import('../session/c.ts').C;",
      "const d = import('../session/d.ts');",
    ].join('\n');
    const lines = checkDirections({ path: 'src/wire/bad.ts', text }).map((problem) => problem.split(' ')[0]);
    expect(lines).toEqual([2, 3, 4, 5].map((line) => `src/wire/bad.ts:${line}`));
  });

  it('finds circles of imports', () => {
    const round = [
      importing('src/a.ts', './b.ts'),
      importing('src/b.ts', './c.js'),
      importing('src/c.ts', 'x', './a.ts'),
    ];
    expect(checkCycles(round)).toEqual([
      'src/c.ts:2 closes a circle of imports: src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts',
    ]);
    expect(checkCycles([importing('src/a.ts', './a.ts')])).toHaveLength(1);
    const diamond = [
      importing('src/a.ts', './b.ts', './c.ts'),
      importing('src/b.ts', './d.ts'),
      importing('src/c.ts', './d.ts'),
      importing('src/d.ts'),
    ];
    expect(checkCycles(diamond)).toEqual([]);
  });

  it.each([
    '/** Does this. */\n',
    '/*\n * Does this.\n */',
    '// Does this.\nlet a;',
    '#!/usr/bin/env node\n// Does this.\n',
  ])('takes %j for a header', (text) => expect(checkHeader({ path: 'src/a.ts', text })).toEqual([]));

  it.each([
    '',
    'let a;',
    '\n// Late.',
    '/** */',
    '//\nlet a;',
    '/// <reference types="a" />',
    '// eslint-disable a\n',
  ])('does not take %j for a header', (text) =>
    expect(checkHeader({ path: 'src/a.ts', text })).toHaveLength(1),
  );

  it('finds long files, and takes a reason', () => {
    const lines = (count: number): string => 'a;\n'.repeat(count);
    expect(checkLength({ path: 'src/a.ts', text: lines(LINES_MAX) })).toEqual([]);
    expect(checkLength({ path: 'src/a.ts', text: lines(LINES_MAX + 1) })[0]).toMatch(/^src\/a\.ts:501 /);
    const reason = '/**\n * A table.\n * Long because of its rows.\n */\n';
    expect(checkLength({ path: 'src/a.ts', text: reason + lines(LINES_MAX) })).toEqual([]);
    const inside = `// A table, which is not Long because of anything.\n${lines(LINES_MAX)}// Long because late.\n`;
    expect(checkLength({ path: 'src/a.ts', text: inside })).toHaveLength(1);
  });

  it('knows kebab-case', () => {
    const check = (path: string): Problem[] => checkName({ path, text: '' });
    for (const path of ['src/a.ts', 'src/topic-aliases.ts', 'test/wire/utf8.test.ts', 'src/x-1/a.d.ts'])
      expect(check(path)).toEqual([]);
    for (const path of [
      'src/topicAliases.ts',
      'src/Topic.ts',
      'src/topic_aliases.ts',
      'src/Wire/a.ts',
      'src/a-.ts',
    ])
      expect(check(path)).toHaveLength(1);
  });

  it('finds forbidden words', () => {
    const check = (text: string): Problem[] => checkWords({ path: 'README.md', text });
    for (const bad of [
      '/wo' + 'rk/main',
      '/ro' + 'ot/.npmrc',
      '../sha' + 'red/a.md',
      'Cla' + 'ude',
      'CLA' + 'UDE.md',
    ])
      expect(check(`fine\nnot ${bad} fine`)[0]).toMatch(/^README\.md:2 /);
    expect(check("import '../sha" + "red-subscriptions.ts'; '../sha" + "red.ts'; work/root; rooted")).toEqual(
      [],
    );
  });

  it('finds tests that are switched off', () => {
    const check = (text: string): Problem[] => checkSwitchedOff({ path: 'test/a.test.ts', text });
    const [only, skip] = ['.on' + 'ly', '.sk' + 'ip'];
    for (const bad of [
      `it${only}('a')`,
      `describe${skip}(`,
      `test.each([1])('b');\nit.concurrent${skip}(`,
      `it${only}.each\`\``,
    ])
      expect(check(bad)).toHaveLength(1);
    expect(check(`\n\nit${only}('a')`)[0]).toMatch(/^test\/a\.test\.ts:3 /);
    expect(check(`cursor${skip}(4); it${skip}If(noBroker)('a'); it('reads${only} this')`)).toEqual([]);
  });
});
