/**
 * A device in its place, in real time: the client that ships on Node's board, its store in a file, the link it goes through,
 * and everybody who watches it.
 */
import { CONNECT_TIMEOUT_MS_DEFAULT, PING_TIMEOUT_MS_DEFAULT } from '../../../src/limits.ts';
import type { Packet } from '../../../src/packets/packet.ts';
import { STORED_MESSAGE } from '../../../src/session/store.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../../src/packets/types.ts';
import { SocketTransport } from '../../../targets/node/socket-transport.ts';
import { AnswerChecker } from '../answer-checker.ts';
import { AttemptChecker } from '../attempt-checker.ts';
import type { FaultKind } from '../faults.ts';
import type { Ledger } from '../ledger.ts';
import { PacketStream, type PacketWatcher } from '../packet-stream.ts';
import { setStoreFailing } from '../place.ts';
import type { SimRandom } from '../random.ts';
import { SilenceChecker } from '../silence-checker.ts';
import { SimDevice, type DevicePlan } from '../sim-device.ts';
import type { EndWatcher } from '../sim-link.ts';
import { StoreWatch } from '../store-watch.ts';
import type { Trace } from '../trace.ts';
import { WireChecker } from '../wire-checker.ts';
import { FaultLink } from './fault-link.ts';
import { RealBoard } from './real-board.ts';
import type { RealClock } from './real-clock.ts';
import type { RealServer } from './real-server.ts';
import { RealStore } from './real-store.ts';
import { drawLinkConditions } from './scale.ts';
import { SessionObserver } from './session-observer.ts';

export interface RealPlace {
  readonly device: SimDevice;
  readonly store: RealStore;
  readonly kept: StoreWatch;
  readonly checker: WireChecker;
  readonly answers: AnswerChecker;
  readonly attempts: Attempts;
  readonly silence: SilenceChecker;
  readonly observer: SessionObserver;
  /** Null for the collector, which goes to the broker directly. */
  readonly link: FaultLink | null;
  /** How long its power stays off when it goes. */
  offMs: number;
  /** The device is sent this message and cannot know that it is a new one. */
  handleSwallowed: (name: string) => void;
}

/** What a place needs of its world. */
export interface RealSurroundings {
  readonly clock: RealClock;
  readonly ledger: Ledger;
  readonly trace: Trace;
  readonly server: RealServer;
  /** Folder for its store. */
  readonly folder: string;
  violate: (rule: string, text: string) => void;
  touch: (name: string) => void;
  handlePowerLost: (place: RealPlace) => void;
  handleException: (error: unknown) => void;
  handleSessionOver: (place: RealPlace) => void;
  handleSwallowed: (place: RealPlace, name: string, packetId: number) => void;
  isAwaited: (topicName: string) => boolean;
}

/**
 * Two who watch the attempts to connect: one who counts all time, from before a connection was over, says what came too soon;
 * one who counts only the time in which this process ran says what came too late.
 */
class Attempts implements PacketWatcher {
  private readonly checkers: readonly AttemptChecker[];
  private isEnding = false;

  constructor(plan: DevicePlan, clock: RealClock, report: (rule: string, text: string) => void) {
    const only = (wanted: string) => (rule: string, text: string) => {
      if (rule === wanted) report(rule, text);
    };
    const { reconnect, driftPerMille } = plan;
    const options = { ...reconnect, driftPerMille };
    // The device looked at its clock before it ended the connection, and may have been kept waiting between.
    const earlyMs = (): number => (this.isEnding ? clock.turnMs : clock.nowMs);
    this.checkers = [
      new AttemptChecker({ ...options, report: only('backoff'), nowMs: earlyMs }),
      new AttemptChecker({ ...options, report: only('late-attempt'), nowMs: () => clock.fairMs }),
    ];
  }

  begin(): void {
    for (const checker of this.checkers) checker.begin();
  }

  handleSent(): void {
    // What it sends says nothing about attempts.
  }

  handleReceived(packet: Packet): void {
    for (const checker of this.checkers) checker.handleReceived(packet);
  }

  handleOver(): void {
    this.isEnding = true;
    for (const checker of this.checkers) checker.handleOver();
    this.isEnding = false;
  }

  handleAttempt(): void {
    for (const checker of this.checkers) checker.handleAttempt();
  }

  reset(): void {
    for (const checker of this.checkers) checker.reset();
  }

  handleAsked(): void {
    for (const checker of this.checkers) checker.handleAsked();
  }

  handleClockJump(): void {
    for (const checker of this.checkers) checker.handleClockJump();
  }
}

/** Puts up a device, switched off. `hasLink`: it goes through a proxy. */
export async function makeRealPlace(
  plan: DevicePlan,
  random: SimRandom,
  hasLink: boolean,
  surroundings: RealSurroundings,
): Promise<RealPlace> {
  const { clock, ledger, trace, server, folder, violate } = surroundings;
  const { clientId, options, driftPerMille } = plan;
  const report = (rule: string, text: string): void => violate(rule, `${clientId}: ${text}`);
  const store = new RealStore(`${folder}/${clientId}.log`, random.fork(1));
  const kept = new StoreWatch(store, report);
  const observer = new SessionObserver(clientId, plan.topicFilters, {
    report,
    nowMs: () => clock.nowMs,
    note: (text) => trace.note(clock.nowMs, text),
    touch: surroundings.touch,
    handleSessionOver: () => surroundings.handleSessionOver(place),
    handleSwallowed: (name, packetId) => surroundings.handleSwallowed(place, name, packetId),
  });
  // What these say is that something took too long: time in which nothing could run does not count.
  const fairMs = (): number => clock.fairMs;
  const checker = new WireChecker(report, fairMs);
  const attempts = new Attempts(plan, clock, report);
  const swallowed = new Set<string>();
  const answers = new AnswerChecker({
    report,
    store: kept,
    isSeen: (name) => swallowed.has(name) || ledger.isSeen(name),
    handleReceipt: (name) => ledger.handleReceipt(name),
  });
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS_DEFAULT, pingTimeoutMs = PING_TIMEOUT_MS_DEFAULT } = options;
  const silence = new SilenceChecker({
    connectTimeoutMs,
    pingTimeoutMs,
    driftPerMille,
    report,
    nowMs: fairMs,
  });
  checker.others.push(answers, attempts, silence);
  const { host: targetHost, port: targetPort } = server;
  const conditions = drawLinkConditions(random.fork(3));
  const link = hasLink
    ? new FaultLink({
        targetHost,
        targetPort,
        conditions,
        random: random.fork(4),
        watch: () => watcherOf(observer),
      })
    : null;
  // Without a link both ends are the same; it comes first, for it tells the others what the broker has forgotten.
  if (link === null) checker.others.unshift(observer);
  await link?.open();
  const target = {
    get host(): string {
      return link?.host ?? targetHost;
    },
    port: link?.port ?? targetPort,
  };
  const device: SimDevice = new SimDevice(plan, kept, random.fork(2), {
    events: clock,
    ledger,
    trace,
    makeBoard: (boardRandom, _drift, handlePowerLost) =>
      new RealBoard(boardRandom, {
        createTransport: (receiver) => new SocketTransport(target, receiver),
        handleAttempt: () => {
          attempts.handleAttempt();
          device.note('connects');
          return checker.watch();
        },
        handleCut: () => link?.cutDevice(random.isChance(500)),
        handlePowerLost,
        handleException: surroundings.handleException,
      }),
    onPowerLost: () => surroundings.handlePowerLost(place),
    isAwaited: surroundings.isAwaited,
    handleDone: (name) => {
      if (!answers.takeDone(name)) {
        report('early', `${name} is said to be done, and the server did not say so`);
      }
    },
    handleRetained: () => {},
    handleStateOffered: () => {},
    handleStateAnswered: () => {},
    handleAccepted: (ticket) => {
      if (!kept.has(STORED_MESSAGE, ticket)) {
        report('store-first', `message ${ticket} is accepted, and not kept`);
      }
    },
  });
  const place: RealPlace = {
    device,
    store,
    kept,
    checker,
    answers,
    attempts,
    silence,
    observer,
    link,
    offMs: 0,
    handleSwallowed: (name) => void swallowed.add(name),
  };
  return place;
}

/** Bytes of one connection at the broker's end, as packets. */
function watcherOf(observer: SessionObserver): EndWatcher {
  const sent = new PacketStream(FROM_CLIENT);
  const received = new PacketStream(FROM_SERVER);
  observer.begin();
  return {
    // What is no packet the client's end tells of.
    handleSent: (bytes) => void sent.take(bytes, (packet, whole) => observer.handleSent(packet, whole)),
    handleReceived: (bytes) =>
      void received.take(bytes, (packet, whole) => observer.handleReceived(packet, whole)),
    handleBlocked: () => {},
    handleOver: () => observer.handleOver(),
  };
}

/** Whom it reaches beside the device. */
export interface RealBefalling {
  later: (ms: number, run: () => void) => void;
  /** Switches it on again when its power has been off for long enough. */
  switchOnLater: (place: RealPlace) => void;
}

/**
 * Has a fault of the device befall it, for `ms`. Returns whether there was anything that it could befall. `random` is the
 * fault's own.
 */
export function befallReally(
  place: RealPlace,
  kind: FaultKind,
  ms: number,
  random: SimRandom,
  { later, switchOnLater }: RealBefalling,
): boolean {
  const { device, store, link } = place;
  if (link === null) return false;
  switch (kind) {
    case 'reset':
      return link.reset(ms, random.below(ms + 1));
    case 'half-open':
      return link.kill();
    case 'lost-closing':
      return link.loseClosing();
    case 'stall':
      return link.stall(ms, random.pick(['both', 'device', 'server']));
    case 'refuse':
      return link.refuse(ms);
    case 'no-name':
      return link.hideName(ms);
    case 'no-answer':
      return link.silence(ms);
    case 'broker-cuts':
      return link.cutOff(random.isChance(500));
    case 'power-cut':
      if (!device.isOn) return false;
      device.cut();
      place.offMs = ms;
      switchOnLater(place);
      return true;
    case 'power-cut-in-write':
      if (!device.isOn) return false;
      place.offMs = ms;
      store.cutAfter(random.below(4));
      return true;
    case 'store-fails':
      setStoreFailing(place, true);
      later(ms, () => setStoreFailing(place, false));
      return true;
    case 'clock-jump':
      if (!device.isOn) return false;
      device.board.jump(ms);
      place.checker.handleClockJump();
      place.attempts.handleClockJump();
      place.silence.handleClockJump();
      return true;
    case 'goodbye':
      if (!device.isOn) return false;
      sayGoodbye(place);
      later(ms, () => {
        if (!device.isAway()) return;
        place.attempts.handleAsked();
        device.comeBack();
      });
      return true;
    default:
      return false;
  }
}

/** Has its client say goodbye: it is heard unless half a packet is before it. */
function sayGoodbye({ device, answers }: RealPlace): void {
  const session = device.client?.session;
  const isHeard =
    session?.isConnected() === true &&
    session.state.sendRemaining === 0 &&
    session.transmit.byteLength() === 0;
  device.sayGoodbye();
  if (isHeard && device.isOn) answers.checkGoodbye();
}
