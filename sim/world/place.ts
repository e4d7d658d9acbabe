/**
 * A device in its place: its store, its network, everybody who watches it, and what is wrong with it just now.
 */
import type { BoardReceiver } from '../../src/line.ts';
import { STORED_MESSAGE } from '../../src/session/store.ts';
import { CONNECT_TIMEOUT_MS_DEFAULT, PING_TIMEOUT_MS_DEFAULT } from '../../src/limits.ts';
import { AnswerChecker } from './answer-checker.ts';
import { AttemptChecker } from './attempt-checker.ts';
import type { EventQueue } from './events.ts';
import type { FaultKind } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Conditions } from './network.ts';
import type { SimRandom } from './random.ts';
import type { RetainedChecker } from './retained-checker.ts';
import { SilenceChecker } from './silence-checker.ts';
import { SimBoard } from './sim-board.ts';
import { SimDevice, type DevicePlan, type StoreKind } from './sim-device.ts';
import type { SimConnection } from './sim-link.ts';
import { StoreWatch } from './store-watch.ts';
import { makeDeviceStore } from './stores.ts';
import type { Trace } from './trace.ts';
import { WireChecker } from './wire-checker.ts';

export interface Place {
  readonly device: SimDevice;
  /** Its store, watched. */
  readonly kept: StoreWatch;
  readonly checker: WireChecker;
  readonly answers: AnswerChecker;
  readonly attempts: AttemptChecker;
  readonly silence: SilenceChecker;
  /** What its connections draw from: what befalls others changes nothing for it. */
  readonly random: SimRandom;
  readonly conditions: Conditions;
  connection: SimConnection | null;
  refusedUntilMs: number;
  namelessUntilMs: number;
  deafUntilMs: number;
  /** How long its power stays off when it goes. */
  offMs: number;
  /** After how many operations of its store it goes in the life after that; -1 when it does not. */
  cutAgainAfter: number;
}

/** What a place needs of its world. */
export interface PlaceSurroundings {
  readonly events: EventQueue;
  readonly ledger: Ledger;
  readonly trace: Trace;
  readonly retained: RetainedChecker;
  violate: (rule: string, text: string) => void;
  /** Begins a connection, or returns null; then the receiver is told. */
  dial: (place: Place, receiver: BoardReceiver) => SimConnection | null;
  onPowerLost: (place: Place) => void;
  isAwaited: (topicName: string, byteLength: number) => boolean;
}

/** Puts up a device, switched off. `drawConditions` is given what its network may be drawn from. */
export function makePlace(
  plan: DevicePlan,
  random: SimRandom,
  drawConditions: (random: SimRandom) => Conditions,
  surroundings: PlaceSurroundings,
): Place {
  const { events, ledger, trace, retained, violate, dial, onPowerLost, isAwaited } = surroundings;
  const report = (rule: string, text: string): void => violate(rule, `${plan.clientId}: ${text}`);
  const { store, options } = plan;
  const kept = new StoreWatch(makeDeviceStore(store, random.fork(1), options.outboxBytes ?? 0), report);
  const nowMs = (): number => events.nowMs;
  const { driftPerMille } = plan;
  const checker = new WireChecker(report, nowMs);
  checker.setDrift(driftPerMille);
  const attempts = new AttemptChecker({ ...plan.reconnect, driftPerMille, report, nowMs });
  const answers = new AnswerChecker({
    report,
    store: kept,
    isSeen: (name) => ledger.isSeen(name),
    handleReceipt: (name) => ledger.handleReceipt(name),
  });
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS_DEFAULT, pingTimeoutMs = PING_TIMEOUT_MS_DEFAULT } = options;
  const silence = new SilenceChecker({ connectTimeoutMs, pingTimeoutMs, driftPerMille, report, nowMs });
  checker.others.push(answers, attempts, silence);
  const device = new SimDevice(plan, kept, random.fork(2), {
    events,
    ledger,
    trace,
    makeBoard: (boardRandom, drift, handlePowerLost) =>
      new SimBoard(events, boardRandom, drift, (receiver) => dial(place, receiver), handlePowerLost),
    onPowerLost: () => onPowerLost(place),
    isAwaited,
    handleDone: (name) => {
      if (answers.takeDone(name)) return;
      report('early', `${name} is said to be done, and the server did not say so`);
    },
    handleRetained: (topicName, name) => retained.handleRetained(topicName, name),
    handleStateOffered: (topicName, name) => retained.handleOffered(topicName, name),
    handleStateAnswered: (topicName, isAccepted) => retained.handleAnswered(topicName, isAccepted),
    handleAccepted: (ticket) => {
      if (!kept.has(STORED_MESSAGE, ticket))
        report('store-first', `message ${ticket} is accepted, and not kept`);
    },
  });
  const place: Place = {
    device,
    kept,
    checker,
    answers,
    attempts,
    silence,
    random: random.fork(4),
    conditions: drawConditions(random),
    connection: null,
    refusedUntilMs: 0,
    namelessUntilMs: 0,
    deafUntilMs: 0,
    offMs: 0,
    cutAgainAfter: -1,
  };
  return place;
}

/** Operations of its medium that the power may wait for: a few writes of the session's. */
const CUT_OPERATIONS: Record<StoreKind, number> = { list: 4, flash: 24, log: 8 };
/** Of a thousand cuts in a write, how many are followed by one soon after the power is back. */
const CUT_AGAIN_PER_MILLE = 300;

function cutInWrite(place: Place, random: SimRandom): void {
  const operations = CUT_OPERATIONS[place.device.plan.store];
  place.kept.cutAfter(random.below(operations));
  place.cutAgainAfter = random.isChance(CUT_AGAIN_PER_MILLE) ? random.below(operations) : -1;
}

/** Its power is back; for good unless `mayBeCut`, and it was to go once more. */
export function switchOn(place: Place, mayBeCut: boolean): void {
  const { device, kept, attempts, cutAgainAfter } = place;
  if (device.isOn) return;
  attempts.reset();
  kept.revive();
  place.cutAgainAfter = -1;
  if (mayBeCut && cutAgainAfter >= 0) kept.cutAfter(cutAgainAfter);
  device.start();
}

/** Whether its store takes nothing. */
export function setStoreFailing(
  { kept, checker, silence }: Pick<Place, 'kept' | 'checker' | 'silence'>,
  isFailing: boolean,
): void {
  kept.setFailing(isFailing);
  checker.isStoreFailing = isFailing;
  silence.handleStore(isFailing);
}

/** Bytes of DISCONNECT at most, and of what may be behind half a packet. */
const GOODBYE_BYTES_MAX = 16;

/** Has its client say goodbye; it is heard unless the network is full, or half a packet is before it. */
function sayGoodbye({ device, answers, connection }: Place): void {
  const session = device.client?.session;
  const byteLength = (session?.transmit.byteLength() ?? 0) + GOODBYE_BYTES_MAX;
  const isHeard =
    session?.isConnected() === true &&
    session.state.sendRemaining === 0 &&
    connection !== null &&
    connection.toServer.room() >= byteLength;
  device.sayGoodbye();
  if (isHeard && device.isOn) answers.checkGoodbye();
}

/** What befalls a device reaches these. */
export interface BefallingSurroundings {
  readonly events: EventQueue;
  /** Switches it on again when its power has been off for long enough. */
  switchOnLater: (place: Place) => void;
  /** The broker cuts its connection. */
  cutOff: (place: Place) => void;
}

/** Has a fault of the device befall it; those of the broker do nothing here. `random` is the fault's own. */
export function befall(
  place: Place,
  kind: FaultKind,
  ms: number,
  random: SimRandom,
  { events, switchOnLater, cutOff }: BefallingSurroundings,
): void {
  const { nowMs } = events;
  const { device } = place;
  const connection = place.connection?.isOpen === true ? place.connection : null;
  switch (kind) {
    case 'reset':
      connection?.reset(ms, random.below(ms + 1));
      break;
    case 'half-open':
      connection?.kill();
      break;
    case 'lost-closing':
      connection?.loseClosing();
      break;
    case 'stall':
      connection?.stall(ms, random.pick(['both', 'device', 'server']));
      break;
    case 'refuse':
      place.refusedUntilMs = nowMs + ms;
      break;
    case 'no-name':
      place.namelessUntilMs = nowMs + ms;
      break;
    case 'no-answer':
      place.deafUntilMs = nowMs + ms;
      break;
    case 'power-cut':
      if (!device.isOn) break;
      device.cut();
      place.offMs = ms;
      switchOnLater(place);
      break;
    case 'power-cut-in-write':
      if (!device.isOn) break;
      place.offMs = ms;
      cutInWrite(place, random);
      break;
    case 'store-fails':
      setStoreFailing(place, true);
      events.in(ms, () => setStoreFailing(place, false));
      break;
    case 'clock-jump':
      device.board.jump(ms);
      place.checker.handleClockJump();
      place.attempts.handleClockJump();
      place.silence.handleClockJump();
      break;
    case 'goodbye':
      sayGoodbye(place);
      events.in(ms + 1, () => {
        if (!device.isAway()) return;
        place.attempts.handleAsked();
        device.comeBack();
      });
      break;
    case 'broker-cuts':
      cutOff(place);
      break;
    default:
  }
}
