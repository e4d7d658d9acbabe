/**
 * SCRAM-SHA-256 as the option `authentication` of the promise client. Where the key comes from is the target's to say.
 */
import { codedError } from '../assert.ts';
import type { ScramClient } from '../scram/client.ts';
import { SCRAM_SHA_256 } from '../scram/messages.ts';
import type { Authentication } from './options.ts';

/** Who authenticates, and how long it may take. */
export interface ScramOptions {
  /** May not be empty; non-ASCII text is prepared as RFC 4013 says. */
  userName: string;
  password: string;
  /** Rounds of PBKDF2 that the server may ask for, 4,096 to 100,000,000. */
  iterationsMax?: number | undefined;
}

/** Has `client` derive its key; resolves when that is done. */
export type KeyDerivation = (client: ScramClient) => Promise<void>;

/** The option `authentication` for one client: it keeps that one's exchange and key. */
export function scramAuthentication(client: ScramClient, derive: KeyDerivation): Authentication {
  return {
    method: SCRAM_SHA_256,
    start: () => client.first(),
    next: (data) => {
      const final = client.handleServerFirst(data);
      if (final !== null) return final;
      const { exchange } = client;
      return derive(client).then(() => {
        // On another connection by now: nobody hears what is said here, and that exchange is not for this one to go on.
        if (client.exchange !== exchange) throw codedError('ERR_SCRAM_STATE', 'the connection is gone');
        return client.final();
      });
    },
    finish: (data) => {
      client.handleServerFinal(data ?? null);
    },
  };
}
