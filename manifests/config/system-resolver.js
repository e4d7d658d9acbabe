/**
 * A resolver in the style of ECMA-419 that asks the system's own: it knows the name servers that the network announced,
 * where one of the SDK's has those it was given. Knows no addresses but of IPv4.
 */
import Net from 'net';

export default class SystemResolver {
  #isClosed = false;

  /** Calls back once, after this has returned, with an address or without. */
  resolve({ host, onResolved, onError }) {
    // The simulator's system answers with the address of IPv6 first, and then there is none.
    Net.resolve(host === 'localhost' ? '127.0.0.1' : host, (_, address) => {
      if (this.#isClosed) return;
      if (address === undefined) onError?.call(this, host);
      else onResolved?.call(this, host, address);
    });
  }

  /** Nothing is called back any more. */
  close() {
    this.#isClosed = true;
  }
}
