/**
 * Files of rights: Mosquitto's syntax, what rules allow and deny, and names that somebody chose in order to get more.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AccessFileError } from '../../../sim/broker/access/access-file.ts';
import { loadAcl, parseAcl, type ClientRights } from '../../../sim/broker/access/acl-file.ts';

function rightsOf(text: string, userName: string | null, clientId = 'c'): ClientRights {
  return parseAcl(text, 'acl').rightsOf(userName, clientId);
}

/** What of these may be published to. */
const published = (rights: ClientRights, ...names: string[]) =>
  names.filter((name) => rights.mayPublish(name));
const subscribed = (rights: ClientRights, ...filters: string[]) =>
  filters.filter((filter) => rights.maySubscribe(filter));

/** In the words of mosquitto.conf(5). */
const MOSQUITTO = `# This affects access control for clients with no username.
topic read $SYS/#

# This only affects clients with username "roger".
user roger
topic foo/bar
topic write with blanks/in it
topic read log/#
topic deny log/secret/#

  user   two words
topic read read

# This affects all clients.
pattern write $SYS/broker/connection/%c/state
pattern readwrite users/%u/#\r
`;

describe('rules', () => {
  it('hold for nobody when there are none', () => {
    const rights = rightsOf('', null);
    expect(published(rights, 'a')).toEqual([]);
    expect(subscribed(rights, 'a', '#')).toEqual([]);
  });

  it('before the first section are those of clients without a user name', () => {
    expect(subscribed(rightsOf(MOSQUITTO, null), '$SYS/#', '$SYS/broker/uptime', '#')).toEqual([
      '$SYS/#',
      '$SYS/broker/uptime',
    ]);
    expect(subscribed(rightsOf(MOSQUITTO, 'roger'), '$SYS/#')).toEqual([]);
  });

  it('of a user are that user’s, and write is to publish, read to subscribe', () => {
    const roger = rightsOf(MOSQUITTO, 'roger');
    expect(published(roger, 'foo/bar', 'with blanks/in it', 'log/x', 'foo')).toEqual([
      'foo/bar',
      'with blanks/in it',
    ]);
    expect(subscribed(roger, 'foo/bar', 'with blanks/in it', 'log/x', 'foo/+')).toEqual(['foo/bar', 'log/x']);
    expect(subscribed(rightsOf(MOSQUITTO, 'two words'), 'read', 'log/x')).toEqual(['read']);
    expect(subscribed(rightsOf(MOSQUITTO, 'two'), 'read')).toEqual([]);
  });

  it('of a client are added to its user’s', () => {
    const text = 'user u\ntopic read a\nclient c\ntopic read b\nuser u\ntopic read d';
    expect(subscribed(rightsOf(text, 'u', 'c'), 'a', 'b', 'd')).toEqual(['a', 'b', 'd']);
    expect(subscribed(rightsOf(text, 'u', 'x'), 'a', 'b', 'd')).toEqual(['a', 'd']);
    expect(subscribed(rightsOf(text, null, 'c'), 'a', 'b')).toEqual(['b']);
  });

  it('that are patterns hold for everybody, with %u and %c', () => {
    const rights = rightsOf(MOSQUITTO, 'alice', 'c7');
    expect(published(rights, 'users/alice/x', 'users/bob/x', '$SYS/broker/connection/c7/state')).toEqual([
      'users/alice/x',
      '$SYS/broker/connection/c7/state',
    ]);
    expect(subscribed(rights, 'users/alice/#', 'users/+/x', 'users/#')).toEqual(['users/alice/#']);
    expect(published(rightsOf('pattern write a/%u-%c/x', 'u', '9'), 'a/u-9/x', 'a/u-8/x')).toEqual([
      'a/u-9/x',
    ]);
    expect(published(rightsOf('pattern write all/#', null), 'all/of/it')).toEqual(['all/of/it']);
  });

  it('that are no patterns take %u and %c as they are', () => {
    expect(published(rightsOf('user u\ntopic %u/%c', 'u'), 'u/c', '%u/%c')).toEqual(['%u/%c']);
  });

  it('that name a user hold for nobody without a user name', () => {
    const text = 'topic readwrite #\npattern deny %u/x\npattern read $SYS/%u';
    expect(published(rightsOf(text, null), 'null/x', '/x', '%u/x')).toHaveLength(3);
    expect(subscribed(rightsOf(text, null), '$SYS/', '$SYS/null', '$SYS/%u')).toEqual([]);
  });
});

describe('a filter', () => {
  it('is allowed when rules allow all that it matches', () => {
    const rights = rightsOf('topic read plant/+/data\ntopic read line/#', null);
    expect(subscribed(rights, 'plant/1/data', 'plant/+/data', 'line', 'line/#', 'line/+/x')).toHaveLength(5);
    expect(subscribed(rights, '#', 'plant/#', 'plant/+/+', '+/1/data', 'lines', '+')).toEqual([]);
  });

  it('is refused when it could match what is denied', () => {
    const rights = rightsOf('topic read #\ntopic deny secret/#\npattern deny +/hidden', null);
    expect(subscribed(rights, 'a', 'a/+/b', 'a/x/#', '+/a')).toEqual(['a', 'a/+/b', 'a/x/#']);
    expect(subscribed(rights, '#', '+', 'secret', 'secret/+', '+/+', 'a/#', '+/x')).toEqual([]);
  });
});

describe('what is denied', () => {
  it('is denied whatever else allows it, in any order', () => {
    for (const text of ['topic deny a/b\ntopic a/#', 'topic a/#\ntopic deny a/b']) {
      expect(published(rightsOf(text, null), 'a/b', 'a/c')).toEqual(['a/c']);
    }
    const text = 'user u\ntopic #\nclient c\ntopic deny x\npattern deny %u/no';
    expect(published(rightsOf(text, 'u', 'c'), 'x', 'u/no', 'yes')).toEqual(['yes']);
    expect(published(rightsOf(text, 'u', 'd'), 'x', 'u/no', 'yes')).toEqual(['x', 'yes']);
  });

  it('does not reach behind $', () => {
    expect(subscribed(rightsOf('topic read $SYS/#\ntopic deny #', null), '$SYS/#', 'a')).toEqual(['$SYS/#']);
  });
});

describe('a name that somebody chose', () => {
  const OWN = 'pattern readwrite dev/%c/#\npattern readwrite %u/x';

  it.each(['+', '#', 'a/b', '/', 'a+', 'x#', '+/+', ''])('%j opens nothing', (name) => {
    const rights = rightsOf(OWN, name, name);
    const topics = ['dev/a/x', 'dev/a/b/x', 'dev', 'dev/', 'dev//x', 'a/b/x', '/x', 'x', `dev/${name}/x`];
    expect(published(rights, ...topics)).toEqual([]);
    expect(subscribed(rights, ...topics, 'dev/+/#', 'dev/#', '#', '+/x')).toEqual([]);
  });

  it('with $ does not lead to topics that wildcards leave out', () => {
    const rights = rightsOf('pattern readwrite %c/#\npattern read $%u', '$SYS', '$SYS');
    expect(published(rights, '$SYS/broker')).toEqual([]);
    expect(subscribed(rights, '$SYS/#', '$SYS', '$$SYS')).toEqual(['$$SYS']);
    expect(published(rightsOf(OWN, null, '$SYS'), 'dev/$SYS/x')).toEqual(['dev/$SYS/x']);
  });

  it('is not filled in twice', () => {
    const rights = rightsOf('pattern write %c/x', 'root', '%u');
    expect(published(rights, 'root/x', '%u/x')).toEqual(['%u/x']);
    expect(published(rightsOf('pattern write %c/x', 'u', '$&'), 'y/x')).toEqual([]);
  });

  it('does not get around what is denied', () => {
    const text = 'user u\ntopic #\npattern deny dev/%c/secret';
    expect(published(rightsOf(text, 'u', 'a/b'), 'dev/a/b/secret', 'dev/a/secret')).toEqual(['dev/a/secret']);
    expect(subscribed(rightsOf(text, 'u', 'a/b'), 'dev/a/+/secret', 'dev/x')).toEqual(['dev/x']);
    // No topic name holds a wildcard [MQTT-3.3.2-2]: there is nothing to deny.
    expect(published(rightsOf(text, 'u', '#'), 'dev/a/secret')).toEqual(['dev/a/secret']);
  });
});

describe('a file that is wrong', () => {
  it.each([
    ['topic', 'there is no topic filter'],
    ['topic read', undefined],
    ['topic raed a', '"raed" is not one of read, write, readwrite, deny'],
    ['topic with blanks', '"with" is not one of'],
    ['topic read a/#/b', '"a/#/b" is not a topic filter'],
    ['topic a+', 'is not a topic filter'],
    ['pattern', 'there is no topic filter'],
    ['pattern read %c#', 'is not a topic filter'],
    ['topic read $share/g/a', 'behind $share/NAME/'],
    ['user', 'no name behind "user"'],
    ['client  ', 'no name behind "client"'],
    ['topics read a', '"topics" is not one of user, client, topic, pattern'],
    ['{"a": 1}', 'is not one of'],
  ])('%j is told with its line', (line, message) => {
    const parse = () => parseAcl(`# rules\n\n${line}\n`, 'rules.acl');
    if (message === undefined) {
      expect(parse).not.toThrow();
      return;
    }
    expect(parse).toThrow(AccessFileError);
    expect(parse).toThrow('rules.acl:3: ');
    expect(parse).toThrow(message);
  });

  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'motemq-acl-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is told with its path', async () => {
    await expect(loadAcl(join(folder, 'none'))).rejects.toThrow(/none: cannot be read: ENOENT$/);
    const file = join(folder, 'latin1');
    await writeFile(file, Buffer.from([0x75, 0x73, 0x65, 0x72, 0x20, 0xe4]));
    await expect(loadAcl(file)).rejects.toThrow(`${file}: is not UTF-8`);
  });

  it('is no file that begins with a byte order mark', async () => {
    const file = join(folder, 'bom');
    await writeFile(file, '\ufefftopic read a\r\n');
    expect((await loadAcl(file)).rightsOf(null, 'c').maySubscribe('a')).toBe(true);
  });
});
