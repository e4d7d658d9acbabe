/**
 * Firmware in an XS machine: the module `firmware` as it would be flashed, on sensors and relays that are told from
 * outside what they say.
 */
import firmware from 'firmware';
import { createDevice } from '../../../targets/moddable/device.ts';
import type { DeviceOwner, RunOptions } from '../../../targets/moddable/device.ts';
import { obey, tell } from './remote.ts';

/** Everything that firmware of manifests/firmware wants of its board, in one. */
class SensorsAndRelays {
  readonly version = '1.2.3';
  values: Record<string, number> = {
    temperature: 20,
    humidity: 50,
    batteryVolts: 3.7,
    litres: 1000,
    litresPerMinute: 0,
    watts: 40,
  };
  private isOn = false;

  temperature(): number {
    return this.values['temperature'];
  }

  humidity(): number {
    return this.values['humidity'];
  }

  batteryVolts(): number {
    return this.values['batteryVolts'];
  }

  litres(): number {
    return this.values['litres'];
  }

  litresPerMinute(): number {
    return this.values['litresPerMinute'];
  }

  watts(): number {
    return this.values['watts'];
  }

  relay(): boolean {
    return this.isOn;
  }

  setRelay(isOn: boolean): void {
    this.isOn = isOn;
  }
}

const owner: DeviceOwner = {
  handleConnected: (sessionPresent) => tell('connected', sessionPresent),
  handleReady: () => tell('ready'),
  handleDisconnected: ({ cause }) => tell('disconnected', cause),
  handleCommand: (name, isOk) => tell('command', name, isOk),
  handleConfiguration: (isOk) => tell('configuration', isOk),
  handleError: (code, message) => tell('error', code, message),
};

/** Tells nothing that comes again and again: what it cost would be the host's. */
const quietOwner: DeviceOwner = {
  handleDisconnected: ({ cause }) => tell('disconnected', cause),
  handleError: (code, message) => tell('error', code, message),
};

export default function start(): void {
  const io = new SensorsAndRelays();
  let runtime: ReturnType<typeof createDevice<SensorsAndRelays>>;
  obey({
    start(options: RunOptions, isQuiet: boolean) {
      runtime = createDevice(firmware, options, io, isQuiet ? quietOwner : owner);
      runtime.start();
    },
    set(name: string, value: number) {
      io.values[name] = value;
    },
    isOn: () => io.relay(),
    isIdle: () => runtime.isIdle(),
    stop: (how: number) => runtime.stop(how),
    sleep: (ms: number) => runtime.sleep(ms),
  });
}
