/**
 * Configuration from afar: which metrics are read how often, and how they are batched.
 *
 *   {"id":7,"batchMs":60000,"metrics":{"temperature":{"everyMs":5000,"deadband":0.5},"humidity":{"enabled":false}}}
 *
 * A configuration is whole: what it does not name is as the firmware defines it, so that what is retained on the
 * server says everything there is to say. It holds altogether, or, if anything in it is wrong, not at all. Knows no
 * topics.
 */
import { checkBatchSettings, checkFields, checkMetricSettings, checkObject } from './definition.ts';
import type { DeviceDefinition, MetricDefinition } from './definition.ts';
import type { Schedule } from './schedule.ts';
import type { Telemetry } from './telemetry.ts';

const FIELDS = ['id', 'batchMs', 'batchSamples', 'metrics'];
const METRIC_FIELDS = ['everyMs', 'deadband', 'maxSilenceMs', 'enabled'];

/** Nobody from outside may keep a device busier than this, milliseconds, unless the firmware itself does. */
export const CONFIGURED_EVERY_MS_MIN = 100;

type Fields = Readonly<Record<string, unknown>>;

/** Nothing is said. */
export const NO_CONFIGURATION: Fields = { id: undefined };

/** What the configuration says of metric `name`, or nothing. */
function fieldsOf(configuration: Fields, name: string): Fields {
  const metrics = configuration['metrics'];
  if (metrics === undefined || !Object.keys(metrics as Fields).includes(name)) return NO_CONFIGURATION;
  return (metrics as Record<string, Fields>)[name];
}

/** Throws a coded error that names the first field that is wrong; nothing has changed then. */
export function checkConfiguration<Io>(value: unknown, definition: DeviceDefinition<Io>): Fields {
  const configuration = checkObject(value, 'the configuration');
  checkFields(configuration, FIELDS, 'the configuration');
  checkBatchSettings(configuration, '');
  if (configuration['metrics'] === undefined) return configuration;
  const known = definition.metrics ?? {};
  const names = Object.keys(known);
  const metrics = checkObject(configuration['metrics'], 'metrics');
  checkFields(metrics, names, 'metrics');
  const changed = Object.keys(metrics);
  for (let i = 0; i < changed.length; i++) {
    const name = 'metrics.' + changed[i];
    const metric = checkObject(metrics[changed[i]], name);
    checkFields(metric, METRIC_FIELDS, name);
    const definedEveryMs = known[changed[i]].everyMs;
    const everyMsMin = definedEveryMs < CONFIGURED_EVERY_MS_MIN ? definedEveryMs : CONFIGURED_EVERY_MS_MIN;
    checkMetricSettings(metric, everyMsMin, name);
  }
  return configuration;
}

/** The configured number, or the defined one, or 0. */
function numberOf(fields: Fields, name: string, defined: number | undefined): number {
  const value = fields[name];
  if (value !== undefined) return value as number;
  return defined ?? 0;
}

/** Puts a checked configuration into force. */
export function applyConfiguration<Io>(
  configuration: Fields,
  definition: DeviceDefinition<Io>,
  schedule: Schedule,
  telemetry: Telemetry,
  nowMs: number,
): void {
  const metrics = definition.metrics ?? {};
  const names = Object.keys(metrics);
  for (let i = 0; i < names.length; i++) {
    const metric = metrics[names[i]];
    const fields = fieldsOf(configuration, names[i]);
    const enabled = fields['enabled'] === undefined ? metric.enabled : fields['enabled'];
    schedule.change(
      i,
      numberOf(fields, 'everyMs', metric.everyMs),
      numberOf(fields, 'deadband', metric.deadband),
      numberOf(fields, 'maxSilenceMs', metric.maxSilenceMs),
      enabled !== false,
      nowMs,
    );
  }
  schedule.findNext();
  const isBatchConfigured =
    configuration['batchMs'] !== undefined || configuration['batchSamples'] !== undefined;
  const batch = isBatchConfigured ? configuration : (definition as unknown as Fields);
  telemetry.batchMs = numberOf(batch, 'batchMs', undefined);
  const samples = telemetry.batchMs > 0 ? 0 : 1;
  telemetry.batchSamples = numberOf(batch, 'batchSamples', samples);
}

/** What is in force, as JSON; with `error` what was wrong with the configuration that came last. */
export function describeConfiguration<Io>(
  definition: DeviceDefinition<Io>,
  schedule: Schedule,
  telemetry: Telemetry,
  id: unknown,
  error: { code: string; message: string } | undefined,
): string {
  const definitions: Readonly<Record<string, MetricDefinition<Io>>> = definition.metrics ?? {};
  const names = Object.keys(definitions);
  const metrics: Record<string, object> = {};
  for (let i = 0; i < names.length; i++) {
    metrics[names[i]] = {
      unit: definitions[names[i]].unit,
      everyMs: schedule.everyMs(i),
      deadband: schedule.deadband(i),
      maxSilenceMs: schedule.maxSilenceMs(i),
      enabled: schedule.isEnabled(i),
    };
  }
  const batchMs = telemetry.batchMs;
  const batchSamples = telemetry.batchSamples;
  return JSON.stringify({ id, error, batchMs, batchSamples, metrics });
}

/** Bytes that `describeConfiguration` may take: what transmit ring and outbox should have room for. */
export function configurationByteLength<Io>(definition: DeviceDefinition<Io>): number {
  const metrics = definition.metrics ?? {};
  const names = Object.keys(metrics);
  // An error with its message, and an id of some length.
  let byteLength = 384;
  for (let i = 0; i < names.length; i++) {
    const unit = metrics[names[i]].unit;
    byteLength += names[i].length + 3 * (unit === undefined ? 0 : unit.length) + 120;
  }
  return byteLength;
}
