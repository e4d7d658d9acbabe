/**
 * The session's deadlines, flat: one number each, milliseconds on the caller's clock, NEVER when not running.
 */

/** A deadline that is not running. */
export const NEVER = Infinity;

export class Timers {
  /** CONNACK must be here. */
  connectMs: number;
  /** PINGREQ is due unless something is sent before [MQTT-3.1.2-20]. */
  pingMs: number;
  /** PINGRESP must be here. */
  pingTimeoutMs: number;
  /** The next attempt to connect. */
  reconnectMs: number;

  constructor() {
    this.connectMs = NEVER;
    this.pingMs = NEVER;
    this.pingTimeoutMs = NEVER;
    this.reconnectMs = NEVER;
  }

  /** The earliest, or NEVER. */
  next(): number {
    let next = this.connectMs;
    if (this.pingMs < next) next = this.pingMs;
    if (this.pingTimeoutMs < next) next = this.pingTimeoutMs;
    return this.reconnectMs < next ? this.reconnectMs : next;
  }

  /** Stops those that belong to a connection. */
  stopConnection(): void {
    this.connectMs = NEVER;
    this.pingMs = NEVER;
    this.pingTimeoutMs = NEVER;
  }
}
