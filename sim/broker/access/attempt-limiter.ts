/**
 * What wrong credentials cost: an address that gave too many within a minute is refused for a while, longer each time.
 * Time is passed in. Knows neither users nor packets.
 */

const WINDOW_MS = 60_000;
const REFUSED_MS_MIN = 10_000;
const REFUSED_MS_MAX = 600_000;
/** After so long without a failure an address begins anew. */
const FORGET_MS = 3_600_000;
const ADDRESSES_MAX = 10_000;

interface Failures {
  /** When they were, of the last minute, oldest first. */
  times: number[];
  /** How long it was refused last; 0: not yet. */
  refusedMs: number;
  refusedUntilMs: number;
}

export class AttemptLimiter {
  private readonly failuresMax: number;
  private readonly addressesMax: number;
  /** The address that failed longest ago goes first. */
  private readonly addresses = new Map<string, Failures>();

  /** An address is refused after `failuresMax` failures within a minute. So many addresses are watched. */
  constructor(failuresMax: number, addressesMax = ADDRESSES_MAX) {
    this.failuresMax = failuresMax;
    this.addressesMax = addressesMax;
  }

  /** Whether attempts from `address` are refused now. Those without an address never are. */
  isRefused(address: string, nowMs: number): boolean {
    const failures = this.addresses.get(networkOf(address));
    return failures !== undefined && nowMs < failures.refusedUntilMs;
  }

  /** Credentials from `address` were wrong. One that is refused already is not punished further. */
  handleFailure(address: string, nowMs: number): void {
    const network = networkOf(address);
    if (network === '' || this.isRefused(address, nowMs)) return;
    const failures = this.addresses.get(network) ?? { times: [], refusedMs: 0, refusedUntilMs: 0 };
    const lastMs = failures.times.at(-1) ?? failures.refusedUntilMs;
    if (nowMs - lastMs > FORGET_MS) failures.refusedMs = 0;
    failures.times = failures.times.filter((time) => nowMs - time < WINDOW_MS);
    failures.times.push(nowMs);
    if (failures.times.length >= this.failuresMax) {
      failures.refusedMs = Math.min(Math.max(2 * failures.refusedMs, REFUSED_MS_MIN), REFUSED_MS_MAX);
      failures.refusedUntilMs = nowMs + failures.refusedMs;
      failures.times = [];
    }
    this.addresses.delete(network);
    this.addresses.set(network, failures);
    if (this.addresses.size > this.addressesMax) this.forgetOldest();
  }

  private forgetOldest(): void {
    for (const network of this.addresses.keys()) {
      this.addresses.delete(network);
      return;
    }
  }
}

/**
 * What attempts are counted for: an IPv4 address, or the first 64 bits of an IPv6 address, for whoever has one address of
 * a network has them all. What is neither is itself.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [plain] = address.split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain);
  if (mapped !== null) return mapped[1];
  const [head, tail] = plain.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...(tail ?? [])];
  return `${groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
