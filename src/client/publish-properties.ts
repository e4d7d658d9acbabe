/**
 * The properties of publishes and subscriptions, from options to encoded bytes.
 */
import { check } from '../assert.ts';
import { PropertyWriter } from '../packets/properties.ts';
import {
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_RESPONSE_TOPIC,
} from '../packets/property-table.ts';
import { encodeTopicName, refuseOn311 } from '../session/options.ts';
import type { UserProperties } from '../session/options.ts';
import type { PublishOptions } from './options.ts';

function roomForPairs(pairs: UserProperties | undefined): number {
  let room = 0;
  for (const [key, value] of pairs ?? []) room += 5 + (key.length + value.length) * 3;
  return room;
}

function addPairs(writer: PropertyWriter, pairs: UserProperties | undefined): void {
  for (const [key, value] of pairs ?? []) {
    check(writer.addPair(key, value), 'ERR_INVALID_TEXT', 'userProperties must be pairs of valid strings');
  }
}

/** Encodes what `options` say; null when that is nothing. Throws coded errors; any at all on 3.1.1 is one. */
export function writePublishProperties(options: PublishOptions, isV5: boolean): PropertyWriter | null {
  const { messageExpirySeconds, payloadFormatIndicator, contentType, responseTopic, correlationData } =
    options;
  const { userProperties } = options;
  if (
    messageExpirySeconds === undefined &&
    payloadFormatIndicator === undefined &&
    contentType === undefined &&
    responseTopic === undefined &&
    correlationData === undefined &&
    (userProperties === undefined || (isV5 && userProperties.length === 0))
  ) {
    return null;
  }
  if (!isV5) refuseOn311('a publish property');
  const texts = ((contentType?.length ?? 0) + (responseTopic?.length ?? 0)) * 3;
  const room = 32 + texts + (correlationData?.length ?? 0) + roomForPairs(userProperties);
  const writer = new PropertyWriter(new Uint8Array(room));
  if (payloadFormatIndicator !== undefined) {
    const isGood = writer.addNumber(P_PAYLOAD_FORMAT_INDICATOR, payloadFormatIndicator);
    check(isGood, 'ERR_OUT_OF_RANGE', 'payloadFormatIndicator must be 0 or 1');
  }
  if (messageExpirySeconds !== undefined) {
    const isGood =
      Number.isInteger(messageExpirySeconds) &&
      writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, messageExpirySeconds);
    check(isGood, 'ERR_OUT_OF_RANGE', 'messageExpirySeconds must be an integer from 0 to 4,294,967,295');
  }
  if (contentType !== undefined) {
    check(
      writer.addText(P_CONTENT_TYPE, contentType),
      'ERR_INVALID_TEXT',
      'contentType must be a valid string',
    );
  }
  if (responseTopic !== undefined) {
    encodeTopicName(responseTopic, 'responseTopic'); // [MQTT-3.3.2-14]
    writer.addText(P_RESPONSE_TOPIC, responseTopic);
  }
  if (correlationData !== undefined) {
    const isGood = writer.addBytes(P_CORRELATION_DATA, correlationData);
    check(isGood, 'ERR_OUT_OF_RANGE', 'correlationData must be 65,535 bytes at most');
  }
  addPairs(writer, userProperties);
  return writer;
}

/** User properties alone, for SUBSCRIBE and UNSUBSCRIBE; null for none. */
export function makeUserProperties(pairs: UserProperties | undefined): PropertyWriter | null {
  if (pairs === undefined || pairs.length === 0) return null;
  const writer = new PropertyWriter(new Uint8Array(roomForPairs(pairs)));
  addPairs(writer, pairs);
  return writer;
}
