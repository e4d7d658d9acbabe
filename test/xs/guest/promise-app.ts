/**
 * The promise client in an XS machine, told from outside what to do.
 */
import type { Client } from '../../../src/client/client.ts';
import type { Message } from '../../../src/client/message.ts';
import type { RequestOptions, RespondOptions } from '../../../src/client/requests.ts';
import type { PublishOptions, SubscribeOptions } from '../../../src/client/options.ts';
import { connect, createClient } from '../../../targets/moddable/client.ts';
import type { ConnectOptions } from '../../../targets/moddable/client.ts';
import { obey, tell } from './remote.ts';

function tellMessage(message: Message): void {
  const { topicName, qos, retain } = message;
  tell('message', { topicName, qos, retain, text: message.text() });
}

export default function start(): void {
  let client: Client;
  const listen = (): void => {
    client.on('disconnect', ({ error, reconnectInMs }) => tell('disconnected', error?.code, reconnectInMs));
    client.on('connect', ({ sessionPresent }) => tell('connected', sessionPresent));
  };
  obey({
    async connect(url: string, options: ConnectOptions) {
      client = await connect(url, options);
      listen();
      return client.isConnected;
    },
    /** Does not wait for the connection. */
    create(url: string, options: ConnectOptions) {
      client = createClient(url, options);
      listen();
      return client.isConnected;
    },
    publish: (topic: string, payload: string, options: PublishOptions) =>
      client.publish(topic, payload, options),
    async subscribe(filter: string, options: SubscribeOptions) {
      const subscription = await client.subscribe(filter, options, tellMessage);
      return subscription.reasonCodes;
    },
    /** Takes so many messages from an iterator, one at a time, and unsubscribes. */
    async iterate(filter: string, count: number, options: SubscribeOptions) {
      const subscription = await client.subscribe(filter, options);
      tell('iterating');
      const texts: string[] = [];
      for await (const message of subscription) {
        texts.push(message.text());
        if (texts.length === count) break;
      }
      return texts;
    },
    unsubscribe: (filter: string) => client.unsubscribe(filter),
    async respond(filter: string, options: RespondOptions) {
      await client.respond(filter, (request) => request.text() + '!', options);
    },
    async request(topic: string, payload: string, options: RequestOptions) {
      const answer = await client.request(topic, payload, { timeoutMs: 10_000, ...options });
      return answer.text();
    },
    whenDrained: () => client.whenDrained(),
    disconnect: () => client.disconnect(),
    destroy: () => client.destroy(),
  });
}
