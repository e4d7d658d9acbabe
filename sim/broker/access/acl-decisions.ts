/**
 * What was decided of each client's topics, kept so that the next PUBLISH to the same topic costs two look-ups. Bounded,
 * per client and altogether; forgets rather than grows. The rules are acl-file.ts's.
 */
import type { Access, ClientView } from '../hooks.ts';
import type { Acl, ClientRights } from './acl-file.ts';

/** Topics remembered for a client, and of all clients. */
const TOPICS_PER_CLIENT_MAX = 256;
const TOPICS_MAX = 100_000;
/** Characters of a topic name; longer ones are decided each time. */
const TOPIC_LENGTH_MAX = 256;

interface Known {
  /** Who the client was then: authenticating anew can change that. */
  readonly userName: string | null;
  readonly rights: ClientRights;
  /** Oldest first. */
  readonly mayPublish: Map<string, boolean>;
}

export class AclDecisions {
  private acl: Acl;
  /** The client goes, and what is known of it with it. */
  private known = new WeakMap<ClientView, Known>();
  private topicCount = 0;

  constructor(acl: Acl) {
    this.acl = acl;
  }

  /** Decides by other rules from now on. */
  replace(acl: Acl): void {
    this.acl = acl;
    this.forget();
  }

  isAllowed(client: ClientView, access: Access, topic: string): boolean {
    const known = this.knownOf(client);
    if (access === 'subscribe') return known.rights.maySubscribe(topic);
    const before = known.mayPublish.get(topic);
    if (before !== undefined) return before;
    const isAllowed = known.rights.mayPublish(topic);
    if (topic.length <= TOPIC_LENGTH_MAX) this.remember(known.mayPublish, topic, isAllowed);
    return isAllowed;
  }

  private knownOf(client: ClientView): Known {
    const before = this.known.get(client);
    if (before?.userName === client.userName) return before;
    const { userName, clientId } = client;
    const known = { userName, rights: this.acl.rightsOf(userName, clientId), mayPublish: new Map() };
    this.known.set(client, known);
    return known;
  }

  private remember(topics: Map<string, boolean>, topic: string, isAllowed: boolean): void {
    if (topics.size >= TOPICS_PER_CLIENT_MAX) {
      for (const oldest of topics.keys()) {
        topics.delete(oldest);
        break;
      }
    } else if (++this.topicCount > TOPICS_MAX) {
      // Those of clients that went are counted as well: nobody tells when they go.
      this.forget();
      return;
    }
    topics.set(topic, isAllowed);
  }

  private forget(): void {
    this.known = new WeakMap();
    this.topicCount = 0;
  }
}
