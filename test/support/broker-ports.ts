/**
 * The ports that a broker under test listens on: free ones, all of them or none.
 */
import { freePorts } from './wait.ts';

const START_ATTEMPTS_MAX = 5;

/** A port for every kind of listener. */
export interface BrokerPorts {
  readonly tcpPort: number;
  readonly tlsPort: number;
  /** TLS that refuses a client without a certificate from the same CA. */
  readonly mutualTlsPort: number;
  readonly wsPort: number;
  readonly wssPort: number;
  /** TCP, open only to one user with a password. */
  readonly passwordPort: number;
}

/** Calls `start` with free ports, with others when it fails because one of them was taken meanwhile. */
export async function onFreePorts(start: (ports: BrokerPorts) => Promise<void>): Promise<BrokerPorts> {
  for (let attempt = 1; ; attempt++) {
    const [tcpPort, tlsPort, mutualTlsPort, wsPort, wssPort, passwordPort] = await freePorts(6);
    const ports = { tcpPort, tlsPort, mutualTlsPort, wsPort, wssPort, passwordPort };
    try {
      await start(ports);
      return ports;
    } catch (error) {
      const isTaken = /EADDRINUSE|address already in use/i.test(String(error));
      if (!isTaken || attempt === START_ATTEMPTS_MAX) throw error;
    }
  }
}
