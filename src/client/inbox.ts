/**
 * From the session's message events to subscriptions: puts fragments together, finds who wants the message, and makes
 * it an object only when somebody does.
 */
import { P_SUBSCRIPTION_IDENTIFIER } from '../packets/property-table.ts';
import type { SessionEvent } from '../session/event.ts';
import type { Driver } from './driver.ts';
import { callSafely } from './emitter.ts';
import { Message, readProperties } from './message.ts';
import type { PacketProperties } from './message.ts';
import { Routes } from './routes.ts';
import type { Subscription } from './subscription.ts';

/** A message whose payload is still coming. */
interface Assembly {
  topicName: string;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  dup: boolean;
  properties: PacketProperties | undefined;
  receipt: number;
  receivers: Subscription[];
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
    const { payloadOffset: at, payloadByteLength: byteLength } = event;
    // Not told by its offset: when the head came alone, the first fragment is empty and the second begins at 0, too.
    if (!event.hasPacket) {
      this.addFragment(event, isAllWanted);
      return;
    }
    const { packet, bytes, topicBytes, topicOffset, topicByteLength } = event;
    const properties = packet.present === 0 ? undefined : readProperties(packet, bytes);
    const identifiers = packet.has(P_SUBSCRIPTION_IDENTIFIER)
      ? properties?.subscriptionIdentifiers
      : undefined;
    this.routes.find(topicBytes, topicOffset, topicByteLength, identifiers, this.found);
    this.assembly = undefined;
    if (this.found.length === 0 && !isAllWanted) {
      // Nobody is there to acknowledge it by hand either.
      if (event.receipt !== 0 && event.isLast) this.driver.session.acknowledge(event.receipt);
      return;
    }
    const topicName = this.driver.platform.topicNames.get(topicBytes, topicOffset, topicByteLength);
    const assembly: Assembly = {
      topicName,
      payload: event.isLast ? bytes.slice(at, at + byteLength) : new Uint8Array(event.payloadTotalByteLength),
      qos: event.qos,
      retain: event.retain === 1,
      dup: event.dup === 1,
      properties,
      receipt: event.receipt,
      receivers: this.found,
    };
    if (event.isLast) {
      this.deliver(assembly, isAllWanted);
      return;
    }
    assembly.receivers = this.found.slice();
    assembly.payload.set(bytes.subarray(at, at + byteLength));
    this.assembly = assembly;
  }

  private addFragment(event: SessionEvent, isAllWanted: boolean): void {
    const { assembly } = this;
    if (assembly === undefined) {
      // Nobody wanted its beginning, nor will acknowledge it by hand.
      if (event.receipt !== 0 && event.isLast) this.driver.session.acknowledge(event.receipt);
      return;
    }
    const { payloadOffset: at, payloadByteLength: byteLength } = event;
    assembly.payload.set(event.bytes.subarray(at, at + byteLength), event.fragmentOffset);
    if (!event.isLast) return;
    this.assembly = undefined;
    this.deliver(assembly, isAllWanted);
  }

  private deliver(assembly: Assembly, isAllWanted: boolean): void {
    const { receipt } = assembly;
    const acknowledger =
      receipt === 0
        ? undefined
        : (): void => {
            this.driver.session.acknowledge(receipt);
            this.driver.defer();
          };
    const { topicName, payload, qos, retain, dup, properties, receivers } = assembly;
    const message = new Message(topicName, payload, qos, retain, dup, properties, acknowledger);
    if (isAllWanted) this.tellAll(message);
    for (const receiver of receivers.length === 1 ? receivers : receivers.slice()) {
      callSafely(() => {
        receiver.deliver(message);
      });
    }
  }
}
