/**
 * The outbox and the in-flight slots against naive models: a list of messages, and a list of slots that point at them.
 */
import { describe, expect, it } from 'vitest';
import { AWAIT_PUBACK, AWAIT_PUBCOMP, SLOT_FREE } from '../../src/session/delivery.ts';
import { Inflight, SLOT_RECORD, SLOT_STRIDE } from '../../src/session/inflight.ts';
import {
  NO_DEADLINE,
  NO_HANDLE,
  Outbox,
  RECORD_FREE,
  RECORD_HEAD_BYTES,
  RECORD_QUEUED,
  RECORD_SENT,
} from '../../src/session/outbox.ts';
import { NO_SPACE, PACKET_TOO_LARGE } from '../../src/status.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { Random, SEED } from '../seed.ts';
import { bytesOf } from '../support/session-driver.ts';

interface Message {
  ticket: number;
  qos: number;
  topic: string;
  properties: string;
  payload: string;
  handle: number;
  deadline: number;
  isSent: boolean;
}

/** The records of an outbox, in order. */
function read(outbox: Outbox): Message[] {
  const messages: Message[] = [];
  for (let at = outbox.start; at < outbox.end; at += outbox.recordByteLength(at)) {
    if (outbox.state(at) === RECORD_FREE) continue;
    const topicAt = at + RECORD_HEAD_BYTES;
    const propertiesAt = outbox.propertiesOffset(at);
    const payloadAt = propertiesAt + outbox.propertiesByteLength(at);
    messages.push({
      ticket: outbox.ticket(at),
      qos: outbox.qos(at),
      topic: decodeUtf8(outbox.bytes, topicAt, propertiesAt),
      properties: decodeUtf8(outbox.bytes, propertiesAt, payloadAt),
      payload: decodeUtf8(outbox.bytes, payloadAt, at + outbox.recordByteLength(at)),
      handle: outbox.handle(at),
      deadline: outbox.deadlineSeconds(at),
      isSent: outbox.state(at) === RECORD_SENT,
    });
  }
  return messages;
}

function add(outbox: Outbox, message: Message): number {
  const properties = bytesOf(message.properties);
  const payload = bytesOf(message.payload);
  return outbox.add(
    message.ticket,
    message.qos << 1,
    message.handle,
    message.deadline,
    bytesOf(message.topic),
    message.topic.length,
    properties,
    properties.length,
    payload,
    payload.length,
    payload.length,
  );
}

describe('outbox and slots against a list (seed from MOTEMQ_SEED)', () => {
  it('keep every message, its order, and every offset, whatever is freed and moved', () => {
    let compactions = 0;
    for (let round = 0; round < 60; round++) {
      const random = new Random(SEED + round);
      const outbox = new Outbox(new Uint8Array(300 + random.below(500)));
      const inflight = new Inflight(1 + random.below(12));
      let list: Message[] = [];
      let ticket = 1;
      for (let step = 0; step < 300; step++) {
        const what = random.below(100);
        if (what < 45) {
          const message: Message = {
            ticket: ticket++,
            qos: random.below(3),
            topic: 'topic'.slice(0, 1 + random.below(5)),
            properties: 'p'.repeat(random.below(10)),
            payload: String(step).padEnd(random.below(50), '.'),
            handle: random.pick([NO_HANDLE, 0, 7, 65534]),
            deadline: random.pick([NO_DEADLINE, 1, 4294967295, 1_700_000_000]),
            isSent: false,
          };
          const at = add(outbox, message);
          if (at >= 0) list.push(message);
          else expect(at).toBe(NO_SPACE);
          if (at >= 0 && random.below(10) === 0) {
            outbox.free(at); // what a store refuses is taken back
            list.pop();
          }
        } else if (what < 70) {
          const message = list.find(({ isSent }) => !isSent);
          if (message === undefined) expect(outbox.next).toBe(outbox.end);
          else {
            const at = outbox.next;
            expect(outbox.ticket(at)).toBe(message.ticket);
            if (message.qos === 0) {
              outbox.markSent(at);
              outbox.free(at);
              list = list.filter((one) => one !== message);
            } else if (inflight.hasRoom()) {
              outbox.markSent(at);
              inflight.add(message.ticket & 0xffff, AWAIT_PUBACK, at, message.ticket);
              message.isSent = true;
            }
          }
        } else if (what < 90) {
          const sent = list.filter(({ isSent }) => isSent);
          if (sent.length === 0) continue;
          const message = random.pick(sent);
          const slot = inflight.find(message.ticket & 0xffff);
          expect(inflight.findTicket(message.ticket)).toBe(slot);
          outbox.free(inflight.record(slot));
          inflight.free(slot);
          list = list.filter((one) => one !== message);
        } else if (what < 93) {
          const at = outbox.findOldestQos0();
          const oldest = list.find(({ qos, isSent }) => qos === 0 && !isSent);
          if (oldest === undefined) expect(at).toBe(-1);
          else {
            expect(outbox.ticket(at)).toBe(oldest.ticket);
            outbox.free(at);
            list = list.filter((one) => one !== oldest);
          }
        } else if (what < 97) {
          compactions++;
          outbox.compact(inflight.slots, SLOT_RECORD, SLOT_STRIDE);
          expect([outbox.start, outbox.holeBytes]).toEqual([0, 0]);
          expect(outbox.end - outbox.start - outbox.holeBytes).toBe(outbox.end);
        } else if (what < 98) {
          const larger = new Uint8Array(outbox.bytes.length + random.below(50));
          outbox.replace(larger, inflight.slots, SLOT_RECORD, SLOT_STRIDE);
        } else if (what < 99) {
          for (let at = 0; at < inflight.slots.length; at += SLOT_STRIDE) {
            if (inflight.state(at) !== SLOT_FREE && inflight.packetId(at) !== 0) inflight.free(at);
          }
          outbox.requeue();
          for (const message of list) message.isSent = false;
        }
        expect(read(outbox)).toEqual(list);
        expect(outbox.count).toBe(list.length);
        expect(outbox.queuedQos0).toBe(list.filter(({ qos, isSent }) => qos === 0 && !isSent).length);
        expect(inflight.used).toBe(list.filter(({ isSent }) => isSent).length);
        for (const message of list) {
          if (!message.isSent) continue;
          expect(outbox.ticket(inflight.record(inflight.find(message.ticket & 0xffff)))).toBe(message.ticket);
        }
      }
    }
    expect(compactions).toBeGreaterThan(100);
  });
});

describe('the outbox', () => {
  const message = (byteLength: number, qos = 1): Message => ({
    ticket: 1,
    qos,
    topic: 't',
    properties: '',
    payload: 'x'.repeat(byteLength - RECORD_HEAD_BYTES - 1),
    handle: NO_HANDLE,
    deadline: NO_DEADLINE,
    isSent: false,
  });

  it('takes what fits to the byte', () => {
    const outbox = new Outbox(new Uint8Array(100));
    expect(add(outbox, message(101))).toBe(PACKET_TOO_LARGE);
    expect(add(outbox, message(100))).toBe(0);
    expect(add(outbox, message(25))).toBe(NO_SPACE);
    outbox.free(0);
    expect([outbox.start, outbox.end, outbox.next, outbox.count]).toEqual([0, 0, 0, 0]);
  });

  it('has nothing to offer when it has no storage', () => {
    const outbox = new Outbox(new Uint8Array(0));
    expect(add(outbox, message(25))).toBe(PACKET_TOO_LARGE);
    expect(outbox.isCompactable(25)).toBe(false);
  });

  it('closes up when that gives enough, and an eighth at least', () => {
    const outbox = new Outbox(new Uint8Array(800));
    for (let i = 0; i < 8; i++) add(outbox, message(100));
    expect(outbox.isCompactable(100)).toBe(false);
    outbox.free(300);
    expect(outbox.isCompactable(100)).toBe(true);
    expect(outbox.isCompactable(101)).toBe(false);
    outbox.free(0);
    expect(outbox.isCompactable(200)).toBe(true);
    outbox.compact(new Int32Array(0), 0, 1);
    expect([outbox.end, outbox.next]).toEqual([600, 0]);
    const little = new Outbox(new Uint8Array(800));
    add(little, message(50));
    add(little, message(750));
    little.free(0);
    expect(little.isCompactable(50)).toBe(false);
  });

  it('gives back what a store kept, to be sent', () => {
    const outbox = new Outbox(new Uint8Array(100));
    const kept = new Outbox(new Uint8Array(100));
    add(kept, { ...message(40), handle: 3 });
    kept.markSent(0);
    expect(outbox.restore(kept.bytes, 0, 40)).toBe(0);
    expect(outbox.restore(kept.bytes, 0, 40)).toBe(40);
    expect(outbox.restore(kept.bytes, 0, 40)).toBe(NO_SPACE);
    expect([outbox.state(0), outbox.handle(0), outbox.count, outbox.next]).toEqual([
      RECORD_QUEUED,
      NO_HANDLE,
      2,
      0,
    ]);
  });
});

describe('the slots', () => {
  it('grow by doubling to their limit, and close up behind a slow message', () => {
    const inflight = new Inflight(7);
    const ids: number[] = [];
    for (let id = 1; id <= 7; id++) {
      expect(inflight.hasRoom()).toBe(true);
      inflight.add(id, AWAIT_PUBACK, id * 10, id);
      ids.push(id);
    }
    expect([inflight.capacity(), inflight.hasRoom()]).toEqual([7, false]);
    // The first stays for long; all others come and go.
    for (let id = 8; id < 200; id++) {
      inflight.free(inflight.find(ids.splice(1 + (id % 6), 1)[0]));
      expect(inflight.hasRoom()).toBe(true);
      inflight.add(id, AWAIT_PUBACK, id * 10, id);
      ids.push(id);
      const found: number[] = [];
      for (let n = 0; n < inflight.count; n++) {
        const at = inflight.position(n);
        if (inflight.state(at) === SLOT_FREE) continue;
        found.push(inflight.packetId(at));
        expect([inflight.record(at), inflight.ticket(at)]).toEqual([
          inflight.packetId(at) * 10,
          inflight.packetId(at),
        ]);
      }
      expect(found).toEqual(ids);
    }
    expect(inflight.capacity()).toBe(7);
  });

  it('count what is on the wire', () => {
    const inflight = new Inflight(4);
    const first = inflight.add(1, AWAIT_PUBACK, 0, 1);
    inflight.setOnWire(first);
    inflight.setOnWire(first);
    inflight.setOnWire(inflight.add(2, AWAIT_PUBCOMP, -1, 4294967295));
    expect(inflight.onWireCount).toBe(2);
    expect(inflight.ticket(inflight.find(2))).toBe(4294967295);
    inflight.free(first);
    expect(inflight.onWireCount).toBe(1);
    inflight.clearOnWire();
    expect(inflight.onWireCount).toBe(0);
    expect([inflight.find(1), inflight.find(9), inflight.findTicket(9)]).toEqual([-1, -1, -1]);
  });
});
