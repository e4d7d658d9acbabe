/**
 * Whether every numbered statement of MQTT 5.0 is proved for whom it binds, or listed with the reason why not; and the
 * script that finds out, tried on small trees.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NOT_PROVED_FILE, STATEMENTS_FILE, markdown, readFiles, report, survey } from './conformance.mjs';
import type { Side, Survey, SurveyedFile } from './conformance.mjs';

/** Put together here, so that this file names no statement that a sample of it should not have named. */
const id = (rest: string): string => `MQTT-${rest}`;

const A = id('1.1.1-1');
const B = id('1.1.1-2');
const C = id('2.2-1');

const STATEMENTS: SurveyedFile = {
  path: STATEMENTS_FILE,
  text: `# Comment.\nid\tlevel\tbinds\n${A}\tMUST\tboth\n${B}\tMUST NOT\tclient\n${C}\tMAY\tserver\n`,
};
/** Tests that leave nothing to say. */
const CLIENT: SurveyedFile = { path: 'test/session/x.test.ts', text: `it('x [${A}], [${B}]', () => {});\n` };
const SERVER: SurveyedFile = {
  path: 'test/conformance/server/x.test.ts',
  text: `describe('x [${C}]', () => {\n  it('y [${A}]', () => {});\n});\n`,
};

function surveyOf(...files: SurveyedFile[]): Survey {
  return survey([STATEMENTS, ...files]);
}

function listing(...rows: string[]): SurveyedFile {
  return { path: NOT_PROVED_FILE, text: ['id\tside\treason', ...rows, ''].join('\n') };
}

/** Statements that `text`, in a file of that name, proves for the side. */
function provedBy(text: string, path = 'test/session/x.test.ts', side: Side = 'client'): string[] {
  const { statements } = surveyOf({ path, text });
  return statements.filter((one) => one.places[side].length > 0).map((one) => one.id);
}

describe('the tree', () => {
  const result = survey(readFiles(fileURLToPath(new URL('..', import.meta.url))));

  it('has all statements', () => expect(result.statements).toHaveLength(251));

  it('proves each for whom it binds, or says why not', () => {
    expect(result.problems, `\n${result.problems.join('\n')}\n`).toEqual([]);
  });
});

describe('the script', () => {
  it('has nothing to say when everything is proved', () => {
    const result = surveyOf(CLIENT, SERVER);
    expect(result.problems).toEqual([]);
    expect(result.statements[0].places).toEqual({
      client: ['test/session/x.test.ts:1'],
      server: ['test/conformance/server/x.test.ts:2'],
    });
    expect(report(result)).toEqual(['client: 2 of 2 statements proved', 'server: 2 of 2 statements proved']);
  });

  it('names what is missing, for each side', () => {
    const { problems } = surveyOf();
    expect(problems.map((problem) => problem.slice(0, problem.indexOf(', nor')))).toEqual([
      `${A} (MUST) is not proved for the client`,
      `${B} (MUST NOT) is not proved for the client`,
      `${A} (MUST) is not proved for the server`,
      `${C} (MAY) is not proved for the server`,
    ]);
  });

  it('takes a reason instead of a test', () => {
    const result = surveyOf(CLIENT, { ...SERVER, text: `it('[${A}]');` }, listing(`${C}\tserver\tis a MAY`));
    expect(result.problems).toEqual([]);
    expect(report(result)).toContain(`  not proved: ${C} (MAY): is a MAY`);
  });

  it.each([
    [`${A}\tserver\tlong ago`, 'as not proved, but test/conformance/server/x.test.ts:2 names it'],
    [`${B}\tserver\twhy`, 'binds no server'],
    [`${A}\tnobody\twhy`, 'binds no nobody'],
    [`${id('9.9-9')}\tserver\twhy`, 'is no statement of the standard'],
    [`${B}\tclient\t `, 'without a reason'],
    [`${B}\tclient`, 'without a reason'],
  ])('refuses the row %j', (row, problem) => {
    const { problems } = surveyOf(CLIENT, SERVER, listing(row));
    expect(problems[0]).toMatch(/^test\/conformance\/not-proved\.tsv:2 lists /);
    expect(problems[0]).toContain(problem);
  });

  it('refuses a row that is there twice', () => {
    const { problems } = surveyOf(
      CLIENT,
      { ...SERVER, text: `it('[${A}]');` },
      listing(`${C}\tserver\ta`, `${C}\tserver\tb`),
    );
    expect(problems).toEqual([`${NOT_PROVED_FILE}:3 lists ${C} for the server once more`]);
  });

  it('refuses a test of what is no statement, unless it is one of 3.1.1', () => {
    const title = `'x [${id('9.9-9')}] [v3.1.1 ${id('9.9-8')}]'`;
    const { problems } = surveyOf(CLIENT, SERVER, { path: 'test/a.test.ts', text: `\nit(${title});` });
    expect(problems).toEqual([
      `test/a.test.ts:2 names ${id('9.9-9')}, which is no statement of the standard`,
    ]);
  });

  it('refuses a tree without statements', () => {
    expect(survey([CLIENT, SERVER]).problems).toContain(`${STATEMENTS_FILE} has no statements`);
  });

  it.each([
    `it('a [${A}]', () => {});`,
    `it("a " + 'b [${A}]', () => {});`,
    `it(\`a \${b} [${A}]\`, () => {});`,
    `it.each([1, 2])('a %i [${A}]', () => {});`,
    `it.concurrent.each([1])('a [${A}]', () => {});`,
    `it.each([['a [${A}]', 1]])('%s', () => {});`,
    `const ROWS = [['a [${A}]', 1]];\nit.each(ROWS)('%s', () => {});`,
    `describeBroker('a [${A}]', () => {});`,
    `for (const a of b) describe('c', () => { it('a [${A}]', () => {}); });`,
  ])('finds a title: %s', (text) => expect(provedBy(text)).toEqual([A]));

  it.each([
    `// [${A}]\nit('a', () => {});`,
    `it('a', () => { expect(b, '[${A}]').toBe(c); });`,
    `const b = '[${A}]';\nit('a', () => {});`,
    `it('a [v3.1.1 ${A}]', () => {});`,
    `it('a', (b = '[${A}]') => {});`,
  ])('takes for no title: %s', (text) => expect(provedBy(text)).toEqual([]));

  it('knows whose tests a directory has', () => {
    const text = `it('[${A}]');`;
    for (const path of ['test/a.test.ts', 'test/client/a.test.ts', 'test/brokers/a.test.ts']) {
      expect([provedBy(text, path), provedBy(text, path, 'server')], path).toEqual([[A], []]);
    }
    for (const path of ['test/conformance/server/a.test.ts', 'test/conformance/server/b/a.test.ts']) {
      expect([provedBy(text, path), provedBy(text, path, 'server')], path).toEqual([[], [A]]);
    }
    for (const path of ['conformance/a.test.ts', 'broker/a.test.ts', 'support-tests/a.test.ts', 'a.ts']) {
      const found = [provedBy(text, `test/${path}`), provedBy(text, `test/${path}`, 'server')];
      expect(found, path).toEqual([[], []]);
    }
  });

  it.each([
    ['server to client', 'no', [A]],
    ['both', 'no', [A]],
    ['client to server', 'yes', [A]],
    ['client to server', 'no', []],
  ])('a vector from %s that encodes (%s) proves for the client: %j', (direction, encodes, expected) => {
    const text = `# Head [${B}]\n\n## One\n\nWhy. [${A}]\n\n- direction: ${direction}\n- encodes: ${encodes}\n`;
    expect(provedBy(text, 'test/vectors/a.md')).toEqual(expected);
  });

  it('writes a table for each section', () => {
    const lines = markdown(surveyOf(CLIENT, listing(`${C}\tserver\tis a MAY`))).split('\n');
    expect(lines.filter((line) => line.startsWith('##'))).toEqual([
      '## 1.1',
      '## 2.2 Packet identifier and properties',
    ]);
    expect(lines.filter((line) => line.startsWith('| MQTT'))).toEqual([
      `| ${A} | MUST | [session/x.test.ts](../test/session/x.test.ts) | missing |`,
      `| ${B} | MUST NOT | [session/x.test.ts](../test/session/x.test.ts) | – |`,
      `| ${C} | MAY | – | not proved: is a MAY |`,
    ]);
  });
});
