/**
 * A device in its machine: the firmware on the board that an ESP32 has, with sockets of ECMA-419, told from outside when
 * to connect, and telling what happens. Preloaded, as the firmware is: what it takes of the heap is this one object.
 */
import { createDevice, STOP_AND_ERASE } from 'fleet/device';
import definition from 'fleet/firmware';
import * as file from 'fleet/firmware';
import type { DeviceOwner, DeviceRuntime } from '../../../src/device/index.ts';
import { CAUSE_CLIENT, type SessionEvent } from '../../../src/session/event.ts';
import { AliasSavings } from './alias-savings.ts';
import { board } from './guest-board.ts';
import { listen, post, settings } from './guest-host.ts';
import {
  DO_CONNECT,
  DO_FINISH,
  DO_LEAVE,
  TOLD_BUSY,
  TOLD_CONNECTED,
  TOLD_DISCONNECTED,
  TOLD_NUMBERS,
  TOLD_PUBLISHED,
  TOLD_READY,
  TOLD_SENT,
  type ToldText,
} from './guest-protocol.ts';
import { runSimulate, type Simulate } from './simulate.ts';

function tellText(text: ToldText): void {
  post(JSON.stringify(text));
}

class Guest implements DeviceOwner {
  private readonly numbers = new Float64Array(TOLD_NUMBERS);
  private readonly bytes = new Uint8Array(this.numbers.buffer);
  private readonly savings = new AliasSavings();
  private readonly device: DeviceRuntime<object>;

  constructor() {
    const { simulate } = file as { simulate?: Simulate };
    const { seed, index, host, port, options } = settings;
    const io = simulate === undefined ? board : runSimulate(simulate, seed, index);
    this.device = createDevice(definition, { ...options, host, port }, io, this);
  }

  obey(what: number): void {
    const { device } = this;
    if (what === DO_CONNECT) {
      if (device.isStarted) device.connect();
      else device.start();
    } else if (what === DO_FINISH) {
      device.schedule.stop();
      device.flush();
      const { samples, outstanding, session } = device;
      const isBusy = samples.count > 0 || outstanding.count > 0 || session.isBusy();
      this.tell(TOLD_BUSY, isBusy ? 1 : 0, 0, 0, 0);
    } else if (what === DO_LEAVE) device.stop(STOP_AND_ERASE);
  }

  handleConnected(): void {
    this.savings.reset();
    this.tell(TOLD_CONNECTED, 0, 0, 0, 0);
  }

  handleReady(): void {
    this.tell(TOLD_READY, 0, 0, 0, 0);
  }

  handleDisconnected(event: SessionEvent): void {
    if (event.cause === CAUSE_CLIENT) return;
    this.tell(TOLD_DISCONNECTED, event.cause, event.reasonCode, event.violation, 0);
  }

  handleSent(sequence: number, sampleCount: number): void {
    const { telemetry, telemetryTopic } = this.device;
    const saved = this.savings.take(telemetryTopic.alias, telemetryTopic.bytes.length);
    this.tell(TOLD_SENT, sequence, sampleCount, telemetry.droppedTold, saved);
  }

  handlePublished(sequence: number, status: number, reasonCode: number): void {
    this.tell(TOLD_PUBLISHED, sequence, status < 0 ? status : reasonCode, 0, 0);
  }

  handleIdle(): void {
    this.tell(TOLD_BUSY, 0, 0, 0, 0);
  }

  handleCommand(command: string, isOk: boolean): void {
    tellText({ command, isOk });
  }

  handleError(error: string, message: string): void {
    tellText({ error, message });
  }

  private tell(what: number, a: number, b: number, c: number, d: number): void {
    const { numbers } = this;
    numbers[0] = what;
    numbers[1] = a;
    numbers[2] = b;
    numbers[3] = c;
    numbers[4] = d;
    post(this.bytes);
  }
}

export function start(): void {
  const guest = new Guest();
  listen((bytes) => {
    guest.obey(new Uint8Array(bytes)[0]);
  });
}
