/**
 * Decisions that are remembered are those that rules would give: after other rules came, after a client became somebody
 * else, and when there are more topics than are remembered.
 */
import { describe, expect, it } from 'vitest';
import { AclDecisions } from '../../../sim/broker/access/acl-decisions.ts';
import { parseAcl } from '../../../sim/broker/access/acl-file.ts';
import type { ClientView } from '../../../sim/broker/hooks.ts';

const ORIGIN = { transport: 'tcp', remoteAddress: '192.0.2.1', certificateName: null } as const;

function clientOf(userName: string | null, clientId = 'c'): ClientView {
  return { clientId, userName, protocolVersion: 5, origin: ORIGIN };
}

/** Decisions by rules whose evaluation is counted. */
function counted(text: string) {
  const acl = parseAcl(text, 'acl');
  let count = 0;
  const rightsOf = acl.rightsOf.bind(acl);
  acl.rightsOf = (userName, clientId) => {
    const rights = rightsOf(userName, clientId);
    const mayPublish = rights.mayPublish.bind(rights);
    rights.mayPublish = (topic) => {
      count++;
      return mayPublish(topic);
    };
    return rights;
  };
  return { decisions: new AclDecisions(acl), count: () => count };
}

describe('decisions', () => {
  it('are made once for a client and a topic', () => {
    const { decisions, count } = counted('user u\ntopic write a');
    const [one, other] = [clientOf('u'), clientOf('v')];
    for (let n = 0; n < 3; n++) {
      expect(decisions.isAllowed(one, 'publish', 'a')).toBe(true);
      expect(decisions.isAllowed(one, 'publish', 'b')).toBe(false);
      expect(decisions.isAllowed(other, 'publish', 'a')).toBe(false);
    }
    expect(count()).toBe(3);
  });

  it('to publish say nothing of subscribing', () => {
    const decisions = new AclDecisions(parseAcl('topic write a\ntopic read b', 'acl'));
    const client = clientOf(null);
    for (let n = 0; n < 2; n++) {
      expect(decisions.isAllowed(client, 'publish', 'a')).toBe(true);
      expect(decisions.isAllowed(client, 'subscribe', 'a')).toBe(false);
      expect(decisions.isAllowed(client, 'publish', 'b')).toBe(false);
      expect(decisions.isAllowed(client, 'subscribe', 'b')).toBe(true);
    }
  });

  it('end with the rules they were made by', () => {
    const decisions = new AclDecisions(parseAcl('topic write a', 'acl'));
    const client = clientOf(null);
    expect(decisions.isAllowed(client, 'publish', 'a')).toBe(true);
    expect(decisions.isAllowed(client, 'subscribe', 'a')).toBe(false);
    decisions.replace(parseAcl('topic read a', 'acl'));
    expect(decisions.isAllowed(client, 'publish', 'a')).toBe(false);
    expect(decisions.isAllowed(client, 'subscribe', 'a')).toBe(true);
  });

  it('end when the client authenticates as somebody else', () => {
    const decisions = new AclDecisions(parseAcl('user u\ntopic write a', 'acl'));
    const client: { -readonly [Name in keyof ClientView]: ClientView[Name] } = clientOf('u');
    expect(decisions.isAllowed(client, 'publish', 'a')).toBe(true);
    client.userName = 'v';
    expect(decisions.isAllowed(client, 'publish', 'a')).toBe(false);
  });

  it('of a client are as many as are bounded, the oldest forgotten', () => {
    const { decisions, count } = counted('topic write a/#');
    const client = clientOf(null);
    const ask = (index: number) => decisions.isAllowed(client, 'publish', `a/${index}`);
    for (let index = 0; index < 257; index++) expect(ask(index)).toBe(true);
    expect(count()).toBe(257);
    ask(256);
    ask(1);
    expect(count()).toBe(257);
    ask(0);
    expect(count()).toBe(258);
  });

  it('of long topics are not kept', () => {
    const { decisions, count } = counted('topic write #');
    const client = clientOf(null);
    const long = 'a'.repeat(257);
    for (let n = 0; n < 3; n++) expect(decisions.isAllowed(client, 'publish', long)).toBe(true);
    expect(count()).toBe(3);
  });

  it('of all clients are bounded, and right all the same', () => {
    const { decisions, count } = counted('pattern write %c/#');
    const clients = Array.from({ length: 500 }, (_, index) => clientOf(null, `c${index}`));
    const askAll = () => {
      for (const client of clients) {
        for (let index = 0; index < 250; index++) {
          const topic = `${client.clientId}/${index}`;
          if (!decisions.isAllowed(client, 'publish', topic)) throw new Error(`${topic} is refused`);
        }
      }
    };
    askAll();
    expect(count()).toBe(125_000);
    // They begin anew after 100,000: what came then is still there.
    decisions.isAllowed(clients[499], 'publish', 'c499/249');
    expect(count()).toBe(125_000);
    decisions.isAllowed(clients[0], 'publish', 'c0/0');
    expect(count()).toBe(125_001);
    expect(decisions.isAllowed(clients[0], 'publish', 'c1/0')).toBe(false);
  });
});
