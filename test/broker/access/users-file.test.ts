/**
 * Files of users: what a line may be, what is told of one that may not, and what is answered for names that nobody has.
 */
import { describe, expect, it } from 'vitest';
import { AccessFileError } from '../../../sim/broker/access/access-file.ts';
import { checkUserName, formatUser, nameInLine, parseUsers } from '../../../sim/broker/access/users-file.ts';

const SCRYPT = '$scrypt$ln=14,r=8,p=1$vkWLvxS8qdRjhwmjOlXqew$TH5JJlIqaaK0H8DihXdRqEuC8YiZ+SYMt31IklgZub0';
const MOSQUITTO =
  '$7$101$/Gzt3EoaBXouCRRO$iLRmKcdRir4gzjr/3Ubaq2XG/6R4AfobTb+cDSJUhEYFL/Vq5vgIylWDy4W9K+T+pvqVbOwxcIXRbZUGW77PxA==';
const SCRAM =
  '$scram-sha-256$8192$W22ZaJ0SNY7soEsUEjb6gQ$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU';

const FILE = `# users of the plant
alice:${SCRYPT}:${SCRAM}

  bob : ${MOSQUITTO}\r
carl:${SCRAM}
Zoë Ω:${SCRYPT.replace('vkW', 'wkW')}
`;

describe('a file of users', () => {
  const users = parseUsers(FILE, 'users');

  it('says who has which password', () => {
    expect(users.passwordOf('alice')).toMatchObject({ hash: { text: SCRYPT }, isDecoy: false });
    expect(users.passwordOf('bob')).toMatchObject({ hash: { text: MOSQUITTO }, isDecoy: false });
    expect(users.passwordOf('Zoë Ω')).toMatchObject({ isDecoy: false });
    expect(users.passwordOf('carl')).toMatchObject({ isDecoy: true });
    expect(users.passwordOf('Alice')).toMatchObject({ isDecoy: true });
    expect(users.passwordOf('')).toMatchObject({ isDecoy: true });
  });

  it('says who has which credentials of SCRAM', () => {
    const { userName, credentials } = users.scramOf('carl');
    expect(userName).toBe('carl');
    expect(credentials.iterations).toBe(8192);
    expect(Buffer.from(credentials.salt).toString('base64')).toBe('W22ZaJ0SNY7soEsUEjb6gQ==');
    expect(users.scramOf('alice').credentials).toEqual(credentials);
  });

  it('answers for unknown names as for users, and each time the same', () => {
    const known = users.scramOf('carl').credentials;
    const [one, again, other] = ['bob', 'bob', 'nobody'].map((name) => users.scramOf(name).credentials);
    expect(again).toEqual(one);
    expect(one.iterations).toBe(known.iterations);
    expect(one.salt).toHaveLength(known.salt.length);
    expect(one.storedKey).toHaveLength(32);
    const distinct = new Set([one, other, known].map(({ salt }) => Buffer.from(salt).toString('hex')));
    expect(distinct.size).toBe(3);
    const answers = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => users.passwordOf(name)!.hash.kind);
    expect(answers).toEqual(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => users.passwordOf(name)!.hash.kind),
    );
  });

  it('may name nobody', () => {
    const nobody = parseUsers('# nobody yet\n', 'users');
    expect(nobody.passwordOf('alice')).toBeNull();
    expect(nobody.scramOf('alice').credentials.iterations).toBe(4096);
    expect(parseUsers(`carl:${SCRAM}`, 'users').passwordOf('carl')).toBeNull();
  });

  it('knows users by the names that SCRAM compares', () => {
    // RFC 4013, 3: I<U+00AD>X is IX, and the Roman numeral nine as well.
    const { userName } = parseUsers(`I\u00adX:${SCRAM}`, 'users').scramOf('IX');
    expect(userName).toBe('I\u00adX');
  });

  it('is written as it is read', () => {
    const { credentials } = users.scramOf('alice');
    expect(formatUser('alice', SCRYPT, credentials)).toBe(`alice:${SCRYPT}:${SCRAM}`);
    expect(formatUser('bob', MOSQUITTO, null)).toBe(`bob:${MOSQUITTO}`);
    expect(FILE.split('\n').map(nameInLine)).toEqual([null, 'alice', null, 'bob', 'carl', 'Zoë Ω', null]);
  });
});

describe('a line that is wrong', () => {
  it.each([
    ['alice', 'no ":"'],
    ['alice:', 'not a password hash'],
    ['alice:secret', 'not a password hash'],
    [`alice:${SCRYPT}:`, 'a password hash is there twice'],
    [`alice:${SCRYPT}:${MOSQUITTO}`, 'a password hash is there twice'],
    [`alice:${SCRAM}:${SCRAM}`, 'SCRAM credentials are there twice'],
    [`alice:${SCRYPT}:${SCRAM}$`, 'SCRAM credentials must be'],
    [`alice:${SCRAM.replace('$8192$', '$4095$')}`, 'at least 4096'],
    [`alice:${SCRAM.replace('$8192$', '$99999999$')}`, 'from 1 to'],
    [`alice:${SCRAM.slice(0, -2)}`, 'the server key of SCRAM must be 32 bytes'],
    [`:${SCRYPT}`, 'there is no user name'],
    [`al\u0007ice:${SCRYPT}`, 'cannot contain that'],
    [`al\u200eice:${SCRAM}`, 'the user name must be text'],
    [`bob:${SCRYPT}`, 'this user is there already, in line 1'],
    [`b\u00adob:${SCRAM}`, 'this user is there already, in line 1'],
  ])('%j is told with its number, and not repeated', (line, message) => {
    const parse = () => parseUsers(`bob:${SCRYPT}\n\n${line}\n`, 'etc/users');
    expect(parse).toThrow(AccessFileError);
    expect(parse).toThrow(/^etc\/users:3: /);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow('secret');
  });
});

describe('a user name', () => {
  it.each(['', ' a', 'a ', '#a', 'a:b', 'a\nb', 'a\0', '\ud800', 'a'.repeat(65_536)])(
    'cannot be %j',
    (name) => expect(() => checkUserName(name)).toThrow(/user name/),
  );
  it.each(['a', 'a b', 'a#', '%u', '+', 'plant/7', '😀'])('can be %j', (name) =>
    expect(() => checkUserName(name)).not.toThrow(),
  );
});
