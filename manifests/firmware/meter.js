/**
 * Firmware of a water meter: a counter that only grows and the flow, as CBOR, in one message a quarter of an hour. Made
 * to sleep in between. Old news is worth nothing here: the server may forget it after a day.
 *
 * Of `board` it wants litres(), all that ever ran through, and litresPerMinute().
 */
import { defineDevice } from 'motemq/device';

export default defineDevice({
  id: 'meter-1',
  format: 'cbor',
  metrics: {
    volume: {
      unit: 'l',
      everyMs: 900000,
      digits: 0,
      read(board) {
        return board.litres();
      },
    },
    flow: {
      unit: 'l/min',
      everyMs: 900000,
      digits: 2,
      read(board) {
        return board.litresPerMinute();
      },
    },
  },
  offlineSamples: 192,
  messageExpirySeconds: 86400,
  sessionExpirySeconds: 86400,
  keepAliveSeconds: 0,
});
