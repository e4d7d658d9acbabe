/**
 * Which numbered statements of MQTT 5.0 are proved, for the client and for the server: `npm run conformance`. A test of
 * the server's side is one in test/conformance/server; a test of the client's side is any other, or a vector of what the
 * client sends or takes. A test proves what its title names, a vector what its text names; what no test can prove is in
 * test/conformance/not-proved.tsv with the reason. Fails when a statement is in neither place, or in both, and when a test
 * names a statement that the standard does not have. With `-- --markdown` it writes docs/conformance.md as well.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const SIDES = ['client', 'server'];
export const STATEMENTS_FILE = 'test/mqtt5-statements.tsv';
export const NOT_PROVED_FILE = 'test/conformance/not-proved.tsv';

/** Not preceded by the mark of the older standard, whose statements have the same form. */
const ID = /(?<!v3\.1\.1 )\bMQTT-\d+\.\d+(?:\.\d+)?-\d+/g;

// --- What is read ------------------------------------------------------------------------------------------------

/** The rows of a table of tab-separated values, with the lines that they stand on; comments and column names left out. */
function rowsOf(files, path) {
  const text = files.find((file) => file.path === path)?.text ?? '';
  return text.split('\n').flatMap((line, index) => {
    return line.startsWith('MQTT-') ? [{ cells: line.split('\t'), place: `${path}:${index + 1}` }] : [];
  });
}

/** Which side a test of this file is a test of; undefined when it is none, or proves nothing by itself. */
function sideOf(path) {
  if (path.startsWith('test/conformance/server/')) return path.endsWith('.test.ts') ? 'server' : undefined;
  // The broker's own tests look inside it; its conformance is what a client sees of it.
  if (path.startsWith('test/conformance/') || path.startsWith('test/broker/')) return undefined;
  // Tests of what tests are made of, and of worlds.
  if (path.startsWith('test/support-tests/') || path.startsWith('test/world/')) return undefined;
  if (/^test\/vectors\/[^/]+\.md$/.test(path)) return 'client';
  return /^test\/.*\.test\.ts$/.test(path) ? 'client' : undefined;
}

/** `it` of `it`, `it.each(rows)`, `it.concurrent.each`…; undefined for what is not a name. */
function rootName(node) {
  while (!ts.isIdentifier(node)) {
    if (!ts.isPropertyAccessExpression(node) && !ts.isCallExpression(node)) return undefined;
    node = node.expression;
  }
  return node.text;
}

/**
 * The texts that a title is made of, with their positions: of every call of it, test or describe, the literals among the
 * arguments, rows of `each` included, also where they are a constant of the file. Bodies of functions are not titles.
 */
function titleTexts(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const constants = new Map();
  const found = [];

  function collect(node) {
    if (ts.isFunctionLike(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      found.push({ text: node.text, at: node.getStart(source) });
    } else if (ts.isIdentifier(node) && constants.has(node.text)) {
      const initializer = constants.get(node.text);
      constants.delete(node.text); // once is enough, and a circle ends
      collect(initializer);
    }
    ts.forEachChild(node, collect);
  }

  function visit(node) {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer) {
      constants.set(node.name.text, node.initializer);
    }
    if (ts.isCallExpression(node) && /^(it|test|describe\w*)$/.test(rootName(node.expression) ?? '')) {
      for (const argument of node.arguments) collect(argument);
    }
    ts.forEachChild(node, visit);
  }

  visit(source);
  return found.map((one) => ({
    text: one.text,
    line: source.getLineAndCharacterOfPosition(one.at).line + 1,
  }));
}

/**
 * The sections of a file of vectors that say something of the client: it sends the bytes, or takes them. A refusal of
 * what a client sends is the server's.
 */
function vectorTexts(text) {
  let line = 1;
  return text.split(/^(?=## )/m).flatMap((section) => {
    const from = line;
    line += section.split('\n').length - 1;
    const direction = /^- direction: (.*)$/m.exec(section)?.[1];
    const isSent = /^- encodes: yes$/m.test(section);
    const isOfClient = direction !== undefined && (direction !== 'client to server' || isSent);
    return isOfClient ? [{ text: section, line: from }] : [];
  });
}

/** Every statement that a file's tests name, with where. */
function namedIn({ path, text }) {
  const texts = path.endsWith('.md') ? vectorTexts(text) : titleTexts(path, text);
  return texts.flatMap((one) => {
    return [...one.text.matchAll(ID)].map(([id]) => ({ id, place: `${path}:${one.line}` }));
  });
}

// --- What comes of it --------------------------------------------------------------------------------------------

/** Every file that says something of conformance, by its path from the root of the repository. */
export function readFiles(root) {
  return readdirSync(join(root, 'test'), { recursive: true })
    .map((name) => posix.join('test', name.replaceAll('\\', '/')))
    .filter((path) => sideOf(path) !== undefined || path === STATEMENTS_FILE || path === NOT_PROVED_FILE)
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** What is proved, by whom, and everything that is wrong with that, in words. */
export function survey(files) {
  const problems = [];
  const statements = rowsOf(files, STATEMENTS_FILE).map(({ cells: [id, level, binds] }) => {
    return { id, level, binds, places: { client: [], server: [] }, reasons: {} };
  });
  const byId = new Map(statements.map((one) => [one.id, one]));
  if (statements.length === 0) problems.push(`${STATEMENTS_FILE} has no statements`);

  for (const file of files) {
    const side = sideOf(file.path);
    if (side === undefined || !file.text.includes('MQTT-')) continue;
    for (const { id, place } of namedIn(file)) {
      const statement = byId.get(id);
      if (statement) statement.places[side].push(place);
      else problems.push(`${place} names ${id}, which is no statement of the standard`);
    }
  }

  for (const { cells, place } of rowsOf(files, NOT_PROVED_FILE)) {
    const [id, side, reason = ''] = cells;
    const statement = byId.get(id);
    if (!statement) problems.push(`${place} lists ${id}, which is no statement of the standard`);
    else if (!bindsSide(statement, side)) problems.push(`${place} lists ${id}, which binds no ${side}`);
    else if (reason.trim() === '') problems.push(`${place} lists ${id} for the ${side} without a reason`);
    else if (side in statement.reasons) problems.push(`${place} lists ${id} for the ${side} once more`);
    else statement.reasons[side] = reason;
    const [proof] = statement?.places[side] ?? [];
    if (proof) problems.push(`${place} lists ${id} for the ${side} as not proved, but ${proof} names it`);
  }

  for (const side of SIDES) {
    for (const one of statements) {
      if (!bindsSide(one, side) || one.places[side].length > 0 || side in one.reasons) continue;
      problems.push(
        `${one.id} (${one.level}) is not proved for the ${side}, nor listed in ${NOT_PROVED_FILE}`,
      );
    }
  }
  return { statements, problems };
}

export function bindsSide({ binds }, side) {
  return SIDES.includes(side) && (binds === side || binds === 'both');
}

/** The survey in lines for people. */
export function report({ statements, problems }) {
  const lines = SIDES.flatMap((side) => {
    const bound = statements.filter((one) => bindsSide(one, side));
    const proved = bound.filter((one) => one.places[side].length > 0);
    const listed = bound.filter((one) => side in one.reasons);
    return [
      `${side}: ${proved.length} of ${bound.length} statements proved`,
      ...listed.map((one) => `  not proved: ${one.id} (${one.level}): ${one.reasons[side]}`),
    ];
  });
  return [...lines, ...problems.map((problem) => `problem: ${problem}`)];
}

// --- docs/conformance.md -----------------------------------------------------------------------------------------

const SECTIONS = {
  1.5: 'Data representation',
  2.1: 'Fixed header',
  2.2: 'Packet identifier and properties',
  3.1: 'CONNECT',
  3.2: 'CONNACK',
  3.3: 'PUBLISH',
  3.4: 'PUBACK',
  3.5: 'PUBREC',
  3.6: 'PUBREL',
  3.7: 'PUBCOMP',
  3.8: 'SUBSCRIBE',
  3.9: 'SUBACK',
  '3.10': 'UNSUBSCRIBE',
  3.11: 'UNSUBACK',
  3.12: 'PINGREQ',
  3.14: 'DISCONNECT',
  3.15: 'AUTH',
  4.1: 'Session State',
  4.2: 'Network Connections',
  4.3: 'Quality of Service',
  4.4: 'Message delivery retry',
  4.5: 'Message receipt',
  4.6: 'Message ordering',
  4.7: 'Topic Names and Topic Filters',
  4.8: 'Subscriptions',
  4.9: 'Flow control',
  4.12: 'Enhanced authentication',
  4.13: 'Handling errors',
  '6.0': 'WebSocket',
};

/** The tests of a statement's side, each file once, as links from docs/; or why there is none. */
function proofs(statement, side) {
  if (!bindsSide(statement, side)) return '–';
  if (side in statement.reasons) return `not proved: ${statement.reasons[side]}`;
  const paths = new Set(statement.places[side].map((place) => place.replace(/:\d+$/, '')));
  const shortened = [...paths].sort().slice(0, 3);
  const links = shortened.map((path) => `[${path.replace(/^test\/(conformance\/)?/, '')}](../${path})`);
  const more = paths.size - shortened.length;
  return (links.join(', ') || 'missing') + (more > 0 ? `, and ${more} more` : '');
}

/** docs/conformance.md. */
export function markdown({ statements }) {
  const counts = SIDES.map((side) => {
    const bound = statements.filter((one) => bindsSide(one, side));
    return `${bound.filter((one) => one.places[side].length > 0).length} of ${bound.length} for the ${side}`;
  });
  const lines = [
    '# Conformance',
    '',
    '<!-- Written by `npm run conformance -- --markdown`. -->',
    '',
    `MQTT 5.0 has ${statements.length} numbered normative statements. Each is named in the title of a test that proves it, for each side that it`,
    `binds: ${counts.join(', ')}. The client's tests play a server to it; the`,
    "server's play a raw client to the broker, over a socket. A dash: the statement does not bind that side. `npm run conformance`",
    'checks all this.',
    '',
    'How the broker differs from Mosquitto, and where the standard leaves a choice: [conformance-mosquitto.md](conformance-mosquitto.md).',
  ];
  let section = '';
  for (const one of statements) {
    const number = /^MQTT-(\d+\.\d+)/.exec(one.id)[1];
    if (number !== section) {
      section = number;
      lines.push('', `## ${number} ${SECTIONS[number] ?? ''}`.trimEnd(), '');
      lines.push('| statement | level | client | server |', '| --- | --- | --- | --- |');
    }
    lines.push(`| ${one.id} | ${one.level} | ${proofs(one, 'client')} | ${proofs(one, 'server')} |`);
  }
  return `${lines.join('\n')}\n`;
}

// --- The command -------------------------------------------------------------------------------------------------

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  const result = survey(readFiles(root));
  for (const line of report(result)) console.log(line);
  if (process.argv.includes('--markdown')) writeFileSync(join(root, 'docs/conformance.md'), markdown(result));
  process.exitCode = result.problems.length > 0 ? 1 : 0;
}
