/**
 * The events of a run, as few as tell the story: what happens to a thousand devices within a second is one event with
 * a count. Knows nothing of connections; time is passed in.
 */
import { formatCount } from './format.ts';
import type { FleetEvent, FleetEventKind } from './report.ts';

/** How long the same thing is gathered before it becomes an event. */
const GATHER_MS = 1000;
/** A run of days must not gather events without end; the last ones are kept. */
const EVENTS_MAX = 10_000;

interface Gathered {
  atMs: number;
  kind: FleetEventKind;
  text: string;
  clientIds: Set<string>;
}

export class EventLog {
  readonly events: FleetEvent[] = [];
  private readonly gathered = new Map<string, Gathered>();
  private readonly tell: (event: FleetEvent) => void;

  constructor(tell: (event: FleetEvent) => void) {
    this.tell = tell;
  }

  /** Something happened once. */
  add(atMs: number, kind: FleetEventKind, text: string): void {
    const event = { atMs: Math.round(atMs), kind, text };
    if (this.events.length === EVENTS_MAX) this.events.shift();
    this.events.push(event);
    this.tell(event);
  }

  /** Something happened to a device that may be happening to many: `12 devices: text`, or `mote-…: text` for one. */
  gather(atMs: number, kind: FleetEventKind, text: string, clientId: string): void {
    const key = `${kind} ${text}`;
    const same = this.gathered.get(key);
    if (same === undefined) this.gathered.set(key, { atMs, kind, text, clientIds: new Set([clientId]) });
    else same.clientIds.add(clientId);
  }

  /** Tells what has been gathered long enough, or all of it. */
  flush(nowMs: number, isLast = false): void {
    for (const [key, { atMs, kind, text, clientIds }] of this.gathered) {
      if (!isLast && nowMs - atMs < GATHER_MS) continue;
      this.gathered.delete(key);
      const [first] = clientIds;
      const who = clientIds.size === 1 ? first : `${formatCount(clientIds.size)} devices`;
      this.add(atMs, kind, `${who}: ${text}`);
    }
  }
}
