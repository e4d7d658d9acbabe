/**
 * Where Espressif's SDK is, which the Moddable SDK builds with for an ESP32, and whether it can be used: version,
 * compiler for the chip, Python environment. Knows files and folders only; nothing of it is run.
 */
import { join } from 'node:path';
import { compareVersions, findingsOf, versionIn, type Finding } from './findings.ts';
import { findProgram, isFile, isFolder, namesIn, readText, type Machine } from './machine.ts';
import type { Sdk } from './moddable-sdk.ts';

export interface EspIdf {
  readonly folder: string;
  /** What made us look there. */
  readonly foundBy: 'IDF_PATH' | 'a usual place';
  /** `6.0.0`; undefined when its files do not tell. */
  readonly version: string | undefined;
}

/** Below the home folder; what is in them that begins with `esp-idf` is looked at. */
const USUAL_PLACES = ['esp32', 'esp', '.local/share/esp32', 'Projects', '.espressif'];
const READ_ON = 'the SDK’s documentation/devices/esp32.md says more';

function versionOf(folder: string): string | undefined {
  const text = readText(join(folder, 'tools', 'cmake', 'version.cmake'));
  if (text === undefined) return versionIn(readText(join(folder, 'version.txt')) ?? '');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`IDF_VERSION_${part}\\s+(\\d+)`).exec(text)?.[1] ?? '0',
  );
  return parts.join('.');
}

/** The version of ESP-IDF that this SDK wants: `6.0`; undefined when it does not tell. */
export function expectedIdfVersion(sdk: Sdk): string | undefined {
  const text = readText(join(sdk.folder, 'build', 'devices', 'esp32', 'manifest.json')) ?? '';
  const named = /"EXPECTED_ESP_IDF"\s*:\s*"([^"]+)"/.exec(text)?.[1];
  return named === undefined ? undefined : versionIn(named);
}

/** Another patch level will do; the SDK refuses everything else. */
function isExpected(version: string, expected: string): boolean {
  const short = (text: string): string => text.split('.').slice(0, 2).join('.');
  return compareVersions(short(version), short(expected)) === 0;
}

/** ESP-IDF, or undefined: when IDF_PATH names a folder without one, too. Of several, one that the SDK wants. */
export function findEspIdf(machine: Machine, sdk: Sdk | undefined): EspIdf | undefined {
  const isOne = (folder: string): boolean => isFile(join(folder, 'export.sh'));
  const named = machine.env['IDF_PATH'];
  if (named) {
    return isOne(named) ? { folder: named, foundBy: 'IDF_PATH', version: versionOf(named) } : undefined;
  }
  const found = USUAL_PLACES.map((place) => join(machine.home, place)).flatMap((place) =>
    namesIn(place)
      .filter((name) => name.startsWith('esp-idf'))
      .map((name) => join(place, name))
      .filter(isOne),
  );
  const expected = sdk && expectedIdfVersion(sdk);
  const folder =
    found.find((one) => expected !== undefined && isExpected(versionOf(one) ?? '', expected)) ?? found.at(0);
  return folder === undefined ? undefined : { folder, foundBy: 'a usual place', version: versionOf(folder) };
}

function getIdf(version: string): string[] {
  const folder = `~/esp32/esp-idf-v${version}`;
  return [
    `git clone -b v${version} --recursive https://github.com/espressif/esp-idf ${folder}`,
    `${folder}/install.sh && export IDF_PATH=${folder}`,
    READ_ON,
  ];
}

function checkFolder(machine: Machine, sdk: Sdk | undefined, idf: EspIdf | undefined): Finding {
  const { ok, missing, wrong } = findingsOf('esp-idf', 'ESP-IDF');
  const expected = (sdk && expectedIdfVersion(sdk)) ?? '6.0';
  if (idf === undefined) {
    const named = machine.env['IDF_PATH'];
    if (!named) return missing('neither IDF_PATH nor a usual place has it', ...getIdf(expected));
    return wrong(
      `IDF_PATH is wrong: no export.sh in ${named}`,
      'set it to the folder of ESP-IDF, or unset it',
    );
  }
  const { folder, foundBy, version } = idf;
  const where = `${version ?? 'unknown version'} in ${folder} (${foundBy})`;
  if (version !== undefined && !isExpected(version, expected)) {
    return wrong(
      `${where}: this Moddable SDK wants ${expected}`,
      `git -C ${folder} checkout v${expected} && git -C ${folder} submodule update --init --recursive`,
      `${folder}/install.sh`,
    );
  }
  // The SDK's makefile asks git for the version, and stops without an answer.
  if (!isFolder(join(folder, '.git')) && !isFile(join(folder, '.git'))) {
    return wrong(`${where}: not a clone, and the Moddable SDK asks git for its version`, ...getIdf(expected));
  }
  return ok(where);
}

/** The compiler's name for a chip: Espressif's S-series and the first are Xtensa, all others RISC-V. */
export function compilerFor(chip: string): string {
  return ['esp32', 'esp32s2', 'esp32s3'].includes(chip) ? `xtensa-${chip}-elf-gcc` : 'riscv32-esp-elf-gcc';
}

function toolsFolderOf(machine: Machine): string {
  return machine.env['IDF_TOOLS_PATH'] ?? join(machine.home, '.espressif');
}

/** Every `tools/NAME/VERSION/NAME/bin` that install.sh has made. */
function installedBins(machine: Machine): string[] {
  const tools = join(toolsFolderOf(machine), 'tools');
  return namesIn(tools).flatMap((name) =>
    namesIn(join(tools, name)).map((version) => join(tools, name, version, name, 'bin')),
  );
}

function checkCompiler(machine: Machine, idf: EspIdf, chip: string): Finding {
  const { ok, missing } = findingsOf('esp-toolchain', `compiler for ${chip}`);
  const name = compilerFor(chip);
  const program =
    findProgram(machine, name) ??
    installedBins(machine)
      .map((bin) => join(bin, name))
      .find(isFile);
  if (program !== undefined) return ok(program);
  return missing(
    `no ${name} on PATH or in ${toolsFolderOf(machine)}`,
    `${join(idf.folder, 'install.sh')} ${chip}`,
  );
}

function checkPython(machine: Machine, idf: EspIdf): Finding {
  const { ok, missing } = findingsOf('esp-python', 'ESP-IDF’s Python');
  // After export.sh everything is on PATH.
  const exported = findProgram(machine, 'idf.py');
  if (exported !== undefined) return ok(`export.sh has been read: ${exported}`);
  const folder = machine.env['IDF_PYTHON_ENV_PATH'] ?? join(toolsFolderOf(machine), 'python_env');
  const short = idf.version?.split('.').slice(0, 2).join('.');
  const found =
    machine.env['IDF_PYTHON_ENV_PATH'] === undefined
      ? namesIn(folder)
          .filter((name) => short === undefined || name.startsWith(`idf${short}_`))
          .map((name) => join(folder, name))
          .find((one) => isFile(join(one, 'bin', 'python')))
      : isFile(join(folder, 'bin', 'python')) && folder;
  if (found) return ok(found);
  return missing(`no environment for ${short ?? 'it'} in ${folder}`, join(idf.folder, 'install.sh'));
}

/** Whether an app for `chip` can be built and flashed. */
export function checkEspIdf(
  machine: Machine,
  sdk: Sdk | undefined,
  idf: EspIdf | undefined,
  chip: string,
): Finding[] {
  const folder = checkFolder(machine, sdk, idf);
  const { missing } = findingsOf('git', 'git');
  const git = findProgram(machine, 'git')
    ? []
    : [missing('not on PATH; ESP-IDF’s build asks it', 'Debian: apt-get install git')];
  if (idf === undefined) return [folder, ...git];
  return [folder, ...git, checkCompiler(machine, idf, chip), checkPython(machine, idf)];
}
