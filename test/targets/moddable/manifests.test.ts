/**
 * What an app for Moddable includes: every path in a manifest is there, every module that is imported is mapped, what
 * ships is fit for preloading and is the same code as the sources. The SDK itself is not needed.
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Session } from '../../../src/session/session.ts';
import { chainAssignments, importsOf, writePlainly } from '../../../targets/moddable/build/bundled-text.ts';
import { buildModules } from '../../../targets/moddable/build/bundler.ts';
import { LAYERS } from '../../../targets/moddable/build/layers.ts';
import { sourceManifests } from '../../../targets/moddable/build/source-manifests.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MANIFESTS = join(ROOT, 'manifests');
const SHIPPED = join(ROOT, 'dist/moddable');

/** The SDK's modules that are used here, by the include that brings them; the first is in every app. */
const SDK: Record<string, string[]> = {
  '$(MODDABLE)/examples/manifest_base.json': ['Resource', 'mc/config', 'time', 'timer'],
  '$(MODDABLE)/examples/manifest_net.json': ['embedded:network/interface/wifi', 'net', 'sntp'],
  '$(MODDABLE)/modules/io/manifest.json': ['embedded:io/analog', 'embedded:io/socket/tcp', 'system'],
  '$(MODDABLE)/modules/files/preference/manifest.json': ['preference'],
  '$(MODDABLE)/modules/crypt/digest/manifest.json': ['crypt'],
  '$(MODDABLE)/examples/io/tcp/tlssocket/manifest.json': ['embedded:io/socket/tcp/tls'],
};
const BASE = '$(MODDABLE)/examples/manifest_base.json';

/** Made when the example's server first runs. */
const MADE_LATER = [join(MANIFESTS, 'examples/secure/certificates/ca')];

type Paths = string | string[];

interface Part {
  include?: Paths;
  modules?: Record<string, Paths>;
  data?: Record<string, Paths>;
  preload?: Paths;
}

interface Manifest extends Part {
  platforms?: Record<string, Part>;
}

function listOf(paths: Paths | undefined): string[] {
  return paths === undefined ? [] : typeof paths === 'string' ? [paths] : paths;
}

/** The paths in this repository that a part maps. */
function ownPaths(modules: Record<string, Paths> | undefined): string[] {
  return Object.values(modules ?? {})
    .flatMap(listOf)
    .filter((path) => !path.startsWith('$('));
}

/** The paths of all files below `directory`. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}

/** A manifest and its parts for platforms. */
function partsOf(manifest: Manifest): Part[] {
  return [manifest, ...Object.values(manifest.platforms ?? {})];
}

/** The file of JavaScript or TypeScript that a path without ending names. */
function sourceOf(path: string, shipped: Map<string, string>): string | undefined {
  if (dirname(path) === SHIPPED) return shipped.has(`${basename(path)}.js`) ? `${path}.js` : undefined;
  return [`${path}.js`, `${path}.ts`].find(existsSync);
}

/** What an app gets by including a manifest: modules by specifier, the SDK's too. */
class App {
  /** Specifiers and paths without ending, `sdk` for those of the SDK; one for each platform. */
  readonly modules: [specifier: string, from: string][] = [];
  readonly preloads = new Set<string>();
  private readonly seen = new Set<string>();

  constructor(path: string) {
    this.addSdk(BASE);
    this.add(path);
  }

  specifiers(): string[] {
    return this.modules.map(([specifier]) => specifier);
  }

  private addSdk(include: string): void {
    expect(Object.keys(SDK), `${include} is in this test's table`).toContain(include);
    for (const specifier of SDK[include]) this.modules.push([specifier, 'sdk']);
  }

  private add(path: string): void {
    if (this.seen.has(path)) return;
    this.seen.add(path);
    for (const part of partsOf(readManifest(path))) {
      for (const include of listOf(part.include)) {
        if (include.startsWith('$(MODDABLE)')) this.addSdk(include);
        else this.add(resolve(dirname(path), include));
      }
      for (const [specifier, paths] of Object.entries(part.modules ?? {})) {
        // What goes by this name is left out of what the SDK brings.
        if (specifier === '~') continue;
        for (const one of listOf(paths)) {
          this.modules.push([specifier === '*' ? basename(one) : specifier, resolve(dirname(path), one)]);
        }
      }
      for (const preload of listOf(part.preload)) this.preloads.add(preload);
    }
  }
}

let shipped: Map<string, string>;
beforeAll(async () => {
  shipped = await buildModules(ROOT);
});

const paths = filesBelow(MANIFESTS).filter((path) => /^manifest.*\.json$/.test(basename(path)));
const named = paths.map((path): [string, string] => [relative(MANIFESTS, path), path]);

describe.each(named)('%s', (_, path) => {
  it('names files that are there', () => {
    for (const part of partsOf(readManifest(path))) {
      for (const include of listOf(part.include)) {
        if (!include.startsWith('$(MODDABLE)'))
          expect(existsSync(resolve(dirname(path), include)), include).toBe(true);
      }
      for (const one of ownPaths(part.modules)) {
        const at = resolve(dirname(path), one);
        const isThere = sourceOf(at, shipped) !== undefined || existsSync(`${at}.c`);
        expect(isThere, one).toBe(true);
      }
      for (const one of Object.values(part.data ?? {}).flatMap(listOf)) {
        expect(MADE_LATER).toContain(resolve(dirname(path), one));
      }
    }
  });

  it('maps every module that its modules import', () => {
    const app = new App(path);
    for (const [specifier, from] of app.modules) {
      const file = from === 'sdk' ? undefined : sourceOf(from, shipped);
      if (file === undefined) continue;
      const text = dirname(file) === SHIPPED ? shipped.get(basename(file)) : readFileSync(file, 'utf8');
      for (const imported of importsOf(text ?? '').keys()) {
        // TypeScript's own imports: relative ones become specifiers beside the importing module's.
        const target = imported.startsWith('.')
          ? join('/', dirname(specifier), imported.replace(/\.ts$/, '')).slice(1)
          : imported;
        const isTypeOnly = file.endsWith('.ts') && !valueImportsOf(text ?? '').has(imported);
        if (!isTypeOnly) expect(app.specifiers(), `${specifier} imports ${imported}`).toContain(target);
      }
    }
  });

  it('preloads all its modules but the app itself', () => {
    const app = new App(path);
    for (const specifier of app.preloads) expect(app.specifiers()).toContain(specifier);
    for (const [specifier, from] of app.modules) {
      if (from !== 'sdk' && specifier !== 'main' && !from.endsWith('-esp32')) {
        expect([...app.preloads]).toContain(specifier);
      }
    }
  });
});

/** The specifiers from which TypeScript imports more than types. */
function valueImportsOf(text: string): Set<string> {
  const output = ts.transpileModule(text, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
    },
  });
  return new Set(importsOf(output.outputText).keys());
}

describe('what ships', () => {
  it('is what the layers say', () => {
    expect([...shipped.keys()].sort()).toEqual(LAYERS.map(({ name }) => `${name}.js`).sort());
  });

  it('imports downwards, each module once', () => {
    LAYERS.forEach(({ name }, index) => {
      const below = LAYERS.slice(0, index).map((layer) => `motemq/${layer.name}`);
      const imported = [...importsOf(shipped.get(`${name}.js`)!).keys()];
      expect(new Set(imported).size).toBe(imported.length);
      for (const specifier of imported) {
        if (specifier.startsWith('motemq/')) expect(below).toContain(specifier);
      }
    });
  });

  it('has constants and frozen tables at module level, and no state', () => {
    for (const [name, text] of shipped) {
      const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
      for (const statement of source.statements) {
        if (!ts.isVariableStatement(statement)) continue;
        expect(statement.declarationList.flags & ts.NodeFlags.Const, statement.getText()).toBeTruthy();
        for (const { initializer } of statement.declarationList.declarations) {
          const isTable =
            initializer !== undefined &&
            (ts.isArrayLiteralExpression(initializer) || ts.isObjectLiteralExpression(initializer));
          expect(isTable, statement.getText()).toBe(false);
        }
      }
    }
  });

  it('has the values of constants in their place', () => {
    expect(shipped.get('session.js')).not.toMatch(/\bEVENT_MESSAGE\b(?!.*\*)/m);
    expect(shipped.get('session.js')).toMatch(/this\.kind = (this\.\w+ = )*0\b/);
  });

  it('assigns a constant to several properties at once, and only where that is the same', () => {
    expect(chainAssignments('this.a = 0, this.b = 0, this.c = 0, this.d = !0, this.e = 1;')).toBe(
      'this.a = this.b = this.c = 0, this.d = !0, this.e = 1;',
    );
    for (const text of ['f(a.b = 0, a.c = 0);', 'a.b = null, a.b.c = null;', 'a.b = c, a.d = c;']) {
      expect(chainAssignments(text)).toBe(text);
    }
  });

  it.each([
    ['f(!0, !1, void 0);', 'f(true, false, undefined);'],
    ['if (a && (b || c)) f();', 'if (a) if ((b || c)) { f(); }'],
    ['if (a && b) f(); else g();', 'if (a && b) { f(); } else { g(); }'],
    ['a && b && (c = 1, d());', 'if (a) if (b) { c = 1; d(); }'],
    ['a || b();', 'if (!(a)) { b(); }'],
    ['a ? b() : c && d();', 'if (a) { b(); } else { if (c) { d(); } }'],
    // The `else` stays where it belongs.
    ['if (a) b && c(); else d();', 'if (a) { if (b) { c(); } } else { d(); }'],
    ['if (a(), b) c();', 'a(); if (b) { c(); }'],
    ['for (;;) a(), b();', 'for (;;) { a(); b(); }'],
    [
      'function f() { return a(), b && c ? 1 : 2; }',
      'function f() { a(); if (b) if (c) { return 1; } return 2; }',
    ],
    ['const f = () => a && b();', 'const f = () => a && b();'],
    ['if ((a & b) !== 0 && (a & 4) === 0) f();', 'if ((a & b)) if (!(a & 4)) { f(); }'],
    ['while ((a & 1 << 3) !== 0) a = (b & 1) !== 0;', 'while ((a & 8)) { a = (b & 1) !== 0; }'],
    ['let { a, b: c } = this;', 'let a = this.a, c = this.b;'],
    ['let { a } = b.c;', 'let a = b.c.a;'],
    ['let { a, b } = c();', 'let { a, b } = c();'],
    ['let { a = 1 } = b;', 'let { a = 1 } = b;'],
    ['// src/a.ts\na, b; // c\n', '// src/a.ts\na; b; // c\n'],
  ])('writes %s as %s', (text, expected) => {
    expect(writePlainly(text)).toBe(expected);
  });

  it('says nothing of the machine it was made on', () => {
    for (const text of shipped.values()) expect(text).not.toContain(ROOT);
  });
});

describe('the modules that ship, in Node', () => {
  const directory = mkdtempSync(join(ROOT, 'node_modules/.moddable-'));
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const STUBS: Record<string, string> = {
    time: 'export default { get ticks() { return Date.now() | 0; } };',
    timer: 'export default { set: setTimeout, clear: clearTimeout };',
    crypt: 'export class Digest {}',
  };

  async function importModule(name: string): Promise<Record<string, unknown>> {
    const modules = join(directory, 'node_modules/motemq');
    if (!existsSync(modules)) {
      await mkdir(modules, { recursive: true });
      await writeFile(join(modules, 'package.json'), '{"type":"module","exports":{"./*":"./*.js"}}');
      for (const [path, text] of shipped) await writeFile(join(modules, path), text);
      for (const [stub, text] of Object.entries(STUBS)) {
        await mkdir(join(directory, 'node_modules', stub));
        await writeFile(join(directory, 'node_modules', stub, 'index.mjs'), text);
        await writeFile(join(directory, 'node_modules', stub, 'package.json'), '{"exports":"./index.mjs"}');
      }
    }
    return (await import(pathToFileURL(join(modules, `${name}.js`)).href)) as Record<string, unknown>;
  }

  it.each(LAYERS.map(({ name }) => name))('%s can be imported', async (name) => {
    expect(Object.keys(await importModule(name))).not.toHaveLength(0);
  });

  it.each([
    ['core', ['CallbackClient', 'EVENT_MESSAGE', 'Line', 'ModdableBoard', 'NO_SPACE', 'Session']],
    ['client', ['connect', 'createClient']],
    ['mqtt-client', ['default']],
    ['device', ['createDevice', 'defineDevice']],
    ['scram', ['createScram', 'scramSha256']],
    ['flash-store', ['FlashStore', 'preferenceValues']],
    ['wifi', ['WifiKeeper', 'WifiWatch']],
  ])('%s exports %j', async (name, names) => {
    expect(Object.keys(await importModule(name))).toEqual(expect.arrayContaining(names));
  });

  it('has the same session as the sources', async () => {
    const { Session: Shipped } = (await importModule('session')) as { Session: typeof Session };
    const connectOf = (Kind: typeof Session): number[] => {
      const bytes = (): Uint8Array => new Uint8Array(256);
      const session = new Kind({
        buffers: { receive: bytes(), transmit: bytes(), outbox: bytes(), subscriptions: bytes() },
        clientId: 'device-1',
        cleanStart: false,
        sessionExpirySeconds: 3600,
        random: () => 0,
        will: { topicName: 'devices/device-1/status', payload: 'offline', qos: 1, retain: true },
      });
      session.connect(0);
      session.takeTransportAction();
      session.handleOpened(0);
      session.poll(0);
      const { transmit } = session;
      return [...transmit.bytes.subarray(transmit.start, transmit.end)];
    };
    const expected = connectOf(Session);
    expect(expected.length).toBeGreaterThan(40);
    expect(connectOf(Shipped)).toEqual(expected);
  });
});

describe('manifests/typescript', () => {
  it('names all files of the sources: npm run build:moddable writes it', async () => {
    const files = await sourceManifests(ROOT);
    for (const [name, text] of files) {
      const path = join(MANIFESTS, 'typescript', name);
      expect(existsSync(path) ? readFileSync(path, 'utf8') : '', name).toBe(text);
    }
    const there = readdirSync(join(MANIFESTS, 'typescript'));
    expect(there.sort()).toEqual([...files.keys(), 'manifest-typescript.json'].sort());
  });
});
