/**
 * A fleet of devices that run one firmware file, on Node's sockets or in XS machines.
 */
import { availableParallelism } from 'node:os';
import { Packet } from '../../../src/packets/packet.ts';
import { SessionEvent } from '../../../src/session/event.ts';
import { prepareXsEngine, XsEngineError } from '../../xs/engine.ts';
import { FleetError } from '../failure.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import type { Ledger } from '../ledger.ts';
import type { FleetReportOptions } from '../report.ts';
import type { FirmwareSettings, FleetSettings } from '../settings.ts';
import type { PoolWorld, Workload } from '../workload.ts';
import { FirmwarePool, type FirmwareFleet } from './firmware-pool.ts';
import { loadFirmware, tryFirmware, type Firmware } from './firmware-file.ts';
import { FirmwareTraffic } from './firmware-traffic.ts';
import { FirmwareNames } from './names.ts';
import { NodeDevice } from './node-device.ts';
import { XsDevice } from './xs-device.ts';
import { defaultFirmware, machineModules, type ModulePaths } from './xs-modules.ts';

/** Connections on their way at once: a broker's backlog is often 100. */
const CONNECTIONS_PENDING_MAX = 100;
/** More machines than this deserve a word: each is a process, and takes about so much memory. */
const MACHINES_UNREMARKED = 200;
const MACHINE_BYTES = 37e6;

export class FirmwareWorkload implements Workload {
  readonly qos: 0 | 1 | 2;
  readonly clientIdPrefix: string;
  readonly traffic: FirmwareTraffic;
  readonly isSilent: boolean;
  private readonly settings: FleetSettings;
  private readonly how: FirmwareSettings;
  private readonly firmware: Firmware;
  private readonly names: FirmwareNames;
  private readonly modules: ModulePaths;
  /** Path of the XS worker, once it is there. */
  private worker = '';

  private constructor(settings: FleetSettings, how: FirmwareSettings, firmware: Firmware, ledger: Ledger) {
    const { definition } = firmware;
    const qos = definition.qos ?? 1;
    this.settings = settings;
    this.how = how;
    this.firmware = firmware;
    this.qos = qos === 0 ? 0 : qos === 1 ? 1 : 2;
    this.names = new FirmwareNames(how.id ?? definition.id, definition.root);
    this.clientIdPrefix = this.names.prefix;
    this.traffic = new FirmwareTraffic(this.names, this.qos, ledger);
    this.isSilent = Object.keys(definition.metrics ?? {}).length === 0;
    this.modules = how.engine === 'xs' ? machineModules(firmware.path, how.modules) : {};
  }

  /** Loads the file; rejects with a FleetError when devices cannot run it. */
  static async load(
    settings: FleetSettings,
    how: FirmwareSettings,
    ledger: Ledger,
  ): Promise<FirmwareWorkload> {
    const { server } = settings;
    if (how.engine === 'xs' && server !== undefined && server.target === undefined) {
      throw new FleetError('the machines of XS have no WebSocket: mqtt:// or mqtts://', 'url');
    }
    const firmware = await loadFirmware(how.path ?? defaultFirmware());
    tryFirmware(firmware, settings.seed);
    return new FirmwareWorkload(settings, how, firmware, ledger);
  }

  get sendingText(): string {
    const { firmware, how, settings } = this;
    const where = how.engine === 'xs' ? 'in XS machines' : 'on Node';
    return `running ${firmware.file} ${where} for ${formatDuration(settings.durationMs)}, telemetry at QoS ${this.qos}`;
  }

  get reportOptions(): FleetReportOptions {
    const { settings } = this;
    return {
      devices: settings.devices,
      durationSeconds: settings.durationMs / 1000,
      qos: this.qos,
      topic: `${this.names.root}/telemetry`,
      rampPerSecond: settings.rampPerSecond,
      seed: settings.seed,
    };
  }

  clientIdOf(index: number): string {
    return this.names.idOf(index);
  }

  async prepare(tell: (text: string) => void): Promise<void> {
    if (this.how.engine !== 'xs') return;
    const { devices } = this.settings;
    if (devices > MACHINES_UNREMARKED) {
      const takes = `${formatBytes(devices * MACHINE_BYTES)} of memory and ${availableParallelism()} processors`;
      tell(`${formatCount(devices)} machines are as many processes: they share ${takes}`);
    }
    try {
      this.worker = await prepareXsEngine({ onProgress: (text) => tell(`${text}, once`) });
    } catch (error) {
      // Ctrl-C has ended the compiler, too.
      if (this.settings.signal?.aborted === true)
        throw new FleetError('stopped before the XS engine was built');
      if (error instanceof XsEngineError) throw new FleetError(error.message, 'engine');
      throw error;
    }
  }

  makePool(world: PoolWorld): FirmwarePool {
    const { settings, firmware, names, traffic } = this;
    return new FirmwarePool({ settings, firmware, names, traffic, ...this.engine() }, world);
  }

  private engine(): Pick<FirmwareFleet, 'engine' | 'pendingMax' | 'makeDevice'> {
    if (this.how.engine === 'xs') {
      const { worker, modules } = this;
      return {
        engine: 'xs',
        // To start one keeps a processor busy.
        pendingMax: 2 * availableParallelism(),
        makeDevice: (world, index) => new XsDevice(world, index, worker, modules),
      };
    }
    const packet = new Packet();
    const records = { packet, event: new SessionEvent(packet) };
    return {
      engine: 'node',
      pendingMax: CONNECTIONS_PENDING_MAX,
      makeDevice: (world, index) => new NodeDevice(world, index, records),
    };
  }
}
