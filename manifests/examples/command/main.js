/**
 * A device that obeys: it answers requests (MQTT 5: Response Topic and Correlation Data), and takes images of any length
 * with 2 KB of buffers, for a message longer than the window comes in pieces.
 *
 *   devices/{id}/request/{name}   in   uptime, memory, blink
 *   devices/{id}/image            in   bytes
 *   devices/{id}/reply            out  answers, for requests without a Response Topic
 */
import config from 'mc/config';
import Time from 'time';
import {
  CallbackClient,
  ModdableBoard,
  P_CORRELATION_DATA,
  P_RESPONSE_TOPIC,
  PropertyWriter,
} from 'motemq/core';
import network from 'motemq/network';
import addressOf from 'broker-address';
import ImageReader from 'image-reader';

const ROOT = `devices/${config.id}`;
const REQUEST = `${ROOT}/request/`;
const IMAGE = `${ROOT}/image`;

const board = new ModdableBoard({ ...device.network.mqtt, ...addressOf(config.broker) });
let blinks = 0;
let image;

/** What a request is answered with. Throws for one that nobody knows. */
function obey(name, text) {
  switch (name) {
    case 'uptime':
      return { ms: board.nowMs() };
    case 'ticks':
      return { ticks: Time.ticks };
    case 'blink':
      blinks += Number(text || 1);
      return { blinks };
    default:
      throw new Error(`no request ${name}`);
  }
}

/** The message's Response Topic, or undefined; what `at` finds is a copy of its Correlation Data. */
function responseOf({ packet, bytes }) {
  const bytesOf = (row) => bytes.slice(packet.values[row], packet.values[row] + packet.byteLengths[row]);
  const properties = new PropertyWriter(new Uint8Array(64));
  if (packet.has(P_CORRELATION_DATA)) properties.addBytes(P_CORRELATION_DATA, bytesOf(P_CORRELATION_DATA));
  const topic = packet.has(P_RESPONSE_TOPIC) ? bytesOf(P_RESPONSE_TOPIC) : undefined;
  return { topic, properties };
}

function reply({ topic, properties }, answer) {
  const payload = new Uint8Array(ArrayBuffer.fromString(JSON.stringify(answer)));
  const topicName = topic ?? new Uint8Array(ArrayBuffer.fromString(`${ROOT}/reply`));
  client.session.publishTo(topicName, payload, payload.length, 1, 0, properties, board.nowMs());
  client.run();
}

function handleRequest(name, message) {
  const response = responseOf(message.event);
  try {
    reply(response, { ok: true, result: obey(name, message.text()) });
  } catch (error) {
    reply(response, { ok: false, error: error.message });
  }
}

/** One piece of an image; its first has a topic and properties, the others have not. */
function handleImage(message) {
  const { event } = message;
  if (event.fragmentOffset === 0) image = { reader: new ImageReader(), response: responseOf(event) };
  try {
    image.reader.add(event.fragmentOffset, message.payload());
    if (event.isLast) reply(image.response, { ok: true, result: image.reader.finish() });
  } catch (error) {
    trace(`${error.message}\n`);
  }
}

const client = new CallbackClient(board, {
  clientId: config.id,
  cleanStart: false,
  sessionExpirySeconds: 3600,
  receiveBytes: 1024,
  transmitBytes: 384,
  outboxBytes: 512,
  subscriptionBytes: 128,
  will: { topicName: `${ROOT}/status`, payload: 'offline', retain: true },
  onConnected({ sessionPresent }) {
    trace(`connected, session ${sessionPresent ? 'kept' : 'new'}\n`);
    client.publishTo(`${ROOT}/status`, 'online', 1, true);
  },
  onDisconnected({ reconnectInMs }) {
    trace(`disconnected, again in ${reconnectInMs} ms\n`);
  },
  onMessage(message) {
    // Later pieces have no topic: only images have pieces.
    const topicName = message.topicName();
    if (topicName.startsWith(REQUEST)) handleRequest(topicName.slice(REQUEST.length), message);
    else handleImage(message);
  },
});

// Subscribed once: the session makes the subscriptions again where the server has lost them.
client.subscribe(`${REQUEST}+`, 1);
client.subscribe(IMAGE, 1);
client.connect();
network.add(client);
