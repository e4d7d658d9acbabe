/**
 * The Node client as pub and sub need it: made from a plan, showing its packets with -d, and telling two things that
 * mosquitto's clients print and applications do not ask for: packet identifiers, and each filter's reason code.
 */
import { makeUserProperties } from '../../src/client/publish-properties.ts';
import { EVENT_MESSAGE, EVENT_SUBSCRIBED, type SessionEvent } from '../../src/session/event.ts';
import { FilterList } from '../../src/session/filter-list.ts';
import { OK } from '../../src/status.ts';
import { Client, NodePlatform, transportTo } from '../node/index.ts';
import type { ConnectionPlan } from './connection-flags.ts';
import { DebugLines, tapped } from './debug-lines.ts';
import { CommandError } from './exit-status.ts';

/** A SUBSCRIBE as sub wants it: one packet, with no identifier unless there is one to be. */
export interface SubscribeRequest {
  readonly topicFilters: readonly string[];
  /** The Subscription Options byte, for all of them. */
  readonly options: number;
  /** 0 for none. */
  readonly identifier: number;
  readonly userProperties: [string, string][] | undefined;
}

export class CommandClient extends Client {
  /** Of the message that 'message' tells; 0 at QoS 0. */
  packetId = 0;
  private subscribing: { ticket: number; settle: (event: SessionEvent) => void } | undefined = undefined;

  /** Begins to connect. Throws coded errors for options that are wrong. */
  constructor(plan: ConnectionPlan, isDebug: boolean) {
    let factory = transportTo(plan.url, plan.options);
    if (isDebug) {
      const print = (line: string): void => void process.stdout.write(`${line}\n`);
      factory = tapped(factory, new DebugLines(print, plan.options.protocol ?? '5.0'));
    }
    super(new NodePlatform(factory), plan.options);
  }

  /** Resolves to SUBACK's code for each filter, also when all of them are refusals. */
  subscribeAll(request: SubscribeRequest): Promise<number[]> {
    const { topicFilters, options, identifier, userProperties } = request;
    const list = new FilterList(
      new Uint8Array(topicFilters.reduce((sum, filter) => sum + 3 + filter.length * 3, 0)),
    );
    for (const topicFilter of topicFilters) list.add(topicFilter, options);
    const ticket = this.driver.subscribe(list, identifier, makeUserProperties(userProperties));
    if (ticket < 0) throw new CommandError('the subscription was not accepted');
    return new Promise((resolve, reject) => {
      this.subscribing = {
        ticket,
        settle: ({ status, bytes, packet }) => {
          if (status === OK)
            resolve([...bytes.subarray(packet.listOffset, packet.listOffset + packet.listCount)]);
          else reject(new CommandError('the broker supports no such subscription'));
        },
      };
    });
  }

  override handleEvent(event: SessionEvent): void {
    // Later fragments have the record of no PUBLISH any more.
    if (event.kind === EVENT_MESSAGE && event.fragmentOffset === 0) this.packetId = event.packet.packetId;
    if (event.kind === EVENT_SUBSCRIBED && event.ticket === this.subscribing?.ticket) {
      this.subscribing.settle(event);
      return;
    }
    super.handleEvent(event);
  }
}
