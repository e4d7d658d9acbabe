/**
 * One world: devices, a network, a broker and a collector that everything goes to, on one clock, from one seed. What goes
 * wrong is a list that is drawn, or given; what must not happen is checked all the time, and once more when everything has
 * been well again for long enough.
 */
import { GOOD, type Conditions } from './network.ts';
import type { BoardReceiver } from '../../src/line.ts';
import { findRest, type Finding } from './aftermath.ts';
import { runAudit } from './audit.ts';
import type { BrokerKind, BrokerWatcher } from './broker-process.ts';
import { EventQueue } from './events.ts';
import { FAULT_NAMES, drawFaults, formatFault, type Fault, type FaultKind } from './faults.ts';
import { Ledger, type Violation } from './ledger.ts';
import { befall, makePlace, setStoreFailing, switchOn, type Place } from './place.ts';
import {
  drawBroker,
  drawCollectorPlan,
  drawConditions,
  drawDevicePlan,
  drawLimits,
  drawMaximumPacketSize,
} from './plans.ts';
import { SimRandom } from './random.ts';
import { RetainedChecker } from './retained-checker.ts';
import { ServerChecker } from './server-checker.ts';
import type { SimDevice } from './sim-device.ts';
import { SimConnection, type EndWatcher } from './sim-link.ts';
import { SimServer } from './sim-server.ts';
import { Trace } from './trace.ts';
import { WillChecker } from './will-checker.ts';

export interface WorldOptions {
  seed: number;
  /** Default DEVICES_DEFAULT; at least 1. */
  devices?: number | undefined;
  /** Virtual milliseconds in which things go wrong; default DURATION_MS_DEFAULT, one hour. */
  durationMs?: number | undefined;
  /** Kinds that may be drawn; default all. */
  faultKinds?: readonly FaultKind[] | undefined;
  /** The broker, instead of the one that the seed draws. */
  broker?: BrokerKind | undefined;
  /** These instead of what the seed draws. */
  faults?: readonly Fault[] | undefined;
  /** Gets each line of the trace. */
  onTrace?: ((line: string) => void) | undefined;
  /** Each of these lines begins with the hash of all up to its end, 16 digits and a space. */
  isTraceHashed?: boolean | undefined;
}

export interface WorldResult {
  seed: number;
  /** Which it was, of those that worlds have. */
  broker?: BrokerKind | undefined;
  violations: Violation[];
  /** Of the whole trace and all bytes on the network: equal for equal worlds. */
  hash: string;
  /** The last lines of the trace before the first violation, or the end. */
  tail: string[];
  faults: readonly Fault[];
  virtualMs: number;
  messages: number;
  arrivals: number;
  duplicates: number;
  packets: number;
  powerCuts: number;
  storeWrites: number;
}

export const DEVICES_DEFAULT = 5;
export const DURATION_MS_DEFAULT = 3_600_000;
/** When things begin to go wrong: the collector is there by then. */
export const FAULTS_FROM_MS = 10_000;
/** How long everything may take once nothing goes wrong any more. */
const DRAIN_MS_MAX = 1_200_000;
const TAIL_LINES = 60;
/** More turns of the event loop than anybody can need without time passing. */
const TURNS_MAX = 10_000;
/** Bytes of a PUBLISH at most, without its payload. */
const HEAD_BYTES_MAX = 60;
const COLLECTOR = 'collector';

export class World {
  private readonly options: WorldOptions;
  private readonly events = new EventQueue();
  private readonly ledger = new Ledger();
  private readonly trace: Trace;
  private readonly random: SimRandom;
  private readonly commandRandom: SimRandom;
  private readonly broker: BrokerKind;
  private readonly server: SimServer;
  private readonly wills: WillChecker;
  private readonly serverChecker: ServerChecker;
  /** What the broker takes. */
  private readonly maximumPacketSize: number;
  private readonly retained: RetainedChecker;
  private readonly places: Place[] = [];
  private readonly collector: Place;
  private readonly faults: readonly Fault[];
  private readonly durationMs: number;
  private powerCuts = 0;
  private tail: string[] | null = null;
  /** How often events ran at one time. */
  private turns = 0;
  private turnsAtMs = -1;

  constructor(options: WorldOptions) {
    this.options = options;
    const { seed, devices = DEVICES_DEFAULT, durationMs = DURATION_MS_DEFAULT } = options;
    this.durationMs = durationMs;
    this.trace = new Trace(options.onTrace ?? null, options.isTraceHashed);
    this.random = new SimRandom(seed);
    this.wills = new WillChecker(
      (rule, text) => this.violate(rule, text),
      () => this.events.nowMs,
    );
    this.serverChecker = new ServerChecker({
      report: (rule, text) => this.violate(rule, text),
      nowMs: () => this.events.nowMs,
      handleSessionExpired: (clientId) => this.excuseExpired(clientId),
      handleNewSession: (clientId) => {
        const place = this.places.find(({ device }) => device.plan.clientId === clientId);
        place?.kept.handleNewSession(place.device.receivedIds());
      },
    });
    this.retained = new RetainedChecker((rule, text) => this.violate(rule, text));
    const limitsRandom = this.random.fork(1);
    const maximumPacketSize = drawMaximumPacketSize(limitsRandom);
    this.maximumPacketSize = maximumPacketSize;
    const brokerRandom = this.random.fork(2);
    this.broker = options.broker ?? drawBroker(brokerRandom.fork(1));
    this.server = new SimServer(this.broker, this.events, brokerRandom, this.watchBroker(), () => ({
      ...drawLimits(limitsRandom),
      maximumPacketSize,
    }));
    const { faultKinds = FAULT_NAMES } = options;
    const drawn = drawFaults(
      this.random.fork(3),
      devices,
      FAULTS_FROM_MS,
      FAULTS_FROM_MS + durationMs,
      faultKinds,
    );
    this.faults = options.faults ?? drawn;
    this.commandRandom = this.random.fork(4);
    this.collector = this.makePlace(-1);
    for (let index = 0; index < devices; index++) this.places.push(this.makePlace(index));
  }

  private watchBroker(): BrokerWatcher {
    return {
      handleConnected: (clientId) => this.wills.handleConnected(clientId),
      handleDisconnected: (clientId, isGoodbye) => this.wills.handleDisconnected(clientId, isGoodbye),
      handleWill: (topicName) => this.wills.handleWill(topicName),
      handleBreach: (clientId, text) => this.violate('standard', `${clientId}: ${text}`),
    };
  }

  private makePlace(index: number): Place {
    const random = this.random.fork(100 + index);
    const isCollector = index < 0;
    const plan = isCollector ? drawCollectorPlan(COLLECTOR) : drawDevicePlan(random, index);
    const draw = (from: SimRandom): Conditions => (isCollector ? GOOD : drawConditions(from.fork(3)));
    return makePlace(plan, random, draw, {
      events: this.events,
      ledger: this.ledger,
      trace: this.trace,
      retained: this.retained,
      violate: (rule, text) => this.violate(rule, text),
      dial: (place, receiver) => this.dial(place, receiver),
      onPowerLost: (place) => this.switchOnLater(place),
      isAwaited: (topicName, byteLength) => this.isAwaited(topicName, byteLength),
    });
  }

  /** Messages to devices are for the one in the topic; all others are the collector's. */
  private isAwaited(topicName: string, byteLength: number): boolean {
    // What is too large for the broker may be found out when nobody is there any more to be told.
    if (byteLength > this.maximumPacketSize - HEAD_BYTES_MAX) return false;
    const [first, clientId] = topicName.split('/');
    return this.server.hasSubscription(first === 'cmd' ? clientId : COLLECTOR);
  }

  private violate(rule: string, text: string): void {
    this.trace.note(this.events.nowMs, `VIOLATION ${rule}: ${text}`);
    this.ledger.violate(this.events.nowMs, rule, text);
  }

  // --- The network -------------------------------------------------------------------------------------------------

  private dial(place: Place, receiver: BoardReceiver): SimConnection | null {
    const { nowMs } = this.events;
    const { device, conditions } = place;
    const { clientId } = device.plan;
    place.attempts.handleAttempt();
    device.note('connects');
    const roundTripMs = 2 * conditions.latencyMs + 1;
    const fail = (error: string): null => {
      this.events.in(roundTripMs, () => {
        place.attempts.handleOver();
        receiver.handleClosed(error);
      });
      return null;
    };
    if (nowMs < place.namelessUntilMs) return fail('no such name');
    if (nowMs < place.refusedUntilMs) return fail('refused');
    const random = place.random.fork(nowMs | 0);
    const watcher = this.traced(place.checker.watch());
    const connection: SimConnection = new SimConnection(
      this.events,
      random,
      conditions,
      clientId,
      receiver,
      watcher,
      this.serverChecker.watch(clientId, () => connection.toDevice.room()),
    );
    place.connection = connection;
    if (nowMs < place.deafUntilMs) return connection;
    this.events.in(roundTripMs, () => {
      if (this.server.isUp) this.server.accept(connection);
      else connection.refuse();
    });
    return connection;
  }

  /** The same watcher, with its bytes in the trace. */
  private traced(watcher: EndWatcher): EndWatcher {
    return {
      ...watcher,
      handleSent: (bytes) => {
        this.trace.noteBytes(true, bytes);
        watcher.handleSent(bytes);
      },
      handleReceived: (bytes) => {
        this.trace.noteBytes(false, bytes);
        watcher.handleReceived(bytes);
      },
    };
  }

  // --- Faults ------------------------------------------------------------------------------------------------------

  private befall(fault: Fault): void {
    const { kind, ms, atMs, device } = fault;
    // Of this fault alone: the same whatever others there are.
    const random = new SimRandom(this.options.seed).fork(Math.imul(atMs, 31) + device);
    this.trace.note(this.events.nowMs, `FAULT ${formatFault(fault)}`);
    if (kind === 'broker-crash' || kind === 'broker-forgets') {
      this.crashBroker(kind === 'broker-forgets', ms, random.isChance(700));
      return;
    }
    if (kind === 'slow-disk') {
      this.server.commitMs = 1 + (ms % 1000);
      this.events.in(ms, () => (this.server.commitMs = 1));
      return;
    }
    const place = this.places.at(device);
    if (place === undefined) return;
    befall(place, kind, ms, random, {
      events: this.events,
      switchOnLater: (one) => this.switchOnLater(one),
      cutOff: (one) => this.server.cut(one.device.plan.clientId),
    });
  }

  private switchOnLater(place: Place): void {
    this.powerCuts++;
    place.checker.handlePowerCut();
    place.connection = null;
    this.events.in(place.offMs + 1, () => {
      switchOn(place, !this.isDraining);
    });
  }

  private crashBroker(isStateLost: boolean, ms: number, isTold: boolean): void {
    if (!this.server.isUp) return;
    this.wills.handleCrash(this.server.connectedIds(), isStateLost);
    this.server.crash(isStateLost, isTold);
    this.serverChecker.handleCrash(isStateLost);
    // What had not both arrived and been acknowledged may be lost, or be sent as new.
    if (isStateLost) {
      this.retained.handleForgotten();
      this.ledger.excuse(({ arrivals, isAcknowledged }) => arrivals === 0 || !isAcknowledged);
    }
    this.events.in(ms + 1, () => {
      this.server.start();
      this.serverChecker.handleRestart();
    });
  }

  /** The broker has let a session go, in its time: what was on its way may be lost, or be sent as new. */
  private excuseExpired(clientId: string): void {
    this.ledger.excuse(
      ({ publisher, topicName, arrivals, isAcknowledged }) =>
        (publisher === clientId && !isAcknowledged) ||
        (arrivals === 0 && topicName.startsWith(`cmd/${clientId}/`)),
    );
  }

  // --- Running -----------------------------------------------------------------------------------------------------

  /** Runs it to its end: whatever is thrown in it is a violation. */
  async run(): Promise<WorldResult> {
    try {
      await this.live();
    } catch (error) {
      this.handleException(error instanceof Error ? error : new Error(String(error)));
    }
    return this.result();
  }

  private async live(): Promise<void> {
    this.server.start();
    await this.settle();
    switchOn(this.collector, false);
    // The collector is there before anybody says anything.
    await this.runUntil(FAULTS_FROM_MS);
    for (const place of this.places) {
      this.events.in(this.random.below(5000), () => {
        switchOn(place, true);
      });
    }
    this.sendCommandLater();
    for (const fault of this.faults) this.events.at(fault.atMs, () => this.befall(fault));
    await this.runUntil(FAULTS_FROM_MS + this.durationMs);
    await this.drain();
  }

  /** Where it was thrown is for people: the trace must not depend on where files are. */
  private handleException({ name, message, stack = '' }: Error): void {
    const text = `${name}: ${message}`;
    this.trace.note(this.events.nowMs, `VIOLATION exception: ${text.replaceAll('\n', ' ')}`);
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
    this.ledger.violate(this.events.nowMs, 'exception', [text, ...frames].join('\n'));
    this.tail ??= this.trace.tail(TAIL_LINES);
  }

  /** Everything is well from now on: what was accepted has to arrive, in a time that is bounded. */
  private async drain(): Promise<void> {
    this.trace.note(this.events.nowMs, 'all is well');
    this.isDraining = true;
    for (const place of this.places) {
      place.device.isPublishing = false;
      setStoreFailing(place, false);
      place.kept.cutAfter(Infinity);
    }
    const endMs = this.events.nowMs + DRAIN_MS_MAX;
    while (this.events.nowMs < endMs && !this.isBroken()) {
      await this.runUntil(this.events.nowMs + 60_000);
      if (this.ledger.isQuiet() && this.findRests().length === 0) break;
    }
    if (this.isBroken()) return;
    for (const [rule, text] of this.findRests()) this.violate(rule, text);
    await runAudit({
      collector: this.collector.device,
      devices: this.places.map(({ device }) => device),
      retained: this.retained,
      crash: () => this.crashBroker(false, 1000, true),
      waitFor: (isDone) => this.waitFor(isDone),
      report: (rule, text) => this.violate(rule, text),
    });
    for (const { silence, kept } of this.places) {
      silence.check();
      kept.checkKept();
    }
    this.serverChecker.close();
    this.ledger.close(this.events.nowMs);
    this.wills.close();
  }

  private isDraining = false;

  /** Lets time pass until `isDone`, for two minutes at most. */
  private async waitFor(isDone: () => boolean): Promise<void> {
    for (let n = 0; n < 120 && !isDone() && !this.isBroken(); n++)
      await this.runUntil(this.events.nowMs + 1000);
  }

  private findRests(): Finding[] {
    return [this.collector, ...this.places].flatMap((place) => {
      const view = this.server.session(place.device.plan.clientId);
      const rest = findRest(place, view, this.serverChecker);
      return rest === null ? [] : [rest];
    });
  }

  private sendCommandLater(): void {
    const { commandRandom: random } = this;
    this.events.in(random.between(2000, 20_000), () => {
      if (this.isDraining) return;
      const { device } = random.pick(this.places);
      for (let left = random.isChance(100) ? random.between(5, 20) : 1; left > 0; left--) {
        this.sendCommand(device, random);
      }
      this.sendCommandLater();
    });
  }

  private sendCommand(to: SimDevice, random: SimRandom): void {
    const { client } = this.collector.device;
    const qos = random.below(3);
    const { maximumPacketSize = Infinity } = to.plan.options;
    let byteLength = random.between(16, 900);
    // Either far enough below what the device takes, or above it.
    if (byteLength > maximumPacketSize - HEAD_BYTES_MAX)
      byteLength = Math.max(byteLength, maximumPacketSize + 1);
    const topicName = `cmd/${to.plan.clientId}/${random.below(3)}`;
    if (client === null || !to.isSubscribed) return;
    const entry = this.collector.device.send(client, qos, topicName, undefined, byteLength, COLLECTOR);
    entry.isExcused ||= byteLength > maximumPacketSize;
  }

  private isBroken(): boolean {
    return this.ledger.violations.length > 0;
  }

  /** Lets time pass; promises settle where the broker's store makes any. Ends early at the first violation. */
  private async runUntil(untilMs: number): Promise<void> {
    while (!this.isBroken()) {
      this.events.runUntil(untilMs, () => this.server.needsSettling || this.isBroken() || this.isEndless());
      if (!this.server.needsSettling) break;
      await this.settle();
    }
    if (this.isBroken()) this.tail ??= this.trace.tail(TAIL_LINES);
  }

  /** Whether one thing leads to another without any time passing, and no end. */
  private isEndless(): boolean {
    const { nowMs } = this.events;
    if (nowMs !== this.turnsAtMs) this.turns = 0;
    this.turnsAtMs = nowMs;
    if (++this.turns === TURNS_MAX) this.violate('endless', 'time stands still');
    return this.turns >= TURNS_MAX;
  }

  private async settle(): Promise<void> {
    this.server.needsSettling = false;
    for (let n = 0; n < 4; n++) await Promise.resolve();
  }

  private result(): WorldResult {
    const { ledger, trace, options } = this;
    const all = [this.collector, ...this.places];
    const sum = (numberOf: (place: Place) => number): number =>
      all.reduce((total, place) => total + numberOf(place), 0);
    return {
      seed: options.seed,
      broker: this.broker,
      violations: ledger.violations,
      hash: trace.hash(),
      tail: this.tail ?? trace.tail(TAIL_LINES),
      faults: this.faults,
      virtualMs: this.events.nowMs,
      messages: ledger.offeredCount,
      arrivals: ledger.arrivedCount,
      duplicates: ledger.duplicateCount,
      packets: sum(({ checker }) => checker.packetCount),
      powerCuts: this.powerCuts,
      storeWrites: sum(({ kept }) => kept.writes),
    };
  }
}

/** Runs one world. */
export function runWorld(options: WorldOptions): Promise<WorldResult> {
  return new World(options).run();
}
