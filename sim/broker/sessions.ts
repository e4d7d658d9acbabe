/**
 * All sessions by client id: who takes one over, how long each outlives its connection, when its will is published (3.1.2.4,
 * 3.1.2.5, 3.1.4, 4.1). Knows connections only by what a session sees of them.
 */
import { SESSION_TAKEN_OVER, SUCCESS } from './reasons.ts';
import type { Context } from './context.ts';
import type { Deliveries } from './deliveries.ts';
import type { Publisher } from './publisher.ts';
import type { Router } from './router.ts';
import { Session, type ClientConnection, type Will } from './session.ts';

export class Sessions {
  private readonly context: Context;
  private readonly deliveries: Deliveries;
  private readonly router: Router;
  private readonly publisher: Publisher;
  private readonly byId = new Map<string, Session>();

  constructor(context: Context, deliveries: Deliveries, router: Router, publisher: Publisher) {
    this.context = context;
    this.deliveries = deliveries;
    this.router = router;
    this.publisher = publisher;
  }

  get count(): number {
    return this.byId.size;
  }

  get(clientId: string): Session | undefined {
    return this.byId.get(clientId);
  }

  values(): IterableIterator<Session> {
    return this.byId.values();
  }

  /** A session that a store gave back. */
  adopt(clientId: string, userName: string | null): Session {
    const session = this.create(clientId, userName);
    session.isStored = true;
    return session;
  }

  private create(clientId: string, userName: string | null): Session {
    const session = new Session(
      clientId,
      userName,
      (due, nowMs) => this.publishWill(due, nowMs),
      (due, nowMs) => {
        this.context.counters.sessionsExpired++;
        this.end(due, nowMs);
      },
    );
    this.byId.set(clientId, session);
    return session;
  }

  /**
   * Gives `connection` the session of its client id: the one there is, or with `cleanStart` a new one [MQTT-3.1.2-4],
   * [MQTT-3.1.2-5]. Another connection that has it ends first [MQTT-3.1.4-3]. Returns whether there was one.
   */
  open(
    connection: ClientConnection,
    cleanStart: boolean,
    expirySeconds: number,
    will: Will | null,
    nowMs: number,
  ): { session: Session; isPresent: boolean } {
    const { clientId, userName } = connection.view;
    let session = this.byId.get(clientId);
    const other = session?.connection ?? null;
    if (other !== null) {
      this.context.counters.takeovers++;
      other.end(SESSION_TAKEN_OVER, 'another connection took the session over', nowMs);
      session = this.byId.get(clientId);
    }
    if (session !== undefined && cleanStart) {
      this.end(session, nowMs);
      session = undefined;
    }
    const isPresent = session !== undefined;
    session ??= this.create(clientId, userName);
    // A will whose delay ran is not published when its client is back in time [MQTT-3.1.3-9].
    this.context.deadlines.clear(session.willDeadline);
    this.context.deadlines.clear(session.expiryDeadline);
    session.userName = userName;
    session.connection = connection;
    session.expirySeconds = expirySeconds;
    session.endedAtMs = Infinity;
    session.will = will;
    this.context.keeper.putSession(session);
    return { session, isPresent };
  }

  /**
   * The connection of `session` is over. `reasonCode` is that of the client's DISCONNECT, or null without one: only
   * SUCCESS keeps the will from being published [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.14.4-3].
   */
  close(session: Session, reasonCode: number | null, nowMs: number): void {
    session.connection = null;
    session.endedAtMs = nowMs;
    this.deliveries.handleDisconnected(session);
    if (reasonCode === SUCCESS) session.will = null;
    const willMs = session.will === null ? Infinity : session.will.delaySeconds * 1000;
    const expiresAtMs = session.expiresAtMs();
    if (expiresAtMs <= nowMs) {
      this.end(session, nowMs); // which publishes the will
      return;
    }
    if (willMs <= 0) this.publishWill(session, nowMs);
    else this.context.deadlines.set(session.willDeadline, nowMs + willMs);
    this.context.deadlines.set(session.expiryDeadline, expiresAtMs);
    this.context.keeper.putSession(session);
    this.router.hand(this.deliveries.takeShared(session, false), nowMs);
  }

  /** Sets the deadlines of a session that a store gave back, and that nobody is connected to. */
  await(session: Session, nowMs: number): void {
    const { deadlines } = this.context;
    deadlines.set(session.expiryDeadline, session.expiresAtMs());
    if (session.will === null) return;
    deadlines.set(
      session.willDeadline,
      Math.max(nowMs, session.endedAtMs + session.will.delaySeconds * 1000),
    );
  }

  /** Ends a session without a connection: nothing of it stays, and its will is published if it still waits [MQTT-3.1.2-8]. */
  end(session: Session, nowMs: number): void {
    const { deadlines, keeper } = this.context;
    this.byId.delete(session.clientId);
    deadlines.clear(session.willDeadline);
    deadlines.clear(session.expiryDeadline);
    for (const subscription of session.subscriptions.values()) this.router.remove(subscription);
    const shared = this.deliveries.takeShared(session, true);
    keeper.removeSession(session);
    this.deliveries.discard(session);
    this.router.hand(shared, nowMs);
    this.publishWill(session, nowMs);
  }

  private publishWill(session: Session, nowMs: number): void {
    const { will } = session;
    if (will === null) return;
    session.will = null; // [MQTT-3.1.2-10]
    this.context.deadlines.clear(session.willDeadline);
    if (session.isStored) this.context.keeper.putSession(session);
    this.context.counters.willsPublished++;
    const { message, expirySeconds } = will;
    const due = expirySeconds < 0 ? message : message.expiringAt(nowMs + expirySeconds * 1000);
    this.publisher.publish(due, session, null, nowMs);
  }
}
