/**
 * All that `motemq doctor` looks at, and what each is needed for. Asks the machine it is given, tries no network, and
 * prints nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareVersions, findingsOf, versionIn, type Finding } from './findings.ts';
import { findProgram, type Machine } from './machine.ts';
import { checkTypeScript } from './moddable-app.ts';
import { checkEspIdf, findEspIdf } from './moddable-esp-idf.ts';
import {
  checkBuildPrograms,
  checkCompiler,
  checkGlib,
  checkSdk,
  checkToolsRun,
  findSdk,
} from './moddable-sdk.ts';
import { checkTarget, readBoard, type Target } from './moddable-target.ts';
import { checkSerialPorts, listSerialPorts } from './serial-ports.ts';

/** What one may want to do. */
export const PURPOSES = ['flash', 'fleet', 'xs'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** A finding, and what cannot be done unless it is ok; nothing for what is only good to have. */
export interface Check extends Finding {
  readonly neededFor: readonly Purpose[];
}

export interface Report {
  readonly checks: readonly Check[];
  /** By purpose, whether all that it needs is ok. */
  readonly ready: Readonly<Record<Purpose, boolean>>;
}

const NODE_VERSION_MIN = '20.19';
/** Below that a fleet of a thousand devices, the default, has not enough sockets. */
const OPEN_FILES_MIN = 2048;

function neededFor(purposes: readonly Purpose[], findings: readonly Finding[]): Check[] {
  return findings.map((finding) => ({ ...finding, neededFor: purposes }));
}

function checkNode({ nodeVersion }: Machine): Finding {
  const { ok, wrong } = findingsOf('node', 'Node');
  if (compareVersions(nodeVersion, NODE_VERSION_MIN) >= 0) return ok(nodeVersion);
  return wrong(`${nodeVersion} is older than ${NODE_VERSION_MIN}`, 'https://nodejs.org');
}

/** How many files, sockets among them, this process may have open. */
function checkOpenFiles(machine: Machine): Finding[] {
  const { ok, wrong } = findingsOf('open-files', 'open files');
  let limits: string;
  try {
    limits = readFileSync(join(machine.root, '/proc/self/limits'), 'utf8');
  } catch {
    // Not Linux; nobody tells.
    return [];
  }
  const words = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (words === undefined) return [];
  const limit = words === 'unlimited' ? Infinity : Number(words);
  if (limit >= OPEN_FILES_MIN) return [ok(`up to ${words}`)];
  return [wrong(`only ${words}: each simulated device takes one`, `ulimit -n ${OPEN_FILES_MIN}`)];
}

/** npm and tar, which bring the sources of the XS engine. */
function checkXsPrograms(machine: Machine): Finding {
  const { ok, missing } = findingsOf('xs-programs', 'npm and tar');
  const absent = ['npm', 'tar'].filter((name) => findProgram(machine, name) === undefined);
  if (absent.length === 0) return ok('on PATH');
  return missing(`not on PATH: ${absent.join(', ')}`, `Debian: apt-get install ${absent.join(' ')}`);
}

async function checkMosquitto(machine: Machine): Promise<Finding> {
  const { ok, missing } = findingsOf('mosquitto', 'Mosquitto');
  const names = ['mosquitto', 'mosquitto_pub', 'mosquitto_sub'];
  // Debian puts the broker where only root looks for programs.
  const path = `${machine.env['PATH'] ?? ''}:${machine.root}/usr/sbin:${machine.root}/usr/local/sbin`;
  const where = names.map((name) => findProgram({ ...machine, env: { PATH: path } }, name));
  const absent = names.filter((_name, index) => where[index] === undefined);
  if (where[0] === undefined) {
    return missing(`not there: ${absent.join(', ')}`, 'Debian: apt-get install mosquitto mosquitto-clients');
  }
  const { stdout, stderr } = await machine.run(where[0], ['-h']);
  const found = `${versionIn(stdout + stderr) ?? 'unknown version'} (${where[0]})`;
  if (absent.length === 0) return ok(found);
  return missing(`${found}, but not ${absent.join(', ')}`, 'Debian: apt-get install mosquitto-clients');
}

/** Everything that flashing to `target` takes. Throws UsageError for a target that the SDK does not know. */
async function checkFlash(machine: Machine, target: Target): Promise<Check[]> {
  const sdk = findSdk(machine);
  if (sdk !== undefined) checkTarget(target, sdk.folder);
  const needed = [...checkSdk(machine, sdk)];
  if (sdk !== undefined) needed.push(...(await checkToolsRun(machine, sdk)));
  needed.push(...checkBuildPrograms(machine));
  const checks = neededFor(['flash'], needed);
  // An app may do without.
  checks.push({ ...(await checkTypeScript(machine)), neededFor: [] });
  if (target.platform === 'esp32') {
    const { chip } = readBoard(target, sdk?.folder ?? '', machine.env);
    const idf = findEspIdf(machine, sdk);
    checks.push(...neededFor(['flash'], checkEspIdf(machine, sdk, idf, chip)));
  }
  if (target.runsHere) checks.push(...neededFor(['flash'], await checkGlib(machine)));
  if (target.kind === 'board') checks.push(...checkPorts(machine));
  return checks;
}

/** One port that can be used is enough. */
function checkPorts(machine: Machine): Check[] {
  const findings = checkSerialPorts(machine, listSerialPorts(machine));
  const hasUsable = findings.some(({ state }) => state === 'ok');
  return neededFor(['flash'], findings).map((check) =>
    hasUsable && check.state !== 'ok' ? { ...check, neededFor: [] } : check,
  );
}

/**
 * Looks at everything.
 *
 * @param target what would be flashed
 * @param broker what was found of a broker; it is needed for whatever is asked
 */
export async function examine(
  machine: Machine,
  target: Target,
  broker: Finding | undefined,
): Promise<Report> {
  const flash = await checkFlash(machine, target);
  const compiler = await checkCompiler(machine);
  const checks = [
    ...neededFor(PURPOSES, [checkNode(machine)]),
    ...flash,
    // Programs for this computer are compiled by it; those for a board are not.
    ...neededFor(target.runsHere ? ['flash', 'xs'] : ['xs'], compiler),
    ...neededFor(['xs'], [checkXsPrograms(machine)]),
    ...neededFor(['fleet'], checkOpenFiles(machine)),
    ...neededFor([], [await checkMosquitto(machine)]),
    ...neededFor(PURPOSES, broker === undefined ? [] : [broker]),
  ];
  const isReady = (purpose: Purpose): boolean =>
    checks.every((check) => check.state === 'ok' || !check.neededFor.includes(purpose));
  return {
    checks,
    ready: { flash: isReady('flash'), fleet: isReady('fleet'), xs: isReady('xs') },
  };
}

/**
 * Whether all is well: for a purpose, when everything needed for it is ok; for none, when nothing is wrong: what is
 * missing may not be wanted.
 */
export function isWell({ checks, ready }: Report, purpose: Purpose | undefined): boolean {
  return purpose === undefined ? checks.every(({ state }) => state !== 'wrong') : ready[purpose];
}
