/**
 * Firmware files as they are found: good ones, and what is said of others.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { FleetError } from '../../../../sim/fleet/failure.ts';
import { loadFirmware, tryFirmware } from '../../../../sim/fleet/firmware/firmware-file.ts';
import { BUSY, FirmwareFiles } from './files.ts';

const files = new FirmwareFiles();
afterAll(() => files.remove());

describe('loadFirmware', () => {
  it('loads a file wherever it lies', async () => {
    const path = files.define('good.js', BUSY, 'export const simulate = () => ({ temperature: () => 1 });');
    const firmware = await loadFirmware(path);
    expect(firmware).toMatchObject({ path, file: 'good.js', definition: { id: 'busy' } });
    expect(firmware.simulate?.(0, Math.random)).toHaveProperty('temperature');
  });

  it('takes a definition that nobody has checked yet, and no simulation', async () => {
    const path = files.write('plain.mjs', 'export default { id: "plain", metrics: {} };');
    expect(await loadFirmware(path)).toMatchObject({ definition: { id: 'plain' }, simulate: undefined });
  });

  it.each<[string, string, RegExp]>([
    ['none.js', 'export const a = 1;', /^firmware: none\.js has no default export/],
    ['text.js', 'export default 7;', /^firmware: text\.js: the definition must be an object/],
    [
      'field.js',
      'export default { id: "a", metric: {} };',
      /^firmware: field\.js: the definition must not have a field metric/,
    ],
    [
      'simulate.js',
      'export default { id: "a" }; export const simulate = 7;',
      /simulate, which is to be a function/,
    ],
    ['throws.js', 'throw new Error("no such luck");', /^firmware: .*throws\.js.*: no such luck$/],
    [
      'imports.js',
      'import "not-there-at-all"; export default {};',
      /^firmware: imports\.js.*not-there-at-all/,
    ],
    ['types.ts', 'export default {};', /^firmware: types\.ts must be JavaScript/],
  ])('says what is wrong with %s', async (name, text, message) => {
    const loading = loadFirmware(files.write(name, text));
    await expect(loading).rejects.toThrow(FleetError);
    await expect(loading).rejects.toThrow(message);
  });

  it('names the field that defineDevice throws for', async () => {
    const path = files.define('early.js', "id: 'a', metrics: { t: { everyMs: 5, read: () => 1 } }");
    await expect(loadFirmware(path)).rejects.toThrow(/early\.js.*: metrics\.t\.everyMs must be/);
  });

  it('says that there is no file', async () => {
    await expect(loadFirmware('/nowhere/at/all.js')).rejects.toThrow('there is no file /nowhere/at/all.js');
  });
});

describe('tryFirmware', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'metric.js',
      "id: 'a', metrics: { x: { everyMs: 50, read: (board) => board.litrez() } }",
      '',
      /^firmware: metric\.js: x calls litrez\(\), which is not there: .*litres, .*simulate\(index, random\)$/,
    ],
    [
      'status.js',
      "id: 'a', status: (board) => board.uptime()",
      '',
      /status calls uptime\(\), which is not there/,
    ],
    [
      'own.js',
      "id: 'a', metrics: { x: { everyMs: 50, read: (board) => board.y() } }",
      'export const simulate = () => ({ x: () => 1 });',
      /x calls y\(\), which is not there: that is what its simulate\(\) is to return/,
    ],
    [
      'nothing.js',
      "id: 'a'",
      'export const simulate = () => 7;',
      /nothing\.js: simulate\(\) must return an object/,
    ],
  ])('finds out what is not there: %s', async (name, fields, more, message) => {
    const firmware = await loadFirmware(files.define(name, fields, more));
    expect(() => tryFirmware(firmware, 7)).toThrow(FleetError);
    expect(() => tryFirmware(firmware, 7)).toThrow(message);
  });

  it('takes a sensor that fails for a sensor that fails, and what is asked for without a call', async () => {
    const read = 'read: () => { throw new Error("no answer"); }';
    const fields = `id: 'a', metrics: { x: { everyMs: 50, ${read} } }, status: (board) => ({ has: board.display })`;
    const firmware = await loadFirmware(files.define('fails.js', fields));
    expect(() => tryFirmware(firmware, 7)).not.toThrow();
  });
});
