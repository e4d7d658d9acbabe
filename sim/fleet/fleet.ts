/**
 * A fleet run from beginning to end: a broker if there is none, the collector, the devices one after the other, sending,
 * draining, goodbye, and the result. It owns the clock: one loop drives every device, and everything else reports to
 * it. What a device or the collector does on the wire is theirs.
 */
import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Platform } from '../../src/client/platform.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { CAUSE_REFUSED, CAUSE_TRANSPORT, CAUSE_VIOLATION } from '../../src/session/event.ts';
import { NodePlatform } from '../../targets/node/platform.ts';
import { askBrokerName } from './broker-name.ts';
import { Collector, type CollectorOwner } from './collector.ts';
import { startEmbeddedBroker, type EmbeddedBroker } from './embedded-broker.ts';
import { EventLog } from './event-log.ts';
import { endingText, FleetError, type Ending } from './failure.ts';
import { makeResult } from './fleet-result.ts';
import { FirmwareWorkload } from './firmware/firmware-workload.ts';
import { formatCount } from './format.ts';
import { Ledger, type LatencySummary } from './ledger.ts';
import { MemoryMeter } from './memory.ts';
import type { ProgressSnapshot } from './progress.ts';
import { Random } from './random.ts';
import { redactUrl, TimelineRecorder, type FleetEvent, type FleetResult } from './report.ts';
import { parseServer, type Server } from './server.ts';
import { forgetSessions } from './session-eraser.ts';
import { settingsOf, type FleetOptions, type FleetSettings } from './settings.ts';
import { TelemetryWorkload } from './telemetry-workload.ts';
import type { Pool, Workload } from './workload.ts';

/** Whom a run tells while it goes on. */
export interface FleetObserver {
  /** Four times a second, and when a phase begins. */
  handleProgress?(snapshot: ProgressSnapshot): void;
  handleEvent?(event: FleetEvent): void;
}

type Phase = ProgressSnapshot['phase'];

const PROGRESS_MS = 250;
const TIMELINE_MS = 1000;
/** The loop turns at least this often, to see whether a phase is over. */
const TURN_MS_MAX = 20;
/** A drain that still gets somewhere ends after this all the same. */
const DRAIN_MS_MAX = 120_000;
/** How long messages that are due may take to get their turn once the time of sending is over. */
const LAST_MESSAGES_MS = 250;

/** Runs a fleet. Rejects with a FleetError when it cannot come about: a wrong option, a server that says no. */
export async function runFleet(
  options: FleetOptions = {},
  observer: FleetObserver = {},
): Promise<FleetResult> {
  const settings = settingsOf(options);
  const ledger = new Ledger(settings.devices);
  const workload =
    settings.firmware === undefined
      ? new TelemetryWorkload(settings, ledger)
      : await FirmwareWorkload.load(settings, settings.firmware, ledger);
  const run = new FleetRun(settings, workload, ledger, observer);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class FleetRun implements CollectorOwner {
  private readonly settings: FleetSettings;
  private readonly workload: Workload;
  private readonly ledger: Ledger;
  private readonly observer: FleetObserver;
  private readonly startedAt = new Date();
  private readonly startedMs = performance.now();
  private readonly log: EventLog;
  private readonly memory = new MemoryMeter();
  private readonly recorder = new TimelineRecorder(TIMELINE_MS);
  private readonly random: Random;
  private server!: Server;
  private platform!: Platform;
  private protocolVersion = V5;
  private broker: EmbeddedBroker | undefined;
  private brokerName: string | undefined;
  private collector!: Collector;
  private pool: Pool | undefined;
  private phase: Phase = 'connecting';
  private phaseMs = this.startedMs;
  private sendUntilMs = Infinity;
  private nextProgressMs = 0;
  private nextTimelineMs = this.startedMs + TIMELINE_MS;
  /** Of the last interval of the timeline. */
  private latency: LatencySummary | null = null;
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;
  private failure: FleetError | undefined;
  private awaited: { isDone: () => boolean; resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(settings: FleetSettings, workload: Workload, ledger: Ledger, observer: FleetObserver) {
    this.settings = settings;
    this.workload = workload;
    this.ledger = ledger;
    this.observer = observer;
    this.log = new EventLog((event) => this.observer.handleEvent?.(event));
    // A stream that no device has.
    this.random = new Random(settings.seed, settings.devices);
  }

  async run(): Promise<FleetResult> {
    const { settings } = this;
    await this.workload.prepare((text) => this.note('note', text));
    await this.openServer();
    await this.openCollector();
    this.memory.markBefore();

    const pool = this.makePool();
    this.note('phase', `connecting ${formatCount(settings.devices)} devices${rampText(settings)}`);
    pool.admissions.connectAll();
    this.turn();
    await this.until(() => this.isAborted || pool.admissions.isComplete);
    this.memory.markConnected();

    if (!this.isAborted) {
      this.beginSending(pool);
      await this.until(() => this.isAborted || this.isSendingOver(pool));
    }
    if (this.isAborted) this.note('note', 'stopped early');
    pool.stopSending(this.isAborted);
    await this.drain(pool);
    await pool.measure();
    this.log.flush(this.elapsedMs, true);
    this.endTimelineInterval();
    const result = this.result(pool);
    await this.leave(pool);
    this.tellProgress('done');
    return result;
  }

  /** Ends whatever is left, however the run ended. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isOver = true;
    // It may be missing: the server's name may have been wrong.
    (this.collector as Collector | undefined)?.close();
    await this.pool?.close();
    await this.broker?.stop();
  }

  // --- The phases ------------------------------------------------------------------------------------------------

  private async openServer(): Promise<void> {
    const { settings } = this;
    if (settings.server === undefined) {
      this.broker = await startEmbeddedBroker();
      this.brokerName = this.broker.name;
      this.server = parseServer(this.broker.url, settings.trust);
      this.note('note', `embedded broker (${this.broker.name}) at ${this.broker.url}`);
    } else {
      this.server = settings.server;
    }
    this.platform = new NodePlatform((receiver) => this.server.createTransport(receiver));
  }

  /** The collector goes first: it finds out what the server can do, and misses nothing. */
  private async openCollector(): Promise<void> {
    const { settings } = this;
    const isFixed = this.broker !== undefined || settings.protocolVersion !== undefined;
    this.protocolVersion = settings.protocolVersion ?? V5;
    try {
      await this.connectCollector();
    } catch (error) {
      if (isFixed || !(error instanceof RefusedError) || !mayNotSpeak5(error.ending)) throw error;
      this.protocolVersion = V3_1_1;
      await this.connectCollector();
      this.note('note', `${this.server.name} does not speak MQTT 5.0: going on with 3.1.1`);
    }
    const { serverMaximumQos } = this.collector.driver.session.state;
    const { qos } = this.workload;
    if (qos > serverMaximumQos) {
      const asked = `and QoS ${qos} was asked for`;
      throw new FleetError(`${this.server.name} supports QoS ${serverMaximumQos} at most, ${asked}`);
    }
  }

  private async connectCollector(): Promise<void> {
    this.failure = undefined;
    this.collector = new Collector(
      {
        settings: this.settings,
        platform: this.platform,
        protocolVersion: this.protocolVersion,
        // A name of its own for each run: what an earlier one left behind must not be delivered to this one.
        clientId: `${this.workload.clientIdPrefix}collector-${randomInt(0x1000000).toString(16)}`,
        traffic: this.workload.traffic,
      },
      this,
    );
    this.collector.connect();
    const { collector } = this;
    this.turn();
    await this.until(() => collector.isReady);
  }

  private makePool(): Pool {
    const { settings, platform, protocolVersion } = this;
    const { isRetainAvailable } = this.collector.driver.session.state;
    if (!isRetainAvailable)
      this.note('note', 'the server retains nothing: births and wills are not retained');
    const pool = this.workload.makePool({
      platform,
      server: this.server,
      protocolVersion,
      isRetainAvailable,
      collector: this.collector,
      ledger: this.ledger,
      log: this.log,
      random: this.random,
      startedMs: this.startedMs,
      fail: (error) => this.fail(error),
    });
    pool.admissions.isHeld = !this.collector.isReady;
    this.pool = pool;
    if (this.broker === undefined) {
      const clientId = `${this.collector.clientId}-asks`;
      void askBrokerName(platform, settings, protocolVersion, clientId).then(
        (name) => (this.brokerName = name),
      );
    }
    return pool;
  }

  private beginSending(pool: Pool): void {
    this.begin('running', this.workload.sendingText);
    this.sendUntilMs = this.phaseMs + this.settings.durationMs;
    pool.startSending(this.phaseMs);
  }

  /** The last messages come due just before the end, and may be a little late. */
  private isSendingOver(pool: Pool): boolean {
    const overMs = performance.now() - this.sendUntilMs;
    return pool.isGone || overMs >= LAST_MESSAGES_MS || (overMs >= 0 && !pool.isSending);
  }

  /** Waits for what is under way: until it is all there, or nothing has come for a while. */
  private async drain(pool: Pool): Promise<void> {
    const { settings, ledger, collector, workload } = this;
    this.begin('draining', `sending stopped, ${messages(ledger.inFlight)} under way`);
    let movedMs = performance.now();
    let before = -1;
    await this.until(() => {
      const busy = pool.busyCount() + collector.driver.session.state.outbox.count;
      const commands = workload.traffic.commandsSent - workload.traffic.commandsAnswered;
      const left = ledger.inFlight + busy + commands;
      if (left === 0) return true;
      const nowMs = performance.now();
      if (left !== before) movedMs = nowMs;
      before = left;
      // Commands prove nothing that is worth waiting for longer.
      const patienceMs = ledger.inFlight + busy === 0 ? Math.min(settings.drainMs, 1000) : settings.drainMs;
      return nowMs - movedMs >= patienceMs || nowMs - this.phaseMs >= DRAIN_MS_MAX;
    });
    if (ledger.inFlight > 0) this.note('fault', `gave up waiting for ${messages(ledger.inFlight)}`);
  }

  /** Says goodbye for every device and clears what the run left on the server. */
  private async leave(pool: Pool): Promise<void> {
    const { settings, protocolVersion, platform, collector } = this;
    clearTimeout(this.timer);
    this.isOver = true;
    await pool.leave(async () => {
      await nextTurn();
    });
    collector.goodbye();
    if (this.broker !== undefined || protocolVersion === V5) return;
    await forgetSessions(platform, settings, [collector.clientId, ...pool.lastingSessions()]);
  }

  // --- The loop --------------------------------------------------------------------------------------------------

  /** Does everything that is due, and comes back when more is. */
  private readonly turn = (): void => {
    clearTimeout(this.timer);
    if (this.isOver) return;
    const nowMs = performance.now();
    const { pool } = this;
    const isBehind = pool?.advance(nowMs) === true;
    if (nowMs >= this.nextTimelineMs) this.endTimelineInterval();
    if (nowMs >= this.nextProgressMs) {
      this.nextProgressMs = nowMs + PROGRESS_MS;
      this.log.flush(this.elapsedMs);
      this.tellProgress(this.phase);
    }
    this.look();
    if (isBehind) {
      setImmediate(this.turn); // what came in meanwhile goes first
      return;
    }
    const waitMs = Math.ceil((pool?.nextMs() ?? Infinity) - performance.now());
    this.timer = setTimeout(this.turn, Math.min(TURN_MS_MAX, Math.max(1, waitMs)));
  };

  private endTimelineInterval(): void {
    this.nextTimelineMs += TIMELINE_MS;
    this.memory.sample();
    this.latency = this.ledger.takeLatencyInterval();
    const { sent, delivered } = this.ledger.totals();
    const { connected = 0, errors = 0 } = this.pool?.admissions ?? {};
    this.recorder.add({ sent, delivered, connected, errors }, this.latency);
  }

  private tellProgress(phase: Phase): void {
    // Until the collector is in there is nothing to show, and it may never be.
    if (this.observer.handleProgress === undefined || this.pool === undefined) return;
    const totals = this.ledger.totals();
    const { timeline } = this.recorder;
    const { connected, reconnects, errors, admitted } = this.pool.admissions;
    const bytesPerDevice = this.memory.bytesPerDevice(Math.max(1, admitted));
    const isRunning = phase === 'running';
    this.observer.handleProgress({
      phase,
      firmware: this.pool.liveText(bytesPerDevice),
      elapsedMs: isRunning ? performance.now() - this.phaseMs : this.elapsedMs,
      durationMs: isRunning ? this.settings.durationMs : 0,
      devices: this.settings.devices,
      connected,
      sent: totals.sent,
      delivered: totals.delivered,
      sentPerSecond: timeline.sent,
      deliveredPerSecond: timeline.delivered,
      inFlight: this.ledger.inFlight,
      latencyP50Ms: this.latency?.p50Ms ?? null,
      latencyP99Ms: this.latency?.p99Ms ?? null,
      lost: totals.overtaken,
      duplicated: totals.duplicated,
      outOfOrder: totals.outOfOrder,
      reconnects,
      errors,
    });
  }

  /** Resolves once `isDone`; rejects when the run has failed. */
  private until(isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.awaited = { isDone, resolve, reject };
      this.look();
    });
  }

  private look(): void {
    const awaited = this.awaited;
    if (awaited === undefined) return;
    if (this.failure !== undefined) {
      this.awaited = undefined;
      awaited.reject(this.failure);
    } else if (awaited.isDone()) {
      this.awaited = undefined;
      awaited.resolve();
    }
  }

  private fail(error: FleetError): void {
    this.failure ??= error;
  }

  private begin(phase: Phase, text: string): void {
    this.phase = phase;
    this.phaseMs = performance.now();
    this.nextProgressMs = 0;
    this.note('phase', text);
  }

  private note(kind: FleetEvent['kind'], text: string): void {
    this.log.add(this.elapsedMs, kind, text);
  }

  private get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  private get isAborted(): boolean {
    return this.settings.signal?.aborted === true;
  }

  // --- What the collector tells ----------------------------------------------------------------------------------

  handleCollectorReady(): void {
    if (this.pool !== undefined) {
      this.note('reconnect', 'the collector is back');
      this.pool.admissions.isHeld = false;
    }
    this.look();
  }

  handleCollectorLost(ending: Ending, reconnectInMs: number): void {
    const text = endingText(ending);
    if (this.pool === undefined) {
      this.collector.close();
      this.fail(new RefusedError(`${this.server.name}: ${text}`, ending));
    } else if (reconnectInMs < 0) {
      this.fail(new FleetError(`the collector lost its connection for good: ${text}`));
    } else {
      if (ending.wasConnected) this.note('fault', `the collector lost its connection: ${text}`);
      this.pool.admissions.isHeld = true;
    }
    this.look();
  }

  handleCollectorRefused(why: string): void {
    this.fail(new FleetError(why));
    this.look();
  }

  // --- The result ------------------------------------------------------------------------------------------------

  private result(pool: Pool): FleetResult {
    const { server, broker, ledger, collector, workload } = this;
    const remarks = pool.remarks();
    if (this.isAborted) remarks.push('The run was stopped early.');
    return makeResult({
      startedAt: this.startedAt,
      elapsedMs: this.elapsedMs,
      workload,
      protocolVersion: this.protocolVersion,
      broker: { url: redactUrl(server.url), embedded: broker !== undefined, name: this.brokerName },
      transport: server.transport,
      collector,
      pool,
      memory: this.memory.report(Math.max(1, pool.admissions.admitted)),
      timeline: this.recorder.timeline,
      events: this.log.events,
      ledger,
      remarks,
    });
  }
}

/** The collector was turned away before it got in. */
class RefusedError extends FleetError {
  readonly ending: Ending;

  constructor(message: string, ending: Ending) {
    super(message);
    this.ending = ending;
  }
}

/** Whether a server that knows only 3.1.1 may have ended a 5.0 CONNECT like this; some do so without a word. */
function mayNotSpeak5({ cause, reasonCode, wasConnected, error }: Ending): boolean {
  if (wasConnected) return false;
  if (cause === CAUSE_REFUSED) return reasonCode === 0x84 || reasonCode === 0x01;
  // 3.1.1's CONNACK "unacceptable protocol version" is no CONNACK of 5.0.
  return cause === CAUSE_VIOLATION || (cause === CAUSE_TRANSPORT && error === undefined);
}

function messages(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'message' : 'messages'}`;
}

function rampText({ rampPerSecond }: FleetSettings): string {
  return rampPerSecond === 0 ? '' : `, ${formatCount(rampPerSecond)} a second at most`;
}
