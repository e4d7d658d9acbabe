/**
 * The promise client: publish, subscribe, request and respond over one session, on any platform.
 */
import { check, checkInteger } from '../assert.ts';
import { OK } from '../status.ts';
import { decodeText } from '../wire/text.ts';
import { byteLengthAt } from '../packets/packet.ts';
import { clientIdOffset } from '../session/connecting.ts';
import {
  EVENT_AUTHENTICATE,
  EVENT_AUTHENTICATED,
  EVENT_CONNECTED,
  EVENT_CONNECTING,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_PUBLISHED,
  EVENT_SUBSCRIBED,
  EVENT_UNSUBSCRIBED,
} from '../session/event.ts';
import type { SessionEvent } from '../session/event.ts';
import { FilterList, subscriptionOptions } from '../session/filter-list.ts';
import { encodeTopicName } from '../session/options.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import { Authenticator } from './authenticator.ts';
import type { ClientEvents } from './client-events.ts';
import { Driver, PAUSED_BY_BUFFERS } from './driver.ts';
import type { DriverOwner } from './driver.ts';
import { Emitter, callSafely } from './emitter.ts';
import {
  ArgumentError,
  MotemqError,
  PublishError,
  SubscribeError,
  errorOfEnd,
  errorOfStatus,
  typed,
  typedError,
} from './errors.ts';
import { Inbox } from './inbox.ts';
import type { Message } from './message.ts';
import { readProperties } from './message.ts';
import { checkDisconnectOptions, sessionOptionsOf } from './options.ts';
import type {
  ClientOptions,
  Connack,
  DisconnectOptions,
  PublishOptions,
  PublishResult,
  SubscribeOptions,
} from './options.ts';
import { encodePayload } from './payload.ts';
import type { Payload } from './payload.ts';
import type { Platform } from './platform.ts';
import { makeUserProperties, writePublishProperties } from './publish-properties.ts';
import { Requests } from './requests.ts';
import type { RequestOptions, RespondOptions, Responder } from './requests.ts';
import { Subscription } from './subscription.ts';
import type { MessageListener, SubscriptionHost } from './subscription.ts';
import { Tickets } from './tickets.ts';
import { Topic } from './topic-publisher.ts';
import type { TopicHost } from './topic-publisher.ts';

/** Names remembered as handles; what is beyond is encoded each time and gets no alias. */
const HANDLES_MAX = 1024;

export class Client extends Emitter<ClientEvents> implements DriverOwner, SubscriptionHost, TopicHost {
  /** What the server said when it accepted the current or last connection. */
  connack: Connack | undefined = undefined;
  /** Settles with the first attempt to connect: CONNACK, or why not. */
  readonly firstConnect: Promise<Connack>;
  /** The session, its transport and its counters, for those who want to look closer. */
  readonly driver: Driver;
  readonly isV5: boolean;
  private readonly isRetryingFirst: boolean;
  private readonly platform: Platform;
  private readonly tickets = new Tickets();
  // Made when they are first needed: a client that only publishes to a prepared topic needs none of them.
  private handles: Map<string, TopicHandle> | undefined = undefined;
  private madeInbox: Inbox | undefined = undefined;
  private madeRequests: Requests | undefined = undefined;
  private readonly authenticator: Authenticator | undefined;
  private holdingBack: Set<Subscription> | undefined = undefined;
  private drainWaiters: (() => void)[] | undefined = undefined;
  private settleFirst: ((connack: Connack | undefined, error: MotemqError | undefined) => void) | undefined;
  private nextIdentifier = 1;
  private isClosed = false;
  private closing: Promise<void> | undefined = undefined;

  /** Throws ArgumentError and its like for options that are wrong. Begins to connect at once. */
  constructor(platform: Platform, options: ClientOptions) {
    super();
    this.platform = platform;
    this.isRetryingFirst = options.retryFirstConnect === true;
    this.isV5 = options.protocol !== '3.1.1';
    this.driver = makeDriver(platform, options, this);
    if (options.authentication !== undefined) {
      this.authenticator = new Authenticator(this.driver, platform, options.authentication);
    }
    this.firstConnect = new Promise((resolve, reject) => {
      this.settleFirst = (connack, error): void => {
        this.settleFirst = undefined;
        if (connack !== undefined) resolve(connack);
        else reject(error ?? new MotemqError('ERR_CLOSED', 'the client was closed'));
      };
    });
    // Whoever does not ask for the outcome hears of it by 'disconnect'.
    this.firstConnect.catch(() => undefined);
    this.driver.connect();
  }

  private get inbox(): Inbox {
    this.madeInbox ??= new Inbox(this.driver, (message) => {
      this.emit('message', message);
    });
    return this.madeInbox;
  }

  private get requests(): Requests {
    this.madeRequests ??= new Requests(this, this.platform);
    return this.madeRequests;
  }

  /** The client identifier, the one the server assigned if it did. */
  get clientId(): string {
    const { state } = this.driver.session;
    const at = clientIdOffset(state) + 2;
    return decodeText(state.connect, at, at + byteLengthAt(state.connect, at));
  }

  get isConnected(): boolean {
    return this.driver.session.isConnected();
  }

  /**
   * Publishes a message; while there is no connection it waits in the outbox. Resolves at the completion of its QoS:
   * 0 when it is written, 1 at PUBACK, 2 at PUBCOMP. Rejects with PublishError (outbox full, too large, refused by the
   * server), or ArgumentError and its like for the caller's mistake. The payload is copied before the call returns.
   */
  publish(topicName: string, payload: Payload, options: PublishOptions = {}): Promise<PublishResult> {
    try {
      const bytes = encodePayload(payload);
      const qos = qosOf(options);
      const properties = writePublishProperties(options, this.isV5);
      const handle = this.handleOf(topicName);
      const name = handle === null ? encodeTopicName(topicName, 'topicName') : handle.bytes;
      const retain = options.retain === true ? 1 : 0;
      const ticket = this.driver.publish(handle, name, bytes, bytes.length, qos, retain, properties);
      return this.whenPublished(ticket);
    } catch (error) {
      return Promise.reject(typedError(error));
    }
  }

  /** Prepares a topic for publishing often; what it publishes allocates nothing. Throws for an invalid name. */
  topic(topicName: string, options: PublishOptions = {}): Topic {
    return typed(() => {
      const handle = this.handleOf(topicName) ?? this.driver.session.createTopic(topicName);
      const written = writePublishProperties(options, this.isV5);
      return new Topic(this, handle, topicName, qosOf(options), options.retain === true, written);
    });
  }

  /**
   * Subscribes, with one SUBSCRIBE for all filters. Resolves when the server has granted them all; rejects with
   * SubscribeError when it refused one, and then none is kept. Without a listener the subscription is an async
   * iterator whose buffer, once full, holds up the server. Made again by itself after the server lost the session.
   */
  async subscribe(
    topicFilters: string | readonly string[],
    options: SubscribeOptions = {},
    listener?: MessageListener,
  ): Promise<Subscription> {
    const filters = typeof topicFilters === 'string' ? [topicFilters] : topicFilters;
    const bufferedMax = options.bufferedMessagesMax ?? 64;
    const identifier = this.isV5 ? this.nextIdentifier++ : 0;
    const ticket = typed(() => {
      checkInteger(bufferedMax, 1, 0x7fffffff, 'bufferedMessagesMax');
      const byte = subscriptionOptions(
        options.qos ?? 0,
        options.noLocal === true,
        options.retainAsPublished === true,
        options.retainHandling ?? 0,
      );
      const list = this.listOf(filters, byte);
      return this.driver.subscribe(list, identifier, makeUserProperties(options.userProperties));
    });
    const subscription = new Subscription(this, filters, listener, bufferedMax);
    if (ticket >= 0) this.inbox.routes.add(subscription, identifier);
    let codes: number[];
    try {
      codes = await this.whenAcknowledged(ticket, 'the subscription');
    } catch (error) {
      this.inbox.routes.remove(subscription);
      subscription.end(undefined);
      throw error;
    }
    (subscription.reasonCodes as number[]).push(...codes);
    if (codes.some((code) => code >= 0x80)) {
      subscription.end(undefined);
      // What became of those that were granted changes nothing.
      await this.release(subscription).catch(() => undefined);
      throw new SubscribeError(filters, codes);
    }
    return subscription;
  }

  /** Unsubscribes from filters, whoever subscribed to them. Resolves to the server's reason codes (3.1.1: none). */
  async unsubscribe(
    topicFilters: string | readonly string[],
    options: { userProperties?: SubscribeOptions['userProperties'] } = {},
  ): Promise<number[]> {
    const filters = typeof topicFilters === 'string' ? [topicFilters] : topicFilters;
    const ticket = typed(() =>
      this.driver.unsubscribe(this.listOf(filters, 0), makeUserProperties(options.userProperties)),
    );
    for (const subscription of this.inbox.routes.all()) {
      if (subscription.topicFilters.every((filter) => filters.includes(filter))) {
        this.inbox.routes.remove(subscription);
        subscription.end(undefined);
      }
    }
    return this.whenAcknowledged(ticket, 'the unsubscription');
  }

  /**
   * Publishes a request and waits for its answer (4.10). 5.0 by response topic and correlation data; 3.1.1 needs an
   * explicit `replyTopic`, and takes the first message there. Rejects with TimeoutError, or with the signal's reason.
   */
  request(topicName: string, payload: Payload, options: RequestOptions = {}): Promise<Message> {
    return this.requests.request(topicName, payload, options);
  }

  /** Answers requests: what `responder` returns goes to the request's response topic. */
  respond(topicFilter: string, responder: Responder, options: RespondOptions = {}): Promise<Subscription> {
    return this.requests.respond(topicFilter, responder, options);
  }

  /** Resolves when all that was published is done: written, and for QoS 1 and 2 taken over by the server. */
  whenDrained(): Promise<void> {
    if (!this.driver.hasUnsent()) return Promise.resolve();
    return new Promise((resolve) => {
      this.drainWaiters ??= [];
      this.drainWaiters.push(resolve);
      this.driver.onIdle = this.tellDrained;
      this.balance();
    });
  }

  /** 5.0: authenticates anew on the living connection (4.12.1). */
  reauthenticate(): Promise<void> {
    if (this.authenticator === undefined) {
      return Promise.reject(new ArgumentError('ERR_INVALID_ARGUMENT', 'there is no option authentication'));
    }
    return this.authenticator.again();
  }

  /**
   * Says goodbye: waits for what is under way, but not for a connection, sends DISCONNECT, closes. What is not done
   * then rejects. Rejects with ArgumentError and its like for options that are wrong, and the client lives on.
   */
  disconnect(options: DisconnectOptions = {}): Promise<void> {
    try {
      checkDisconnectOptions(options, this.isV5, this.driver.session.state.sessionExpirySeconds);
    } catch (error) {
      return Promise.reject(typedError(error));
    }
    this.closing ??= this.goodbye(options);
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** Ends at once, without DISCONNECT: the server publishes the will. */
  destroy(): void {
    this.finish(new MotemqError('ERR_CLOSED', 'the client was destroyed'));
  }

  private async goodbye({
    reasonCode = 0,
    sessionExpirySeconds = -1,
    timeoutMs = 5000,
  }: DisconnectOptions): Promise<void> {
    // Not from within the session's loop: DISCONNECT must be written before the session is closed.
    await Promise.resolve();
    if (this.isConnected && timeoutMs > 0) {
      let timer: unknown;
      const timeout = new Promise<void>((resolve) => {
        timer = this.platform.setTimer(resolve, timeoutMs);
      });
      await Promise.race([this.whenDrained(), timeout]);
      this.platform.clearTimer(timer);
    }
    if (this.isClosed) return;
    this.driver.disconnect(reasonCode, sessionExpirySeconds);
    this.finish(new MotemqError('ERR_CLOSED', 'the client was closed'));
  }

  /** Nothing happens any more: whoever waits is told `error`. */
  private finish(error: MotemqError): void {
    if (this.isClosed) return;
    if (this.platform.isPolling) {
      // What the session's loop has to tell comes before the end.
      this.platform.defer({
        flush: () => {
          this.finish(error);
        },
      });
      return;
    }
    this.isClosed = true;
    this.driver.close();
    this.settleFirst?.(undefined, error);
    this.tickets.fail(error);
    for (const subscription of this.madeInbox?.routes.all() ?? []) subscription.end(undefined);
    this.madeRequests?.fail(error);
    this.tellDrained();
    this.emit('close', undefined);
  }

  private handleOf(topicName: string): TopicHandle | null {
    this.handles ??= new Map();
    const known = this.handles.get(topicName);
    if (known !== undefined) return known;
    if (this.handles.size >= HANDLES_MAX) return null;
    const handle = this.driver.session.createTopic(topicName);
    this.handles.set(topicName, handle);
    return handle;
  }

  private listOf(topicFilters: readonly string[], options: number): FilterList {
    const room = topicFilters.reduce((sum, filter) => sum + 3 + filter.length * 3, 0);
    const list = new FilterList(new Uint8Array(room));
    for (const filter of topicFilters) list.add(filter, options);
    return list;
  }

  publishNow(handle: TopicHandle, payload: Uint8Array, byteLength: number, topic: Topic): number {
    const { qos, retain, properties } = topic;
    const ticket = this.driver.publish(handle, handle.bytes, payload, byteLength, qos, retain, properties);
    if (ticket < 0) throw errorOfStatus(ticket, 'the message', PublishError);
    return ticket;
  }

  publishSettled(handle: TopicHandle, payload: Payload, topic: Topic): Promise<PublishResult> {
    try {
      const bytes = encodePayload(payload);
      return this.whenPublished(this.publishNow(handle, bytes, bytes.length, topic));
    } catch (error) {
      return Promise.reject(typedError(error));
    }
  }

  private whenPublished(ticket: number): Promise<PublishResult> {
    const settled = this.tickets.whenPublished(ticket);
    this.balance();
    return settled;
  }

  private whenAcknowledged(ticket: number, what: string): Promise<number[]> {
    const settled = this.tickets.whenAcknowledged(ticket, what);
    this.balance();
    return settled;
  }

  // What the driver reports.

  handleEvent(event: SessionEvent): void {
    switch (event.kind) {
      case EVENT_MESSAGE:
        this.inbox.handleMessage(event, this.has('message'));
        return;
      case EVENT_PUBLISHED:
        this.tickets.handle(event);
        this.balance();
        return;
      case EVENT_SUBSCRIBED:
      case EVENT_UNSUBSCRIBED:
        this.handleAcknowledged(event);
        return;
      case EVENT_CONNECTED:
        this.connack = {
          sessionPresent: event.sessionPresent === 1,
          properties: readProperties(event.packet, event.bytes),
        };
        if (this.authenticator?.handleConnected(this.connack.properties.authenticationData) === false) return;
        this.settleFirst?.(this.connack, undefined);
        this.emit('connect', this.connack);
        this.balance();
        return;
      case EVENT_DISCONNECTED:
        this.handleDisconnected(event);
        return;
      case EVENT_CONNECTING:
        this.authenticator?.handleConnecting();
        return;
      case EVENT_AUTHENTICATE:
        this.authenticator?.handleData(readProperties(event.packet, event.bytes).authenticationData);
        return;
      case EVENT_AUTHENTICATED:
        this.authenticator?.handleConnected(readProperties(event.packet, event.bytes).authenticationData);
        return;
      default:
    }
  }

  private handleAcknowledged(event: SessionEvent): void {
    if (this.tickets.handle(event)) {
      this.balance();
      return;
    }
    // Made again after the server lost the session: nobody waits for it, but somebody should know.
    const { bytes, packet } = event;
    const codes =
      event.status === OK ? bytes.subarray(packet.listOffset, packet.listOffset + packet.listCount) : [];
    if (event.status !== OK || codes.some((code) => code >= 0x80)) {
      this.report(new MotemqError('ERR_SUBSCRIBE_REFUSED', 'a subscription could not be made again'));
    }
  }

  private handleDisconnected(event: SessionEvent): void {
    const properties = event.hasPacket ? readProperties(event.packet, event.bytes) : {};
    const { reasonString, serverReference } = properties;
    const error =
      this.authenticator?.failure ??
      errorOfEnd(event, this.isV5, reasonString, serverReference, this.driver.transportError);
    const reconnectInMs = event.reconnectInMs < 0 ? undefined : event.reconnectInMs;
    const { reasonCode } = event;
    this.authenticator?.handleDisconnected(error);
    const isFirstFailed = this.settleFirst !== undefined && !this.isRetryingFirst;
    if (isFirstFailed)
      this.settleFirst?.(undefined, error ?? new MotemqError('ERR_CLOSED', 'the client was closed'));
    const isOver = isFirstFailed || reconnectInMs === undefined;
    this.emit('disconnect', { error, reasonCode, reconnectInMs: isOver ? undefined : reconnectInMs });
    if (!isOver) this.emit('reconnecting', { inMs: reconnectInMs });
    else if (error !== undefined) this.finish(error);
  }

  private readonly tellDrained = (): void => {
    this.driver.onIdle = undefined;
    const waiters = this.drainWaiters ?? [];
    this.drainWaiters = undefined;
    for (const waiter of waiters) waiter();
    this.balance();
  };

  /** Tells 'error' listeners; without any it stays untold, for nothing waits for it. */
  report(error: Error): void {
    callSafely(() => {
      this.emit('error', error);
    });
  }

  // What subscriptions ask for.

  holdBack(subscription: Subscription, isFull: boolean): void {
    this.holdingBack ??= new Set();
    if (isFull) this.holdingBack.add(subscription);
    else this.holdingBack.delete(subscription);
    this.balance();
  }

  /**
   * Holds the server up while a buffer is full, unless somebody waits for an answer of the server: that is behind the
   * messages that nobody takes, perhaps because whoever should is the one who waits.
   */
  balance(): void {
    const isHeldUp =
      this.holdingBack !== undefined &&
      this.holdingBack.size > 0 &&
      // Otherwise CONNACK would be held up.
      this.isConnected &&
      this.tickets.count === 0 &&
      this.madeRequests?.isWaiting !== true &&
      this.drainWaiters === undefined;
    if (isHeldUp) this.driver.pause(PAUSED_BY_BUFFERS);
    else this.driver.resume(PAUSED_BY_BUFFERS);
  }

  async release(subscription: Subscription): Promise<void> {
    const unwanted = this.inbox.routes.remove(subscription);
    if (unwanted.length === 0 || this.isClosed) return;
    const ticket = this.driver.unsubscribe(this.listOf(unwanted, 0), null);
    if (ticket < 0 || !this.isConnected) return;
    await this.whenAcknowledged(ticket, 'the unsubscription');
  }
}

/** Apart from the constructor, whose closures live as long as the client and would keep the options alive. */
function makeDriver(platform: Platform, options: ClientOptions, owner: DriverOwner): Driver {
  return typed(() => new Driver(platform, sessionOptionsOf(options), options, owner));
}

/** Throws ERR_OUT_OF_RANGE for a QoS that there is not. */
function qosOf(options: PublishOptions): 0 | 1 | 2 {
  const { qos = 0 } = options;
  check(qos === 0 || qos === 1 || qos === 2, 'ERR_OUT_OF_RANGE', 'qos must be 0, 1 or 2 [MQTT-3.3.1-4]');
  return qos;
}
