/**
 * The APP that `motemq flash` is given: a folder, a manifest, or the name of an example that comes with the package; and
 * whether it needs a TypeScript compiler, and which.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError } from './exit-status.ts';
import { compareVersions, findingsOf, versionIn, type Finding } from './findings.ts';
import { findProgram, isFile, isFolder, namesIn, readText, type Machine } from './machine.ts';

export interface App {
  /** Absolute. */
  readonly manifest: string;
  /** Its folder's name. */
  readonly name: string;
}

/** This package's examples; it is found above this file, in the sources as in the build. */
export function examplesFolder(): string {
  const places = ['../..', '../../..'].map((up) =>
    fileURLToPath(new URL(`${up}/manifests/examples`, import.meta.url)),
  );
  return places.find((place) => isFolder(place)) ?? places[0];
}

export function listExamples(folder: string): string[] {
  return namesIn(folder).filter((name) => isFile(join(folder, name, 'manifest.json')));
}

/** Throws CommandError when there is no such app, and says which there are. */
export function findApp(word: string, examples: string): App {
  const path = resolve(word);
  const candidates = [isFolder(path) ? join(path, 'manifest.json') : path];
  if (/^[\w-]+$/.test(word)) candidates.push(join(examples, word, 'manifest.json'));
  const manifest = candidates.find(isFile);
  if (manifest !== undefined) {
    try {
      JSON.parse(readFileSync(manifest, 'utf8'));
    } catch (error) {
      throw new CommandError(`${manifest} is no manifest: ${(error as Error).message}`);
    }
    return { manifest, name: basename(dirname(manifest)) };
  }
  const known = listExamples(examples);
  const also = known.length === 0 ? '' : `; examples are ${known.join(', ')}`;
  if (isFolder(path)) throw new CommandError(`there is no manifest.json in ${path}${also}`);
  throw new CommandError(`there is no app "${word}": it is a folder with a manifest.json${also}`);
}

/** What a manifest may say, as far as it matters here. */
interface Manifest {
  build?: Record<string, unknown>;
  include?: unknown;
  modules?: Record<string, unknown>;
  platforms?: Record<string, Manifest>;
  config?: Record<string, unknown>;
  typescript?: { compiler?: unknown; tsconfig?: { compilerOptions?: Record<string, unknown> } };
}

/** What was gathered from the app's manifests; those of the SDK itself are not read. */
export interface AppNeeds {
  /** The first TypeScript source; undefined when all is JavaScript. */
  readonly typeScriptSource: string | undefined;
  /** What the manifests call the compiler. */
  readonly compiler: string;
  /** Whether they lower the language level that the SDK asks for, ES2025. */
  readonly isLevelLowered: boolean;
  /** Whether they name a network themselves. */
  readonly hasSsid: boolean;
}

class ManifestReader {
  typeScriptSource: string | undefined = undefined;
  compiler = 'tsc';
  hasSsid = false;
  readonly compilerOptions: Record<string, unknown> = {};
  private readonly seen = new Set<string>();
  private readonly variables = new Map<string, string>();
  private readonly platformName: string;
  private readonly sdkFolder: string | undefined;
  private readonly env: NodeJS.ProcessEnv;

  constructor(platformName: string, sdkFolder: string | undefined, env: NodeJS.ProcessEnv) {
    this.platformName = platformName;
    this.sdkFolder = sdkFolder;
    this.env = env;
    if (sdkFolder !== undefined) this.variables.set('MODDABLE', sdkFolder);
  }

  read(path: string): void {
    if (this.seen.has(path) || (this.sdkFolder !== undefined && path.startsWith(`${this.sdkFolder}/`)))
      return;
    this.seen.add(path);
    let manifest: Manifest;
    try {
      manifest = JSON.parse(readText(path) ?? '{}') as Manifest;
    } catch {
      // The SDK says it better, with the line.
      return;
    }
    const folder = dirname(path);
    const parts = [manifest, ...this.platformParts(manifest)];
    for (const part of parts) this.readBuild(part, folder);
    for (const part of parts) this.readPart(part, folder);
  }

  private platformParts({ platforms = {} }: Manifest): Manifest[] {
    const [platform] = this.platformName.split('/');
    const names = [this.platformName, `${platform}/*`, platform, '...'];
    // As the SDK does: the nearest alone.
    const name = names.find((one) => one in platforms && (one !== `${platform}/*` || this.hasBoard()));
    return name === undefined ? [] : [platforms[name]];
  }

  private hasBoard(): boolean {
    return this.platformName.includes('/');
  }

  private readBuild({ build = {} }: Manifest, folder: string): void {
    for (const [name, value] of Object.entries(build)) {
      if (typeof value !== 'string') continue;
      const resolved = this.expand(value) ?? value;
      this.variables.set(
        name.replace(/ \?=$/, ''),
        resolved.startsWith('.') ? resolve(folder, resolved) : resolved,
      );
    }
  }

  private readPart(part: Manifest, folder: string): void {
    for (const include of listOf(part.include)) {
      const path = typeof include === 'string' ? this.expand(include) : undefined;
      if (path !== undefined) this.read(resolve(folder, path));
    }
    for (const value of Object.values(part.modules ?? {})) {
      for (const module of listOf(value)) this.readModule(module, folder);
    }
    if (part.config && 'ssid' in part.config) this.hasSsid = true;
    const { compiler, tsconfig } = part.typescript ?? {};
    if (typeof compiler === 'string') this.compiler = compiler;
    Object.assign(this.compilerOptions, tsconfig?.compilerOptions);
  }

  private readModule(module: unknown, folder: string): void {
    const source =
      typeof module === 'object' && module !== null ? (module as { source?: unknown }).source : module;
    const expanded = typeof source === 'string' ? this.expand(source) : undefined;
    if (expanded === undefined) return;
    const path = resolve(folder, expanded);
    if (this.sdkFolder !== undefined && path.startsWith(`${this.sdkFolder}/`)) return;
    const found = path.endsWith('*')
      ? namesIn(dirname(path))
          .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
          .map((name) => join(dirname(path), name))
      : [`${path}.ts`].filter((one) => existsSync(one));
    this.typeScriptSource ??= found.at(0);
  }

  /** With `$(NAME)` filled in; undefined when a name is unknown. */
  private expand(text: string): string | undefined {
    let isKnown = true;
    const expanded = text.replace(/\$\(([^)]+)\)/g, (_all, name: string) => {
      const value = this.variables.get(name) ?? this.env[name];
      isKnown &&= value !== undefined;
      return value ?? '';
    });
    return isKnown ? expanded : undefined;
  }
}

function listOf(value: unknown): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** Reads the app's manifests, those it includes too. */
export function readAppNeeds(
  app: App,
  platformName: string,
  sdkFolder: string | undefined,
  env: NodeJS.ProcessEnv,
): AppNeeds {
  const reader = new ManifestReader(platformName, sdkFolder, env);
  reader.read(app.manifest);
  const { lib, target } = reader.compilerOptions;
  const isBelow = (value: unknown): boolean =>
    listOf(value).length > 0 && listOf(value).every((one) => String(one).toLowerCase() !== 'es2025');
  return {
    typeScriptSource: reader.typeScriptSource,
    compiler: reader.compiler,
    isLevelLowered: isBelow(lib) && isBelow(target),
    hasSsid: reader.hasSsid,
  };
}

/** The first TypeScript that knows the SDK's `lib` and `target`, es2025. */
export const TYPESCRIPT_VERSION_MIN = '6.0';
const TYPESCRIPT_INSTALL = 'npm install --global typescript@6';

/** The compiler: on PATH, or as a dependency of the app. */
export function findTsc(machine: Machine, app: App | undefined, name = 'tsc'): string | undefined {
  const onPath = findProgram(machine, name);
  if (onPath !== undefined || app === undefined) return onPath;
  for (let folder = dirname(app.manifest); ; folder = dirname(folder)) {
    const program = join(folder, 'node_modules', '.bin', name);
    if (isFile(program)) return program;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Whether the TypeScript compiler will do for `needs`; without, for apps in general. */
export async function checkTypeScript(machine: Machine, app?: App, needs?: AppNeeds): Promise<Finding> {
  const { ok, missing, wrong } = findingsOf('typescript', 'TypeScript');
  const why = needs?.typeScriptSource === undefined ? '' : `, which ${needs.typeScriptSource} needs`;
  const name = needs?.compiler ?? 'tsc';
  const program = isFile(name) ? name : findTsc(machine, app, name);
  if (program === undefined) return missing(`no ${name} on PATH${why}`, TYPESCRIPT_INSTALL);
  const { status, stdout, failure } = await machine.run(program, ['--version']);
  const version = versionIn(stdout);
  if (status !== 0 || version === undefined) {
    return wrong(
      `${program} does not tell its version: ${failure ?? `status ${status}`}`,
      TYPESCRIPT_INSTALL,
    );
  }
  const isOld = compareVersions(version, TYPESCRIPT_VERSION_MIN) < 0;
  if (!isOld) return ok(`${version} (${program})`);
  if (needs?.isLevelLowered) return ok(`${version} (${program}), for the manifest lowers lib and target`);
  return wrong(
    `${version} (${program}) does not know es2025, which the SDK asks for`,
    TYPESCRIPT_INSTALL,
    'or set typescript.tsconfig.compilerOptions in the manifest: "lib": ["es2024"], "target": "es2024"',
  );
}
