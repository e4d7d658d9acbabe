/**
 * Hashes of passwords: an RFC's example, what mosquitto_passwd wrote, and what no file may say.
 */
import { describe, expect, it } from 'vitest';
import { hashPassword, isPassword, parsePasswordHash } from '../../../sim/broker/access/password-hash.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** RFC 7914, 12: "password" with the salt "NaCl". */
const RFC =
  '$scrypt$ln=10,r=8,p=16$TmFDbA$' +
  Buffer.from(
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162' +
      '2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    'hex',
  ).toString('base64');
/** mosquitto_passwd 2.0.11 with the password "secret", then "pässword". */
const MOSQUITTO =
  '$7$101$/Gzt3EoaBXouCRRO$iLRmKcdRir4gzjr/3Ubaq2XG/6R4AfobTb+cDSJUhEYFL/Vq5vgIylWDy4W9K+T+pvqVbOwxcIXRbZUGW77PxA==';
const MOSQUITTO_UTF8 =
  '$7$101$h8IWL7wXFvn6eaEK$bkyBg0M8t9W43sGqH/TzsM8rBRxLgUxK1g13gqsAm6/AiLJOJZTcJOgnGCQNJPHIj10q6vAHBeVt2Tb0zxY1ug==';

describe('a hash', () => {
  it.each([
    ['of RFC 7914', RFC, 'password'],
    ['of mosquitto_passwd', MOSQUITTO, 'secret'],
    ['of mosquitto_passwd, not ASCII', MOSQUITTO_UTF8, 'pässword'],
  ])('%s fits its password alone', async (_name, text, password) => {
    const hash = parsePasswordHash(text);
    expect(hash.text).toBe(text);
    expect(await isPassword(bytes(password), hash)).toBe(true);
    for (const wrong of ['', password.slice(1), `${password} `, password.toUpperCase()]) {
      expect(await isPassword(bytes(wrong), hash)).toBe(false);
    }
  });

  it('of ours is read back, salted, and says how it was made', async () => {
    const password = Uint8Array.of(0, 255, 36, 58);
    const [one, other] = await Promise.all([hashPassword(password), hashPassword(password)]);
    expect(one).toMatch(/^\$scrypt\$ln=14,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(other).not.toBe(one);
    expect(await isPassword(password, parsePasswordHash(one))).toBe(true);
    expect(await isPassword(password.slice(1), parsePasswordHash(one))).toBe(false);
  });

  it.each([
    [''],
    ['hunter2'],
    ['$6$u90FWvXYWEiW8A1h$Js7Kc/j1huxIcaWI/iHfZw=='],
    ['$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g'],
    ['x$7$101$/Gzt3EoaBXouCRRO$iLRmKcdRir4gzjr/3Ubaqw=='],
    [MOSQUITTO.replace('$101$', '$0$')],
    [MOSQUITTO.replace('$101$', '$1e3$')],
    [MOSQUITTO.replace('$101$', '$99999999$')],
    [MOSQUITTO.replace('/Gz', '')],
    [MOSQUITTO.replace('/Gzt', '!Gzt')],
    [MOSQUITTO.replace('$7$', '$7$7$')],
    ['$7$101$c2FsdA==$c2hvcnQ='],
    [RFC.replace('ln=10', 'ln=0')],
    [RFC.replace('ln=10', 'ln=16')], // 64 MiB, and the blocks that r and p ask for
    [RFC.replace('ln=10', 'ln=99')],
    [RFC.replace('r=8', 'r=0')],
    [RFC.replace('p=16', 'p=0')],
    [RFC.replace('p=16', 'p=17')],
    [RFC.replace('ln=10,', '')],
    [RFC.replace('$TmFDbA', '$')],
    [RFC.slice(0, -72)],
    [`${RFC}$`],
  ])('that is none, or asks for too much, is refused: %j', (text) => {
    let message = '';
    try {
      parsePasswordHash(text);
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toMatch(/must|known here/);
    // It could be a password that stands there in plain text.
    if (text !== '') expect(message).not.toContain(text);
  });
});
