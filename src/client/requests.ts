/**
 * Request and response (4.10) over publish and subscribe.
 */
import { check } from '../assert.ts';
import { encodeTopicName } from '../session/options.ts';
import { MotemqError, TimeoutError, typed, typedError } from './errors.ts';
import type { Message } from './message.ts';
import type { Connack, PublishOptions, PublishResult, SubscribeOptions } from './options.ts';
import type { Payload } from './payload.ts';
import type { Platform } from './platform.ts';
import type { MessageListener, Subscription } from './subscription.ts';

export interface RequestOptions extends Omit<PublishOptions, 'responseTopic' | 'correlationData'> {
  /** Milliseconds to wait for the answer; default 10,000. */
  timeoutMs?: number | undefined;
  /** Gives up when it aborts, with its reason. */
  signal?: AbortSignal | undefined;
  /** 3.1.1: where the answer will be published. 5.0: instead of a topic of the client's own. */
  replyTopic?: string | undefined;
}

/** Makes the answer to a request. */
export type Responder = (request: Message) => Payload | Promise<Payload>;

export interface RespondOptions {
  /** QoS of subscription and answers; default 1. */
  qos?: 0 | 1 | 2 | undefined;
  /** 3.1.1, and requests without a response topic: where the answer goes. */
  replyTopic?: string | ((request: Message) => string) | undefined;
}

interface Waiting {
  topicName: string;
  resolve(message: Message): void;
  reject(error: Error): void;
}

/** What requests need of their client. */
export interface RequestHost {
  readonly isV5: boolean;
  readonly clientId: string;
  readonly connack: Connack | undefined;
  publish(topicName: string, payload: Payload, options: PublishOptions): Promise<PublishResult>;
  subscribe(topicFilter: string, options: SubscribeOptions, listener: MessageListener): Promise<Subscription>;
  report(error: Error): void;
  /** `isWaiting` may have changed. */
  balance(): void;
}

export class Requests {
  private readonly client: RequestHost;
  private readonly platform: Platform;
  /** By correlation data, as hex. */
  private readonly waiting = new Map<string, Waiting>();
  /** 3.1.1: the oldest request on a reply topic gets the first answer. */
  private readonly byTopic = new Map<string, Waiting[]>();
  private readonly replies = new Map<string, Promise<Subscription>>();
  private ownTopic: string | undefined = undefined;
  private waitingCount = 0;
  private nextNumber = 1;

  constructor(client: RequestHost, platform: Platform) {
    this.client = client;
    this.platform = platform;
  }

  /** Whether somebody waits for an answer. */
  get isWaiting(): boolean {
    return this.waitingCount > 0;
  }

  async request(topicName: string, payload: Payload, options: RequestOptions): Promise<Message> {
    const { timeoutMs = 10000, signal, replyTopic, ...publishOptions } = options;
    const { isV5 } = this.client;
    typed(() => {
      check(
        isV5 || replyTopic !== undefined,
        'ERR_UNSUPPORTED_ON_3_1_1',
        'a request on 3.1.1 needs options.replyTopic: response topics are MQTT 5.0',
      );
      check(timeoutMs >= 0, 'ERR_OUT_OF_RANGE', 'timeoutMs must not be below 0');
      if (replyTopic !== undefined) encodeTopicName(replyTopic, 'replyTopic');
      // Now, and not when the subscription for the answer is made.
      encodeTopicName(topicName, 'topicName');
    });
    signal?.throwIfAborted();
    const responseTopic = replyTopic ?? this.ownReplyTopic();
    const number = this.nextNumber++;
    const correlationData = correlationOf(number, this.platform.random());
    const key = isV5 ? hex(correlationData) : '';
    const answer = new Promise<Message>((resolve, reject) => {
      const waiting: Waiting = { topicName: responseTopic, resolve, reject };
      if (isV5) this.waiting.set(key, waiting);
      else this.queueOf(responseTopic).push(waiting);
      const timer = this.platform.setTimer(() => {
        this.forget(key, waiting);
        waiting.reject(
          new TimeoutError('ERR_REQUEST_TIMEOUT', `no answer to ${topicName} within ${String(timeoutMs)} ms`),
        );
      }, timeoutMs);
      const abort = (): void => {
        this.forget(key, waiting);
        waiting.reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.waitingCount++;
      let isSettled = false;
      const settled = (): void => {
        if (isSettled) return;
        isSettled = true;
        this.platform.clearTimer(timer);
        signal?.removeEventListener('abort', abort);
        this.waitingCount--;
        this.client.balance();
      };
      waiting.resolve = (message): void => {
        settled();
        resolve(message);
      };
      waiting.reject = (error): void => {
        settled();
        reject(error);
      };
      // The answer must find the subscription there.
      this.listen(responseTopic)
        .then(() =>
          this.client.publish(
            topicName,
            payload,
            isV5 ? { ...publishOptions, responseTopic, correlationData } : publishOptions,
          ),
        )
        .catch((error: unknown) => {
          this.forget(key, waiting);
          waiting.reject(error as Error);
        });
    });
    return answer;
  }

  respond(topicFilter: string, responder: Responder, options: RespondOptions): Promise<Subscription> {
    const qos = options.qos ?? 1;
    return this.client.subscribe(topicFilter, { qos }, (request) => {
      this.answer(request, responder, options, qos).catch((error: unknown) => {
        this.client.report(typedError(error) as Error);
      });
    });
  }

  /** Everybody who waits is told `error`. */
  fail(error: Error): void {
    for (const waiting of [...this.waiting.values(), ...[...this.byTopic.values()].flat()])
      waiting.reject(error);
    this.waiting.clear();
    this.byTopic.clear();
  }

  private async answer(
    request: Message,
    responder: Responder,
    options: RespondOptions,
    qos: 0 | 1 | 2,
  ): Promise<void> {
    const { replyTopic } = options;
    const fallback = typeof replyTopic === 'function' ? replyTopic(request) : replyTopic;
    const topicName = request.properties.responseTopic ?? fallback;
    if (topicName === undefined) {
      throw new MotemqError(
        'ERR_NO_RESPONSE_TOPIC',
        `a request on ${request.topicName} has no response topic`,
      );
    }
    const payload = await responder(request);
    const { correlationData } = request.properties;
    await this.client.publish(
      topicName,
      payload,
      correlationData === undefined ? { qos } : { qos, correlationData },
    );
  }

  /** Subscribes to a reply topic, once. */
  private listen(topicName: string): Promise<Subscription> {
    let listening = this.replies.get(topicName);
    if (listening === undefined) {
      listening = this.client.subscribe(topicName, { qos: 1 }, (message) => {
        this.handleReply(message);
      });
      this.replies.set(topicName, listening);
      listening.catch(() => this.replies.delete(topicName));
    }
    return listening;
  }

  private handleReply(message: Message): void {
    const { correlationData } = message.properties;
    if (!this.client.isV5) {
      this.byTopic.get(message.topicName)?.shift()?.resolve(message);
      return;
    }
    const key = correlationData === undefined ? '' : hex(correlationData);
    const waiting = this.waiting.get(key);
    if (waiting?.topicName !== message.topicName) return; // too late, or not for us
    this.waiting.delete(key);
    waiting.resolve(message);
  }

  private ownReplyTopic(): string {
    const given = this.client.connack?.properties.responseInformation;
    const unique = this.platform.random().toString(16).padStart(8, '0');
    const id = this.client.clientId.replace(/[+#/]/g, '_');
    this.ownTopic ??= `${given ?? 'motemq/reply'}/${id === '' ? 'client' : id}/${unique}`;
    return this.ownTopic;
  }

  private queueOf(topicName: string): Waiting[] {
    let queue = this.byTopic.get(topicName);
    if (queue === undefined) {
      queue = [];
      this.byTopic.set(topicName, queue);
    }
    return queue;
  }

  private forget(key: string, waiting: Waiting): void {
    this.waiting.delete(key);
    const queue = this.byTopic.get(waiting.topicName);
    const at = queue?.indexOf(waiting) ?? -1;
    if (at >= 0) queue?.splice(at, 1);
  }
}

/** Eight bytes that no other request of this client has: a number, and chance against those of an earlier life. */
function correlationOf(number: number, random: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, number);
  new DataView(bytes.buffer).setUint32(4, random);
  return bytes;
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
