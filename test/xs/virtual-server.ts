/**
 * An MQTT server inside this process, at the other end of a machine's sockets, that answers at once: in the machine's own
 * time. Keeps nothing of what it gets but numbers, so that a day of it costs nothing either. What the machine sends is
 * decoded as from a client; what breaks the standard throws.
 */
import { BOARD_SOCKET_BYTES, type SocketNews, type XsNetwork } from '../../sim/xs/network.ts';
import { u32 } from '../../sim/xs/frames.ts';
import { Decoder } from '../../src/packets/codec.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { encodeObject, inspectPacket, type PacketObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { violationName } from '../../src/packets/texts.ts';
import { FROM_CLIENT, V5 } from '../../src/packets/types.ts';
import { NEED_DATA, OK } from '../../src/status.ts';

const NOTHING = new Uint8Array(0);

export class VirtualServer implements XsNetwork {
  /** Packets the machine has sent, by type; PUBLISH also by its QoS: `PUBLISH 1`. */
  readonly counts: Record<string, number> = {};
  connections = 0;
  /** Called with each PUBLISH. */
  onPublish: ((topicName: string, payload: Buffer) => void) | undefined;
  private readonly protocolVersion: number;
  private readonly decoder: Decoder;
  private readonly packet = new Packet();
  private tell: SocketNews = () => undefined;
  private rest: Uint8Array = NOTHING;
  /** Of the open connection; 0 for none. */
  private id = 0;
  private readonly aliases: string[] = [];

  constructor(protocolVersion = V5) {
    this.protocolVersion = protocolVersion;
    this.decoder = new Decoder(protocolVersion, FROM_CLIENT, decodeRequest);
  }

  /** Ends the connection. */
  cut(): void {
    const { id } = this;
    this.id = 0;
    this.tell('z', id, NOTHING);
  }

  /** Sends a packet on the open connection. */
  send(packet: PacketObject): void {
    this.tell('r', this.id, encodeObject(packet, { protocolVersion: this.protocolVersion }));
  }

  count(type: string): number {
    return this.counts[type] ?? 0;
  }

  attach(tell: SocketNews): void {
    this.tell = tell;
  }

  open(id: number): void {
    this.id = id;
    this.connections++;
    this.rest = NOTHING;
    this.aliases.length = 0;
    this.tell('o', id, u32(BOARD_SOCKET_BYTES));
  }

  write(id: number, bytes: Uint8Array): void {
    this.tell('w', id, u32(bytes.length));
    if (id !== this.id) return;
    const all = Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at < all.length) {
      const status = this.decoder.decode(all, at, all.length, this.packet);
      if (status === NEED_DATA) break;
      if (status !== OK) throw new Error(`the machine sent ${violationName(this.packet.violation)}`);
      const packet = inspectPacket(this.packet, all, this.protocolVersion);
      at = this.packet.end;
      this.answer(packet);
    }
    this.rest = all.subarray(at);
  }

  consumed(): void {
    // There is always room.
  }

  end(id: number): void {
    if (id === this.id) this.id = 0;
  }

  close(): void {
    this.id = 0;
  }

  private note(name: string): void {
    this.counts[name] = this.count(name) + 1;
  }

  private answer(packet: PacketObject): void {
    this.note(packet.type);
    switch (packet.type) {
      case 'CONNECT': {
        const properties = this.protocolVersion === V5 ? { properties: { topicAliasMaximum: 4 } } : {};
        this.send({ type: 'CONNACK', sessionPresent: this.connections > 1, reasonCode: 0, ...properties });
        return;
      }
      case 'PUBLISH': {
        this.note(`PUBLISH ${packet.qos}`);
        const alias = packet.properties?.topicAlias;
        if (alias !== undefined && packet.topicName !== '') this.aliases[alias] = packet.topicName!;
        this.onPublish?.(packet.topicName || this.aliases[alias!], Buffer.from(packet.payload!, 'hex'));
        if (packet.qos === 1) this.send({ type: 'PUBACK', packetId: packet.packetId! });
        if (packet.qos === 2) this.send({ type: 'PUBREC', packetId: packet.packetId! });
        return;
      }
      case 'PUBREL':
        this.send({ type: 'PUBCOMP', packetId: packet.packetId });
        return;
      case 'SUBSCRIBE':
        this.send({
          type: 'SUBACK',
          packetId: packet.packetId,
          reasonCodes: packet.subscriptions.map(({ qos }) => qos!),
        });
        return;
      case 'PINGREQ':
        this.send({ type: 'PINGRESP' });
        return;
    }
  }
}
