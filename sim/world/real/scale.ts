/**
 * An hour of a world in less than a minute: everything that takes time in a device's plan and in a schedule is shorter by one
 * factor, down to what real timers and real programs need. Draws nothing but what worlds draw.
 */
import { drawFaults, FAULT_NAMES, type Fault, type FaultKind } from '../faults.ts';
import { drawConditions, drawDevicePlan } from '../plans.ts';
import { SimRandom } from '../random.ts';
import type { DevicePlan } from '../sim-device.ts';
import { FAULTS_FROM_MS } from '../world.ts';
import type { LinkConditions } from './fault-link.ts';

const NEVER = 4_294_967_295;
/** Milliseconds that nothing is shortened below. */
const FAULT_MS_MIN = 20;
const EVERY_MS_MIN = 50;
const FIRST_MS_MIN = 20;
const MAXIMUM_MS_MIN = 200;
const TIMEOUT_MS_MIN = 500;
const SECONDS_MIN = 2;

/** Of all kinds, those that can be played with a real broker: nobody slows down its disk. */
export const PLAYABLE: readonly FaultKind[] = FAULT_NAMES.filter((kind) => kind !== 'slow-disk');

/** A fault as it is played: milliseconds since faults began, and how long. */
export function scaledFault({ atMs, ms }: Fault, factor: number): { atMs: number; ms: number } {
  return {
    atMs: Math.round((atMs - FAULTS_FROM_MS) / factor),
    ms: ms === 0 ? 0 : Math.max(FAULT_MS_MIN, Math.round(ms / factor)),
  };
}

/** The plan of device `index` of a world, `factor` times as fast. */
export function drawScaledPlan(random: SimRandom, index: number, factor: number): DevicePlan {
  const plan = drawDevicePlan(random, index);
  const scaled = (ms: number | undefined, least: number): number =>
    Math.max(least, Math.round((ms ?? 0) / factor));
  const { options, reconnect } = plan;
  const { sessionExpirySeconds = NEVER } = options;
  return {
    ...plan,
    everyMs: scaled(plan.everyMs, EVERY_MS_MIN),
    // The clock is this machine's.
    driftPerMille: 0,
    reconnect: {
      firstMs: scaled(reconnect.firstMs, FIRST_MS_MIN),
      maximumMs: scaled(reconnect.maximumMs, MAXIMUM_MS_MIN),
    },
    options: {
      ...options,
      sessionExpirySeconds:
        sessionExpirySeconds === NEVER ? NEVER : scaled(sessionExpirySeconds, SECONDS_MIN),
      keepAliveSeconds: scaled(options.keepAliveSeconds, SECONDS_MIN),
      connectTimeoutMs: scaled(options.connectTimeoutMs, TIMEOUT_MS_MIN),
      pingTimeoutMs: scaled(options.pingTimeoutMs, TIMEOUT_MS_MIN),
    },
  };
}

/** Milliseconds of a link at most, each way: a broker's answers are to be under way when something happens. */
const LATENCY_MS_MAX = 40;

/** A network between a device and its broker: on this machine, as slow as the device's is in a world, by a tenth. */
export function drawLinkConditions(random: SimRandom): LinkConditions {
  const { latencyMs, jitterMs, fragmentPerMille } = drawConditions(random);
  return {
    latencyMs: Math.min(LATENCY_MS_MAX, Math.ceil(latencyMs / 10)),
    jitterMs: Math.min(LATENCY_MS_MAX, Math.floor(jitterMs / 10)),
    fragmentPerMille,
  };
}

/** The schedule that a world with this seed has. */
export function drawSchedule(
  seed: number,
  devices: number,
  durationMs: number,
  kinds: readonly FaultKind[],
): Fault[] {
  const random = new SimRandom(seed);
  // In the order in which worlds draw.
  random.fork(1);
  random.fork(2);
  return drawFaults(random.fork(3), devices, FAULTS_FROM_MS, FAULTS_FROM_MS + durationMs, kinds);
}

/** Faults of a kind, where every kind is wanted: enough, and not so many that nothing else happens. */
const OF_KIND_MIN = 4;
const OF_KIND_MAX = 20;

/** A schedule with every kind of `kinds`, several times: of each what the first seed from `seed` on draws that has so many. */
export function drawEveryKind(
  seed: number,
  devices: number,
  durationMs: number,
  kinds: readonly FaultKind[],
): Fault[] {
  return kinds
    .flatMap((kind) => {
      for (let from = seed; ; from++) {
        const faults = drawSchedule(from, devices, durationMs, [kind]);
        if (faults.length >= OF_KIND_MIN && faults.length <= OF_KIND_MAX) return faults;
      }
    })
    .sort((a, b) => a.atMs - b.atMs);
}
