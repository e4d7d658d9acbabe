/**
 * A subscription as its owner holds it: an async iterator with a bounded buffer, or a listener.
 */
import type { Message } from './message.ts';

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  /** The buffer is full: no more messages for now; `false`: there is room again. */
  holdBack(subscription: Subscription, isFull: boolean): void;
  /** Takes the subscription off; resolves when the server has, or is not there. */
  release(subscription: Subscription): Promise<void>;
}

export type MessageListener = (message: Message) => void;

export class Subscription implements AsyncIterableIterator<Message, undefined, undefined> {
  readonly topicFilters: readonly string[];
  /** The server's reason code for each filter: the QoS granted. */
  readonly reasonCodes: readonly number[] = [];
  private readonly host: SubscriptionHost;
  private readonly listener: MessageListener | undefined;
  private readonly bufferedMax: number;
  private readonly buffered: Message[] = [];
  private readonly waiting: ((result: IteratorResult<Message, undefined>) => void)[] = [];
  private isEnded = false;
  private isFull = false;
  private failure: Error | undefined;

  constructor(
    host: SubscriptionHost,
    topicFilters: readonly string[],
    listener: MessageListener | undefined,
    bufferedMax: number,
  ) {
    this.host = host;
    this.topicFilters = topicFilters;
    this.listener = listener;
    this.bufferedMax = bufferedMax;
  }

  /** The next message; done once unsubscribed or the client is closed. */
  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.buffered.shift();
    if (message !== undefined) {
      if (this.isFull && this.buffered.length * 2 <= this.bufferedMax) {
        this.isFull = false;
        this.host.holdBack(this, false);
      }
      return Promise.resolve({ done: false, value: message });
    }
    if (this.failure !== undefined) {
      const error = this.failure;
      this.failure = undefined;
      return Promise.reject(error);
    }
    if (this.isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  /** Ends the iteration, and the subscription with it: what `break` in a `for await` does. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    await this.unsubscribe();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Resolves when the server has acknowledged, or at once while there is no connection. */
  async unsubscribe(): Promise<void> {
    if (this.isEnded) return;
    this.end(undefined);
    await this.host.release(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unsubscribe();
  }

  /** Hands on a message. For the client only. */
  deliver(message: Message): void {
    if (this.isEnded) return;
    if (this.listener !== undefined) {
      this.listener(message);
      return;
    }
    const waiting = this.waiting.shift();
    if (waiting !== undefined) {
      waiting({ done: false, value: message });
      return;
    }
    this.buffered.push(message);
    if (this.buffered.length >= this.bufferedMax && !this.isFull) {
      this.isFull = true;
      this.host.holdBack(this, true);
    }
  }

  /** Ends the iteration once what is buffered is read, with `failure` if there is one. For the client only. */
  end(failure: Error | undefined): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.failure = failure;
    if (this.isFull) {
      this.isFull = false;
      this.host.holdBack(this, false);
    }
    for (const waiting of this.waiting.splice(0)) waiting({ done: true, value: undefined });
  }
}
