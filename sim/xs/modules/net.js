/** The module `net` of a board: leaves names to the process outside, as resolver.js does. */
import Timer from 'timer';

export default {
  resolve(host, callback) {
    Timer.set(() => {
      if (host.endsWith('.invalid')) callback(host);
      else callback(host, host);
    }, 0);
  },
};
