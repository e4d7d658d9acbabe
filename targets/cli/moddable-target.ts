/**
 * What `--target` says: a platform of the Moddable SDK, and where it has several boards, which; and what is to be done
 * with what is built for it.
 */
import { join } from 'node:path';
import { UsageError } from './exit-status.ts';
import { isFile, isFolder, namesIn, readText } from './machine.ts';

export interface Target {
  /** `esp32`, `lin` … as `mcconfig -p` has it. */
  readonly platform: string;
  readonly board: string | undefined;
  /** `esp32/moddable_two`. */
  readonly name: string;
  /** What happens once it is built: written to a board, started in the simulator, or nothing. */
  readonly kind: 'board' | 'simulator' | 'program';
  /** Whether it runs on the computer that builds it. */
  readonly runsHere: boolean;
}

const SIMULATORS = ['lin', 'mac'];

/** @param hostPlatform what `sim` means here: `lin` or `mac` */
export function parseTarget(text: string, hostPlatform: string): Target {
  const parts = /^([a-z0-9-]+)(?:\/([\w.-]+))?$/.exec(text.toLowerCase());
  if (!parts) {
    throw new UsageError(`--target: "${text}" is no target; there are esp32, esp32/BOARD, lin …`);
  }
  const platform = parts[1] === 'sim' ? hostPlatform : parts[1];
  const board = parts[2] as string | undefined;
  if (SIMULATORS.includes(platform) && platform !== hostPlatform) {
    throw new UsageError(`--target: the simulator of this computer is "${hostPlatform}", not "${platform}"`);
  }
  const name = board === undefined ? platform : `${platform}/${board}`;
  let kind: Target['kind'] = 'program';
  if (platform === 'esp32') kind = 'board';
  else if (SIMULATORS.includes(platform)) kind = 'simulator';
  return { platform, board, name, kind, runsHere: kind === 'simulator' || platform.startsWith('x-') };
}

/** Throws UsageError when the SDK does not know the target, and says which it does. */
export function checkTarget(target: Target, sdkFolder: string): void {
  const { platform, board, name } = target;
  if (!isFile(join(sdkFolder, 'tools', 'mcconfig', `make.${platform}.mk`))) {
    const known = namesIn(join(sdkFolder, 'tools', 'mcconfig'))
      .flatMap((file) => /^make\.([a-z0-9-]+)\.mk$/.exec(file)?.[1] ?? [])
      .join(', ');
    throw new UsageError(`--target: the SDK in ${sdkFolder} has no platform "${platform}", only ${known}`);
  }
  if (board === undefined) return;
  const folder = boardsFolder(target, sdkFolder);
  if (isFile(join(folder, board, 'manifest.json'))) return;
  const known = namesIn(folder).filter((one) => isFile(join(folder, one, 'manifest.json')));
  throw new UsageError(
    `--target: the SDK in ${sdkFolder} has no ${name}` +
      (known.length === 0 ? '' : `; boards of ${platform} are ${known.join(', ')}`),
  );
}

function boardsFolder({ platform, kind }: Target, sdkFolder: string): string {
  return kind === 'simulator'
    ? join(sdkFolder, 'build', 'simulators')
    : join(sdkFolder, 'build', 'devices', platform, 'targets');
}

/** What the SDK says of a board, as far as it matters here. */
export interface Board {
  /** The chip: `esp32`, `esp32s3`, `esp32c6` … */
  readonly chip: string;
  /** What to do by hand before flashing; undefined for boards that do it by themselves. */
  readonly beforeFlashing: string | undefined;
  /** What to do by hand afterwards. */
  readonly afterFlashing: string | undefined;
}

/** Reads the board's manifest; a plain `esp32` is the chip of that name, unless ESP32_SUBCLASS says otherwise. */
export function readBoard(target: Target, sdkFolder: string, env: NodeJS.ProcessEnv): Board {
  const plain: Board = {
    chip: env['ESP32_SUBCLASS'] ?? target.platform,
    beforeFlashing: undefined,
    afterFlashing: undefined,
  };
  if (target.board === undefined || !isFolder(sdkFolder)) return plain;
  const text = readText(join(boardsFolder(target, sdkFolder), target.board, 'manifest.json'));
  let build: Record<string, unknown>;
  try {
    build = (JSON.parse(text ?? '{}') as { build?: Record<string, unknown> }).build ?? {};
  } catch {
    return plain;
  }
  const wordOf = (name: string): string | undefined => {
    const value = build[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    chip: wordOf('ESP32_SUBCLASS') ?? plain.chip,
    beforeFlashing: wordOf('PROGRAMMING_MODE_MESSAGE')?.replace(/^INSTRUCTIONS:\s*/, ''),
    afterFlashing: wordOf('BEFORE_DEBUGGING_MESSAGE'),
  };
}
