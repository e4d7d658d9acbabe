/**
 * Where the Moddable SDK is, and whether it can be used: its folder, its version, its host tools and what these need.
 * Knows nothing of boards' own SDKs.
 */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compareVersions, findingsOf, type Finding } from './findings.ts';
import { findProgram, isFile, isFolder, readText, type Machine } from './machine.ts';

export interface Sdk {
  readonly folder: string;
  readonly version: string;
  /** What made us look there: the MODDABLE variable, mcconfig on PATH, or a usual place. */
  readonly foundBy: string;
  /** With mcconfig, xsc and the like in it; undefined when they are not built. */
  readonly toolsFolder: string | undefined;
}

/** The SDK's name for this kind of computer; undefined where `motemq flash` cannot drive it. */
export function hostPlatformOf(platform: NodeJS.Platform): 'lin' | 'mac' | undefined {
  if (platform === 'linux') return 'lin';
  return platform === 'darwin' ? 'mac' : undefined;
}

/** Older SDKs lack what our manifests use; 8.2.3 was tried. */
const SDK_VERSION_MIN = '8.0';
const GET_SDK = 'git clone https://github.com/Moddable-OpenSource/moddable ~/.local/share/moddable';
const READ_ON = 'https://github.com/Moddable-OpenSource/moddable (Getting Started)';

/** Below the home folder; the first is where xs-dev puts it. */
const USUAL_PLACES = [
  '.local/share/moddable',
  'Projects/moddable',
  'projects/moddable',
  'src/moddable',
  'moddable',
];

function versionOf(folder: string): string | undefined {
  return readText(join(folder, 'tools', 'VERSION'))?.trim();
}

function toolsFolderOf(folder: string, host: string): string | undefined {
  return ['release', 'debug']
    .map((build) => join(folder, 'build', 'bin', host, build))
    .find((one) => isFile(join(one, 'mcconfig')));
}

/** The folder above an mcconfig that is on PATH. */
function folderOfProgram(program: string): string {
  // …/build/bin/lin/release/mcconfig
  return join(dirname(realpathSync(program)), '..', '..', '..', '..');
}

/** The SDK, or undefined: when MODDABLE names a folder without one, too, for then nobody should guess. */
export function findSdk(machine: Machine): Sdk | undefined {
  const host = hostPlatformOf(machine.platform);
  if (host === undefined) return undefined;
  const fromEnv = machine.env['MODDABLE'];
  const onPath = findProgram(machine, 'mcconfig');
  const candidates: [folder: string, foundBy: string][] = fromEnv
    ? [[fromEnv, 'MODDABLE']]
    : [
        ...(onPath === undefined ? [] : [[folderOfProgram(onPath), 'mcconfig on PATH'] as [string, string]]),
        ...USUAL_PLACES.map((place): [string, string] => [join(machine.home, place), 'a usual place']),
      ];
  for (const [folder, foundBy] of candidates) {
    const version = versionOf(folder);
    if (version !== undefined) {
      return { folder, version, foundBy, toolsFolder: toolsFolderOf(folder, host) };
    }
  }
  return undefined;
}

function buildTools(folder: string, host: string): string {
  return `make -C ${join(folder, 'build', 'makefiles', host)}`;
}

/** Whether there is an SDK, of a version that will do, with its tools built. */
export function checkSdk(machine: Machine, sdk: Sdk | undefined): Finding[] {
  const folder = findingsOf('moddable-sdk', 'Moddable SDK');
  const tools = findingsOf('moddable-tools', 'SDK host tools');
  const host = hostPlatformOf(machine.platform);
  if (host === undefined) {
    return [folder.wrong(`not driven from here on ${machine.platform}`, 'use Linux, macOS, or WSL')];
  }
  if (sdk === undefined) {
    const named = machine.env['MODDABLE'];
    const get = [
      GET_SDK,
      buildTools('~/.local/share/moddable', host),
      `or set MODDABLE to where it is; ${READ_ON}`,
    ];
    if (!named) return [folder.missing('neither MODDABLE nor a usual place has it', ...get)];
    const what = isFolder(named) ? `${named} holds no tools/VERSION` : `there is no folder ${named}`;
    return [folder.wrong(`MODDABLE is wrong: ${what}`, 'set it to the folder of the SDK, or unset it')];
  }
  const { version, toolsFolder } = sdk;
  const where = `${version} in ${sdk.folder} (${sdk.foundBy})`;
  const isOld = compareVersions(version, SDK_VERSION_MIN) < 0;
  const update = [`git -C ${sdk.folder} pull`, buildTools(sdk.folder, host)];
  return [
    isOld ? folder.wrong(`${where}: older than ${SDK_VERSION_MIN}`, ...update) : folder.ok(where),
    toolsFolder === undefined
      ? tools.missing(
          'mcconfig is not built',
          `${buildTools(sdk.folder, host)}   (Debian first: apt-get install gcc make pkg-config libgtk-3-dev)`,
        )
      : tools.ok(toolsFolder),
  ];
}

/** Whether the tools are for this computer: starts the compiler, which ends at once for want of a file. */
export async function checkToolsRun(machine: Machine, sdk: Sdk): Promise<Finding[]> {
  const { toolsFolder } = sdk;
  if (toolsFolder === undefined) return [];
  const { ok, wrong } = findingsOf('moddable-tools-run', 'SDK host tools run');
  const host = hostPlatformOf(machine.platform) ?? 'lin';
  const rebuild = `make -C ${join(sdk.folder, 'build', 'makefiles', host)} clean && ${buildTools(sdk.folder, host)}`;
  for (const name of ['xsc', 'xsl']) {
    const program = join(toolsFolder, name);
    if (!isFile(program)) return [wrong(`${name} is not in ${toolsFolder}`, rebuild)];
  }
  const { status, failure } = await machine.run(join(toolsFolder, 'xsc'), []);
  // A loader that lacks a library ends with 127.
  if (failure !== undefined || status === 127) {
    return [wrong(`xsc does not run: ${failure ?? 'status 127, a library is missing'}`, rebuild)];
  }
  return [ok('xsc starts, xsl is there')];
}

/** What every build needs of the computer. */
export function checkBuildPrograms(machine: Machine): Finding[] {
  const { ok, missing } = findingsOf('build-programs', 'make and bash');
  const absent = ['make', 'bash'].filter((name) => findProgram(machine, name) === undefined);
  if (absent.length === 0) return [ok('on PATH')];
  return [missing(`not on PATH: ${absent.join(', ')}`, 'Debian: apt-get install make bash')];
}

/** The computer's own C compiler: what CC names, else `cc`, as make has it. */
export async function checkCompiler(machine: Machine): Promise<Finding[]> {
  const { ok, missing, wrong } = findingsOf('c-compiler', 'C compiler');
  const name = machine.env['CC'] || 'cc';
  const install = machine.platform === 'darwin' ? 'xcode-select --install' : 'Debian: apt-get install gcc';
  if (findProgram(machine, name) === undefined && !isFile(name)) {
    const other = ['gcc', 'clang'].find((one) => findProgram(machine, one) !== undefined);
    return [missing(`no ${name} on PATH`, other === undefined ? install : `export CC=${other}`)];
  }
  const { status, stdout, stderr, failure } = await machine.run(name, ['--version']);
  if (status !== 0) {
    return [wrong(`${name} does not run: ${failure ?? stderr.trim().split('\n')[0]}`, install)];
  }
  return [ok(stdout.split('\n')[0].trim())];
}

/** GLib, which programs for Linux are linked with. */
export async function checkGlib(machine: Machine): Promise<Finding[]> {
  if (machine.platform !== 'linux') return [];
  const { ok, missing } = findingsOf('glib', 'GLib (gio-2.0)');
  const install = 'Debian: apt-get install pkg-config libglib2.0-dev';
  if (findProgram(machine, 'pkg-config') === undefined) return [missing('no pkg-config on PATH', install)];
  const { status, stdout } = await machine.run('pkg-config', ['--modversion', 'gio-2.0']);
  return [status === 0 ? ok(stdout.trim()) : missing('pkg-config does not find it', install)];
}
