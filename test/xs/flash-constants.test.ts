/**
 * What firmware returns may lie in flash: a constant of a preloaded module, which XS itself cannot turn into JSON.
 */
import { afterEach, expect, it } from 'vitest';
import { ESP32_HEAP } from '../../sim/xs/machine.ts';
import { Bench, stopAll } from './bench.ts';
import { bundle, writeModule } from './bundle.ts';

afterEach(stopAll);

it('what lies in flash becomes JSON all the same', async () => {
  const modules = {
    commands: await bundle('flash-commands', { entryPoints: ['src/device/commands.ts'] }),
    constant: writeModule('flash-constant', `export default { version: '1.2', parts: [1, { a: null }] };`),
    main: writeModule(
      'flash-main',
      `import { toJson } from 'commands'; import constant from 'constant';
       globalThis.own = () => JSON.stringify(constant);
       globalThis.ours = () => toJson({ info: constant });`,
    ),
  };
  const { machine } = await Bench.start({}, { modules, preload: ['commands', 'constant'], heap: ESP32_HEAP });
  await machine.import('main');
  await expect(machine.evaluate('own()')).rejects.toThrow('read only value');
  expect(JSON.parse((await machine.evaluate('ours()')) as string)).toEqual({
    info: { version: '1.2', parts: [1, { a: null }] },
  });
});
