/**
 * The delivery protocols of QoS 1 and QoS 2 as data (4.3), for messages this side sends.
 *
 * A slot lives from the first sending of a PUBLISH until the server has taken the message over. QoS 1: PUBLISH, then
 * PUBACK ends it. QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP. What a lost connection means depends on how far it came:
 * before PUBREC the server may or may not have the message, so PUBLISH goes out again, same packet identifier, DUP
 * set. After PUBREC the server has it and must not get it again: the message may be forgotten here, and only PUBREL
 * goes out again. When the server itself has lost the session, everything before PUBREC is sent as a new message;
 * what is after PUBREC was the server's, and is done.
 */
import { PUBACK, PUBREC } from '../packets/types.ts';

/** The slot is free. */
export const SLOT_FREE = 0;
/** QoS 1: PUBLISH sent, PUBACK awaited. */
export const AWAIT_PUBACK = 1;
/** QoS 2: PUBLISH sent, PUBREC awaited. */
export const AWAIT_PUBREC = 2;
/** QoS 2: PUBREL sent, PUBCOMP awaited. */
export const AWAIT_PUBCOMP = 3;

/** The server had taken the message over when it lost the session: nothing is left to do but to say so. */
export const SLOT_DONE = 4;

/** The packet is no answer to what was sent: Protocol Error. */
export const ACT_VIOLATION = 0;
/** The message is the server's: free the slot, report the reason code. */
export const ACT_COMPLETE = 1;
/** Answer with PUBREL; the message itself may be forgotten. */
export const ACT_RELEASE = 2;

/** What an acknowledgement of `type` (PUBACK, PUBREC or PUBCOMP) means to a slot in `state`. */
export function deliveryAction(state: number, type: number): number {
  // A PUBREC repeated is answered like the first [MQTT-4.3.3-4].
  if (type === PUBREC) return state === AWAIT_PUBREC || state === AWAIT_PUBCOMP ? ACT_RELEASE : ACT_VIOLATION;
  return state === (type === PUBACK ? AWAIT_PUBACK : AWAIT_PUBCOMP) ? ACT_COMPLETE : ACT_VIOLATION;
}
