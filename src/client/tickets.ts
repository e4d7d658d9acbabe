/**
 * Who waits for which ticket of the session, and how the session's answer becomes a promise's.
 */
import { OK } from '../status.ts';
import { reasonCodeName } from '../packets/texts.ts';
import type { SessionEvent } from '../session/event.ts';
import { MotemqError, PublishError, errorOfStatus } from './errors.ts';
import type { PublishResult } from './options.ts';

/** Settles with the session's answer, or with why there will be none. */
type Settle = (answer: SessionEvent | MotemqError) => void;

const SUCCESS_RESULT: PublishResult = Object.freeze({ reasonCode: 0, reasonName: 'Success' });

export class Tickets {
  /** Made when somebody first waits: most clients of a process only publish by handle. */
  private waiting: Map<number, Settle> | undefined = undefined;

  /** How many wait. */
  get count(): number {
    return this.waiting === undefined ? 0 : this.waiting.size;
  }

  /** Settles as the message does that `publish` returned `ticket` for: a ticket, 0 or a status. */
  whenPublished(ticket: number): Promise<PublishResult> {
    if (ticket < 0) return Promise.reject(errorOfStatus(ticket, 'the message', PublishError));
    if (ticket === 0) return Promise.resolve(SUCCESS_RESULT);
    return new Promise((resolve, reject) => {
      this.add(ticket, (event) => {
        if (event instanceof MotemqError) reject(event);
        else if (event.status !== OK) reject(errorOfStatus(event.status, 'the message', PublishError));
        else if (event.reasonCode === 0) resolve(SUCCESS_RESULT);
        else {
          const { reasonCode } = event;
          const reasonName = reasonCodeName(reasonCode);
          if (reasonCode < 0x80) resolve({ reasonCode, reasonName });
          else
            reject(new PublishError('ERR_PUBLISH_REFUSED', 'the server refused: ' + reasonName, reasonCode));
        }
      });
    });
  }

  /** Settles with the reason codes of the SUBACK or UNSUBACK for `ticket`; what failed without one is `what`. */
  whenAcknowledged(ticket: number, what: string): Promise<number[]> {
    if (ticket < 0) return Promise.reject(errorOfStatus(ticket, what, MotemqError));
    return new Promise((resolve, reject) => {
      this.add(ticket, (event) => {
        if (event instanceof MotemqError) reject(event);
        else if (event.status !== OK) reject(errorOfStatus(event.status, what, MotemqError));
        else {
          const { bytes, packet } = event;
          resolve(Array.from(bytes.subarray(packet.listOffset, packet.listOffset + packet.listCount)));
        }
      });
    });
  }

  /** EVENT_PUBLISHED, EVENT_SUBSCRIBED, EVENT_UNSUBSCRIBED. Returns whether somebody waited for it. */
  handle(event: SessionEvent): boolean {
    const settle = this.waiting?.get(event.ticket);
    if (settle === undefined) return false;
    this.waiting?.delete(event.ticket);
    settle(event);
    return true;
  }

  /** Everybody who waits is told `error`. */
  fail(error: MotemqError): void {
    const all = this.waiting?.values() ?? [];
    this.waiting = undefined;
    for (const settle of all) settle(error);
  }

  private add(ticket: number, settle: Settle): void {
    this.waiting ??= new Map();
    this.waiting.set(ticket, settle);
  }
}
