/**
 * The server of SCRAM-SHA-256, message by message: the RFC's example, our own client, and what clients get wrong.
 */
import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ScramClient } from '../../src/scram/client.ts';
import { ScramServer, createCredentials } from '../../src/scram/server.ts';
import type { ScramCredentials } from '../../src/scram/server.ts';
import { NodeScramCrypto } from '../../targets/node/scram.ts';

const crypto = new NodeScramCrypto();
const bytes = (message: string): Uint8Array => Buffer.from(message);
const text = (message: Uint8Array): string => Buffer.from(message).toString();

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const PENCIL: ScramCredentials = createCredentials(
  crypto,
  pbkdf2Sync('pencil', SALT, 4096, 32, 'sha256'),
  SALT,
  4096,
);

/** The code of what `call` throws. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
}

/** A server that has heard the RFC's client, and answered with a nonce of zeros. */
function begun(): { server: ScramServer; withoutProof: string } {
  const server = new ScramServer(
    Object.assign(new NodeScramCrypto(), { randomBytes: () => Buffer.alloc(18) }),
  );
  server.handleClientFirst(bytes('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'));
  server.first(PENCIL);
  return { server, withoutProof: `c=biws,r=rOprNGfwEbeRWgbNEkqO${'A'.repeat(24)}` };
}

describe('the server', () => {
  it('says what the example of RFC 7677, 3 says', () => {
    const server = new ScramServer(crypto);
    expect(server.handleClientFirst(bytes('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'))).toBe('user');
    server.first(PENCIL);
    // The example's nonce of the server is no Base64 that random bytes could have made.
    server.nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    server.serverFirst = `r=${server.nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
    const final = `c=biws,r=${server.nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;
    expect(server.isVerified()).toBe(false);
    expect(text(server.handleClientFinal(bytes(final)))).toBe(
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
    expect(server.isVerified()).toBe(true);
  });

  it('agrees with the client', () => {
    const client = new ScramClient(crypto, 'a,b=c', 'pencil', 4096);
    const server = new ScramServer(crypto);
    expect(server.handleClientFirst(client.first())).toBe('a,b=c');
    client.handleServerFirst(server.first(PENCIL));
    client.derive(1);
    client.handleServerFinal(server.handleClientFinal(client.final()));
    expect(server.isVerified()).toBe(true);
  });

  it('refuses a client that knows another password', () => {
    const client = new ScramClient(crypto, 'user', 'pen', 4096);
    const server = new ScramServer(crypto);
    server.handleClientFirst(client.first());
    client.handleServerFirst(server.first(PENCIL));
    client.derive(1);
    expect(codeOf(() => server.handleClientFinal(client.final()))).toBe('ERR_SCRAM_PROOF');
    expect(server.isVerified()).toBe(false);
  });

  it.each([
    ['y,,n=user,r=abc', undefined],
    ['n,,n=user,r=abc,x=y', undefined],
    ['p=tls-unique,,n=user,r=abc', 'ERR_SCRAM_CHANNEL_BINDING'],
    ['n,a=other,n=user,r=abc', 'ERR_SCRAM_AUTHORIZATION'],
    ['n,,m=x,n=user,r=abc', 'ERR_SCRAM_EXTENSION'],
    ['n,,n=us=er,r=abc', 'ERR_SCRAM_MALFORMED'],
    ['n,,n=,r=abc', 'ERR_SCRAM_MALFORMED'],
    ['n,,r=abc,n=user', 'ERR_SCRAM_MALFORMED'],
    ['n,n=user,r=abc', 'ERR_SCRAM_MALFORMED'],
    ['n=user,r=abc', 'ERR_SCRAM_MALFORMED'],
    ['', 'ERR_SCRAM_MALFORMED'],
    ['n,,n=user,r=a b', 'ERR_SCRAM_NONCE'],
  ])('answers %j with %s', (message, code) => {
    const server = new ScramServer(crypto);
    expect(codeOf(() => server.handleClientFirst(bytes(message)))).toBe(code);
    if (code !== undefined) expect(codeOf(() => server.first(PENCIL))).toBe('ERR_SCRAM_STATE');
  });

  it.each<[string, (withoutProof: string) => string, string]>([
    ['a proof of zeros', (begin) => `${begin},p=${'A'.repeat(43)}=`, 'ERR_SCRAM_PROOF'],
    ['a short proof', (begin) => `${begin},p=AAAA`, 'ERR_SCRAM_PROOF'],
    ['an extension before a proof of zeros', (begin) => `${begin},x=y,p=AAAA`, 'ERR_SCRAM_PROOF'],
    ['another nonce', (begin) => `${begin}A,p=AAAA`, 'ERR_SCRAM_NONCE'],
    ['another header', (begin) => `${begin.replace('biws', 'eSws')},p=AAAA`, 'ERR_SCRAM_CHANNEL_BINDING'],
    ['no header', (begin) => `${begin.substring(7)},p=AAAA`, 'ERR_SCRAM_MALFORMED'],
    ['no proof', (begin) => begin, 'ERR_SCRAM_MALFORMED'],
    ['a proof first', (begin) => `p=AAAA,${begin}`, 'ERR_SCRAM_MALFORMED'],
    ['a proof and more', (begin) => `${begin},p=AAAA,x=y`, 'ERR_SCRAM_MALFORMED'],
  ])('does not believe %s', (_, make, code) => {
    const { server, withoutProof } = begun();
    expect(codeOf(() => server.handleClientFinal(bytes(make(withoutProof))))).toBe(code);
    expect(server.isVerified()).toBe(false);
  });

  it('takes each message once', () => {
    const { server } = begun();
    expect(codeOf(() => server.handleClientFirst(bytes('n,,n=user,r=abc')))).toBe('ERR_SCRAM_STATE');
    expect(codeOf(() => server.handleClientFinal(bytes('c=biws')))).toBe('ERR_SCRAM_STATE');
  });
});
