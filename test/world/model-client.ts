/**
 * A client that keeps to the standard and answers only when it is told to, on a stage with any broker of the world. Two of
 * them that are told the same do the same, as long as their brokers do; what they received can be compared, for Packet
 * Identifiers of the server and Topic Aliases are put back to what they stand for.
 */
import type { ConnectObject, PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import type { PlayedClient, WorldStage } from './world-stage.ts';

/** A message of the client's that is not completed. */
interface Outgoing {
  packet: PublishObject & { packetId: number };
  isReleased: boolean;
}

/** What a client received, with what may differ between brokers put aside: each list in its order. */
export interface Received {
  connack: unknown[];
  answers: unknown[];
  /** By QoS. */
  messages: [unknown[], unknown[], unknown[]];
  released: unknown[];
  end: unknown[];
}

/** What a client owes the server, by packet type: only within one type there is an order (4.6). */
type Debt = 'PUBACK' | 'PUBREC' | 'PUBCOMP' | 'PUBREL';

export class ModelClient {
  readonly clientId: string;
  link: PlayedClient | null = null;
  protocolVersion: 4 | 5 = 5;
  /** Session Expiry Interval of the last CONNECT. */
  expirySeconds = 0;
  private readonly stage: WorldStage;
  /** Links that were taken over, or ended by the server. */
  private former: PlayedClient[] = [];
  private outgoing: Outgoing[] = [];
  private lastPacketId = 0;
  private readonly aliasesIn = new Map<number, string>();
  private readonly aliasesOut = new Map<string, number>();
  /** Payloads by the server's Packet Identifier, while a message is under way. */
  private incoming = new Map<number, string>();
  private debts: Record<Debt, number[]> = { PUBACK: [], PUBREC: [], PUBCOMP: [], PUBREL: [] };

  constructor(stage: WorldStage, clientId: string) {
    this.stage = stage;
    this.clientId = clientId;
  }

  get isConnected(): boolean {
    return this.link !== null;
  }

  get outgoingCount(): number {
    return this.outgoing.length;
  }

  // --- What it is told to do -----------------------------------------------------------------------------------------

  /** Connects, with `more` right behind; an earlier connection stays open for the server to end. */
  connect(fields: Partial<ConnectObject>, more: PacketObject[]): void {
    // What comes on the earlier connection is not looked at any more.
    this.setHearing(true);
    if (this.link !== null) this.former.push(this.link);
    this.forgetConnection();
    this.protocolVersion = fields.protocolVersion ?? 5;
    this.expirySeconds = fields.properties?.sessionExpiryInterval ?? 0;
    this.link = this.stage.open(this.protocolVersion);
    this.link.send({ type: 'CONNECT', clientId: this.clientId, ...fields }, ...more);
  }

  private forgetConnection(): void {
    this.link = null;
    this.aliasesIn.clear();
    this.aliasesOut.clear();
    this.debts = { PUBACK: [], PUBREC: [], PUBCOMP: [], PUBREL: [] };
  }

  /** Hears nothing any more, until it hears all, or its connection is gone. */
  setHearing(isHearing: boolean): void {
    if (this.link === null) return;
    this.link.isReading = isHearing;
    this.stage.settle();
  }

  drop(): void {
    this.link?.drop();
    this.forgetConnection();
  }

  disconnect(packet: PacketObject): void {
    this.setHearing(true);
    const { link } = this;
    if (link !== null) this.former.push(link);
    this.forgetConnection();
    link?.send(packet);
  }

  nextPacketId(): number {
    do this.lastPacketId = (this.lastPacketId % 40) + 1;
    while (this.outgoing.some(({ packet }) => packet.packetId === this.lastPacketId));
    return this.lastPacketId;
  }

  /** Publishes, with an alias above 0 if it is one. */
  publish(message: PublishObject, alias: number): void {
    let packet = message;
    if ((message.qos ?? 0) > 0) {
      const counted = { ...message, packetId: this.nextPacketId() };
      this.outgoing.push({ packet: counted, isReleased: false });
      packet = counted;
    }
    if (alias > 0) {
      const topicName = message.topicName ?? '';
      const isKnown = this.aliasesOut.get(topicName) === alias;
      for (const [name, one] of [...this.aliasesOut]) if (one === alias) this.aliasesOut.delete(name);
      this.aliasesOut.set(topicName, alias);
      const properties = { ...message.properties, topicAlias: alias };
      packet = { ...packet, properties, topicName: isKnown ? '' : topicName };
    }
    this.link?.send(packet);
  }

  /** Sends a request with an identifier of its own. */
  request(
    make: (packetId: number) => PacketObject & { type: 'SUBSCRIBE' | 'UNSUBSCRIBE' | 'PINGREQ' },
  ): void {
    this.link?.send(make(this.nextPacketId()));
  }

  /** Pays the oldest debts of one type; a `reasonCode` above 0 goes with the first. */
  pay(type: Debt, count: number, reasonCode: number): void {
    const packetIds = this.debts[type].splice(0, count);
    packetIds.forEach((packetId, index) => {
      const isRefusal = reasonCode > 0 && index === 0 && this.protocolVersion === 5;
      if (isRefusal || type === 'PUBACK' || type === 'PUBCOMP') this.incoming.delete(packetId);
      this.link?.send({ type, packetId, ...(isRefusal ? { reasonCode } : {}) });
      this.receive();
    });
  }

  /** Pays all debts, and those that come of it, until there are none. */
  payAll(): void {
    while (Object.values(this.debts).some((list) => list.length > 0)) {
      for (const type of ['PUBACK', 'PUBREC', 'PUBCOMP', 'PUBREL'] as const) this.pay(type, 100, 0);
    }
  }

  // --- What it receives ----------------------------------------------------------------------------------------------

  private received: Received = emptyReceived();

  /** What came since the last time, on all its connections. */
  take(): Received {
    this.receive();
    const { received } = this;
    this.received = emptyReceived();
    return received;
  }

  private receive(): void {
    for (const link of this.former) {
      for (const packet of link.take()) if (packet.type === 'DISCONNECT') this.note(packet);
      if (link.isClosed) this.received.end.push('a former connection ends');
    }
    this.former = this.former.filter(({ isClosed }) => !isClosed);
    const { link } = this;
    if (link === null) return;
    for (const packet of link.take()) this.note(packet);
    if (!link.isClosed) return;
    this.received.end.push('the connection ends');
    if (this.link === link) this.forgetConnection();
  }

  private note(packet: PacketObject): void {
    const { received } = this;
    switch (packet.type) {
      case 'CONNACK': {
        const { sessionPresent, reasonCode } = packet;
        const isAssigned = packet.properties?.assignedClientIdentifier !== undefined;
        received.connack.push({ sessionPresent, reasonCode, isAssigned });
        this.begin(sessionPresent === true);
        return;
      }
      case 'PUBLISH':
        this.noteMessage(packet);
        return;
      case 'PUBACK':
      case 'PUBREC':
      case 'PUBCOMP': {
        const { type, packetId, reasonCode = 0 } = packet;
        // 0x10, No matching subscribers, is for a server to say or not to say (3.4.2.1). 0x92, Packet Identifier not
        // found, is no error when PUBREL is sent again (3.7.2.1).
        const isFine = reasonCode === 0x10 || (type === 'PUBCOMP' && reasonCode === 0x92);
        received.answers.push({ type, packetId, reasonCode: isFine ? 0 : reasonCode });
        const outgoing = this.outgoing.find((one) => one.packet.packetId === packetId);
        if (outgoing !== undefined && type === 'PUBREC' && reasonCode < 0x80) {
          outgoing.isReleased = true;
          this.debts.PUBREL.push(packetId);
        } else {
          this.outgoing = this.outgoing.filter((one) => one !== outgoing);
        }
        return;
      }
      case 'PUBREL':
        received.released.push(this.incoming.get(packet.packetId) ?? 'nothing');
        this.debts.PUBCOMP.push(packet.packetId);
        return;
      case 'SUBACK':
      case 'UNSUBACK':
        received.answers.push({
          type: packet.type,
          packetId: packet.packetId,
          reasonCodes: packet.reasonCodes,
        });
        return;
      case 'DISCONNECT':
        received.end.push({ reasonCode: packet.reasonCode ?? 0 });
        return;
      default:
        received.answers.push({ type: packet.type });
    }
  }

  /** The server accepted: goes on with what it has, or begins anew. */
  private begin(isSessionPresent: boolean): void {
    if (!isSessionPresent) {
      this.outgoing = [];
      this.incoming.clear();
      return;
    }
    for (const { packet, isReleased } of this.outgoing) {
      if (isReleased) this.link?.send({ type: 'PUBREL', packetId: packet.packetId });
      else this.link?.send(strip(packet, this.protocolVersion));
    }
  }

  private noteMessage(packet: PublishObject): void {
    const { qos = 0, packetId = 0, dup, retain, payload = '', properties = {} } = packet;
    const { topicAlias, subscriptionIdentifiers = [], ...rest } = properties;
    // What was sent once does not expire any more: nobody says what "minus the time it waited" is then (3.3.2.3.3).
    if (dup === true && rest.messageExpiryInterval === 0) rest.messageExpiryInterval = 1;
    let { topicName = '' } = packet;
    if (topicAlias !== undefined) {
      if (topicName !== '') this.aliasesIn.set(topicAlias, topicName);
      else topicName = this.aliasesIn.get(topicAlias) ?? 'an alias that stands for nothing';
    }
    const identifiers = [...subscriptionIdentifiers].sort((a, b) => a - b);
    const message = { topicName, dup, retain, payload, identifiers, properties: rest };
    this.received.messages[qos].push(message);
    if (qos === 0) return;
    const known = this.incoming.get(packetId);
    if (dup === true && known !== undefined && known !== payload) throw new Error('another message again');
    if (dup !== true && known !== undefined) throw new Error(`Packet Identifier ${packetId} is in use`);
    this.incoming.set(packetId, payload);
    this.debts[qos === 1 ? 'PUBACK' : 'PUBREC'].push(packetId);
  }
}

/** A message to be sent again, which may now be under another version of the protocol. */
function strip(packet: PublishObject, protocolVersion: 4 | 5): PublishObject {
  const { properties, ...rest } = packet;
  if (protocolVersion === 4 || properties === undefined) return { ...rest, dup: true };
  return { ...rest, properties, dup: true };
}

function emptyReceived(): Received {
  return { connack: [], answers: [], messages: [[], [], []], released: [], end: [] };
}
