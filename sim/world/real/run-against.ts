/**
 * A world in real time: devices that ship, over real sockets and a proxy each, against a real broker. The schedule is what
 * its seed draws, played faster; when things happen is up to the machine, so no two runs are the same. The same people watch
 * as in a world on virtual time, but for those who look into the broker.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { formatFault, type Fault, type FaultKind } from '../faults.ts';
import { Ledger, type Entry } from '../ledger.ts';
import { setStoreFailing } from '../place.ts';
import { drawCollectorPlan } from '../plans.ts';
import { SimRandom } from '../random.ts';
import type { DevicePlan } from '../sim-device.ts';
import { Trace } from '../trace.ts';
import { DEVICES_DEFAULT, DURATION_MS_DEFAULT, type WorldResult } from '../world.ts';
import { RealClock } from './real-clock.ts';
import { befallReally, makeRealPlace, type RealPlace } from './real-place.ts';
import type { RealServer } from './real-server.ts';
import { drawScaledPlan, drawSchedule, PLAYABLE, scaledFault } from './scale.ts';

export interface RealOptions {
  readonly server: RealServer;
  readonly seed: number;
  /** Default 5. */
  readonly devices?: number | undefined;
  /** Real seconds in which the faults of the schedule are played; then up to 60 more to recover. Default 45. */
  readonly seconds?: number | undefined;
  /** Milliseconds of the schedule; default one hour. */
  readonly durationMs?: number | undefined;
  /** Kinds that may be drawn; default all that can be played. */
  readonly faultKinds?: readonly FaultKind[] | undefined;
  /** These instead of what the seed draws. */
  readonly faults?: readonly Fault[] | undefined;
  readonly onTrace?: ((line: string) => void) | undefined;
  /** Aborted: it ends where it is. */
  readonly signal?: AbortSignal | undefined;
}

/** What the broker lost at its deaths, and what was excused for that. */
export interface Losses {
  /** Deaths with the state kept that lay behind its last saving by anything that counts. */
  rollbacks: number;
  /** Messages that passed after the last saving. */
  messages: number;
  /** Clients that may lack a subscription, or the end of a handshake. */
  clients: number;
  /** Messages under an identifier that was still in use. */
  swallowed: number;
}

export interface RealResult extends WorldResult {
  readonly server: string;
  /** How often each kind befell anything. */
  readonly injected: Record<FaultKind, number>;
  /** Connections through the proxies. */
  readonly connections: number;
  readonly elapsedMs: number;
  readonly losses: Losses;
}

export const SECONDS_DEFAULT = 45;
const COLLECTOR = 'collector';
/** Milliseconds that everything may take once nothing goes wrong any more. */
const DRAIN_MS_MAX = 60_000;
/** Milliseconds that the collector has to be there. */
const BEGIN_MS_MAX = 10_000;
/** Milliseconds for a broker's sockets to be seen to be closed. */
const DEAD_MS_MIN = 100;
const TAIL_LINES = 60;
const POLL_MS = 10;
/** Bytes of a PUBLISH at most, without its payload. */
const HEAD_BYTES_MAX = 60;

class RealWorld {
  private readonly options: RealOptions;
  private readonly clock = new RealClock();
  private readonly ledger = new Ledger();
  private readonly trace: Trace;
  private readonly random: SimRandom;
  private readonly commandRandom: SimRandom;
  private readonly faults: readonly Fault[];
  private readonly factor: number;
  private readonly durationMs: number;
  private readonly folder = mkdtempSync(join(tmpdir(), 'motemq-world-'));
  private readonly places: RealPlace[] = [];
  private collector: RealPlace | null = null;
  private readonly timers = new Set<NodeJS.Timeout>();
  /** When each message, or something that acknowledges it, passed last. */
  private readonly touched = new Map<string, number>();
  private readonly injected = {} as Record<FaultKind, number>;
  private readonly losses: Losses = { rollbacks: 0, messages: 0, clients: 0, swallowed: 0 };
  private isServerUp = false;
  /** The broker's last death, and its coming back. */
  private crash: Promise<void> = Promise.resolve();
  private isDraining = false;
  /** When the schedule begins. */
  private faultsFromMs = 0;
  private powerCuts = 0;
  private tail: string[] | null = null;

  constructor(options: RealOptions) {
    this.options = options;
    const { seed, devices = DEVICES_DEFAULT, durationMs = DURATION_MS_DEFAULT } = options;
    const { seconds = SECONDS_DEFAULT, faultKinds = PLAYABLE } = options;
    this.durationMs = durationMs;
    this.factor = durationMs / (seconds * 1000);
    this.trace = new Trace(options.onTrace ?? null);
    this.random = new SimRandom(seed);
    const drawn = drawSchedule(seed, devices, durationMs, faultKinds);
    const isPlayable = ({ kind, device }: Fault): boolean =>
      PLAYABLE.includes(kind) && (device >= 0 || options.server.process !== null);
    this.faults = (options.faults ?? drawn).filter(isPlayable);
    this.commandRandom = this.random.fork(4);
  }

  // --- Who is there ------------------------------------------------------------------------------------------------

  private async makePlaces(): Promise<void> {
    const { devices = DEVICES_DEFAULT } = this.options;
    this.collector = await this.makePlace(-1);
    for (let index = 0; index < devices; index++) this.places.push(await this.makePlace(index));
  }

  private makePlace(index: number): Promise<RealPlace> {
    const random = this.random.fork(100 + index);
    const { folder, clock, ledger, trace, options } = this;
    const plan = index < 0 ? drawCollectorPlan(COLLECTOR) : this.planOf(random, index);
    return makeRealPlace(plan, random, index >= 0, {
      clock,
      ledger,
      trace,
      server: options.server,
      folder,
      violate: (rule, text) => this.violate(rule, text),
      touch: (name) => this.touched.set(name, clock.nowMs),
      handlePowerLost: (place) => this.switchOnLater(place),
      handleException: (error) => this.handleException(error),
      handleSessionOver: (place) => this.excuseSession(place.device.plan.clientId),
      handleSwallowed: (place, name, packetId) => this.handleSwallowed(place, name, packetId),
      isAwaited: (topicName) => this.isAwaited(topicName),
    });
  }

  private planOf(random: SimRandom, index: number): DevicePlan {
    const plan = drawScaledPlan(random, index, this.factor);
    const { receiveMaximumMin } = this.options.server;
    const receiveMaximum = Math.max(plan.options.receiveMaximum ?? 0, receiveMaximumMin);
    return { ...plan, options: { ...plan.options, receiveMaximum } };
  }

  private all(): RealPlace[] {
    return this.collector === null ? this.places : [this.collector, ...this.places];
  }

  private isAwaited(topicName: string): boolean {
    const [first, clientId] = topicName.split('/');
    const isOf = ({ device }: RealPlace): boolean => device.plan.clientId === clientId;
    const place = first === 'cmd' ? this.places.find(isOf) : this.collector;
    return place?.observer.hasSubscription(topicName) === true;
  }

  private violate(rule: string, text: string): void {
    this.trace.note(this.clock.nowMs, `VIOLATION ${rule}: ${text}`);
    this.ledger.violate(this.clock.nowMs, rule, text);
    this.tail ??= this.trace.tail(TAIL_LINES);
  }

  private handleException(error: unknown): void {
    this.violate('exception', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  private later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      try {
        run();
      } catch (error) {
        this.handleException(error);
      }
    }, ms);
    this.timers.add(timer);
  }

  // --- Faults ------------------------------------------------------------------------------------------------------

  private befall(fault: Fault): void {
    const { kind, atMs, device } = fault;
    const { ms } = scaledFault(fault, this.factor);
    const random = new SimRandom(this.options.seed).fork(Math.imul(atMs, 31) + device);
    this.note(`FAULT ${formatFault(fault)}`);
    if (kind === 'broker-crash' || kind === 'broker-forgets') {
      if (!this.isServerUp) return;
      this.crash = this.crashServer(kind, ms, random).catch((error: unknown) => this.handleException(error));
      return;
    }
    const place = this.places.at(device);
    if (place === undefined) return;
    const hasBefallen = befallReally(place, kind, ms, random, {
      later: (afterMs, run) => this.later(afterMs, run),
      switchOnLater: (one) => this.switchOnLater(one),
    });
    if (hasBefallen) this.count(kind);
  }

  private count(kind: FaultKind): void {
    this.injected[kind] = (this.injected[kind] ?? 0) + 1;
  }

  private note(text: string): void {
    this.trace.note(this.clock.nowMs, text);
  }

  private switchOnLater(place: RealPlace): void {
    this.powerCuts++;
    place.checker.handlePowerCut();
    this.later(place.offMs + 1, () => this.switchOn(place));
  }

  private switchOn(place: RealPlace): void {
    if (place.device.isOn) return;
    place.attempts.reset();
    place.kept.revive();
    place.device.start();
  }

  private async crashServer(kind: FaultKind, ms: number, random: SimRandom): Promise<void> {
    const { process } = this.options.server;
    if (process === null) return;
    this.isServerUp = false;
    this.count(kind);
    const isStateLost = kind === 'broker-forgets';
    // Either with all that it knows, or with what it had saved by itself.
    if (!isStateLost && random.isChance(500)) await process.save();
    const isTold = random.isChance(700);
    for (const { link } of this.places) {
      if (!isTold) link?.kill();
      link?.setServerUp(false);
    }
    await process.kill();
    const savedAtMs = process.savedAtMs();
    const savedMs = this.clock.nowMs - (Date.now() - savedAtMs);
    // It may die before it has saved anything.
    const hasNothing = isStateLost || savedAtMs === 0;
    this.note(`the broker is dead, and has what it had saved at ${hasNothing ? '-' : Math.floor(savedMs)}`);
    // What it said last may still be on its way to us.
    await pause(Math.max(ms, DEAD_MS_MIN));
    if (hasNothing) {
      process.forget();
      this.ledger.excuse(({ arrivals, isAcknowledged }) => arrivals === 0 || !isAcknowledged);
      for (const { observer } of this.all()) observer.handleCrash(-1);
    } else {
      this.excuseSince(savedMs);
    }
    await process.start();
    this.note('the broker is there again');
    for (const { link } of this.places) link?.setServerUp(true);
    this.isServerUp = true;
  }

  /** What passed after the broker's last saving it does not know any more. */
  private excuseSince(savedMs: number): void {
    let messages = 0;
    for (const [name, atMs] of this.touched) {
      if (atMs < savedMs) continue;
      const entry = this.ledger.find(name);
      if (entry === undefined || entry.isExcused) continue;
      entry.isExcused = true;
      messages++;
    }
    let clients = 0;
    for (const { device, observer } of this.all()) {
      const isSubscribed = observer.missingFilters().length === 0;
      const wasDoubtful = observer.isDoubtful;
      observer.handleCrash(savedMs);
      if (observer.isDoubtful && !wasDoubtful) clients++;
      // What waits for it, even at the sender, may find no subscription.
      if (isSubscribed && observer.missingFilters().length > 0) this.excuseSession(device.plan.clientId);
    }
    this.losses.messages += messages;
    this.losses.clients += clients;
    if (messages > 0) this.losses.rollbacks++;
    this.note(`excused: ${messages} messages, ${clients} clients`);
  }

  /** A session is over that need not be there any more: what was on its way may be lost, or be sent as new. */
  private excuseSession(clientId: string): void {
    const isConcerned = ({ publisher, topicName, arrivals, isAcknowledged }: Entry): boolean => {
      const isForIt =
        clientId === COLLECTOR ? publisher !== COLLECTOR : topicName.startsWith(`cmd/${clientId}/`);
      return (publisher === clientId && !isAcknowledged) || (arrivals === 0 && isForIt);
    };
    this.ledger.excuse(isConcerned);
  }

  /** The broker's doing: its client must take the message for the one before. */
  private handleSwallowed(place: RealPlace, name: string, packetId: number): void {
    this.losses.swallowed++;
    this.note(`${name} to ${place.device.plan.clientId} has identifier ${packetId}, which is in use`);
    place.answers.forgive(packetId);
    place.handleSwallowed(name);
    const entry = this.ledger.find(name);
    if (entry !== undefined) entry.isExcused = true;
  }

  // --- Running -----------------------------------------------------------------------------------------------------

  async run(): Promise<RealResult> {
    try {
      await this.live();
    } catch (error) {
      this.handleException(error);
    } finally {
      await this.end();
    }
    return this.result();
  }

  private async live(): Promise<void> {
    const { server } = this.options;
    mkdirSync(this.folder, { recursive: true });
    await server.process?.start();
    this.isServerUp = true;
    await this.makePlaces();
    const { collector } = this;
    if (collector === null) return;
    this.switchOn(collector);
    const isThere = (): boolean => collector.observer.missingFilters().length === 0;
    if (!(await this.waitFor(isThere, BEGIN_MS_MAX))) {
      throw new Error(`${server.name} does not let the collector subscribe`);
    }
    // It is there whatever happens to the broker.
    await server.process?.save();
    for (const place of this.places) {
      this.later(Math.round(this.random.below(5000) / this.factor), () => this.switchOn(place));
    }
    this.sendCommandLater();
    this.faultsFromMs = this.clock.nowMs;
    for (const fault of this.faults) {
      this.later(scaledFault(fault, this.factor).atMs, () => this.befall(fault));
    }
    await this.waitFor(() => false, this.durationMs / this.factor);
    await this.drain();
  }

  /** Whether `isDone` within so many milliseconds; false, too, when a rule is broken or nobody wants to know any more. */
  private async waitFor(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = this.clock.nowMs + withinMs;
    while (this.clock.nowMs < endMs) {
      if (this.hasEnded()) return false;
      if (isDone()) return true;
      await pause(POLL_MS);
    }
    return isDone();
  }

  /** A rule is broken, or nobody wants to know any more. */
  private hasEnded(): boolean {
    return this.ledger.violations.length > 0 || this.options.signal?.aborted === true;
  }

  /** Everything is well from now on: what was accepted has to arrive, in a time that is bounded. */
  private async drain(): Promise<void> {
    if (this.hasEnded()) return;
    this.note('all is well');
    this.isDraining = true;
    for (const place of this.places) {
      place.device.isPublishing = false;
      setStoreFailing(place, false);
      place.kept.cutAfter(Infinity);
    }
    const isOver = (): boolean => this.isServerUp && this.ledger.isQuiet() && this.findRests().length === 0;
    await this.waitFor(isOver, DRAIN_MS_MAX);
    if (this.hasEnded()) return;
    for (const [rule, text] of this.findRests()) this.violate(rule, text);
    for (const { silence } of this.places) silence.check();
    this.ledger.close(this.clock.nowMs);
  }

  private findRests(): [rule: string, text: string][] {
    return this.all().flatMap((place) => {
      const rest = findRealRest(place);
      return rest === null ? [] : [rest];
    });
  }

  private sendCommandLater(): void {
    const { commandRandom: random } = this;
    this.later(Math.round(random.between(2000, 20_000) / this.factor), () => {
      if (this.isDraining) return;
      const place = random.pick(this.places);
      for (let left = random.isChance(100) ? random.between(5, 20) : 1; left > 0; left--) {
        this.sendCommand(place, random);
      }
      this.sendCommandLater();
    });
  }

  private sendCommand({ device: to }: RealPlace, random: SimRandom): void {
    const from = this.collector?.device;
    const qos = random.below(3);
    const { maximumPacketSize = Infinity } = to.plan.options;
    let byteLength = random.between(16, 900);
    // Either far enough below what the device takes, or above it.
    if (byteLength > maximumPacketSize - HEAD_BYTES_MAX)
      byteLength = Math.max(byteLength, maximumPacketSize + 1);
    const topicName = `cmd/${to.plan.clientId}/${random.below(3)}`;
    const client = from?.client ?? null;
    if (from === undefined || client === null || !to.isSubscribed) return;
    const entry = from.send(client, qos, topicName, undefined, byteLength, COLLECTOR);
    entry.isExcused ||= byteLength > maximumPacketSize;
  }

  private async end(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    // A broker that is on its way up has to be there before it can go.
    await this.crash;
    for (const { device, store, link } of this.all()) {
      device.cut();
      link?.close();
      store.close();
    }
    await this.options.server.process?.kill();
    this.clock.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** All of the schedule, or, where a rule was broken, what had been played by then. */
  private faultsUntilThen(): readonly Fault[] {
    const [first] = this.ledger.violations;
    if (first === undefined) return this.faults;
    return this.faults.filter(
      (fault) => scaledFault(fault, this.factor).atMs <= first.atMs - this.faultsFromMs,
    );
  }

  private result(): RealResult {
    const { ledger, trace, options, places } = this;
    const sum = (numberOf: (place: RealPlace) => number): number =>
      this.all().reduce((total, place) => total + numberOf(place), 0);
    return {
      seed: options.seed,
      violations: ledger.violations,
      hash: trace.hash(),
      tail: this.tail ?? trace.tail(TAIL_LINES),
      faults: this.faultsUntilThen(),
      virtualMs: this.durationMs,
      messages: ledger.offeredCount,
      arrivals: ledger.arrivedCount,
      duplicates: ledger.duplicateCount,
      packets: sum(({ checker }) => checker.packetCount),
      powerCuts: this.powerCuts,
      storeWrites: sum(({ kept }) => kept.writes),
      server: options.server.name,
      injected: this.injected,
      connections: places.reduce((total, { link }) => total + (link?.connectionCount ?? 0), 0),
      elapsedMs: this.clock.nowMs,
      losses: this.losses,
    };
  }
}

/** What is not over with a device, as a rule and how it is broken, or null. */
function findRealRest({ device, answers, kept, observer }: RealPlace): [rule: string, text: string] | null {
  const { clientId } = device.plan;
  if (!device.isSettled()) return ['stuck', `${clientId} is not done long after all was well`];
  // The broker forgot what it had said: there may be something that nobody will ever ask for.
  if (observer.isDoubtful) return null;
  const [missing] = observer.missingFilters();
  if (missing !== undefined)
    return ['subscription', `the broker has no subscription of ${clientId} to ${missing}`];
  const rest = answers.describeRest();
  if (rest !== null) return ['unfinished', rest];
  const waiting = device.client?.session.state.incoming.count ?? 0;
  if (waiting > 0) return ['memory', `${clientId} holds ${waiting} received packet identifiers`];
  if (kept.size > 0) return ['store-leak', `the store of ${clientId} holds ${kept.size} records of nothing`];
  return null;
}

/** Runs one world against a broker, which it starts and ends if it can. */
export function runAgainst(options: RealOptions): Promise<RealResult> {
  return new RealWorld(options).run();
}
