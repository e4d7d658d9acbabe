/**
 * The options of the ECMA-419 MQTT client class: what they may be, and what session they ask for.
 */
import type { LineOptions } from '../../src/line.ts';
import { V3_1_1 } from '../../src/packets/types.ts';
import type { ReconnectOptions, WillOptions } from '../../src/session/options.ts';
import { checkArgument, textOf, viewOf } from './mqtt-bytes.ts';
import type { Bytes } from './mqtt-bytes.ts';
import type { Properties } from './mqtt-properties.ts';

/** What `onReadable` is told of a message; later fragments have `more` alone. */
export interface Readable {
  /** Whether bytes of this message follow in further calls. */
  more: boolean;
  topic?: string;
  /** Of the whole payload. */
  byteLength?: number;
  QoS?: number;
  retain?: boolean;
  /** The server has sent it before, and may have got no answer. */
  duplicate?: boolean;
  /** With `manualAcknowledgement` and QoS 1 or 2: what `write` of PUBACK takes. */
  id?: number;
  properties?: Properties | undefined;
}

/** What `onControl` is told. */
export interface Control {
  /** MQTTClient.CONNACK and so on; PUBLISH, SUBSCRIBE, UNSUBSCRIBE for one that failed without an answer: see `error`. */
  operation: number;
  /** As given to `write`, or the Packet Identifier. */
  id?: number;
  /** CONNACK: 0, or why the server refused. */
  returnCode?: number;
  /** CONNACK: whether the server had kept the session. */
  sessionPresent?: boolean;
  /** 5.0. */
  reasonCode?: number;
  /** SUBACK, and 5.0's UNSUBACK: a reason code for each item. */
  payload?: number[];
  /** 5.0. */
  properties?: Properties | undefined;
  /** DISCONNECT: milliseconds until the next attempt, -1 for none. */
  reconnectInMs?: number;
  /** Why it failed, or the connection ended. */
  error?: Error | undefined;
}

/** What `onError` is told: nothing in it is needed to go on, for the client is closed already. */
export interface ClientError extends Error {
  /** Stable, upper-case. */
  code: string;
  /** The server's reason, in 3.1.1 the return code of CONNACK; 0 for none. */
  reasonCode: number;
  /** What the socket or the resolver said, if it said something. */
  cause?: unknown;
}

/** What is in a `subscribe` or `unsubscribe`. */
export interface Item {
  topic: string | Bytes;
  QoS?: number;
  /** 5.0, as are the next two. */
  noLocal?: boolean;
  retainAsPublished?: boolean;
  retainHandling?: number;
}

export interface WriteOptions {
  /** MQTTClient.PUBLISH unless given. */
  operation?: number;
  topic?: string | Bytes;
  QoS?: number;
  retain?: boolean | number;
  /** Sent before by an earlier client, with the same id. With `reconnect` the session knows for itself. */
  duplicate?: boolean;
  /** What onControl will call it, 1 to 65,535. */
  id?: number;
  /** Of the whole payload, when the data is only its beginning. */
  byteLength?: number;
  items?: Item[];
  /** DISCONNECT, 5.0. */
  reasonCode?: number;
  /** 5.0: of PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT. */
  properties?: Properties;
}

export interface Will {
  topic: string | Bytes;
  message?: string | Bytes;
  QoS?: number;
  retain?: boolean | number;
  /** 5.0. */
  properties?: Properties;
}

/** Bytes of storage, for the life of the client. */
export interface BufferSizes {
  /** Received bytes; a longer message is read in fragments. 64 or more, default 1,024. */
  receive?: number;
  /** Bytes to be sent; must hold CONNECT. 64 or more, default 1,024. */
  transmit?: number;
  /** With `reconnect`: QoS 1 and 2 messages until they are acknowledged, 24 each and their own. Default 2,048. */
  outbox?: number;
  /** With `reconnect`: what the outbox may grow to for a while, when that is too little. Default 65,536. */
  outboxMax?: number;
}

export interface ClientOptions<Client> {
  host: string;
  /** Default 1883. */
  port?: number;
  /** Default "". */
  id?: string;
  /** Default true. */
  clean?: boolean;
  /** Milliseconds; default 0, off. */
  keepAlive?: number;
  /** The name it had before. */
  keepalive?: number;
  user?: string | Bytes | null;
  password?: string | Bytes | null;
  will?: Will | null;
  format?: string;
  target?: unknown;
  dns: Record<string, unknown>;
  socket: Record<string, unknown>;

  onReadable?: (this: Client, count: number, options: Readable) => void;
  onWritable?: (this: Client, count: number) => void;
  onControl?: (this: Client, message: Control) => void;
  onError?: (this: Client, error: ClientError) => void;
  onClose?: (this: Client) => void;

  /** 5 for MQTT 5, 4 for 3.1.1; not given: 3.1.1, and refusals are onError's alone. */
  protocol?: number;
  /** 5.0: of CONNECT. */
  properties?: Properties;
  /** Connect again by itself; default false. */
  reconnect?: boolean | ReconnectOptions;
  /** Received QoS 1 and 2 are acknowledged by `write` of PUBACK, not once they are read; default false. */
  manualAcknowledgement?: boolean;
  /** Milliseconds from the start until CONNACK; default 30,000. */
  connectTimeout?: number;
  buffers?: BufferSizes;
}

const RECEIVE_BYTES = 1024;
const TRANSMIT_BYTES = 1024;
const OUTBOX_BYTES = 2048;
export const OUTBOX_BYTES_MAX = 65536;
const SUBSCRIPTION_BYTES = 64;
/** QoS 1 and 2 in flight: what is not used costs nothing. */
const INFLIGHT_MAX = 128;
const CONNECT_TIMEOUT_MS = 30000;

/** What the session calls the properties of CONNECT, and those of the will. */
const CONNECT_OPTIONS: Record<string, string | undefined> = {
  sessionExpiryInterval: 'sessionExpirySeconds',
  receiveMaximum: 'receiveMaximum',
  maximumPacketSize: 'maximumPacketSize',
  topicAliasMaximum: 'topicAliasMaximum',
  requestResponseInformation: 'requestResponseInformation',
  requestProblemInformation: 'requestProblemInformation',
  userProperties: 'userProperties',
};
const WILL_OPTIONS: Record<string, string | undefined> = {
  willDelayInterval: 'willDelaySeconds',
  messageExpiryInterval: 'messageExpirySeconds',
  payloadFormatIndicator: 'payloadFormatIndicator',
  contentType: 'contentType',
  responseTopic: 'responseTopic',
  correlationData: 'correlationData',
  userProperties: 'userProperties',
};

/** Puts properties under the session's names into `options`. */
function addProperties(
  options: object,
  properties: Properties | undefined,
  names: Record<string, string | undefined>,
): void {
  for (const name in properties) {
    const option = names[name];
    checkArgument(option !== undefined, 'there is no property ' + name + ' there');
    let value: unknown = properties[name];
    if (name === 'correlationData') value = viewOf(value as Bytes);
    // The standard counts requests in 0 and 1.
    else if (name.startsWith('request')) value = Boolean(value);
    (options as Record<string, unknown>)[option as string] = value;
  }
}

function willOf(will: Will): WillOptions {
  const options: WillOptions = {
    topicName: textOf(will.topic),
    payload: typeof will.message === 'string' ? will.message : viewOf(will.message),
    qos: will.QoS,
    retain: Boolean(will.retain),
  };
  addProperties(options, will.properties, WILL_OPTIONS);
  return options;
}

/** The session that these options ask for. Throws when one is missing; what is wrong the session finds. */
export function makeLineOptions<Client>(options: ClientOptions<Client>): LineOptions {
  checkArgument(Boolean(options.host), 'host required');
  const sizes = options.buffers ?? {};
  const reconnect = options.reconnect;
  const password = options.password || undefined;
  const lineOptions: LineOptions = {
    buffers: {
      receive: new Uint8Array(sizes.receive ?? RECEIVE_BYTES),
      transmit: new Uint8Array(sizes.transmit ?? TRANSMIT_BYTES),
      // Without another connection nothing is sent again, and nothing is kept for that.
      outbox: new Uint8Array(reconnect ? (sizes.outbox ?? OUTBOX_BYTES) : 0),
      subscriptions: new Uint8Array(SUBSCRIPTION_BYTES),
    },
    protocolVersion: options.protocol ?? V3_1_1,
    clientId: options.id,
    cleanStart: options.clean,
    keepAliveSeconds: Math.ceil((options.keepAlive ?? options.keepalive ?? 0) / 1000),
    userName: options.user ? textOf(options.user) : undefined,
    password: password === undefined || typeof password === 'string' ? password : viewOf(password),
    will: options.will ? willOf(options.will) : undefined,
    inflightMax: INFLIGHT_MAX,
    queueQos0: false,
    manualAcknowledgement: options.manualAcknowledgement,
    connectTimeoutMs: options.connectTimeout ?? CONNECT_TIMEOUT_MS,
    reconnect: reconnect ? (reconnect === true ? {} : reconnect) : false,
  };
  addProperties(lineOptions, options.properties, CONNECT_OPTIONS);
  return lineOptions;
}
