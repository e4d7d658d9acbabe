/**
 * A resolver in the shape of ECMA-419's: leaves names to the process outside, which connects by name anyway. A name
 * that ends in `.invalid` is not found, as in any DNS.
 */
import Timer from 'timer';

export default class Resolver {
  #timers = [];

  /** Answers later, one way or the other. */
  resolve(options) {
    const { host, onResolved, onError } = options;
    this.#timers.push(
      Timer.set(() => {
        if (host.endsWith('.invalid')) onError?.call(this, new Error('not found: ' + host));
        else onResolved?.call(this, host, host);
      }, 0),
    );
  }

  close() {
    for (const timer of this.#timers) Timer.clear(timer);
    this.#timers = [];
  }
}
