/**
 * What becomes of tests that run in an XS machine: a pass is a pass, a failure says why, and neither a machine that ends
 * nor one that hangs takes other tests with it.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Guest } from './guest-tests.ts';

const guest = await Guest.start('verdicts', ['test/xs/fixtures/verdicts.ts']);

afterAll(() => guest.stop());

function namesIn(group: string): string[] {
  return guest.tests
    .map(({ name }) => name)
    .filter((name) => name.startsWith(`${group} > `))
    .map((name) => name.slice(group.length + 3));
}

function run(name: string, signal = new AbortController().signal): Promise<{ failure?: string | undefined }> {
  return guest.run(
    guest.tests.findIndex((test) => test.name === name),
    signal,
  );
}

/** What the title says in its last parentheses. */
function reasonIn(name: string): string {
  return name.slice(name.indexOf('(') + 1, -1);
}

describe('a test in an XS machine', () => {
  it('is listed with its file and its name filled in', () => {
    expect(new Set(guest.tests.map(({ file }) => file))).toEqual(new Set(['test/xs/fixtures/verdicts.ts']));
    expect(namesIn('passes')).toEqual(expect.arrayContaining(['1 with a', '2 with b', 'one']));
    expect(namesIn('fails').length).toBeGreaterThan(20);
  });

  it.each(namesIn('passes'))('passes: %s', async (name) => {
    expect(await run(`passes > ${name}`)).toEqual({});
  });

  it.each(namesIn('fails'))('fails: %s', async (name) => {
    expect((await run(`fails > ${name}`)).failure).toContain(reasonIn(name));
  });

  it.each(namesIn('ends the machine'))('that ends it fails: %s', async (name) => {
    await expect(run(`ends the machine > ${name}`)).rejects.toThrow(reasonIn(name));
    expect(await run('passes > toBe')).toEqual({});
  });

  it.each(namesIn('hangs'))('that hangs fails when its time is up: %s', async (name) => {
    const controller = new AbortController();
    const running = run(`hangs > ${name}`, controller.signal);
    controller.abort();
    await expect(running).rejects.toThrow('the machine was ended');
    expect(await run('passes > toBe')).toEqual({});
  });
});
