/**
 * The rooms of one broker, for those who handle packets: made once by the core. Also the records that all connections
 * share while a packet is handled, which never takes longer than one call.
 */
import { Packet } from '../../src/packets/packet.ts';
import { PropertyWriter } from '../../src/packets/properties.ts';
import type { Context } from './context.ts';
import type { Deliveries } from './deliveries.ts';
import type { Publisher } from './publisher.ts';
import type { Router } from './router.ts';
import type { Sessions } from './sessions.ts';

/** Room for what a server says of itself in CONNACK: texts of up to 65,535 bytes are the application's. */
const PROPERTY_BYTES = 4096;

export class Rooms {
  readonly context: Context;
  readonly deliveries: Deliveries;
  readonly router: Router;
  readonly publisher: Publisher;
  readonly sessions: Sessions;
  readonly packet = new Packet();
  readonly properties = new PropertyWriter(new Uint8Array(PROPERTY_BYTES));
  /** Has a connection flushed. Set by the core. */
  touch: (connection: Flushable) => void = () => {};
  /** What time it was at the last call from outside. */
  nowMs = 0;
  /** Network connections that are open. */
  connections = 0;

  constructor(
    context: Context,
    deliveries: Deliveries,
    router: Router,
    publisher: Publisher,
    sessions: Sessions,
  ) {
    this.context = context;
    this.deliveries = deliveries;
    this.router = router;
    this.publisher = publisher;
    this.sessions = sessions;
  }
}

/** Something with bytes to send. */
export interface Flushable {
  /** Whether it waits to be flushed already. Of the core alone. */
  isTouched: boolean;
  /** Puts aside what is to be sent now. Returns whether there is anything. */
  seal(): boolean;
  /** Sends what was put aside. */
  write(nowMs: number): void;
}
