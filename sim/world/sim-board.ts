/**
 * A device's hardware in the world: a clock that drifts and jumps, timers, a network it can dial, and power that can go at
 * any moment, in the middle of anything that writes to its store. Knows nothing of MQTT.
 */
import type { Board, BoardReceiver, BoardTransport } from '../../src/line.ts';
import type { EventQueue, SimTimer } from './events.ts';
import type { SimRandom } from './random.ts';
import { SimTransport, type SimConnection } from './sim-link.ts';

/** Thrown by whatever loses power in the middle of what it does. */
export class PowerLost extends Error {
  constructor() {
    super('the power is gone');
    this.name = 'PowerLost';
  }
}

/** Begins a connection for a device, or reports by the receiver, later, that there is none; then it returns null. */
export type Dial = (receiver: BoardReceiver) => SimConnection | null;

/** A device's hardware, as whoever has it in hand sees it. */
export interface DeviceBoard extends Board {
  /** The device's clock jumps forward by so many milliseconds. */
  jump(ms: number): void;
  /** Runs something of the device's, which may lose its power over it. */
  enter(run: () => void): void;
  /** The power goes: nothing of the device runs any more. */
  cut(): void;
}

export class SimBoard implements DeviceBoard {
  readonly random: () => number;
  private readonly events: EventQueue;
  private readonly dial: Dial;
  private readonly onPowerLost: () => void;
  /** Milliseconds in a thousand that its clock is fast, or slow. */
  private readonly driftPerMille: number;
  private readonly bornMs: number;
  private jumpedMs = 0;
  private isOn = true;
  private readonly transports: SimTransport[] = [];

  constructor(
    events: EventQueue,
    random: SimRandom,
    driftPerMille: number,
    dial: Dial,
    onPowerLost: () => void,
  ) {
    this.events = events;
    this.random = () => random.next();
    this.driftPerMille = driftPerMille;
    this.dial = dial;
    this.onPowerLost = onPowerLost;
    this.bornMs = events.nowMs;
  }

  nowMs(): number {
    const ms = this.events.nowMs - this.bornMs;
    return ms + Math.floor((ms * this.driftPerMille) / 1000) + this.jumpedMs;
  }

  /** The device's clock jumps forward: to the device, as much time has passed. */
  jump(ms: number): void {
    this.jumpedMs += ms;
  }

  setTimer(callback: () => void, ms: number): SimTimer {
    const realMs = Math.ceil((Math.max(0, ms) * 1000) / (1000 + this.driftPerMille));
    return this.events.in(realMs, () => this.enter(callback));
  }

  clearTimer(timer: unknown): void {
    this.events.cancel(timer as SimTimer);
  }

  createTransport(receiver: BoardReceiver): BoardTransport {
    const guarded: BoardReceiver = {
      handleOpened: () => this.enter(() => receiver.handleOpened()),
      handleReadable: () => this.enter(() => receiver.handleReadable()),
      handleWritable: () => this.enter(() => receiver.handleWritable()),
      handleClosed: (error) => this.enter(() => receiver.handleClosed(error)),
    };
    const transport = new SimTransport(guarded, this.dial);
    this.transports.push(transport);
    return transport;
  }

  /** Runs something of the device's, which may lose its power over it. */
  enter(run: () => void): void {
    if (!this.isOn) return;
    try {
      run();
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
      this.cut();
      this.onPowerLost();
    }
  }

  /** The power goes: nothing of the device runs any more. What its network had taken goes on its way. */
  cut(): void {
    this.isOn = false;
    for (const { connection } of this.transports) connection?.cutDevice();
  }
}
