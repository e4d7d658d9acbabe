/**
 * The options of a fleet run: what they may be, their defaults, and every check before anything is started.
 */
import { randomInt } from 'node:crypto';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { FleetError } from './failure.ts';
import { parseServer, type Server, type TrustOptions } from './server.ts';
import { TopicPattern } from './topics.ts';

/** What may be asked of {@link runFleet}. */
export interface FleetOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`. Without it the run starts a broker of its own. */
  url?: string | undefined;
  /** 1 to 100,000; default 1,000. */
  devices?: number | undefined;
  /** Milliseconds between two messages of one device, 1 to 86,400,000; default 1,000. */
  intervalMs?: number | undefined;
  /** Seconds of sending once all devices are connected; default 10. */
  durationSeconds?: number | undefined;
  /** 0, 1 or 2; default 1. */
  qos?: number | undefined;
  /** Where telemetry goes; `%c` is the client identifier, `%i` the device's index, `%u` the user name. */
  topic?: string | undefined;
  /** Connections begun per second, 0 for no limit but that on those under way; default 1,000. */
  rampPerSecond?: number | undefined;
  /** Decides everything the devices say but the time; default: drawn, and told in the result. */
  seed?: number | undefined;
  /** Default: 5.0, or 3.1.1 where the server does not speak 5.0. */
  mqttVersion?: '5.0' | '3.1.1' | undefined;
  userName?: string | undefined;
  password?: string | undefined;
  /** PEM: CAs to trust instead of the system's. */
  ca?: string | undefined;
  /** Takes any certificate; default false. */
  insecure?: boolean | undefined;
  /** Seconds, 0 (off) to 65,535; default 30. */
  keepAliveSeconds?: number | undefined;
  /** How long the drain may go on without anything arriving; default 10. */
  drainSeconds?: number | undefined;
  /**
   * Path of a firmware file (docs/device.md) that every device runs. How often devices send, at which QoS and where is
   * the firmware's affair then. Default, with `engine`: that of a climate sensor.
   */
  firmware?: string | undefined;
  /** `node` (default): in this process. `xs`: each device in an XS machine of an ESP32's size; 20 devices by default. */
  engine?: 'node' | 'xs' | undefined;
  /** With firmware: what ids begin with instead of the firmware's; `-00001` and so on follows. */
  id?: string | undefined;
  /** With `xs`: files of modules by specifier, in place of those that ship for boards or besides them. */
  modules?: Readonly<Record<string, string>> | undefined;
  /** Stops sending early when it aborts; the run then drains and gives its result as ever. */
  signal?: AbortSignal | undefined;
}

/** The options with every default in place. */
export interface FleetSettings {
  /** Undefined: a broker of its own. */
  server: Server | undefined;
  devices: number;
  intervalMs: number;
  durationMs: number;
  qos: 0 | 1 | 2;
  pattern: TopicPattern;
  rampPerSecond: number;
  seed: number;
  /** V5 or V3_1_1, undefined to find out. */
  protocolVersion: number | undefined;
  userName: string | undefined;
  password: string | undefined;
  trust: TrustOptions;
  keepAliveSeconds: number;
  drainMs: number;
  signal: AbortSignal | undefined;
  /** Undefined: devices are made up, and what is above about sending holds. */
  firmware: FirmwareSettings | undefined;
}

/** Of devices that run firmware. */
export interface FirmwareSettings {
  /** Undefined: the default one. */
  path: string | undefined;
  engine: 'node' | 'xs';
  id: string | undefined;
  modules: Readonly<Record<string, string>>;
}

export const TOPIC_DEFAULT = 'fleet/%c/telemetry';
const DEVICES_DEFAULT = 1000;
/** Each is a process. */
const MACHINES_DEFAULT = 20;
const VERSIONS: Record<string, number | undefined> = { '5.0': V5, '3.1.1': V3_1_1 };
/** What is the firmware's to say. */
const SAID_BY_FIRMWARE = ['intervalMs', 'qos', 'topic', 'keepAliveSeconds'] as const;

/** Throws a FleetError that names the first option that is wrong. */
export function settingsOf(options: FleetOptions): FleetSettings {
  const trust: TrustOptions = { ca: options.ca, isInsecure: options.insecure === true };
  const server = options.url === undefined ? undefined : parseServer(options.url, trust);
  const userName = options.userName ?? server?.userName;
  const password = options.password ?? server?.password;
  if (password !== undefined && userName === undefined)
    throw new FleetError('it needs a user name', 'password');
  const firmware = firmwareSettingsOf(options);
  const qos = integer('qos', options.qos ?? 1, 0, 2);
  const devicesDefault = firmware?.engine === 'xs' ? MACHINES_DEFAULT : DEVICES_DEFAULT;
  const protocolVersion = options.mqttVersion === undefined ? undefined : VERSIONS[options.mqttVersion];
  if (options.mqttVersion !== undefined && protocolVersion === undefined) {
    throw new FleetError(`must be 5.0 or 3.1.1, not ${options.mqttVersion}`, 'mqttVersion');
  }
  return {
    server,
    devices: integer('devices', options.devices ?? devicesDefault, 1, 100_000),
    intervalMs: integer('intervalMs', options.intervalMs ?? 1000, 1, 86_400_000),
    durationMs: Math.round(number('durationSeconds', options.durationSeconds ?? 10, 0, 31_536_000) * 1000),
    qos: qos === 0 ? 0 : qos === 1 ? 1 : 2,
    pattern: new TopicPattern(options.topic ?? TOPIC_DEFAULT, userName !== undefined),
    rampPerSecond: number('rampPerSecond', options.rampPerSecond ?? 1000, 0, 1_000_000),
    seed: integer('seed', options.seed ?? randomInt(0x100000000), 0, Number.MAX_SAFE_INTEGER),
    protocolVersion,
    userName,
    password,
    trust,
    keepAliveSeconds: integer('keepAliveSeconds', options.keepAliveSeconds ?? 30, 0, 65_535),
    drainMs: number('drainSeconds', options.drainSeconds ?? 10, 0, 86_400) * 1000,
    signal: options.signal,
    firmware,
  };
}

function firmwareSettingsOf(options: FleetOptions): FirmwareSettings | undefined {
  const { firmware, engine, id, modules } = options;
  if (firmware === undefined && engine === undefined) {
    if (id !== undefined) throw new FleetError('it is for devices that run firmware', 'id');
    return undefined;
  }
  for (const name of SAID_BY_FIRMWARE) {
    if (options[name] !== undefined) {
      throw new FleetError('devices that run firmware do as the firmware says: change that', name);
    }
  }
  if (engine !== undefined && engine !== 'node' && engine !== 'xs') {
    throw new FleetError(`must be node or xs, not ${String(engine)}`, 'engine');
  }
  if (id !== undefined && !/^[^/+#\0]+$/.test(id)) {
    throw new FleetError('must be text without /, + and #', 'id');
  }
  return { path: firmware, engine: engine ?? 'node', id, modules: modules ?? {} };
}

function number(name: string, value: number, lowest: number, highest: number): number {
  if (typeof value === 'number' && value >= lowest && value <= highest) return value;
  const range = `${lowest.toLocaleString('en-US')} to ${highest.toLocaleString('en-US')}`;
  throw new FleetError(`must be from ${range}, not ${String(value)}`, name);
}

function integer(name: string, value: number, lowest: number, highest: number): number {
  number(name, value, lowest, highest);
  if (!Number.isInteger(value)) throw new FleetError(`must be a whole number, not ${String(value)}`, name);
  return value;
}
