/**
 * A topic prepared for publishing again and again: name, QoS, retain and properties are encoded once, and a publish
 * allocates nothing.
 */
import { ArgumentError } from './errors.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import type { PublishResult } from './options.ts';
import type { Payload } from './payload.ts';

/** What a topic needs of its client. */
export interface TopicHost {
  /** Publishes; returns the ticket or 0. Throws PublishError. */
  publishNow(handle: TopicHandle, payload: Uint8Array, byteLength: number, topic: Topic): number;
  /** Publishes; settles with the QoS's completion. */
  publishSettled(handle: TopicHandle, payload: Payload, topic: Topic): Promise<PublishResult>;
}

export class Topic {
  readonly topicName: string;
  readonly qos: number;
  readonly retain: number;
  /** @internal */
  readonly properties: PropertyWriter | null;
  private readonly host: TopicHost;
  private readonly handle: TopicHandle;

  constructor(
    host: TopicHost,
    handle: TopicHandle,
    topicName: string,
    qos: number,
    retain: boolean,
    properties: PropertyWriter | null,
  ) {
    this.host = host;
    this.handle = handle;
    this.topicName = topicName;
    this.qos = qos;
    this.retain = retain ? 1 : 0;
    this.properties = properties;
  }

  /**
   * Publishes the first `byteLength` bytes of `payload` (default: all), copied before the call returns, and allocates
   * nothing. QoS 1 and 2 are delivered in the background; `client.whenDrained` waits for them. Throws PublishError when
   * the message is not taken on, and ArgumentError for a `byteLength` that the payload does not have.
   */
  publish(payload: Uint8Array, byteLength: number = payload.length): void {
    if (!Number.isInteger(byteLength) || byteLength < 0 || byteLength > payload.length) {
      throw new ArgumentError('ERR_OUT_OF_RANGE', 'byteLength must be from 0 to the length of payload');
    }
    this.host.publishNow(this.handle, payload, byteLength, this);
  }

  /** Like the client's `publish`: resolves at the completion of the QoS. */
  publishSettled(payload: Payload): Promise<PublishResult> {
    return this.host.publishSettled(this.handle, payload, this);
  }
}
