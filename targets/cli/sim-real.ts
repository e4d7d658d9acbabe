/**
 * `motemq sim` in real time: the broker that worlds run against, started for each of them or there already, and what is to be
 * said of such runs besides. Knows nothing of what happens in a world.
 */
import { InvalidArgumentError } from 'commander';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCount } from '../../sim/fleet/format.ts';
import {
  findMosquitto,
  mosquittoServer,
  outsideServer,
  processServer,
  type RealServer,
} from '../../sim/world/real/real-server.ts';
import { runAgainst, SECONDS_DEFAULT, type RealResult } from '../../sim/world/real/run-against.ts';
import type { WorldOptions, WorldResult } from '../../sim/world/world.ts';
import { CommandError, UsageError } from './exit-status.ts';
import { parseServerUrl } from './server-url.ts';
import type { SimFlags } from './sim-options.ts';

/** Worlds, when nobody says how many: each takes its time. */
const FRESH_SEEDS_DEFAULT = 4;

/** How long the hour of a schedule takes: enough for a broker to die and come back, and an hour of real time at most. */
export function parseSeconds(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : NaN;
  if (seconds >= 10 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError('It must be a whole number of seconds from 10 to 3600.');
}

export function isRealTime({ real, server }: SimFlags): boolean {
  return real !== undefined || server !== undefined;
}

/** The flags as they are in real time. Throws a UsageError for what makes no sense there. */
export function realTimeFlags(flags: SimFlags): SimFlags {
  const { real, server, seed, seeds, replay, shrink, engine, workers } = flags;
  if (real !== undefined && server !== undefined) throw new UsageError('--real and --server: one of them');
  const others = { shrink, engine, workers };
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined)
      throw new UsageError(`--${name}: not in real time, where no run is like another`);
  }
  const isOpen = seed === undefined && seeds === undefined && replay === undefined;
  return { ...flags, shrink: 0, ...(isOpen ? { seeds: { fresh: FRESH_SEEDS_DEFAULT } } : {}) };
}

/** Runs worlds against the broker that the flags name, one after the other. */
export class RealWorlds {
  private readonly flags: SimFlags;
  private readonly results: RealResult[] = [];

  constructor(flags: SimFlags) {
    this.flags = flags;
  }

  /** Throws a CommandError when there is no such broker, and when somebody ends it. */
  async run(options: WorldOptions): Promise<WorldResult> {
    const { seconds } = this.flags;
    const folder = mkdtempSync(join(tmpdir(), 'motemq-sim-'));
    const controller = new AbortController();
    const end = (): void => controller.abort();
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    try {
      const server = await this.makeServer(folder);
      const onTrace = (line: string): void => options.onTrace?.(line);
      const { signal } = controller;
      const result = await runAgainst({ ...options, server, seconds, onTrace, signal });
      if (signal.aborted) throw new CommandError(`ended in the middle of seed ${options.seed}`);
      this.results.push(result);
      return result;
    } finally {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private async makeServer(folder: string): Promise<RealServer> {
    const { real, server } = this.flags;
    if (server !== undefined) {
      const { scheme, host, port } = parseServerUrl(server);
      if (scheme !== 'mqtt') throw new UsageError('--server: mqtt://host:port, the proxies know no other');
      return outsideServer(host, port ?? 1883);
    }
    const port = await freePort();
    if (real === 'motemq') {
      const state = join(folder, 'state');
      const args = [process.argv[1], 'broker', '--port', String(port), '--persist', state];
      return processServer({ name: 'motemq', program: process.execPath, args, port, folder: state });
    }
    const program = findMosquitto();
    if (program === undefined)
      throw new CommandError('--real: there is no mosquitto, in PATH or in /usr/sbin');
    return mosquittoServer(program, port, folder);
  }

  /** What the verdict does not say. */
  report(): string[] {
    const { results, flags } = this;
    const sum = (numberOf: (result: RealResult) => number): string =>
      formatCount(results.reduce((total, result) => total + numberOf(result), 0));
    const { seconds = SECONDS_DEFAULT } = flags;
    const injected = sum((result) => Object.values(result.injected).reduce((a, b) => a + b, 0));
    return [
      '',
      `in real time, against ${flags.server ?? flags.real}: ${seconds} s for each schedule, and time to recover`,
      `${injected} faults befell something; ${sum(({ connections }) => connections)} connections`,
      `the broker's losses at its deaths: ${sum(({ losses }) => losses.messages)} messages are excused, ` +
        `${sum(({ losses }) => losses.clients)} clients, ${sum(({ losses }) => losses.swallowed)} identifiers`,
      "the schedule is the seed's; the timing is the machine's: no run is like another",
    ];
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
