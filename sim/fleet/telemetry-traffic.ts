/**
 * What the made-up devices publish, as the collector sees it: telemetry goes into the ledger, births, wills and replies
 * are counted. Also the commands that they are sent.
 */
import type { SessionEvent } from '../../src/session/event.ts';
import { clientIdOf, COMMAND_HEAD, OFFLINE, ONLINE, REPLY_HEAD } from './device.ts';
import type { Ledger } from './ledger.ts';
import type { FleetSettings } from './settings.ts';
import { MessageWriter, readDigits, startsWith, TelemetryReader, wallClockMs } from './telemetry.ts';
import type { CommandSender, Traffic } from './workload.ts';

export class TelemetryTraffic implements Traffic {
  births = 0;
  wills = 0;
  commandsSent = 0;
  commandsAnswered = 0;
  readonly filters: Traffic['filters'];
  private readonly settings: FleetSettings;
  private readonly clientIdPrefix: string;
  private readonly ledger: Ledger;
  private readonly reader: TelemetryReader;
  private readonly writer = new MessageWriter();
  private readonly answered = new Set<number>();

  constructor(settings: FleetSettings, clientIdPrefix: string, ledger: Ledger) {
    const { pattern, qos, userName } = settings;
    this.settings = settings;
    this.clientIdPrefix = clientIdPrefix;
    this.ledger = ledger;
    this.reader = new TelemetryReader(clientIdPrefix);
    this.filters = [
      // The QoS of delivery is the lower of publish and subscription: the devices' own downgrades nothing.
      { topicFilter: pattern.telemetryFilter(userName), qos },
      { topicFilter: pattern.controlFilter('status', userName), qos: Math.min(qos, 1) },
      { topicFilter: pattern.controlFilter('reply', userName), qos: 1 },
    ];
  }

  /** Sends a device its next command, where there is a connection to send it on. */
  sendCommand(sender: CommandSender, index: number): void {
    if (!sender.isReady) return;
    const { pattern, userName } = this.settings;
    const clientId = clientIdOf(this.clientIdPrefix, index);
    const topic = new TextEncoder().encode(pattern.control('command', { clientId, index, userName }));
    this.writer.writeNumbered(COMMAND_HEAD, this.commandsSent + 1);
    if (sender.publish(topic, this.writer.bytes, this.writer.byteLength)) this.commandsSent += 1;
  }

  take(_event: SessionEvent, bytes: Uint8Array, at: number, end: number): void {
    const reader = this.reader;
    if (reader.read(bytes, at, end)) {
      this.ledger.recordDelivered(reader.device, reader.sequence, wallClockMs() - reader.sentMs);
    } else if (startsWith(bytes, at, end, REPLY_HEAD)) {
      const command = readDigits(bytes, at + REPLY_HEAD.length, end);
      if (command <= this.commandsSent && !this.answered.has(command)) {
        this.answered.add(command);
        this.commandsAnswered += 1;
      }
    } else if (startsWith(bytes, at, end, ONLINE)) {
      this.births += 1;
    } else if (startsWith(bytes, at, end, OFFLINE)) {
      this.wills += 1;
    } else if (at < end) {
      this.ledger.recordDelivered(-1, -1, NaN);
    }
  }
}
