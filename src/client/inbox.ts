/**
 * From the session's message events to subscriptions: puts fragments together, finds who wants the message, and makes
 * it an object only when somebody does.
 */
import type { SessionEvent } from '../session/event.ts';
import type { Driver } from './driver.ts';
import { Message, readProperties } from './message.ts';
import { Routes } from './routes.ts';
import type { Subscription } from './subscription.ts';

/** A message whose payload is still coming. */
interface Assembly {
  readonly message: Message;
  readonly receivers: readonly Subscription[];
}

export class Inbox {
  readonly routes = new Routes();
  private readonly driver: Driver;
  private readonly tellAll: (message: Message) => void;
  private readonly found: Subscription[] = [];
  private assembly: Assembly | undefined = undefined;

  /** @param tellAll Gets every message when `handleMessage` says that somebody wants them all. */
  constructor(driver: Driver, tellAll: (message: Message) => void) {
    this.driver = driver;
    this.tellAll = tellAll;
  }

  /** EVENT_MESSAGE; `isAllWanted`: whoever subscribed or not. */
  handleMessage(event: SessionEvent, isAllWanted: boolean): void {
    // Not told by its offset: when the head came alone, the first fragment is empty and the second begins at 0, too.
    if (!event.hasPacket) {
      this.addFragment(event, isAllWanted);
      return;
    }
    const { packet, bytes, topicBytes, topicOffset, topicByteLength } = event;
    const properties = packet.present === 0 ? undefined : readProperties(packet, bytes);
    const { found } = this;
    this.routes.find(topicBytes, topicOffset, topicByteLength, properties?.subscriptionIdentifiers, found);
    this.assembly = undefined;
    if (found.length === 0 && !isAllWanted) {
      // Nobody is there to acknowledge it by hand either.
      if (event.receipt !== 0 && event.isLast) this.driver.session.acknowledge(event.receipt);
      return;
    }
    const topicName = this.driver.platform.topicNames.get(topicBytes, topicOffset, topicByteLength);
    const at = event.payloadOffset;
    const end = at + event.payloadByteLength;
    const payload = event.isLast ? bytes.slice(at, end) : new Uint8Array(event.payloadTotalByteLength);
    const message = new Message(
      topicName,
      payload,
      event.qos,
      event.retain === 1,
      event.dup === 1,
      properties,
      event.receipt === 0 ? undefined : this.acknowledgerOf(event.receipt),
    );
    if (event.isLast) {
      this.deliver(message, found, isAllWanted);
      return;
    }
    payload.set(bytes.subarray(at, end));
    this.assembly = { message, receivers: found.slice() };
  }

  private addFragment(event: SessionEvent, isAllWanted: boolean): void {
    const { assembly } = this;
    if (assembly === undefined) {
      // Nobody wanted its beginning, nor will acknowledge it by hand.
      if (event.receipt !== 0 && event.isLast) this.driver.session.acknowledge(event.receipt);
      return;
    }
    const { payloadOffset: at, payloadByteLength: byteLength } = event;
    assembly.message.payload.set(event.bytes.subarray(at, at + byteLength), event.fragmentOffset);
    if (!event.isLast) return;
    this.assembly = undefined;
    this.deliver(assembly.message, assembly.receivers, isAllWanted);
  }

  private deliver(message: Message, receivers: readonly Subscription[], isAllWanted: boolean): void {
    if (isAllWanted) this.tellAll(message);
    // What one of several does may come back here, to the same list.
    const list = receivers.length === 1 ? receivers : receivers.slice();
    for (let i = 0; i < list.length; i++) deliverSafely(list[i], message);
  }

  private acknowledgerOf(receipt: number): () => void {
    return () => {
      this.driver.session.acknowledge(receipt);
      this.driver.defer();
    };
  }
}

/** As `callSafely`, without a function made for each message. */
function deliverSafely(receiver: Subscription, message: Message): void {
  try {
    receiver.deliver(message);
  } catch (error) {
    void Promise.reject(error);
  }
}
