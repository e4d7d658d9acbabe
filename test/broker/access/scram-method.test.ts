/**
 * SCRAM-SHA-256 as a broker's method: our own client on the other side, an example of the RFC, and what gets refused.
 */
import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseUsers } from '../../../sim/broker/access/users-file.ts';
import { scramSha256Method } from '../../../sim/broker/access/scram-method.ts';
import type { AuthenticationStep, ConnectAttempt } from '../../../sim/broker/hooks.ts';
import { ScramClient } from '../../../src/scram/client.ts';
import { createCredentials } from '../../../src/scram/server.ts';
import { NodeScramCrypto } from '../../../targets/node/scram.ts';
import { formatUser } from '../../../sim/broker/access/users-file.ts';

const crypto = new NodeScramCrypto();
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const SCRYPT = '$scrypt$ln=14,r=8,p=1$vkWLvxS8qdRjhwmjOlXqew$TH5JJlIqaaK0H8DihXdRqEuC8YiZ+SYMt31IklgZub0';

const credentials = createCredentials(crypto, pbkdf2Sync('pencil', SALT, 4096, 32, 'sha256'), SALT, 4096);
const USERS = parseUsers(
  `${formatUser('user', SCRYPT, credentials)}\n${formatUser('I\u00adX', SCRYPT, credentials)}`,
  'users',
);

const ATTEMPT: ConnectAttempt = {
  clientId: 'c',
  userName: null,
  password: null,
  protocolVersion: 5,
  cleanStart: true,
  origin: { transport: 'tcp', remoteAddress: '192.0.2.1', certificateName: null },
  nowMs: 0,
};

const begin = () => scramSha256Method(USERS).begin(ATTEMPT);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (data: Uint8Array | null): string => Buffer.from(data ?? []).toString();

/** What the first message of `client` is answered with, which must be the server's first. */
async function challenge(exchange: ReturnType<typeof begin>, client: ScramClient): Promise<Uint8Array> {
  const step = await exchange.step(client.first());
  if (step.kind !== 'continue') throw new Error(`the exchange ended: ${step.kind}`);
  return step.data;
}

/** The last message of `client`, who hears the server's first. A key that it has derived before it keeps. */
function answer(client: ScramClient, serverFirst: Uint8Array): Uint8Array {
  const final = client.handleServerFirst(serverFirst);
  if (final !== null) return final;
  client.derive(1);
  return client.final();
}

/** How the exchange of a client with this name and password ends. */
async function ending(userName: string, password: string): Promise<AuthenticationStep> {
  const exchange = begin();
  const client = new ScramClient(crypto, userName, password, 4096);
  const step = await exchange.step(answer(client, await challenge(exchange, client)));
  if (step.kind === 'success') client.handleServerFinal(step.data);
  return step;
}

describe('the method', () => {
  it('has the name of RFC 7677', () => expect(scramSha256Method(USERS).name).toBe('SCRAM-SHA-256'));

  it('lets in who knows the password, and proves that the server does', async () => {
    expect(await ending('user', 'pencil')).toMatchObject({ kind: 'success', userName: 'user' });
  });

  it('says the name as the file has it', async () => {
    expect(await ending('IX', 'pencil')).toMatchObject({ kind: 'success', userName: 'I\u00adX' });
  });

  it('authenticates anew in an exchange of its own (4.12.1)', async () => {
    const method = scramSha256Method(USERS);
    const client = new ScramClient(crypto, 'user', 'pencil', 4096);
    for (let n = 0; n < 2; n++) {
      const exchange = method.begin(ATTEMPT);
      const step = await exchange.step(answer(client, await challenge(exchange, client)));
      expect(step).toMatchObject({ kind: 'success', userName: 'user' });
    }
  });

  it.each([
    ['user', 'pen'],
    ['nobody', 'pencil'],
  ])('refuses %s with the password %s, with one reason for both', async (userName, password) => {
    expect(await ending(userName, password)).toEqual({
      kind: 'failure',
      reasonCode: 0x87,
      reasonString: 'the client does not know the password',
    });
  });

  it('answers unknown users as known ones', async () => {
    const salts = [];
    for (const name of ['user', 'nobody', 'nobody', 'somebody']) {
      const answer = text(await challenge(begin(), new ScramClient(crypto, name, 'x', 4096)));
      const [, salt] = /^r=[\x21-\x2b\x2d-\x7e]+,s=([A-Za-z0-9+/]{22}==),i=4096$/.exec(answer)!;
      salts.push(salt);
    }
    expect(salts[0]).toBe('W22ZaJ0SNY7soEsUEjb6gQ==');
    expect(salts[1]).toBe(salts[2]);
    expect(new Set(salts).size).toBe(3);
  });
});

describe('a first message that is wrong', () => {
  it.each([
    ['nothing', null],
    ['an empty one', ''],
    ['another method’s', '\0user\0pencil'],
    ['one without a header', 'n=user,r=abc'],
    ['one that wants channel binding', 'p=tls-exporter,,n=user,r=abc'],
    ['one that wants to act as another user', 'n,a=admin,n=user,r=abc'],
    ['one without a nonce', 'n,,n=user'],
    ['one with an extension', 'n,,m=x,n=user,r=abc'],
    ['one that is too long', `n,,n=user,r=${'a'.repeat(1024)}`],
    ['one with a bad escape', 'n,,n=us=er,r=abc'],
  ])('is refused, and ends the exchange: %s', async (_name, message) => {
    const exchange = begin();
    const refusal = { kind: 'failure', reasonCode: 0x87 };
    expect(await exchange.step(message === null ? null : bytes(message))).toMatchObject(refusal);
    if (message !== null) expect(await exchange.step(bytes('n,,n=user,r=abc'))).toMatchObject(refusal);
  });

  it('is no matter when it is not UTF-8', async () => {
    expect(await begin().step(Uint8Array.of(0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff))).toMatchObject({
      reasonCode: 0x87,
    });
  });
});

describe('a last message that is wrong', () => {
  it.each([
    ['nothing', () => null],
    ['an empty one', () => ''],
    ['one without a proof', (nonce: string) => `c=biws,r=${nonce}`],
    ['one with another nonce', (nonce: string) => `c=biws,r=${nonce}x,p=${'A'.repeat(43)}=`],
    ['one with another header', (nonce: string) => `c=eSws,r=${nonce},p=${'A'.repeat(43)}=`],
    ['one with a short proof', (nonce: string) => `c=biws,r=${nonce},p=AAAA`],
    ['one with a proof of zeros', (nonce: string) => `c=biws,r=${nonce},p=${'A'.repeat(43)}=`],
    ['the first one again', () => 'n,,n=user,r=abc'],
  ])('is refused: %s', async (_name, message) => {
    const exchange = begin();
    const step = await exchange.step(bytes('n,,n=user,r=abc'));
    if (step.kind !== 'continue') throw new Error('the exchange ended');
    const [, nonce] = /^r=([^,]+),/.exec(text(step.data))!;
    const last = message(nonce);
    expect(await exchange.step(last === null ? null : bytes(last))).toMatchObject({
      kind: 'failure',
      reasonCode: 0x87,
    });
    expect(await exchange.step(bytes(`c=biws,r=${nonce},p=${'A'.repeat(43)}=`))).toMatchObject({
      kind: 'failure',
    });
  });
});
