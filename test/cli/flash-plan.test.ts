/**
 * From flags and folders to the commands that `motemq flash` would run: targets, apps, configuration, passwords, plans.
 * Nothing is run.
 */
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandError, UsageError } from '../../targets/cli/exit-status.ts';
import {
  buildName,
  describePlan,
  environmentOf,
  planFlash,
  type FlashJob,
} from '../../targets/cli/flash-plan.ts';
import { checkTypeScript, findApp, readAppNeeds } from '../../targets/cli/moddable-app.ts';
import { planConfig } from '../../targets/cli/moddable-config.ts';
import { checkTarget, parseTarget, readBoard } from '../../targets/cli/moddable-target.ts';
import { REDACTED } from '../../targets/cli/redactor.ts';
import { askPassword, findPassword } from '../../targets/cli/wifi-password.ts';
import { FakeComputer } from './fake-moddable.ts';

let computer: FakeComputer;
beforeEach(() => {
  computer = new FakeComputer();
});
afterEach(() => computer.remove());

const ESP32 = parseTarget('esp32', 'lin');
const LIN = parseTarget('lin', 'lin');

describe('a target', () => {
  it.each([
    ['esp32', { platform: 'esp32', board: undefined, kind: 'board', runsHere: false }],
    ['ESP32/moddable_two', { name: 'esp32/moddable_two', board: 'moddable_two', kind: 'board' }],
    ['lin', { kind: 'simulator', runsHere: true }],
    ['sim/m5paper', { name: 'lin/m5paper', kind: 'simulator' }],
    ['x-cli-lin', { kind: 'program', runsHere: true }],
    ['pico/x', { kind: 'program', runsHere: false }],
  ])('%s', (text, expected) => expect(parseTarget(text, 'lin')).toMatchObject(expected));

  it.each(['', 'esp32/', '/x', 'esp32/a/b', 'esp32 x', 'esp32/../..', 'mac'])('is not "%s"', (text) => {
    expect(() => parseTarget(text, 'lin')).toThrow(UsageError);
  });

  it('is known to the SDK, or the known ones are listed', () => {
    const { sdk } = computer.addSdk();
    for (const text of ['esp32', 'esp32/c3_board', 'lin', 'lin/m5paper', 'x-cli-lin']) {
      expect(() => checkTarget(parseTarget(text, 'lin'), sdk)).not.toThrow();
    }
    expect(() => checkTarget(parseTarget('esp32/toaster', 'lin'), sdk)).toThrow(
      /no esp32\/toaster; boards of esp32 are c3_board, usb_board$/,
    );
    expect(() => checkTarget(parseTarget('zx81', 'lin'), sdk)).toThrow(/"zx81", only esp32, lin, mac/);
  });

  it('has a chip, and for some boards something to do by hand', () => {
    const { sdk } = computer.addSdk();
    expect(readBoard(ESP32, sdk, {}).chip).toBe('esp32');
    expect(readBoard(ESP32, sdk, { ESP32_SUBCLASS: 'esp32s2' }).chip).toBe('esp32s2');
    expect(readBoard(parseTarget('esp32/c3_board', 'lin'), sdk, {}).chip).toBe('esp32c3');
    expect(readBoard(parseTarget('esp32/usb_board', 'lin'), sdk, {})).toEqual({
      chip: 'esp32s3',
      beforeFlashing: 'Hold the BOOT button.',
      afterFlashing: 'Press the RESET button.',
    });
  });
});

describe('an app', () => {
  it('is a folder, a manifest, or an example; a folder goes first', () => {
    const mine = computer.addApp('mine');
    const examples = computer.addApp('examples/blink').replace(/\/blink$/, '');
    computer.addApp('examples/pulse', { 'manifest-other.json': '{}' });
    expect(findApp(mine, examples)).toEqual({ manifest: `${mine}/manifest.json`, name: 'mine' });
    expect(findApp('blink', examples)).toEqual({
      manifest: `${examples}/blink/manifest.json`,
      name: 'blink',
    });
    const other = `${examples}/pulse/manifest-other.json`;
    expect(findApp(other, examples)).toEqual({ manifest: other, name: 'pulse' });
  });

  it('that is not there says which are', () => {
    const examples = computer.addApp('examples/blink').replace(/\/blink$/, '');
    computer.write(`${examples}/notes/readme.md`);
    computer.write(`${examples}/shared.js`);
    expect(() => findApp('blin', examples)).toThrow(/no app "blin".*; examples are blink$/);
    expect(() => findApp('blin', `${examples}/none`)).toThrow(
      /no app "blin": it is a folder with a manifest.json$/,
    );
    expect(() => findApp(`${examples}/notes`, examples)).toThrow(/no manifest.json in .*notes; examples/);
    expect(() => findApp('../examples/blink', `${examples}/x`)).toThrow(CommandError);
  });

  it('has a manifest in JSON', () => {
    const folder = computer.addApp('broken', { 'manifest.json': '{' });
    expect(() => findApp(folder, '')).toThrow(/broken\/manifest.json is no manifest: /);
  });
});

/** What the manifests of an app with these files need. */
function needsOf(files: Record<string, string>, target = 'esp32') {
  const { sdk } = computer.addSdk();
  const app = findApp(computer.addApp('app', files), '');
  return readAppNeeds(app, target, sdk, {});
}

describe('what an app needs', () => {
  it('is no TypeScript when all is JavaScript', () => {
    expect(needsOf({}).typeScriptSource).toBeUndefined();
    expect(needsOf({ 'other.ts': '', 'main.d.ts': '' }).typeScriptSource).toBeUndefined();
  });

  it.each([
    ['named', { modules: { '*': './main' } }],
    ['in a list', { modules: { '*': ['./lib/x', './main'] } }],
    ['by its specifier', { modules: { thing: './main' } }],
    ['as an object', { modules: { thing: { source: './main' } } }],
    ['by a star', { modules: { '*': './*' } }],
    ['for this platform', { platforms: { esp32: { modules: { '*': './main' } } } }],
    ['for this board', { platforms: { 'esp32/*': { modules: { '*': './main' } } } }],
    ['for all others', { platforms: { mac: {}, '...': { modules: { '*': './main' } } } }],
    ['through a variable', { build: { HERE: './' }, modules: { '*': '$(HERE)/main' } }],
    ['through an include', { include: './more.json' }],
    ['through an include for this platform', { platforms: { esp32: { include: ['./more.json'] } } }],
  ])('is TypeScript: %s', (_how, manifest) => {
    const files = {
      'manifest.json': JSON.stringify(manifest),
      'more.json': '{"modules": {"*": "./main"}, "include": "./manifest.json"}',
      'main.ts': '',
    };
    expect(needsOf(files, 'esp32/c3_board').typeScriptSource).toMatch(/app\/main\.ts$/);
  });

  it('is not what another platform or the SDK needs', () => {
    computer.write(`${computer.sdk}/modules/x.ts`);
    const manifest = {
      include: ['$(MODDABLE)/manifest.json', '$(NOWHERE)/manifest.json'],
      modules: { '*': ['$(MODDABLE)/modules/x', '$(NOWHERE)/main'] },
      platforms: { lin: { modules: { '*': './main' } }, esp32: {}, '...': { modules: { '*': './main' } } },
    };
    const files = { 'manifest.json': JSON.stringify(manifest), 'main.ts': '' };
    expect(needsOf(files).typeScriptSource).toBeUndefined();
  });

  it('may be an older TypeScript, when lib and target are lowered', () => {
    const withOptions = (compilerOptions: object) =>
      needsOf({ 'manifest.json': JSON.stringify({ typescript: { tsconfig: { compilerOptions } } }) });
    expect(withOptions({ lib: ['es2024'], target: 'ES2024' }).isLevelLowered).toBe(true);
    expect(withOptions({ lib: ['es2024'] }).isLevelLowered).toBe(false);
    expect(withOptions({ lib: ['es2024', 'ES2025'], target: 'es2024' }).isLevelLowered).toBe(false);
    expect(withOptions({}).isLevelLowered).toBe(false);
  });

  it('tells whether it names a network', () => {
    expect(needsOf({}).hasSsid).toBe(false);
    expect(needsOf({ 'manifest.json': '{"config": {"ssid": "home"}}' }).hasSsid).toBe(true);
  });
});

describe('TypeScript', () => {
  const needs = { typeScriptSource: '/a/main.ts', compiler: 'tsc', isLevelLowered: false, hasSsid: false };

  it.each([
    ['7.0.2', false, 'ok'],
    ['6.0.3', false, 'ok'],
    ['5.9.3', false, 'wrong'],
    ['5.9.3', true, 'ok'],
  ])('%s, lowered: %s, is %s', async (version, isLevelLowered, state) => {
    computer.program(`${computer.bin}/tsc`, '');
    const machine = computer.machine({}, { tsc: { stdout: `Version ${version}\n` } });
    const finding = await checkTypeScript(machine, undefined, { ...needs, isLevelLowered });
    expect(finding.state).toBe(state);
    expect(finding.detail).toContain(version);
    if (state === 'wrong') expect(finding.fix.join('\n')).toContain('"lib": ["es2024"]');
  });

  it('is missing, or does not run', async () => {
    expect(await checkTypeScript(computer.machine(), undefined, needs)).toMatchObject({
      state: 'missing',
      detail: 'no tsc on PATH, which /a/main.ts needs',
    });
    computer.program(`${computer.bin}/tsc`, '');
    const machine = computer.machine({}, { tsc: { failure: 'TIMEOUT', status: null } });
    expect(await checkTypeScript(machine)).toMatchObject({ state: 'wrong' });
  });

  it('may be a dependency of the app', async () => {
    const app = findApp(computer.addApp('app'), '');
    const tsc = computer.program('apps/node_modules/.bin/tsc', '');
    const machine = computer.machine({}, { [tsc]: { stdout: 'Version 6.0.3' } });
    expect(await checkTypeScript(machine, app, needs)).toMatchObject({
      state: 'ok',
      detail: `6.0.3 (${tsc})`,
    });
  });
});

describe('configuration', () => {
  it('is what the app gets, and what may be shown of it', () => {
    const flags = {
      ssid: 'home',
      broker: 'mqtt://ada:s3cret@10.0.0.1:1884',
      config: ['deviceId=7', 'empty=', 'apiToken=abcdef', 'text=a=b c'],
    };
    const { values, shown, secrets } = planConfig(flags, 'correct horse', ESP32);
    expect(values).toEqual({
      ssid: 'home',
      password: 'correct horse',
      broker: 'mqtt://ada:s3cret@10.0.0.1:1884',
      deviceId: '7',
      empty: '',
      apiToken: 'abcdef',
      text: 'a=b c',
    });
    expect(shown).toEqual({
      ...values,
      password: REDACTED,
      apiToken: REDACTED,
      broker: `mqtt://ada:${REDACTED}@10.0.0.1:1884`,
    });
    expect(secrets).toEqual(expect.arrayContaining(['correct horse', 's3cret', 'abcdef']));
  });

  it('hides a short password of the broker only where it stands in a URL', () => {
    const { secrets } = planConfig({ broker: 'mqtt://ada:x@10.0.0.1' }, undefined, ESP32);
    expect(secrets).not.toContain('x');
    expect(secrets).toContain(':x@');
  });

  it('hides the broker’s password as it is and as it is escaped', () => {
    const { secrets } = planConfig({ broker: 'mqtt://ada:a%20b%2Fcd@10.0.0.1' }, undefined, ESP32);
    expect(secrets).toEqual(expect.arrayContaining(['a%20b%2Fcd', 'a b/cd']));
  });

  it.each([
    ['a password without a network', {}, 'correct horse'],
    ['a short password', { ssid: 'home' }, '1234567'],
    ['a long password', { ssid: 'home' }, 'x'.repeat(64)],
    ['a password with a line end', { ssid: 'home' }, 'correct\nhorse'],
    ['no name', { ssid: '' }, undefined],
    ['a long name', { ssid: 'ä'.repeat(17) }, undefined],
    ['no URL', { broker: '10.0.0.1' }, undefined],
    ['no host', { broker: 'mqtt://ada:s3cret@' }, undefined],
    ['no pair', { config: ['deviceId'] }, undefined],
    ['no identifier', { config: ['device-id=7'] }, undefined],
  ])('is refused with %s, and nothing secret is shown', (_what, flags, password) => {
    const plan = () => planConfig(flags, password, ESP32);
    expect(plan).toThrow(UsageError);
    expect(plan).not.toThrow(/s3cret|1234567|horse/);
  });

  it.each(['12345678', 'x'.repeat(63), 'a'.repeat(64), ''])('takes the password "%s"', (password) => {
    expect(planConfig({ ssid: 'home' }, password, ESP32).values['password']).toBe(password || undefined);
  });

  it.each(['mqtt://localhost', 'mqtt://127.0.0.1:1884', 'ws://[::1]/mqtt'])(
    'does not let a board look for %s',
    (broker) => {
      expect(() => planConfig({ broker }, undefined, ESP32)).toThrow(/is the board itself/);
      expect(planConfig({ broker }, undefined, LIN).values).toEqual({ broker });
    },
  );
});

describe('the password', () => {
  const ask = () => Promise.resolve('asked for it');
  const env = { MOTEMQ_WIFI_PASSWORD: 'from the environment' };

  it('comes from the flag, a file, the environment, or somebody, in that order', async () => {
    const file = computer.write('password', 'from a file\r\nmore\n');
    const all = { ssid: 'home', password: 'from the flag', passwordFile: file };
    expect(await findPassword(all, env, ask)).toBe('from the flag');
    expect(await findPassword({ ssid: 'home', passwordFile: file }, env, ask)).toBe('from a file');
    expect(await findPassword({ ssid: 'home' }, env, ask)).toBe('from the environment');
    expect(await findPassword({ ssid: 'home' }, {}, ask)).toBe('asked for it');
    expect(await findPassword({ ssid: 'home' }, {}, undefined)).toBeUndefined();
    expect(await findPassword({}, env, ask)).toBeUndefined();
  });

  it('comes from no file that is not there', async () => {
    const asked = findPassword({ ssid: 'home', passwordFile: '/nowhere/x' }, {}, undefined);
    await expect(asked).rejects.toThrow('--password-file: cannot read /nowhere/x: ENOENT');
  });

  /** Types on a terminal that is none; resolves to what was answered and what was shown. */
  async function typed(keys: string): Promise<[answer: Promise<string>, shown: () => string]> {
    const [input, output] = [new PassThrough(), new PassThrough()];
    let shown = '';
    output.setEncoding('utf8').on('data', (text: string) => (shown += text));
    const answer = askPassword('Password: ', input, output);
    answer.catch(() => {});
    input.write(keys);
    await answer.catch(() => {});
    return [answer, () => shown];
  }

  it('is asked for without showing it', async () => {
    const [answer, shown] = await typed('correct horsx\u007fe\r');
    expect(await answer).toBe('correct horse');
    expect(shown()).toBe('Password: \n');
  });

  it('may be none, and Ctrl-C is no answer', async () => {
    expect(await (await typed('\r'))[0]).toBe('');
    const [answer] = await typed('correct\u0003');
    await expect(answer).rejects.toThrow(CommandError);
  });
});

function job(parts: Partial<FlashJob> = {}): FlashJob {
  return {
    app: { manifest: '/apps/sensor/manifest.json', name: 'sensor' },
    target: ESP32,
    config: planConfig({ ssid: 'home' }, 'correct horse', ESP32),
    sdk: { folder: '/sdk', version: '8.2.3', foundBy: 'MODDABLE', toolsFolder: '/sdk/bin' },
    idf: { folder: '/idf', foundBy: 'IDF_PATH', version: '6.0.0' },
    port: '/dev/ttyUSB0',
    isDebug: false,
    isBuildOnly: false,
    outputFolder: '/out',
    manifestFolder: '/out/manifest-1',
    compilerFolder: undefined,
    ...parts,
  };
}

describe('a plan', () => {
  it('builds and deploys for a board, without a password on the way', () => {
    const plan = planFlash(job());
    const name = buildName(job().app);
    const manifest = `/out/manifest-1/${name}/manifest.json`;
    const common = ['-m', '-p', 'esp32', '-o', '/out', '-t'];
    expect(plan.steps).toEqual([
      { name: 'build', program: '/sdk/bin/mcconfig', args: [...common, 'build', manifest] },
      { name: 'flash', program: '/sdk/bin/mcconfig', args: [...common, 'deploy', manifest] },
    ]);
    expect(plan.environment).toEqual({ MODDABLE: '/sdk', IDF_PATH: '/idf', UPLOAD_PORT: '/dev/ttyUSB0' });
    expect(JSON.parse(plan.manifestText)).toEqual({
      include: ['/apps/sensor/manifest.json'],
      config: { ssid: 'home', password: 'correct horse' },
    });
    expect(plan.manifestShown).not.toContain('horse');
    expect(plan.result).toBe(`/out/bin/esp32/release/${name}`);
  });

  it('only builds for everything else, or when asked to', () => {
    const debug = planFlash(job({ isDebug: true, isBuildOnly: true }));
    expect(debug.steps.map((step) => step.name)).toEqual(['build']);
    expect(debug.steps[0].args[0]).toBe('-dn');
    expect(debug.result).toMatch(/^\/out\/bin\/esp32\/debug\//);

    const board = planFlash(job({ target: parseTarget('esp32/c3_board', 'lin') }));
    expect(board.result).toMatch(/^\/out\/bin\/esp32\/c3_board\/release\//);

    const simulator = planFlash(job({ target: LIN }));
    expect(simulator.steps.map((step) => step.name)).toEqual(['build']);
    expect(simulator.environment).toEqual({ MODDABLE: '/sdk' });
    expect(simulator.result).toMatch(/^\/out\/bin\/lin\/mc\/release\/sensor-[0-9a-f]{6}\/mc\.so$/);

    const program = planFlash(job({ target: parseTarget('x-cli-lin', 'lin') }));
    expect(program.result).toMatch(/^\/out\/bin\/lin\/release\/sensor-[0-9a-f]{6}$/);
  });

  it('gives two apps of one name two places', () => {
    const other = { manifest: '/elsewhere/sensor/manifest.json', name: 'sensor' };
    expect(buildName(other)).not.toBe(buildName(job().app));
    expect(buildName({ manifest: '/x/manifest.json', name: 'mein Gerät' })).toMatch(
      /^mein-Ger-t-[0-9a-f]{6}$/,
    );
  });

  it.each([
    { outputFolder: '/my out' },
    { app: { manifest: '/a$b/manifest.json', name: 'a' } },
    { sdk: { ...job().sdk!, folder: "/it's" } },
  ])('does not go through make with %o', (parts) => {
    expect(() => planFlash(job(parts))).toThrow(/make cannot cope with/);
  });

  it('gives the SDK its tools, and takes the password away', () => {
    const own = { PATH: '/usr/bin', MOTEMQ_WIFI_PASSWORD: 'correct horse', TERM: 'xterm', LANG: 'de' };
    const aJob = job({ compilerFolder: '/app/node_modules/.bin' });
    expect(environmentOf(aJob, planFlash(aJob), own)).toEqual({
      PATH: '/sdk/bin:/usr/bin:/app/node_modules/.bin',
      MODDABLE: '/sdk',
      IDF_PATH: '/idf',
      UPLOAD_PORT: '/dev/ttyUSB0',
      MOTEMQ_WIFI_PASSWORD: undefined,
      TERM: 'dumb',
      NO_COLOR: '1',
      PYTHONUNBUFFERED: '1',
      LANG: 'de',
    });
  });

  it('is shown as it would be typed, without what the environment has anyway', () => {
    const plan = planFlash(job({ port: "/dev/tty 'x'" }));
    const lines = describePlan(plan, { MODDABLE: '/sdk' });
    expect(lines.join('\n')).not.toContain('horse');
    expect(lines.filter((line) => line.startsWith('#')).join('\n')).toContain(`"password": "${REDACTED}"`);
    expect(lines.at(-1)).toMatch(
      /^IDF_PATH=\/idf UPLOAD_PORT='\/dev\/tty '\\''x'\\''' \/sdk\/bin\/mcconfig -m -p esp32 -o \/out -t deploy \/out\//,
    );
  });
});
