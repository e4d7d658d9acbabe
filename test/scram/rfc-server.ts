/**
 * A server of SCRAM-SHA-256 as RFC 5802 and RFC 7677 have it, written for the tests from these and with node:crypto:
 * it shares nothing with src/scram but the bytes on the wire. Made to misbehave by its options.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';

export interface RfcServerOptions {
  userName?: string;
  password?: string;
  salt?: Buffer;
  iterations?: number;
  /** The server's part of the nonce. */
  nonce?: string;
  /** What it says in place of its first message, given that. */
  tamperFirst?: (message: string) => string;
  /** Likewise of its last. */
  tamperFinal?: (message: string) => string;
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

export class RfcServer {
  readonly options: Required<
    Pick<RfcServerOptions, 'userName' | 'password' | 'salt' | 'iterations' | 'nonce'>
  > &
    RfcServerOptions;
  /** Messages as they came, one after the other. */
  readonly heard: string[] = [];
  private clientFirstBare = '';
  private serverFirst = '';

  constructor(options: RfcServerOptions = {}) {
    this.options = {
      userName: 'user',
      password: 'pencil',
      salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
      iterations: 4096,
      nonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      ...options,
    };
  }

  /** Answers the client's first message. */
  first(message: Uint8Array | string): Buffer {
    const text = Buffer.from(message as Uint8Array).toString();
    this.heard.push(text);
    const [, bare, name, nonce] = /^[ny],,(n=([^,]*),r=([!-+\--~]+))$/.exec(text) ?? [];
    if (nonce === undefined) throw new Error(`no first message of a client: ${text}`);
    const decoded = name.replace(/=2C/g, ',').replace(/=3D/g, '=');
    if (decoded !== this.options.userName) throw new Error(`unknown user: ${decoded}`);
    this.clientFirstBare = bare;
    const { salt, iterations, tamperFirst } = this.options;
    const honest = `r=${nonce}${this.options.nonce},s=${salt.toString('base64')},i=${iterations}`;
    this.serverFirst = tamperFirst?.(honest) ?? honest;
    return Buffer.from(this.serverFirst);
  }

  /** Answers the client's last message, by `v=` or, when the proof is wrong, `e=invalid-proof`. */
  final(message: Uint8Array | string): Buffer {
    const text = Buffer.from(message as Uint8Array).toString();
    this.heard.push(text);
    const [, withoutProof, nonce, proof] = /^(c=biws,r=([^,]+)),p=([A-Za-z0-9+/]{43}=)$/.exec(text) ?? [];
    if (proof === undefined) throw new Error(`no last message of a client: ${text}`);
    if (nonce !== /r=([^,]*)/.exec(this.serverFirst)![1]) throw new Error('the nonce is another');
    const { password, salt, iterations, tamperFinal } = this.options;
    const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
    const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
    const authMessage = [this.clientFirstBare, this.serverFirst, withoutProof].join(',');
    const signature = hmac(storedKey, authMessage);
    const clientKey = Buffer.from(proof, 'base64').map((byte, i) => byte ^ signature[i]);
    const isKnown = timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey);
    const honest = isKnown
      ? `v=${hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')}`
      : 'e=invalid-proof';
    return Buffer.from(tamperFinal?.(honest) ?? honest);
  }
}
