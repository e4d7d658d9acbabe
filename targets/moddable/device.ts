/**
 * Firmware on a Moddable device: the runtime of src/device on this device's sockets and clock. Everything that firmware
 * files import is here too, so that they find it under the same name on a board and in a simulated fleet.
 */
import { check } from '../../src/assert.ts';
import type { DeviceDefinition } from '../../src/device/definition.ts';
import type { DeviceOwner } from '../../src/device/owner.ts';
import { DeviceRuntime } from '../../src/device/runtime.ts';
import type { DeviceOptions } from '../../src/device/setup.ts';
import { ModdableBoard } from './board.ts';
import type { SocketOptions } from './socket-transport.ts';

export * from '../../src/device/index.ts';

/** Before this a clock has not been set: it is later than that now. */
const EPOCH_MS_MIN = 1735689600000;

/** Where a device connects, and what the runtime may be told. */
export interface RunOptions extends DeviceOptions, Partial<SocketOptions> {
  /** By TLS, with what `device.network.mqtts` says; default false: with `device.network.mqtt`. */
  isSecure?: boolean | undefined;
}

/** Milliseconds since 1970, or 0 while nobody has set the clock. */
function epochMs(): number {
  const nowMs = Date.now();
  return nowMs < EPOCH_MS_MIN ? 0 : nowMs;
}

function socketOptionsOf(options: RunOptions): SocketOptions {
  const isSecure = options.isSecure === true;
  const name = isSecure ? 'mqtts' : 'mqtt';
  const network = typeof device === 'undefined' ? undefined : device.network;
  const configured = network?.[name] ?? {};
  const { host, address, port = isSecure ? 8883 : 1883 } = options;
  const { socket = configured.socket, dns = configured.dns } = options;
  check(host !== undefined || address !== undefined, 'ERR_INVALID_ARGUMENT', 'there must be a host');
  check(
    socket?.io !== undefined,
    'ERR_INVALID_ARGUMENT',
    'there must be a socket: {io: …}, in the options or in device.network.' + name,
  );
  return { host, address, port, socket: socket as SocketOptions['socket'], dns };
}

/**
 * Makes the device of a definition on this board; `start` lets it run. `io` is what the firmware's functions get, `owner`
 * hears of what happens. Throws a coded error that names the first field or option that is wrong.
 */
export function createDevice<Io>(
  definition: DeviceDefinition<Io>,
  options: RunOptions,
  io: Io,
  owner: DeviceOwner | null,
): DeviceRuntime<Io> {
  const board = new ModdableBoard(socketOptionsOf(options));
  return new DeviceRuntime(definition, board, io, { ...options, epochMs: options.epochMs ?? epochMs }, owner);
}
