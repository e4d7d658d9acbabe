/**
 * What firmware is made of: a plain object that says what a device measures, which commands it obeys and how it talks
 * to the server. Checked here, never changed: it may be frozen, lie in ROM and serve any number of devices. Knows
 * nothing of connections.
 */
import { check, checkInteger, codedError } from '../assert.ts';
import { FOUR_BYTE_INTEGER_MAX, TWO_BYTE_INTEGER_MAX } from '../limits.ts';

/** Metrics a device may have: their numbers are bytes in the sample buffer. */
export const METRICS_MAX = 255;
/** Shortest and longest time between two readings, milliseconds: 24 days is what timers of boards take. */
export const EVERY_MS_MIN = 10;
export const EVERY_MS_MAX = 0x7fffffff;
/** Decimals that can be kept, and that are kept when nothing is said. */
export const DIGITS_MAX = 9;
export const DIGITS_DEFAULT = 3;
/** Samples in one message, or waiting while offline, at most. */
export const SAMPLES_MAX = 65535;
export const OFFLINE_SAMPLES_DEFAULT = 64;
export const SESSION_EXPIRY_SECONDS_DEFAULT = 3600;
export const WILL_DELAY_SECONDS_DEFAULT = 5;
/** Longest name of a metric or command, and longest unit, characters. */
export const NAME_LENGTH_MAX = 64;

/** One thing that is measured. `Io` is what the host hands to `read`. */
export interface MetricDefinition<Io> {
  /** As it is told in the configuration: "Cel", "%RH", "V" … (RFC 8428 lists units). */
  unit?: string | undefined;
  /** Milliseconds between two readings, 10 to 2,147,483,647. */
  everyMs: number;
  /** A reading is told when it differs by this much from the one told last; default 0: always. */
  deadband?: number | undefined;
  /** Milliseconds after which a reading is told although it did not change; default 0: never. */
  maxSilenceMs?: number | undefined;
  /** Decimals that are kept, 0 to 9; default 3. */
  digits?: number | undefined;
  /** Default true; the configuration can say otherwise. */
  enabled?: boolean | undefined;
  /**
   * Takes a reading: a number, or true and false, which count as 1 and 0. NaN, null and whatever is thrown are told as
   * "no value"; undefined means that there is nothing to tell this time.
   */
  read(board: Io): number | boolean | null | undefined;
}

/** What came with a command: a JSON object, empty when the message was. */
export type CommandArguments = Readonly<Record<string, unknown>>;

/**
 * Obeys a command, at once. What it returns goes back as JSON; what it throws goes back as an error, with its `code` if
 * it has one (see `badArguments`).
 */
export type Command<Io> = (args: CommandArguments, board: Io) => unknown;

/** Firmware. `Io` is the type of the object with which it reads sensors and moves things: the host's and the firmware's affair. */
export interface DeviceDefinition<Io = unknown> {
  /** Client identifier and name in topics: no `/`, `+`, `#`. The host may give another. */
  id: string;
  /** What every topic begins with; `{id}` stands for the id. Default "devices/{id}". */
  root?: string | undefined;
  /** Of telemetry: "json" (default) or "cbor". */
  format?: 'json' | 'cbor' | undefined;
  /** Of telemetry, 0 to 2; default 1. */
  qos?: number | undefined;
  metrics?: Readonly<Record<string, MetricDefinition<Io>>> | undefined;
  commands?: Readonly<Record<string, Command<Io>>> | undefined;
  /** What else the birth message tells, as JSON: versions, serial numbers. Asked at each connection. */
  status?: ((board: Io) => unknown) | undefined;
  /** A message goes out when its oldest sample is this old, milliseconds; default 0: that is no reason. */
  batchMs?: number | undefined;
  /** A message goes out when so many samples wait; default 1, and 0 (no reason) with `batchMs`. */
  batchSamples?: number | undefined;
  /** Samples that wait while there is no connection, 1 to 65,535, 13 bytes each; default 64. The oldest give way. */
  offlineSamples?: number | undefined;
  /** 0 (off) to 65,535; default 60. */
  keepAliveSeconds?: number | undefined;
  /** Seconds the session outlives its connection, 4,294,967,295 for ever; default 3,600. In 3.1.1: 0, or for ever. */
  sessionExpirySeconds?: number | undefined;
  /** 5.0: seconds after which the server need not deliver telemetry any more; default 0: for ever. */
  messageExpirySeconds?: number | undefined;
  /** 5.0: seconds the server waits with "offline" for the device to come back; default 5. */
  willDelaySeconds?: number | undefined;
}

const FIELDS = [
  'id',
  'root',
  'format',
  'qos',
  'metrics',
  'commands',
  'status',
  'batchMs',
  'batchSamples',
  'offlineSamples',
  'keepAliveSeconds',
  'sessionExpirySeconds',
  'messageExpirySeconds',
  'willDelaySeconds',
];
const METRIC_FIELDS = ['unit', 'everyMs', 'deadband', 'maxSilenceMs', 'digits', 'enabled', 'read'];

/** Throws ERR_INVALID_ARGUMENT unless `value` is an object that is no array. */
export function checkObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  check(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    'ERR_INVALID_ARGUMENT',
    name + ' must be an object',
  );
  return value as Record<string, unknown>;
}

/** Throws ERR_INVALID_ARGUMENT when `object` has a field that is not in `fields`: mistyped ones must not pass for absent. */
export function checkFields(
  object: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  name: string,
): void {
  const keys = Object.keys(object);
  for (let i = 0; i < keys.length; i++) {
    check(
      fields.includes(keys[i]),
      'ERR_INVALID_ARGUMENT',
      name + ' must not have a field ' + keys[i] + ', only ' + fields.join(', '),
    );
  }
}

/** Throws ERR_OUT_OF_RANGE unless `value` is a number that is neither negative nor infinite. */
function checkNotNegative(value: unknown, name: string): void {
  check(
    typeof value === 'number' && value >= 0 && value < Infinity,
    'ERR_OUT_OF_RANGE',
    name + ' must be a number not below 0, not ' + String(value),
  );
}

/** Throws ERR_INVALID_ARGUMENT unless `value` is true or false. */
function checkFlag(value: unknown, name: string): void {
  check(
    value === true || value === false,
    'ERR_INVALID_ARGUMENT',
    name + ' must be true or false, not ' + String(value),
  );
}

/** Checks an integer that may be left out. */
function checkOptional(value: unknown, min: number, max: number, name: string): void {
  if (value !== undefined) checkInteger(value as number, min, max, name);
}

/** Checks what configuration may change of a metric; `everyMsMin` is the shortest time it may ask for. */
export function checkMetricSettings(
  metric: Readonly<Record<string, unknown>>,
  everyMsMin: number,
  name: string,
): void {
  checkOptional(metric['everyMs'], everyMsMin, EVERY_MS_MAX, name + '.everyMs');
  if (metric['deadband'] !== undefined) checkNotNegative(metric['deadband'], name + '.deadband');
  checkOptional(metric['maxSilenceMs'], 0, EVERY_MS_MAX, name + '.maxSilenceMs');
  if (metric['enabled'] !== undefined) checkFlag(metric['enabled'], name + '.enabled');
}

/** Checks what configuration may change of the whole device. */
export function checkBatchSettings(settings: Readonly<Record<string, unknown>>, prefix: string): void {
  checkOptional(settings['batchMs'], 0, EVERY_MS_MAX, prefix + 'batchMs');
  checkOptional(settings['batchSamples'], 0, SAMPLES_MAX, prefix + 'batchSamples');
}

/** Letters, digits, `_`, `-` and `.`: a name that is at home in topics, JSON and shells alike. */
function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    if (!isLetter && (code < 0x30 || code > 0x39) && code !== 0x5f && code !== 0x2d && code !== 0x2e)
      return false;
  }
  return name.length > 0 && name.length <= NAME_LENGTH_MAX;
}

function checkName(name: string, what: string): void {
  check(
    isName(name),
    'ERR_INVALID_ARGUMENT',
    what + ' must have names of 1 to 64 letters, digits, _, - and ., not "' + name + '"',
  );
}

/** Throws ERR_INVALID_TOPIC unless `id` can be one level of a Topic Name. */
export function checkId(id: unknown, name: string): void {
  check(
    typeof id === 'string' && id.length > 0 && !id.includes('/') && !id.includes('+') && !id.includes('#'),
    'ERR_INVALID_TOPIC',
    name + ' must be text without /, + and #',
  );
}

function checkMetric(value: unknown, name: string): void {
  const metric = checkObject(value, name);
  checkFields(metric, METRIC_FIELDS, name);
  checkInteger(metric['everyMs'] as number, EVERY_MS_MIN, EVERY_MS_MAX, name + '.everyMs');
  checkMetricSettings(metric, EVERY_MS_MIN, name);
  checkOptional(metric['digits'], 0, DIGITS_MAX, name + '.digits');
  const unit = metric['unit'];
  check(
    unit === undefined || (typeof unit === 'string' && unit.length <= NAME_LENGTH_MAX),
    'ERR_INVALID_ARGUMENT',
    name + '.unit must be text of 64 characters at most',
  );
  check(typeof metric['read'] === 'function', 'ERR_INVALID_ARGUMENT', name + '.read must be a function');
}

/** Throws a coded error that names the first field of a definition that is wrong, and the rule it breaks. */
export function checkDefinition(value: unknown): void {
  const definition = checkObject(value, 'the definition');
  checkFields(definition, FIELDS, 'the definition');
  checkId(definition['id'], 'id');
  const root = definition['root'];
  check(root === undefined || typeof root === 'string', 'ERR_INVALID_ARGUMENT', 'root must be a string');
  const format = definition['format'];
  check(
    format === undefined || format === 'json' || format === 'cbor',
    'ERR_INVALID_ARGUMENT',
    'format must be "json" or "cbor", not ' + String(format),
  );
  const metrics = definition['metrics'] === undefined ? {} : checkObject(definition['metrics'], 'metrics');
  const names = Object.keys(metrics);
  check(names.length <= METRICS_MAX, 'ERR_OUT_OF_RANGE', 'metrics must be 255 at most');
  for (let i = 0; i < names.length; i++) {
    checkName(names[i], 'metrics');
    check(names[i] !== 'age', 'ERR_INVALID_ARGUMENT', 'metrics must not be named age: samples have that');
    checkMetric(metrics[names[i]], 'metrics.' + names[i]);
  }
  const commands =
    definition['commands'] === undefined ? {} : checkObject(definition['commands'], 'commands');
  const verbs = Object.keys(commands);
  for (let i = 0; i < verbs.length; i++) {
    checkName(verbs[i], 'commands');
    check(
      typeof commands[verbs[i]] === 'function',
      'ERR_INVALID_ARGUMENT',
      'commands.' + verbs[i] + ' must be a function',
    );
  }
  const status = definition['status'];
  check(
    status === undefined || typeof status === 'function',
    'ERR_INVALID_ARGUMENT',
    'status must be a function',
  );
  checkBatchSettings(definition, '');
  checkOptional(definition['qos'], 0, 2, 'qos');
  checkOptional(definition['offlineSamples'], 1, SAMPLES_MAX, 'offlineSamples');
  checkOptional(definition['keepAliveSeconds'], 0, TWO_BYTE_INTEGER_MAX, 'keepAliveSeconds');
  checkOptional(definition['sessionExpirySeconds'], 0, FOUR_BYTE_INTEGER_MAX, 'sessionExpirySeconds');
  checkOptional(definition['messageExpirySeconds'], 0, FOUR_BYTE_INTEGER_MAX, 'messageExpirySeconds');
  checkOptional(definition['willDelaySeconds'], 0, FOUR_BYTE_INTEGER_MAX, 'willDelaySeconds');
}

/**
 * What a firmware file exports: the definition as it is, once it is checked. Throws a coded error that names the first
 * field that is wrong and the rule it breaks.
 */
export function defineDevice<Io>(definition: DeviceDefinition<Io>): DeviceDefinition<Io> {
  checkDefinition(definition);
  return definition;
}

/** For commands to throw: an error with the code ERR_BAD_ARGUMENTS; `message` says what was expected. */
export function badArguments(message: string): Error {
  return codedError('ERR_BAD_ARGUMENTS', message);
}
