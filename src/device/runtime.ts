/**
 * The firmware runtime: reads metrics on schedule, sends them, and sees to it that the rest (control.ts) is sent and
 * heard. One line to one server, one timer of its own. Knows no sockets, pins or clocks: the board and the host's object
 * have those.
 *
 *   {root}/telemetry        out  readings
 *   {root}/status           out  retained: online, offline (also the will), sleeping
 *   {root}/command/{name}   in   commands; answers to the Response Topic, else to {root}/reply/{name}
 *   {root}/config           in   retained: configuration; what is in force goes to {root}/config/applied
 */
import { codedError } from '../assert.ts';
import { Line } from '../line.ts';
import type { Board, LineOwner } from '../line.ts';
import { PropertyWriter } from '../packets/properties.ts';
import { P_MESSAGE_EXPIRY_INTERVAL } from '../packets/property-table.ts';
import {
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_PUBLISHED,
  EVENT_SUBSCRIBED,
} from '../session/event.ts';
import type { SessionEvent } from '../session/event.ts';
import type { Session } from '../session/session.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import { OK, PACKET_TOO_LARGE, statusName } from '../status.ts';
import { CborWriter } from './cbor-writer.ts';
import { messageOf } from './commands.ts';
import { NO_CONFIGURATION, applyConfiguration } from './configuration.ts';
import { Control } from './control.ts';
import { DIGITS_DEFAULT, OFFLINE_SAMPLES_DEFAULT } from './definition.ts';
import type { DeviceDefinition, MetricDefinition } from './definition.ts';
import { JsonWriter } from './json-writer.ts';
import { Outstanding } from './outstanding.ts';
import type { DeviceOwner } from './owner.ts';
import { SampleBuffer } from './sample-buffer.ts';
import { Schedule } from './schedule.ts';
import { Setup } from './setup.ts';
import type { DeviceOptions } from './setup.ts';
import { Telemetry } from './telemetry.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';

/** How `stop` leaves: without a word, so that the server publishes the will. For good: the runtime cannot start again. */
export const STOP_SILENTLY = 0;
/** With "offline" on the status topic. The session stays, as long as its expiry says. */
export const STOP_WITH_GOODBYE = 1;
/** With nothing left behind: retained messages cleared, and in 5.0 the session ended. */
export const STOP_AND_ERASE = 2;

/** Timers of boards take no more than 31 bits of milliseconds. */
const TIMER_MS_MAX = 0x7fffffff;
/** Of a PUBLISH apart from topic, properties and payload. */
const HEAD_BYTES_MAX = 5 + 2 + 2 + 4 + 3;

export class DeviceRuntime<Io> implements LineOwner {
  definition: DeviceDefinition<Io>;
  board: Board;
  /** What the firmware's functions get. */
  io: Io;
  owner: DeviceOwner;
  line: Line;
  session: Session;
  control: Control<Io>;
  id: string;
  root: string;
  qos: number;
  firstSampleInMs: number;

  metrics: MetricDefinition<Io>[];
  schedule: Schedule;
  samples: SampleBuffer;
  telemetry: Telemetry;
  telemetryTopic: TopicHandle;
  outstanding: Outstanding;
  /** Message Expiry Interval, or null. */
  properties: PropertyWriter | null;
  /** Bytes a telemetry payload may have on this connection. */
  payloadLimit: number;

  isStarted: boolean;
  /** Commands and configuration arrive. */
  isReady: boolean;
  /** Samples go out without waiting for others, until none are left. */
  isFlushing: boolean;
  /** Whether the owner knows that the device is idle. */
  isIdleTold: boolean;

  timer: unknown;
  timerAtMs: number;
  onTimer: () => void;

  /**
   * Makes a device that does nothing until `start`. `io` is what the firmware's functions get; `owner` may be null.
   * Throws a coded error that names the first field of the definition or option that is wrong.
   */
  constructor(
    definition: DeviceDefinition<Io>,
    board: Board,
    io: Io,
    options: DeviceOptions,
    owner: DeviceOwner | null,
  ) {
    const setup = new Setup(definition, options);
    const nowMs = board.nowMs();
    this.definition = definition;
    this.board = board;
    this.io = io;
    this.owner = owner ?? {};
    this.id = setup.id;
    this.root = setup.root;
    this.qos = setup.qos;
    this.firstSampleInMs = setup.firstSampleInMs;

    const metrics = definition.metrics ?? {};
    const names = Object.keys(metrics);
    this.metrics = [];
    this.schedule = new Schedule(names.length);
    for (let i = 0; i < names.length; i++) {
      const metric = metrics[names[i]];
      this.metrics.push(metric);
      this.schedule.define(i, metric.digits ?? DIGITS_DEFAULT);
    }
    this.samples = new SampleBuffer(definition.offlineSamples ?? OFFLINE_SAMPLES_DEFAULT);
    const payload = new Uint8Array(setup.payloadBytes);
    const writer: TelemetryWriter =
      definition.format === 'cbor'
        ? new CborWriter(this.id, names, payload)
        : new JsonWriter(this.id, names, payload);
    if (payload.length < writer.byteLengthMin) {
      throw codedError(
        'ERR_OUT_OF_RANGE',
        'options.payloadBytes and outboxBytes leave ' +
          String(payload.length) +
          ' bytes for a message, and one with one sample may take ' +
          String(writer.byteLengthMin),
      );
    }
    this.telemetry = new Telemetry(
      this.schedule,
      this.samples,
      writer,
      options.epochMs ?? null,
      setup.timeDigits,
      setup.sequence,
      nowMs,
    );
    applyConfiguration(NO_CONFIGURATION, definition, this.schedule, this.telemetry, nowMs);
    this.outstanding = new Outstanding(setup.inflightMax);
    this.properties = null;
    if (setup.messageExpirySeconds > 0) {
      this.properties = new PropertyWriter(new Uint8Array(5));
      this.properties.addNumber(P_MESSAGE_EXPIRY_INTERVAL, setup.messageExpirySeconds);
    }
    this.payloadLimit = payload.length;

    this.line = new Line(board, setup.line, this);
    this.session = this.line.session;
    this.telemetryTopic = this.session.createTopic(this.root + '/telemetry');
    this.control = new Control(
      definition,
      io,
      this.owner,
      this.session,
      setup,
      this.schedule,
      this.telemetry,
    );
    this.isStarted = false;
    this.isReady = false;
    this.isFlushing = false;
    this.isIdleTold = false;
    this.timer = undefined;
    this.timerAtMs = Infinity;
    this.onTimer = (): void => {
      this.handleTimer();
    };
    if (options.store === undefined) return;
    const status = this.line.restore(options.store);
    if (status < OK) this.control.tellError('ERR_RESTORE', 'messages were left out: ' + statusName(status));
  }

  /** Begins to read and to connect. Nothing when it is started already. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    const nowMs = this.board.nowMs();
    this.control.subscribe();
    this.schedule.start(nowMs + this.firstSampleInMs);
    this.line.connect();
    this.setTimer(nowMs);
  }

  /** Connects, now: for hosts that reconnect by themselves. Nothing when connected or under way. */
  connect(): void {
    this.line.connect();
  }

  /** Stops reading and leaves, as `how` says: STOP_*. Samples that were not sent stay for another `start`. */
  stop(how: number): void {
    if (how === STOP_SILENTLY) {
      this.rest();
      this.line.close();
    } else if (how === STOP_AND_ERASE) this.leave(null);
    else this.leave(JSON.stringify({ state: 'offline', reason: 'stopped' }));
  }

  /**
   * Leaves for `ms` milliseconds of sleep, and says so on the status topic; the session waits on the server. To be
   * called when `isIdle`: what the server does not have then goes out after another `start`, or, if the sleep costs the
   * memory, is lost but for what the store has.
   */
  sleep(ms: number): void {
    this.leave(JSON.stringify({ state: 'sleeping', reason: 'sleep', ms }));
  }

  /** Sends the samples that wait, however few; those of a device that is offline, once it is back. */
  flush(): void {
    this.isFlushing = true;
    this.line.run(this.board.nowMs());
  }

  /** Milliseconds until the next reading is due, 0 when it is, Infinity when nothing is read. */
  nextSampleInMs(): number {
    const inMs = this.schedule.nextMs - this.board.nowMs();
    return inMs > 0 ? inMs : 0;
  }

  /** Whether the server has all there was to send, and could send what it had. */
  isIdle(): boolean {
    return (
      this.isReady &&
      this.samples.count === 0 &&
      this.outstanding.count === 0 &&
      !this.control.isBirthDue &&
      !this.control.isAppliedDue &&
      !this.session.isBusy() &&
      this.session.transmit.byteLength() === 0
    );
  }

  /** Ends what `start` began, but for the connection. */
  rest(): void {
    this.isStarted = false;
    this.isReady = false;
    this.schedule.stop();
    this.stopTimer();
  }

  /** Says goodbye, `status` or (null) with nothing left behind, and disconnects. */
  leave(status: string | null): void {
    this.rest();
    const nowMs = this.board.nowMs();
    if (this.session.isConnected()) this.control.publishGoodbye(status, nowMs);
    this.session.disconnect(0, status === null && this.session.state.isV5 ? 0 : -1, nowMs);
    this.line.run(nowMs);
  }

  /** See LineOwner. */
  handleEvent(event: SessionEvent, nowMs: number): void {
    switch (event.kind) {
      case EVENT_CONNECTED:
        this.handleConnected(event.sessionPresent);
        break;
      case EVENT_DISCONNECTED:
        this.isReady = false;
        if (this.owner.handleDisconnected) this.owner.handleDisconnected(event);
        break;
      case EVENT_MESSAGE:
        this.control.handleMessage(event, nowMs);
        break;
      case EVENT_PUBLISHED:
        this.handlePublished(event);
        break;
      case EVENT_SUBSCRIBED:
        this.control.handleSubscribed(event);
        this.tellReady();
        break;
      default:
    }
  }

  /** Sends what is due, for there may be room. See LineOwner. */
  handleIdle(nowMs: number): void {
    if (this.send(nowMs)) {
      this.isIdleTold = false;
      // And once more, when it is written.
      this.line.run(nowMs);
      return;
    }
    if (!this.isStarted) {
      // A timer that is left over would keep whoever wants to sleep, or to end, awake.
      if (this.line.deadlineMs === Infinity) this.line.stopTimer();
      return;
    }
    this.setTimer(nowMs);
    const isIdle = this.isIdle();
    const isNews = isIdle && !this.isIdleTold;
    this.isIdleTold = isIdle;
    if (isNews && this.owner.handleIdle) this.owner.handleIdle(this.nextSampleInMs());
  }

  handleConnected(sessionPresent: number): void {
    const maximum = this.session.state.serverMaximumPacketSize;
    const propertiesByteLength = this.properties === null ? 0 : this.properties.byteLength;
    const limit = maximum - HEAD_BYTES_MAX - this.telemetryTopic.bytes.length - propertiesByteLength;
    const length = this.telemetry.writer.bytes.length;
    this.payloadLimit = limit < length ? limit : length;
    const isReady = this.control.handleConnected(sessionPresent);
    if (this.owner.handleConnected) this.owner.handleConnected(sessionPresent);
    if (isReady) this.tellReady();
  }

  tellReady(): void {
    this.isReady = true;
    if (this.owner.handleReady) this.owner.handleReady();
  }

  handlePublished(event: SessionEvent): void {
    const i = this.outstanding.find(event.ticket);
    if (i < 0) return;
    const sequence = this.outstanding.sequence(i);
    if (event.status < OK || event.reasonCode >= 0x80) {
      this.samples.dropped += this.outstanding.sampleCount(i);
    }
    this.outstanding.remove(i);
    if (this.owner.handlePublished) {
      this.owner.handlePublished(sequence, event.status, event.reasonCode);
    }
  }

  handleTimer(): void {
    const nowMs = this.board.nowMs();
    this.timer = undefined;
    this.timerAtMs = Infinity;
    try {
      if (this.schedule.nextMs <= nowMs) {
        this.sample(nowMs);
        this.isIdleTold = false;
      }
      this.line.run(nowMs);
    } finally {
      // What an owner throws must not be the end of reading.
      if (this.isStarted) this.setTimer(nowMs);
    }
  }

  /** Reads what is due, and keeps what is worth telling. */
  sample(nowMs: number): void {
    const schedule = this.schedule;
    const samples = this.samples;
    for (let i = 0; i < schedule.count; i++) {
      if (!schedule.take(i, nowMs) || !this.read(i) || !schedule.isWorthTelling(i, nowMs)) continue;
      const index = samples.add();
      samples.values[index] = schedule.numbers[schedule.readingAt];
      samples.ticks[index] = nowMs;
      samples.metrics[index] = i;
    }
    schedule.findNext();
  }

  /** Takes a reading of metric `i` into the schedule's table; false when there is nothing to tell. */
  read(i: number): boolean {
    let value: number | boolean | null | undefined = null;
    try {
      value = this.metrics[i].read(this.io);
    } catch (error) {
      this.control.tellError('ERR_READ', messageOf(error));
    }
    if (value === undefined) return false;
    let reading = NaN;
    if (typeof value === 'number') {
      if (value - value === 0) reading = value;
    } else if (typeof value === 'boolean') reading = value ? 1 : 0;
    this.schedule.numbers[this.schedule.readingAt] = reading;
    return true;
  }

  /** Sends what is due and can be sent; returns whether anything was. */
  send(nowMs: number): boolean {
    if (!this.session.isConnected()) return false;
    let isSent = this.control.send(nowMs);
    // A batch that is due goes as a whole, however many messages it takes.
    if (this.telemetry.isDue(nowMs)) this.isFlushing = true;
    while (this.isFlushing && this.publish(nowMs)) isSent = true;
    if (this.samples.count === 0) this.isFlushing = false;
    return isSent;
  }

  /** Sends one message with samples; false when there are none, or no room for it now. */
  publish(nowMs: number): boolean {
    // The owner may have left in the meantime.
    if (!this.session.isConnected()) return false;
    if (this.samples.count === 0 || this.outstanding.isFull()) return false;
    const telemetry = this.telemetry;
    const writer = telemetry.writer;
    const count = telemetry.encode(nowMs, this.payloadLimit);
    const ticket = this.session.publish(
      this.telemetryTopic,
      writer.bytes,
      writer.at,
      this.control.qosFor(this.qos),
      0,
      this.properties,
      nowMs,
    );
    if (ticket === PACKET_TOO_LARGE) {
      telemetry.discard(count);
      this.control.tellError('ERR_SEND', 'telemetry is larger than the server takes');
      return true;
    }
    if (ticket < OK) return false;
    const sequence = telemetry.sequence;
    telemetry.accept(count);
    if (ticket > 0) this.outstanding.add(ticket, sequence, count);
    if (this.owner.handleSent) this.owner.handleSent(sequence, count, ticket);
    return true;
  }

  /** Moves the timer only when it would go off too late, as the line does. */
  setTimer(nowMs: number): void {
    let atMs = this.schedule.nextMs;
    // What is due and still here waits for room, not for time.
    if (this.session.isConnected() && !this.isFlushing) {
      const dueMs = nowMs + this.telemetry.dueInMs(nowMs);
      if (dueMs < atMs) atMs = dueMs;
    }
    if (atMs >= this.timerAtMs) return;
    this.stopTimer();
    let ms = Math.ceil(atMs - nowMs);
    if (ms < 0) ms = 0;
    if (ms > TIMER_MS_MAX) ms = TIMER_MS_MAX;
    this.timerAtMs = nowMs + ms;
    this.timer = this.board.setTimer(this.onTimer, ms);
  }

  stopTimer(): void {
    if (this.timer !== undefined) this.board.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAtMs = Infinity;
  }
}
