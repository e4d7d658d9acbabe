/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) as a broker's Authentication Method: the client's first message in CONNECT, its last
 * in AUTH (4.12), both again when it re-authenticates (4.12.1). Knows no file.
 *
 * Whatever is wrong is refused with 0x87 Not authorized. Authentication Data is the method's own (3.1.2.11.10): data that
 * the method cannot read is no malformed packet and no Protocol Error of MQTT, it is a client that did not authenticate.
 * Nor is it 0x86, which is about the fields User Name and Password of CONNECT.
 */
import { SCRAM_SHA_256 } from '../../../src/scram/messages.ts';
import { ScramServer, type ScramCredentials } from '../../../src/scram/server.ts';
import { NodeScramCrypto } from '../../../targets/node/scram.ts';
import type { AuthenticationExchange, AuthenticationMethod, AuthenticationStep } from '../hooks.ts';
import { NOT_AUTHORIZED } from '../reasons.ts';

/** Who has which credentials. */
export interface ScramUsers {
  /** For every name, prepared (RFC 4013), also for one that nobody has: such credentials then as fit no password. */
  scramOf(preparedUserName: string): { userName: string; credentials: ScramCredentials };
}

class ScramExchange implements AuthenticationExchange {
  private readonly users: ScramUsers;
  private readonly server = new ScramServer(new NodeScramCrypto());
  /** Who the client says it is; null until it has. */
  private userName: string | null = null;

  constructor(users: ScramUsers) {
    this.users = users;
  }

  step(data: Uint8Array | null): AuthenticationStep {
    if (data === null) return refusal('SCRAM begins with the client’s first message');
    try {
      if (this.userName !== null) {
        return { kind: 'success', data: this.server.handleClientFinal(data), userName: this.userName };
      }
      const { userName, credentials } = this.users.scramOf(this.server.handleClientFirst(data));
      this.userName = userName;
      return { kind: 'continue', data: this.server.first(credentials) };
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      if (typeof code !== 'string' || !code.startsWith('ERR_SCRAM_')) throw error;
      return refusal(message);
    }
  }
}

function refusal(reasonString: string): AuthenticationStep {
  return { kind: 'failure', reasonCode: NOT_AUTHORIZED, reasonString };
}

/** The method for these users. What `users` answers may change at any time. */
export function scramSha256Method(users: ScramUsers): AuthenticationMethod {
  return { name: SCRAM_SHA_256, begin: () => new ScramExchange(users) };
}
