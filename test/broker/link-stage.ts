/**
 * A stage for links without a core: records what each link tells its receiver. Knows nothing of MQTT.
 */
import type { Link } from '../../sim/broker/link.ts';
import type { LinkHost, LinkReceiver } from '../../sim/broker/link-host.ts';

/** One link and what came of it. */
export class RecordedLink implements LinkReceiver {
  readonly link: Link;
  readonly chunks: Buffer[] = [];
  writtenCount = 0;
  closeCount = 0;

  constructor(link: Link) {
    this.link = link;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  receive(bytes: Uint8Array): void {
    this.chunks.push(Buffer.from(bytes));
  }

  handleWritten(): void {
    this.writtenCount++;
  }

  handleClose(): void {
    this.closeCount++;
  }
}

export class LinkStage implements LinkHost {
  readonly links: RecordedLink[] = [];

  open(link: Link): LinkReceiver {
    const recorded = new RecordedLink(link);
    this.links.push(recorded);
    return recorded;
  }

  receive(_link: Link, receiver: LinkReceiver, bytes: Uint8Array): void {
    receiver.receive(bytes, 0);
  }

  handleWritten(_link: Link, receiver: LinkReceiver): void {
    receiver.handleWritten(0);
  }

  handleClose(_link: Link, receiver: LinkReceiver): void {
    receiver.handleClose(0);
  }
}
