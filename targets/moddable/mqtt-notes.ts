/**
 * The decoder of the ECMA-419 client class: besides decoding it notes the packets of which the session makes no event
 * but the class's `onControl` is told, one at a time. Knows the session's slots, changes nothing.
 */
import { NEED_DATA, OK } from '../../src/status.ts';
import { Decoder } from '../../src/packets/codec.ts';
import type { Packet } from '../../src/packets/packet.ts';
import { UNSPECIFIED_ERROR } from '../../src/packets/reason-codes.ts';
import { FROM_SERVER, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL } from '../../src/packets/types.ts';
import type { SessionState } from '../../src/session/state.ts';

export class NotingDecoder extends Decoder {
  /** The session that decodes with this; undefined to note nothing. */
  state: SessionState | undefined;
  /** Type of the packet that was noted and not told yet, 0 for none. No other is decoded before it is told. */
  type: number;
  packetId: number;
  /** The message it is about, 0 for none of this session's. */
  ticket: number;
  reasonCode: number;
  /** Type of the acknowledgement that completes the message of the next event; 0 when it was none that did. */
  completing: number;

  constructor(protocolVersion: number) {
    super(protocolVersion, FROM_SERVER, null);
    this.state = undefined;
    this.type = 0;
    this.packetId = 0;
    this.ticket = 0;
    this.reasonCode = 0;
    this.completing = 0;
  }

  override decode(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    if (this.type !== 0) return NEED_DATA;
    const status = super.decode(bytes, at, end, packet);
    if (status === OK && this.state !== undefined) this.note(this.state, packet);
    return status;
  }

  private note(s: SessionState, packet: Packet): void {
    const type = packet.type;
    const isAck = type === PUBACK || type === PUBREC || type === PUBCOMP;
    if (!isAck && type !== PUBREL && type !== PINGRESP) return;
    const slot = isAck ? s.inflight.find(packet.packetId) : -1;
    if (slot >= 0 && (type !== PUBREC || packet.reasonCode >= UNSPECIFIED_ERROR)) {
      this.completing = type;
      return;
    }
    // What needs an answer stays in the window as long as there is no place for one, and is decoded again.
    if (s.sendRemaining > 0 && (type === PUBREC || type === PUBREL)) return;
    this.type = type;
    this.packetId = type === PINGRESP ? 0 : packet.packetId;
    this.ticket = slot < 0 ? 0 : s.inflight.ticket(slot);
    this.reasonCode = packet.reasonCode;
  }
}
