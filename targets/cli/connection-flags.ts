/**
 * The options that mosquitto_pub and mosquitto_sub share: where to connect, as whom, with which will. From flags to
 * the client's options; the connection itself is made elsewhere.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { findWildcard } from '../../src/topic.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import type { ConnectOptions } from '../node/index.ts';
import { collectProperty } from './client-command.ts';
import { UsageError } from './exit-status.ts';
import { parseProperties, type Properties } from './property-flags.ts';
import { parseServerUrl, type Scheme } from './server-url.ts';
import { addTlsOptions, tlsOptions, wantsTls, type TlsFlags } from './tls-flags.ts';

/** As commander gives them. */
export interface ConnectionFlags extends TlsFlags {
  host?: string;
  port?: number;
  /** Not parsed by commander, which would show a password in its error. */
  url?: string;
  username?: string;
  pw?: string;
  id?: string;
  idPrefix?: string;
  keepalive: number;
  disableCleanSession?: true;
  sessionExpiryInterval?: number;
  protocolVersion?: '5.0' | '3.1.1';
  property?: string[][];
  qos: 0 | 1 | 2;
  M?: number;
  debug?: true;
  quiet?: true;
  willTopic?: string;
  willPayload?: string;
  willQos?: 0 | 1 | 2;
  willRetain?: true;
}

/** All that is needed to connect, and to talk about it. */
export interface ConnectionPlan {
  /** Without user name and password. */
  readonly url: string;
  /** The topic in -L's URL. */
  readonly topic: string | undefined;
  /** `host:port`, for people. */
  readonly where: string;
  readonly isTls: boolean;
  readonly options: ConnectOptions;
  readonly properties: Properties;
}

const PORTS: Record<Scheme, number> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };
const TLS_PORT = 8883;
const FOR_EVER = 0xffffffff;

/** What mosquitto's clients can do and this cannot: [flags, why]. */
const UNSUPPORTED: [string, string][] = [
  ['-A <address>', 'the operating system chooses the address to connect from'],
  ['-S', 'there are no SRV lookups'],
  ['--unix <path>', 'only TCP, TLS and WebSocket are there'],
  ['--proxy <url>', 'there are no proxies'],
  ['--psk <key>', 'TLS is by certificates only'],
  ['--psk-identity <identity>', 'TLS is by certificates only'],
  ['--tls-engine <engine>', 'keys are PEM files'],
  ['--tls-engine-kpass-sha1 <hash>', 'keys are PEM files'],
];

/** A parser for whole numbers within bounds. */
export function integerFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Infinity
        ? `It must be a whole number from ${min} on.`
        : `It must be a whole number from ${min} to ${max}.`,
    );
  };
}

/** A parser for the protocol's version, as mosquitto's clients write it. */
export function parseProtocol(word: string): '5.0' | '3.1.1' {
  if (['5', 'mqttv5', '5.0'].includes(word)) return '5.0';
  if (['311', 'mqttv311', '3.1.1'].includes(word)) return '3.1.1';
  if (['31', 'mqttv31'].includes(word)) throw new InvalidArgumentError('MQTT 3.1 is not supported.');
  throw new InvalidArgumentError('It must be 5, mqttv5, 311 or mqttv311.');
}

/** Seconds, also as 0x…; -1 and ∞ are for ever. */
function parseSessionExpiry(text: string): number {
  if (text === '-1' || text === '∞') return FOR_EVER;
  const value = /^(\d+|0x[\da-f]+)$/i.test(text) ? Number(text) : NaN;
  if (value <= FOR_EVER) return value;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${FOR_EVER}, or -1 for ever.`);
}

function unsupported(flags: string, why: string): Option {
  return new Option(flags).hideHelp().argParser(() => {
    throw new InvalidArgumentError(`It is not supported: ${why}.`);
  });
}

/** Throws UsageError unless `topicName` may be published to. `what` names the flag. */
export function checkTopicName(topicName: string, what: string): void {
  const bytes = encodeUtf8(topicName);
  if (topicName === '' || bytes === undefined) {
    throw new UsageError(`${what}: a topic is at least one character long, and valid text`);
  }
  if (findWildcard(bytes, 0, bytes.length) >= 0) {
    throw new UsageError(`${what}: invalid topic '${topicName}': there is no publishing to + or #`);
  }
}

/** Adds the options to connect with; `qosMeaning` says what -q is for. */
export function addConnectionOptions(command: Command, qosMeaning: string): void {
  const qos = integerFrom(0, 2);
  command
    .optionsGroup('Connection:')
    .option('-h, --host <host>', 'broker to connect to (default: localhost)')
    .option('-p, --port <port>', 'its port (default: 1883, with TLS 8883)', integerFrom(1, 65535))
    .option(
      '-L, --url <url>',
      'all at once: mqtt(s)://[user[:password]@]host[:port]/topic, or for a WebSocket ws(s)://…/path',
    )
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password')
    .option('-i, --id <id>', 'client identifier (default: the broker assigns one)')
    .option('-I, --id-prefix <prefix>', 'client identifier is this and the process id')
    .addOption(
      new Option(
        '-V, --protocol-version <version>',
        '5 (or mqttv5) or 311 (or mqttv311); default: 5',
      ).argParser(parseProtocol),
    )
    .option('-k, --keepalive <seconds>', 'keep alive; 0 is off', integerFrom(0, 65535), 60)
    .option('-c, --disable-clean-session', 'go on with the session of this client identifier, and keep it')
    .addOption(
      new Option(
        '-x, --session-expiry-interval <seconds>',
        '5.0: how long the broker keeps the session; -1 for ever (default: 0, with -c for ever)',
      ).argParser(parseSessionExpiry),
    )
    .addOption(
      new Option(
        '-D, --property <command identifier value>',
        '5.0: a property of connect, publish, subscribe, unsubscribe, disconnect or will; a user-property has two values',
      ).argParser(collectProperty),
    )
    .option('-q, --qos <qos>', qosMeaning, qos, 0)
    .option('-M <count>', 'messages of QoS 1 and 2 on their way at a time', integerFrom(1, 65535))
    .option('-d, --debug', 'print every packet')
    .option('--quiet', 'print no errors')
    .addOption(new Option('--nodelay', 'always so here').hideHelp());
  command
    .optionsGroup('Will:')
    .option('--will-topic <topic>', 'what the broker publishes to when the connection breaks')
    .option('--will-payload <payload>', 'the message (default: an empty one)')
    .option('--will-qos <qos>', 'its QoS', qos)
    .option('--will-retain', 'have it retained');
  addTlsOptions(command);
  for (const [flags, why] of UNSUPPORTED) command.addOption(unsupported(flags, why));
}

function willOptions(flags: ConnectionFlags, properties: Properties): Pick<ConnectOptions, 'will'> {
  const { willTopic, willPayload, willQos, willRetain } = flags;
  const given = properties.will;
  if (willTopic === undefined) {
    const isWanted = willPayload !== undefined || willQos !== undefined || willRetain === true;
    if (isWanted || Object.keys(given).length > 0) {
      throw new UsageError('a will is given, but no --will-topic');
    }
    return {};
  }
  checkTopicName(willTopic, '--will-topic');
  if (given.responseTopic !== undefined) checkTopicName(given.responseTopic, '-D will response-topic');
  return {
    will: {
      topicName: willTopic,
      payload: willPayload ?? '',
      qos: willQos ?? 0,
      retain: willRetain ?? false,
      willDelaySeconds: given.willDelayInterval,
      messageExpirySeconds: given.messageExpiryInterval,
      payloadFormatIndicator: given.payloadFormatIndicator,
      contentType: given.contentType,
      responseTopic: given.responseTopic,
      correlationData: given.correlationData,
      userProperties: given.userProperties,
    },
  };
}

/** The options that only 5.0 has. */
function v5Options(flags: ConnectionFlags, properties: Properties): ConnectOptions {
  const given = properties.connect;
  if (given.sessionExpiryInterval !== undefined && flags.sessionExpiryInterval !== undefined) {
    throw new UsageError('-x and -D connect session-expiry-interval are the same');
  }
  const asked = flags.sessionExpiryInterval ?? given.sessionExpiryInterval;
  const sessionExpirySeconds = asked ?? (flags.disableCleanSession ? FOR_EVER : 0);
  if (sessionExpirySeconds === FOR_EVER && flags.id === undefined) {
    throw new UsageError('a session that never expires (-c, -x) needs a client identifier (-i)');
  }
  const { disconnect } = properties;
  if (disconnect.userProperties !== undefined || disconnect.reasonString !== undefined) {
    throw new UsageError('-D: of disconnect only session-expiry-interval is supported');
  }
  // A session that does not outlive its connection cannot be made to at its end (3.14.2.2.2).
  if (disconnect.sessionExpiryInterval && sessionExpirySeconds === 0) {
    throw new UsageError('-D disconnect session-expiry-interval needs a session that lasts (-c, -x)');
  }
  const { authenticationMethod: method, authenticationData = null } = given;
  if (method === undefined && authenticationData !== null) {
    throw new UsageError('-D: connect authentication-data needs an authentication-method');
  }
  return {
    sessionExpirySeconds: sessionExpirySeconds || undefined,
    receiveMaximum: given.receiveMaximum,
    maximumPacketSize: given.maximumPacketSize,
    // The broker may use aliases only when asked to, as with mosquitto's clients.
    topicAliasMaximum: given.topicAliasMaximum ?? 0,
    requestResponseInformation:
      given.requestResponseInformation === undefined ? undefined : given.requestResponseInformation === 1,
    requestProblemInformation:
      given.requestProblemInformation === undefined ? undefined : given.requestProblemInformation === 1,
    userProperties: given.userProperties,
    authentication:
      method === undefined
        ? undefined
        : {
            method,
            start: () => authenticationData,
            next: () => {
              throw new UsageError(`the broker wants more than ${method}'s first authentication-data`);
            },
          },
  };
}

/** What the flags mean. Reads certificate files. Throws UsageError for flags that contradict each other. */
export function planConnection(flags: ConnectionFlags): ConnectionPlan {
  const url = flags.url === undefined ? undefined : parseServerUrl(flags.url);
  const properties = parseProperties(flags.property ?? []);
  if (flags.property !== undefined && flags.protocolVersion === '3.1.1') {
    throw new UsageError('-D needs MQTT 5.0, and -V asks for 3.1.1');
  }
  if (flags.id !== undefined && flags.idPrefix !== undefined) {
    throw new UsageError('-i and -I cannot be used together');
  }
  const protocol = flags.protocolVersion ?? '5.0';
  if (protocol === '3.1.1' && flags.disableCleanSession && flags.id === undefined) {
    throw new UsageError('-c needs a client identifier (-i)');
  }

  const isTlsWanted = wantsTls(flags) || (flags.port ?? url?.port) === TLS_PORT;
  let scheme = url?.scheme ?? 'mqtt';
  if (isTlsWanted && scheme === 'mqtt') scheme = 'mqtts';
  if (isTlsWanted && scheme === 'ws') scheme = 'wss';
  const host = flags.host ?? url?.host ?? 'localhost';
  const port = flags.port ?? url?.port ?? PORTS[scheme];
  const hostInUrl = host.includes(':') ? `[${host}]` : host;
  const path = scheme === 'ws' || scheme === 'wss' ? (url?.path ?? '/mqtt') : '';
  const isTls = scheme === 'mqtts' || scheme === 'wss';

  const clientId = flags.idPrefix === undefined ? flags.id : `${flags.idPrefix}${process.pid}`;
  return {
    url: `${scheme}://${hostInUrl}:${port}${path}`,
    topic: url?.topic,
    where: `${hostInUrl}:${port}`,
    isTls,
    properties,
    options: {
      protocol,
      clientId,
      cleanStart: flags.disableCleanSession !== true,
      keepAliveSeconds: flags.keepalive,
      userName: flags.username ?? url?.userName,
      password: flags.pw ?? url?.password,
      inflightMax: flags.M,
      ...willOptions(flags, properties),
      ...(protocol === '5.0' && v5Options(flags, properties)),
      ...(isTls && { tls: tlsOptions(flags) }),
    },
  };
}
