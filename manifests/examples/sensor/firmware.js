/**
 * What the sensor is: one reading a minute, and a command. It imports nothing of a board, so the same file also runs in a
 * fleet of simulated devices.
 */
import { badArguments, defineDevice } from 'motemq/device';

const firmware = defineDevice({
  id: 'motemq-sensor',
  metrics: {
    /** Of the full range of the pin, 0 to 1. */
    level: { unit: '/', everyMs: 60000, digits: 4, read: (io) => io.readLevel() },
  },
  commands: {
    /** Answers with the mean of `count` readings. */
    average({ count = 16 }, io) {
      if (!(count >= 1 && count <= 1000)) throw badArguments('count must be 1 to 1000');
      let sum = 0;
      for (let i = 0; i < count; i++) sum += io.readLevel();
      return { level: sum / count };
    },
  },
  // The session waits on the server while the board sleeps; after a day the server may forget it.
  sessionExpirySeconds: 86400,
});

// Preloaded: what is not frozen would cost RAM. The second argument is XS's, for what is inside.
export default Object.freeze(firmware, true);
