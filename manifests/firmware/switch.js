/**
 * Firmware of a switched socket: commands turn it on and off and answer with what it did, and what it does is told as
 * telemetry. How often it looks, and whether it tells its power, is configuration.
 *
 * Of `board` it wants setRelay(on), relay() and watts().
 */
import { badArguments, defineDevice } from 'motemq/device';

function checkFlag(value, name) {
  if (value !== true && value !== false) throw badArguments(name + ' must be true or false');
}

export default defineDevice({
  id: 'switch-1',
  metrics: {
    on: {
      everyMs: 1000,
      deadband: 1,
      maxSilenceMs: 3600000,
      digits: 0,
      read(board) {
        return board.relay();
      },
    },
    power: {
      unit: 'W',
      everyMs: 5000,
      deadband: 2,
      maxSilenceMs: 60000,
      digits: 1,
      read(board) {
        return board.relay() ? board.watts() : 0;
      },
    },
  },
  commands: {
    /** {"on":true} -> {"on":true,"was":false} */
    set(args, board) {
      checkFlag(args.on, 'on');
      const was = board.relay();
      board.setRelay(args.on);
      return { on: board.relay(), was };
    },
    /** -> {"on":false} */
    toggle(args, board) {
      board.setRelay(!board.relay());
      return { on: board.relay() };
    },
    /** -> {"on":true,"watts":41.5} */
    report(args, board) {
      return { on: board.relay(), watts: board.watts() };
    },
  },
  qos: 1,
  sessionExpirySeconds: 86400,
  status() {
    return { firmware: 'switch', version: '1.0' };
  },
});
