/**
 * What all rooms of a broker share: what it offers, its bounds, its counters, its clock's deadlines, its hooks, and the
 * switches by which tests make it fail. Decides nothing.
 */
import { Counters } from './counters.ts';
import { Deadlines } from './deadlines.ts';
import type { Hooks } from './hooks.ts';
import { Keeper } from './keeper.ts';
import { resolveLimits, type LimitName, type Limits } from './limits.ts';
import { SHARE_STRATEGIES, type CoreEnvironment, type CoreOptions, type ShareStrategy } from './options.ts';
import { OutputPool } from './output.ts';

/** What clients are offered, with nothing left out. */
export interface Offer {
  maximumQos: number;
  isRetainAvailable: boolean;
  areWildcardsAvailable: boolean;
  areIdentifiersAvailable: boolean;
  areSharedAvailable: boolean;
  /** 0: as the client asks. */
  serverKeepAliveSeconds: number;
  responseInformation: string | null;
  serverReference: string | null;
  shareStrategy: ShareStrategy;
}

/** Switches by which tests make a broker fail. All are off. */
export class Faults {
  /** How many of the next PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK are not sent. */
  dropAcknowledgements = 0;
  /** Milliseconds by which everything that is sent is late. */
  delayMs = 0;
  /** Reason code that every CONNECT is refused with; 0: none is. */
  refuseConnects = 0;
  /** Cuts a client's network connection without a word. False: it is not connected. */
  cut: (clientId: string) => boolean = () => false;

  /** Whether this acknowledgement is one of those to drop. */
  takeAcknowledgement(): boolean {
    if (this.dropAcknowledgements === 0) return false;
    this.dropAcknowledgements--;
    return true;
  }
}

export class Context {
  readonly offer: Offer;
  readonly limits: Limits;
  readonly hooks: Hooks;
  readonly counters = new Counters();
  readonly faults: Faults;
  readonly deadlines = new Deadlines();
  readonly pool = new OutputPool();
  readonly keeper: Keeper;
  readonly random: () => number;
  /** Messages that wait in all sessions; bytes of those and of what is not acknowledged. */
  queuedMessages = 0;
  queuedBytes = 0;

  /** Throws a RangeError for an option that is out of its range. */
  constructor(options: CoreOptions, environment: CoreEnvironment) {
    this.offer = resolveOffer(options);
    this.limits = resolveLimits(options.limits);
    this.hooks = options.hooks ?? {};
    this.faults = new Faults();
    this.keeper = new Keeper(environment.store ?? null);
    this.random = () => environment.random();
  }

  /** Counts that a limit was reached. */
  hit(name: LimitName): void {
    this.counters.limitHits[name]++;
  }
}

function resolveOffer(options: CoreOptions): Offer {
  const { maximumQos = 2, serverKeepAliveSeconds = 0, shareStrategy = 'round-robin' } = options;
  if (![0, 1, 2].includes(maximumQos)) throw new RangeError('maximumQos must be 0, 1 or 2');
  if (
    !Number.isInteger(serverKeepAliveSeconds) ||
    serverKeepAliveSeconds < 0 ||
    serverKeepAliveSeconds > 65_535
  ) {
    throw new RangeError('serverKeepAliveSeconds must be an integer from 1 to 65,535');
  }
  if (!SHARE_STRATEGIES.includes(shareStrategy)) {
    throw new RangeError(`shareStrategy must be one of ${SHARE_STRATEGIES.join(', ')}`);
  }
  return {
    maximumQos,
    isRetainAvailable: options.retainAvailable ?? true,
    areWildcardsAvailable: options.wildcardSubscriptionAvailable ?? true,
    areIdentifiersAvailable: options.subscriptionIdentifiersAvailable ?? true,
    areSharedAvailable: options.sharedSubscriptionAvailable ?? true,
    serverKeepAliveSeconds,
    responseInformation: options.responseInformation ?? null,
    serverReference: options.serverReference ?? null,
    shareStrategy,
  };
}
