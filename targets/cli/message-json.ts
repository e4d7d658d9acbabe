/**
 * A received message as JSON: mosquitto_sub's %j and %J, and our own `--json`. Knows nothing of format strings.
 */
import { toHex, type PropertiesObject } from '../../src/packets/inspect.ts';
import { strftime, zoneOffset } from './strftime.ts';

/** What can be printed of a message: the client's Message is one. */
export interface PrintableMessage {
  readonly topicName: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 or absent at QoS 0. */
  readonly packetId?: number | undefined;
  readonly properties: PrintableProperties;
}

/** The properties a PUBLISH can have. */
export interface PrintableProperties {
  readonly payloadFormatIndicator?: number | undefined;
  readonly messageExpiryInterval?: number | undefined;
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  readonly subscriptionIdentifiers?: readonly number[] | undefined;
  readonly topicAlias?: number | undefined;
  readonly userProperties?: readonly (readonly [string, string])[] | undefined;
}

/** When a message was printed. */
export interface Moment {
  readonly date: Date;
  /** Of the second that `date` is in. */
  readonly nanoseconds: number;
}

const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** The bytes as text, or undefined when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The moment it is, as finely as this machine tells. */
export function now(): Moment {
  const epochMs = performance.timeOrigin + performance.now();
  return {
    date: new Date(epochMs),
    nanoseconds: Math.floor((((epochMs % 1000) + 1000) % 1000) * 1e6),
  };
}

function microseconds(moment: Moment): string {
  return String(Math.floor(moment.nanoseconds / 1000)).padStart(6, '0');
}

/** `{"key":value,…}` from values that are JSON already; unlike an object's, keys may come twice. */
function toObject(pairs: readonly (readonly [string, string | number])[]): string {
  return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}

function mosquittoProperties(properties: PrintableProperties): string | undefined {
  const pairs: [string, string | number][] = [];
  const add = (key: string, value: string | number | undefined): void => {
    if (value !== undefined) pairs.push([key, JSON.stringify(value)]);
  };
  add('payload-format-indicator', properties.payloadFormatIndicator);
  add('message-expiry-interval', properties.messageExpiryInterval);
  add('content-type', properties.contentType);
  add('response-topic', properties.responseTopic);
  add('correlation-data', properties.correlationData && lossy.decode(properties.correlationData));
  for (const identifier of properties.subscriptionIdentifiers ?? []) {
    add('subscription-identifier', identifier);
  }
  add('topic-alias', properties.topicAlias);
  const user = properties.userProperties ?? [];
  if (user.length > 0) {
    pairs.push(['user-properties', toObject(user.map(([key, value]) => [key, JSON.stringify(value)]))]);
  }
  return pairs.length > 0 ? toObject(pairs) : undefined;
}

/** JSON without white space and with its strings as short as can be; numbers stay as they were written. */
function minify(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (token) =>
    token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : '',
  );
}

/** JSON over several lines, as mosquitto_sub --pretty lays it out. `json` is minified. */
export function prettify(json: string): string {
  const pieces: string[] = [];
  const open: string[] = [];
  const isInObject = (): boolean => open.at(-1) === '{';
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^[\]{},:"]+/g)) {
    if (token === '{') {
      open.push(token);
      pieces.push(`{\n${'\t'.repeat(open.length)}`);
    } else if (token === '}') {
      open.pop();
      // An object without members has its line end already.
      const isEmpty = pieces.at(-1)?.startsWith('{') === true;
      if (isEmpty) pieces[pieces.length - 1] = '{';
      pieces.push(`\n${'\t'.repeat(open.length)}}`);
    } else if (token === '[') {
      open.push(token);
      pieces.push(token);
    } else if (token === ']') {
      open.pop();
      pieces.push(token);
    } else if (token === ',') {
      pieces.push(isInObject() ? `,\n${'\t'.repeat(open.length)}` : ', ');
    } else if (token === ':') {
      pieces.push(':\t');
    } else {
      pieces.push(token);
    }
  }
  return pieces.join('');
}

/**
 * What %j prints, or with `isPayloadJson` what %J prints: undefined then, when the payload is not JSON. The payload is
 * text, in which bytes that are no UTF-8 have become U+FFFD.
 */
export function mosquittoJson(
  message: PrintableMessage,
  moment: Moment,
  { isPayloadJson, pretty }: { readonly isPayloadJson: boolean; readonly pretty: boolean },
): string | undefined {
  const { payload } = message;
  let payloadJson = 'null';
  if (payload.length > 0 && !isPayloadJson) {
    payloadJson = JSON.stringify(lossy.decode(payload));
  } else if (payload.length > 0) {
    const text = textOf(payload);
    if (text === undefined) return undefined;
    try {
      JSON.parse(text);
    } catch {
      return undefined;
    }
    payloadJson = minify(text);
  }
  const time = `${strftime('F', moment.date)}T${strftime('T', moment.date)}.${microseconds(moment)}`;
  const properties = mosquittoProperties(message.properties);
  const json = toObject([
    ['tst', JSON.stringify(time + zoneOffset(moment.date))],
    ['topic', JSON.stringify(message.topicName)],
    ['qos', message.qos],
    ['retain', message.retain ? 1 : 0],
    ['payloadlen', payload.length],
    ...(message.qos > 0 ? [['mid', message.packetId ?? 0] as const] : []),
    ...(properties === undefined ? [] : [['properties', properties] as const]),
    ['payload', payloadJson],
  ]);
  return pretty ? prettify(json) : json;
}

/** The properties as `motemq decode` prints them. */
function propertiesObject(properties: PrintableProperties): PropertiesObject {
  const { correlationData, subscriptionIdentifiers, userProperties } = properties;
  return {
    payloadFormatIndicator: properties.payloadFormatIndicator,
    messageExpiryInterval: properties.messageExpiryInterval,
    contentType: properties.contentType,
    responseTopic: properties.responseTopic,
    correlationData: correlationData && toHex(correlationData),
    subscriptionIdentifiers:
      subscriptionIdentifiers && subscriptionIdentifiers.length > 0
        ? [...subscriptionIdentifiers]
        : undefined,
    topicAlias: properties.topicAlias,
    userProperties:
      userProperties && userProperties.length > 0
        ? userProperties.map(([key, value]): [string, string] => [key, value])
        : undefined,
  };
}

/** What `--json` prints, without the line end: one line, valid whatever the payload is, and nothing of it lost. */
export function jsonLine(message: PrintableMessage, moment: Moment): string {
  const { topicName, payload, qos, retain, dup } = message;
  const text = textOf(payload);
  return JSON.stringify({
    topic: topicName,
    ...(text === undefined ? { payloadHex: toHex(payload) } : { payload: text }),
    qos,
    retain,
    dup,
    properties: propertiesObject(message.properties),
    // In UTC, to microseconds.
    tst: `${moment.date.toISOString().slice(0, 19)}.${microseconds(moment)}Z`,
  });
}
