/**
 * The client of SCRAM-SHA-256, message by message: the examples of the RFCs, and everything a server can get wrong.
 */
import { describe, expect, it } from 'vitest';
import type { ScramCrypto } from '../../src/scram/crypto.ts';
import { ScramClient } from '../../src/scram/client.ts';
import { SoftwareCrypto } from '../../src/scram/sha256.ts';
import { NodeScramCrypto } from '../../targets/node/scram.ts';
import { RfcServer } from './rfc-server.ts';
import type { RfcServerOptions } from './rfc-server.ts';

const NO_LIMIT = 1_000_000;
const text = (bytes: Uint8Array | null): string => Buffer.from(bytes!).toString();
const bytes = (message: string): Uint8Array => Buffer.from(message);

/** What `call` throws. */
function thrown(call: () => unknown): { code?: string; message?: string } {
  try {
    call();
  } catch (error) {
    return error as Error & { code: string };
  }
  return {};
}

/** A place without a PBKDF2 of its own, with the given nonces. */
function cryptoOf(...nonces: string[]): ScramCrypto {
  const crypto = new SoftwareCrypto(() => 0x5eed);
  const made = nonces.map((nonce) => Buffer.from(nonce, 'base64'));
  if (made.length > 0) crypto.randomBytes = () => Uint8Array.from(made.shift()!);
  return crypto;
}

/** Counts the rounds that a client derives. */
function counting(crypto: ScramCrypto): ScramCrypto & { rounds: number } {
  const counter = Object.assign(crypto, { rounds: 0 });
  const { createMac } = counter;
  counter.createMac = (key) => {
    const mac = createMac.call(crypto, key);
    const { iterate } = mac;
    mac.iterate = (block, sum, rounds) => {
      counter.rounds += rounds;
      iterate.call(mac, block, sum, rounds);
    };
    return mac;
  };
  return counter;
}

function clientOf(
  crypto: ScramCrypto = new NodeScramCrypto(),
  password = 'pencil',
  userName = 'user',
): ScramClient {
  return new ScramClient(crypto, userName, password, NO_LIMIT);
}

/** The client's last message; derives what has to be. */
function answer(client: ScramClient, serverFirst: Uint8Array): Uint8Array {
  const final = client.handleServerFirst(serverFirst);
  if (final !== null) return final;
  while (!client.derive(1000));
  return client.final();
}

/** One exchange with a server of these options. */
function exchange(client: ScramClient, options: RfcServerOptions = {}): RfcServer {
  const server = new RfcServer(options);
  client.handleServerFinal(server.final(answer(client, server.first(client.first()))));
  return server;
}

describe('the example of RFC 7677, 3', () => {
  it.each([
    ['JavaScript', cryptoOf('rOprNGfwEbeRWgbNEkqO')],
    [
      'Node',
      Object.assign(new NodeScramCrypto(), {
        randomBytes: () => Buffer.from('rOprNGfwEbeRWgbNEkqO', 'base64'),
      }),
    ],
  ])('is what is said, with the hashes of %s', (_, crypto) => {
    const client = clientOf(crypto);
    expect(text(client.first())).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const serverFirst =
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
    expect(text(answer(client, bytes(serverFirst)))).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,' +
        'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    client.handleServerFinal(bytes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
    expect(client.isUnderWay()).toBe(false);
  });
});

describe('an exchange', () => {
  it.each([
    ['user', 'pencil'],
    ['a,b=c', 'comma, = and "quotes"'],
    ['jürgen', 'pässwörd'],
    ['\u{1f469}', '\u{1f511}\u{1f511}'],
    ['u', 'x'.repeat(200)],
  ])('proves %j to a server and the server to it', (userName, password) => {
    const server = exchange(clientOf(undefined, password, userName), { userName, password });
    expect(server.heard[0]).toMatch(/^n,,n=/);
    expect(server.heard[1]).toMatch(/^c=biws,r=/);
  });

  it('prepares name and password first (RFC 5802, 2.2, 5.1)', () => {
    const client = clientOf(undefined, '\u2168\u00ad', 'I\u00adX');
    exchange(client, { userName: 'IX', password: 'IX' });
  });

  it('is given extensions it need not understand (RFC 5802, 5.1)', () => {
    const tamperFirst = (message: string): string => `${message},x=some,y=thing`;
    const tamperFinal = (message: string): string => `${message},x=more`;
    exchange(clientOf(), { tamperFirst, tamperFinal });
  });

  it('has a nonce of its own each time, of 18 bytes', () => {
    const client = clientOf();
    const nonces = Array.from({ length: 20 }, () => /r=(.*)$/.exec(text(client.first()))![1]);
    expect(new Set(nonces).size).toBe(20);
    for (const nonce of nonces) expect(Buffer.from(nonce, 'base64')).toHaveLength(18);
  });

  it('fails when the passwords differ, and says what the server says', () => {
    const client = clientOf(undefined, 'pen');
    const error = thrown(() => exchange(client));
    expect(error).toMatchObject({
      code: 'ERR_SCRAM_SERVER_ERROR',
      message: 'the server refuses: invalid-proof',
    });
    expect(client.isUnderWay()).toBe(false);
  });

  it('can be begun anew at any time', () => {
    const client = clientOf();
    const server = new RfcServer();
    server.first(client.first());
    exchange(client);
    client.handleServerFirst(new RfcServer().first(client.first()));
    exchange(client);
  });
});

describe('keys', () => {
  it('are derived in slices, 4,096 rounds in all', () => {
    const crypto = counting(cryptoOf());
    const client = clientOf(crypto);
    expect(client.handleServerFirst(new RfcServer().first(client.first()))).toBeNull();
    expect(client.isDeriving()).toBe(true);
    expect(client.isFinalDue()).toBe(false);
    expect(thrown(() => client.final())).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    let slices = 1;
    while (!client.derive(100)) slices++;
    expect(slices).toBe(41);
    expect(crypto.rounds).toBe(4095);
    expect(client.isDeriving()).toBe(false);
    expect(client.isFinalDue()).toBe(true);
    expect(client.derive(100)).toBe(true);
    expect(crypto.rounds).toBe(4095);
  });

  it('are kept while salt and count stay the same, and no longer', () => {
    const crypto = counting(cryptoOf());
    const client = clientOf(crypto);
    exchange(client);
    const server = new RfcServer();
    expect(text(client.handleServerFirst(server.first(client.first())))).toMatch(/^c=biws/);
    exchange(client);
    expect(crypto.rounds).toBe(4095);
    exchange(client, { salt: Buffer.from('another salt') });
    expect(crypto.rounds).toBe(2 * 4095);
    exchange(client, { salt: Buffer.from('another salt'), iterations: 5000 });
    expect(crypto.rounds).toBe(2 * 4095 + 4999);
  });

  it('go on being derived when the connection they were for is gone', () => {
    const crypto = counting(cryptoOf());
    const client = clientOf(crypto);
    client.handleServerFirst(new RfcServer().first(client.first()));
    client.derive(3000);
    client.abandon();
    expect(client.isDeriving()).toBe(true);
    client.derive(1000);
    const server = new RfcServer();
    expect(client.handleServerFirst(server.first(client.first()))).toBeNull();
    expect(client.derive(95)).toBe(true);
    client.handleServerFinal(server.final(client.final()));
    expect(crypto.rounds).toBe(4095);
  });

  it('are begun anew when the salt changes under way', () => {
    const crypto = counting(cryptoOf());
    const client = clientOf(crypto);
    client.handleServerFirst(new RfcServer().first(client.first()));
    client.derive(3000);
    exchange(client, { salt: Buffer.from('another salt') });
    expect(crypto.rounds).toBe(3000 + 4095);
  });

  it('may come from elsewhere, and are taken for their salt only', () => {
    const client = clientOf(cryptoOf());
    client.handleServerFirst(new RfcServer().first(client.first()));
    const stale = { salt: client.salt, key: new Uint8Array(32).fill(7) };
    const server = new RfcServer({ salt: Buffer.from('another salt') });
    client.handleServerFirst(server.first(client.first()));
    client.setSaltedPassword(stale.salt, stale.key);
    expect(client.isDeriving()).toBe(true);
    expect(stale.key).toEqual(new Uint8Array(32));
    const key = new NodeScramCrypto().pbkdf2(client.password, client.salt, client.iterations);
    client.setSaltedPassword(client.salt, key);
    expect(key.every((byte) => byte === 0)).toBe(true);
    client.handleServerFinal(server.final(client.final()));
  });

  it('serve on when the password is forgotten, until the salt changes', () => {
    const client = clientOf();
    exchange(client);
    const { password } = client;
    client.forgetPassword();
    expect([...password].every((byte) => byte === 0)).toBe(true);
    exchange(client);
    const other = new RfcServer({ salt: Buffer.from('another salt') });
    const error = thrown(() => client.handleServerFirst(other.first(client.first())));
    expect(error).toMatchObject({ code: 'ERR_SCRAM_PASSWORD_FORGOTTEN' });
    expect(client.isDeriving()).toBe(false);
  });

  it('are gone when all is forgotten', () => {
    const client = clientOf();
    exchange(client);
    const { clientKey, storedKey, serverKey } = client.keys!;
    client.forget();
    for (const key of [clientKey, storedKey, serverKey]) expect(key.every((byte) => byte === 0)).toBe(true);
    const error = thrown(() => client.handleServerFirst(new RfcServer().first(client.first())));
    expect(error).toMatchObject({ code: 'ERR_SCRAM_PASSWORD_FORGOTTEN' });
  });
});

describe('a server’s first message', () => {
  const swap = (from: RegExp | string, to: string) => (message: string) => message.replace(from, to);

  it.each<[string, (message: string) => string, string]>([
    ['with another nonce', swap(/r=./, 'r=!'), 'ERR_SCRAM_NONCE'],
    ['with our nonce alone', swap(/(r=.{24})[^,]*/, '$1'), 'ERR_SCRAM_NONCE'],
    ['with a part of our nonce', swap(/(r=.{20})[^,]*/, '$1'), 'ERR_SCRAM_NONCE'],
    ['with a space in the nonce', swap(',s', ' ,s'), 'ERR_SCRAM_NONCE'],
    ['with a letter in the nonce that is not ASCII', swap(',s', 'é,s'), 'ERR_SCRAM_NONCE'],
    ['with one round too few', swap('4096', '4095'), 'ERR_SCRAM_ITERATIONS'],
    ['with one round', swap('4096', '1'), 'ERR_SCRAM_ITERATIONS'],
    ['with one round too many', swap('4096', String(NO_LIMIT + 1)), 'ERR_SCRAM_ITERATIONS'],
    ['with more rounds than a number holds', swap('4096', '9'.repeat(30)), 'ERR_SCRAM_ITERATIONS'],
    ['with no round', swap('4096', '0'), 'ERR_SCRAM_MALFORMED'],
    ['with rounds that are none', swap('4096', '0x4096'), 'ERR_SCRAM_MALFORMED'],
    ['without a salt', swap(/s=[^,]*/, 's='), 'ERR_SCRAM_MALFORMED'],
    ['with a salt that is no Base64', swap('==', ''), 'ERR_SCRAM_MALFORMED'],
    ['in another order', swap(/(s=.*),(i=.*)/, '$2,$1'), 'ERR_SCRAM_MALFORMED'],
    ['with an extension before all', swap(/^/, 'm=x,'), 'ERR_SCRAM_EXTENSION'],
    ['that is an error', swap(/.*/, 'e=other-error'), 'ERR_SCRAM_MALFORMED'],
    ['that says nothing', swap(/.*/, ''), 'ERR_SCRAM_MALFORMED'],
    ['that is long', swap(/$/, `,x=${'y'.repeat(1000)}`), 'ERR_SCRAM_MALFORMED'],
    ['with a comma at its end', swap(/$/, ','), 'ERR_SCRAM_MALFORMED'],
  ])('%s is refused, and nothing is derived', (_, tamperFirst, code) => {
    const crypto = counting(cryptoOf());
    const client = clientOf(crypto);
    const message = new RfcServer({ tamperFirst }).first(client.first());
    expect(thrown(() => client.handleServerFirst(message))).toMatchObject({ code });
    expect(client.isUnderWay()).toBe(false);
    expect(client.isDeriving()).toBe(false);
    expect(crypto.rounds).toBe(0);
    // It cannot be mended, only begun anew.
    expect(thrown(() => client.handleServerFirst(message))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    exchange(client);
  });

  it('cut off anywhere is refused, or has fewer rounds and is refused for that', () => {
    const client = clientOf();
    const { length } = new RfcServer().first(client.first());
    for (let end = 0; end < length; end++) {
      const message = new RfcServer().first(client.first()).subarray(0, end);
      expect(thrown(() => client.handleServerFirst(message)).code, `${end}`).toMatch(
        /^ERR_SCRAM_(MALFORMED|ITERATIONS)$/,
      );
    }
  });

  it('cannot be heard twice, nor before ours', () => {
    const client = clientOf();
    const message = new RfcServer().first(client.first());
    client.handleServerFirst(message);
    expect(thrown(() => client.handleServerFirst(message))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    const fresh = clientOf();
    expect(thrown(() => fresh.handleServerFirst(message))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
  });

  it('of an old exchange is not taken in a new one', () => {
    const client = clientOf();
    const message = new RfcServer().first(client.first());
    client.first();
    expect(thrown(() => client.handleServerFirst(message))).toMatchObject({ code: 'ERR_SCRAM_NONCE' });
  });

  it('that was changed under way costs the proof', () => {
    // Fewer rounds than the server means: what the server then makes of the proof is wrong.
    const client = clientOf();
    const server = new RfcServer({ iterations: 8192 });
    const message = text(server.first(client.first())).replace('8192', '4096');
    expect(text(server.final(answer(client, bytes(message))))).toBe('e=invalid-proof');
  });
});

describe('a server’s last message', () => {
  it.each<[string, (message: string) => string, string]>([
    [
      'with a signature of one bit less',
      (message) => message.replace(/v=./, 'v=/'),
      'ERR_SCRAM_SERVER_SIGNATURE',
    ],
    ['with a short signature', () => 'v=AAAA', 'ERR_SCRAM_SERVER_SIGNATURE'],
    ['with no signature', () => 'v=', 'ERR_SCRAM_MALFORMED'],
    ['with a signature that is no Base64', () => 'v=?', 'ERR_SCRAM_MALFORMED'],
    ['of another kind', () => 'p=AAAA', 'ERR_SCRAM_MALFORMED'],
    ['that is empty', () => '', 'ERR_SCRAM_MALFORMED'],
    ['with an extension before all', (message) => `m=x,${message}`, 'ERR_SCRAM_EXTENSION'],
    ['that is an error', () => 'e=unknown-user', 'ERR_SCRAM_SERVER_ERROR'],
    ['that is an error of no word', () => 'e=\u001b[31m!', 'ERR_SCRAM_SERVER_ERROR'],
    ['that is long', (message) => `${message},x=${'y'.repeat(1000)}`, 'ERR_SCRAM_MALFORMED'],
  ])('%s is not believed', (_, tamperFinal, code) => {
    const client = clientOf();
    const error = thrown(() => exchange(client, { tamperFinal }));
    expect(error).toMatchObject({ code });
    // eslint-disable-next-line no-control-regex
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
    expect(client.isUnderWay()).toBe(false);
  });

  it('has to come', () => {
    const client = clientOf();
    const server = new RfcServer();
    answer(client, server.first(client.first()));
    expect(thrown(() => client.handleServerFinal(null))).toMatchObject({
      code: 'ERR_SCRAM_SERVER_SIGNATURE',
    });
  });

  it('has to come in its turn', () => {
    const signed = bytes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
    const client = clientOf();
    expect(thrown(() => client.handleServerFinal(signed))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    client.first();
    expect(thrown(() => client.handleServerFinal(signed))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    client.handleServerFirst(new RfcServer().first(client.first()));
    expect(thrown(() => client.handleServerFinal(null))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
    exchange(client);
    expect(thrown(() => client.handleServerFinal(signed))).toMatchObject({ code: 'ERR_SCRAM_STATE' });
  });

  it('cannot be made of ours: the proof is no signature', () => {
    const client = clientOf();
    const final = text(answer(client, new RfcServer().first(client.first())));
    const echo = bytes(final.replace(/.*,p=/, 'v='));
    expect(thrown(() => client.handleServerFinal(echo))).toMatchObject({
      code: 'ERR_SCRAM_SERVER_SIGNATURE',
    });
  });
});

describe('what cannot be', () => {
  it.each([
    ['user', '', 5000, 'ERR_SCRAM_TEXT'],
    ['', 'pencil', 5000, 'ERR_SCRAM_TEXT'],
    ['us\u0007er', 'pencil', 5000, 'ERR_SCRAM_TEXT'],
    ['user', 'pencil', 4095, 'ERR_OUT_OF_RANGE'],
    ['user', 'pencil', 100_000_001, 'ERR_OUT_OF_RANGE'],
    ['user', 'pencil', NaN, 'ERR_OUT_OF_RANGE'],
  ])('is thrown at once: %j, %j, %s', (userName, password, iterationsMax, code) => {
    const make = (): ScramClient => new ScramClient(cryptoOf(), userName, password, iterationsMax);
    expect(thrown(make)).toMatchObject({ code });
  });
});
