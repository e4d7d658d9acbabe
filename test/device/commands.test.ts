/**
 * Commands and their replies in both protocol versions, and everything that can be wrong with them.
 */
import { describe, expect, it } from 'vitest';
import { badArguments, defineDevice } from '../../src/device/index.ts';
import type { CommandArguments } from '../../src/device/index.ts';
import { DeviceBench } from './device-bench.ts';
import type { BenchOptions } from './device-bench.ts';

interface Lamp {
  isOn: boolean;
  calls: CommandArguments[];
}

const COMMAND = 'devices/lamp/command/';

function lamp(options: BenchOptions = {}): DeviceBench<Lamp> {
  const definition = defineDevice<Lamp>({
    id: 'lamp',
    commands: {
      led(args: CommandArguments, board: Lamp) {
        board.calls.push(args);
        if (typeof args['on'] !== 'boolean') throw badArguments('on must be true or false');
        board.isOn = args['on'];
        return { on: board.isOn };
      },
      echo: (args) => args,
      nothing() {},
      fail() {
        throw new Error('the relay is stuck');
      },
      codes() {
        throw Object.assign(new Error('too hot'), { code: 'ERR_HOT' });
      },
      text() {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'plain';
      },
      circle() {
        const circle: Record<string, unknown> = {};
        circle['self'] = circle;
        return circle;
      },
      promise: () => Promise.resolve(1),
      large: () => 'x'.repeat(5000),
    },
  });
  return new DeviceBench<Lamp>(definition, { isOn: false, calls: [] }, options).start();
}

describe.each([5, 4])('in protocol version %d', (protocolVersion) => {
  it('a command is obeyed and answered on the reply topic', () => {
    const it = lamp({ protocolVersion });
    it.message(`${COMMAND}led`, { on: true });
    expect(it.device.io.isOn).toBe(true);
    expect(it.json('reply/led')).toEqual([{ ok: true, result: { on: true } }]);
    expect(it.toldOf('command')).toEqual([['led', true]]);
  });

  it('the reply has the QoS of the command', () => {
    const it = lamp({ protocolVersion });
    for (const qos of [0, 1]) {
      it.message(`${COMMAND}led`, { on: true }, qos === 0 ? {} : { qos, packetId: 7 });
      expect(it.published('reply/led')).toMatchObject([{ qos, retain: false }]);
    }
    expect(it.sent().filter(({ type }) => type === 'PUBACK')).toMatchObject([{ packetId: 7 }]);
  });

  it('an id among the arguments comes back', () => {
    const it = lamp({ protocolVersion });
    it.message(`${COMMAND}led`, { on: false, id: 17 });
    it.message(`${COMMAND}led`, { id: 'x' });
    expect(it.json('reply/led')).toMatchObject([
      { ok: true, id: 17 },
      { ok: false, id: 'x' },
    ]);
  });

  it.each([
    ['blink', '{}', 'ERR_UNKNOWN_COMMAND', 'there is no command blink'],
    ['toString', '{}', 'ERR_UNKNOWN_COMMAND', 'there is no command toString'],
    ['__proto__', '{}', 'ERR_UNKNOWN_COMMAND', 'there is no command __proto__'],
    ['led', '{"on":1}', 'ERR_BAD_ARGUMENTS', 'on must be true or false'],
    ['led', '{"on":', 'ERR_BAD_ARGUMENTS', 'the payload is not JSON'],
    ['led', '[true]', 'ERR_BAD_ARGUMENTS', 'the arguments must be a JSON object'],
    ['led', 'null', 'ERR_BAD_ARGUMENTS', 'the arguments must be a JSON object'],
    ['led', '7', 'ERR_BAD_ARGUMENTS', 'the arguments must be a JSON object'],
    ['fail', '', 'ERR_COMMAND_FAILED', 'the relay is stuck'],
    ['codes', '', 'ERR_HOT', 'too hot'],
    ['text', '', 'ERR_COMMAND_FAILED', 'plain'],
    ['circle', '', 'ERR_COMMAND_FAILED', 'c'], // engines say it in words of their own
    ['promise', '', 'ERR_COMMAND_FAILED', 'at once'],
    ['large', '', 'ERR_TOO_LARGE', 'the answer is too large'],
  ])('%s %s is answered with %s', (name, payload, code, message) => {
    const it = lamp({ protocolVersion });
    it.message(COMMAND + name, payload, { qos: 1, packetId: 9 });
    const [reply, ...others] = it.json(`reply/${name}`);
    expect(others).toEqual([]);
    expect(reply.error.message).toContain(message);
    expect(reply).toEqual({ ok: false, error: { code, message: reply.error.message } });
    expect(it.toldOf('command')).toEqual([[name, false]]);
    expect(it.toldOf('error')).toEqual([]);
    // And the next one is obeyed.
    it.message(`${COMMAND}led`, { on: true });
    expect(it.json('reply/led')).toEqual([{ ok: true, result: { on: true } }]);
  });

  it('arguments that are not UTF-8 are bad', () => {
    const it = lamp({ protocolVersion });
    it.server({ type: 'PUBLISH', topicName: `${COMMAND}led`, payload: '7b22ff227d' });
    expect(it.json('reply/led')).toMatchObject([{ ok: false, error: { code: 'ERR_BAD_ARGUMENTS' } }]);
  });

  it('arguments larger than the receive window are answered once, and not obeyed', () => {
    const it = lamp({ protocolVersion, receiveBytes: 128 });
    it.message(`${COMMAND}led`, { on: true, padding: 'x'.repeat(3000) }, { qos: 1, packetId: 3 }).advance(0);
    expect(it.json('reply/led')).toMatchObject([{ ok: false, error: { code: 'ERR_TOO_LARGE' } }]);
    expect(it.device.io.calls).toEqual([]);
    expect(it.sent().filter(({ type }) => type === 'PUBACK')).toHaveLength(1);
  });

  it('no payload means no arguments, and no result no result', () => {
    const it = lamp({ protocolVersion });
    it.message(`${COMMAND}nothing`);
    expect(it.json('reply/nothing')).toEqual([{ ok: true }]);
    it.message(`${COMMAND}led`);
    expect(it.device.io.calls).toEqual([{}]);
  });

  it('text of all kinds goes there and back', () => {
    const it = lamp({ protocolVersion });
    const args = { text: 'größer 漢字 😀 \u0000 \ud800 "\\' };
    it.message(`${COMMAND}echo`, args);
    expect(it.json('reply/echo')).toEqual([{ ok: true, result: args }]);
  });

  it('a retained command is not obeyed', () => {
    const it = lamp({ protocolVersion });
    it.message(`${COMMAND}led`, { on: true }, { retain: true });
    expect(it.device.io.isOn).toBe(false);
    expect(it.published('reply/led')).toEqual([]);
  });

  it('what is neither command nor configuration is left alone', () => {
    const it = lamp({ protocolVersion });
    for (const topic of ['devices/lamp', 'devices/lamp/comman', 'devices/lamp/config/applied', 'x']) {
      it.message(topic, { on: true });
    }
    expect(it.toldOf('command')).toEqual([]);
    expect(it.toldOf('configuration')).toEqual([]);
  });
});

describe('in 5.0', () => {
  it('the reply goes to the Response Topic, with the Correlation Data', () => {
    const it = lamp();
    it.message(
      `${COMMAND}led`,
      { on: true },
      {
        properties: { responseTopic: 'ops/answers/1', correlationData: '00ff17' },
      },
    );
    expect(it.published('reply/led')).toEqual([]);
    const [reply] = it.publishedTo('ops/answers/1');
    expect(reply.properties).toEqual({ correlationData: '00ff17' });
    expect(JSON.parse(reply.payload.toString())).toEqual({ ok: true, result: { on: true } });
  });

  it('so do errors', () => {
    const it = lamp({ receiveBytes: 128 });
    const properties = { responseTopic: 'a', correlationData: '01' };
    it.message(`${COMMAND}blink`, '', { properties });
    it.message(`${COMMAND}led`, 'x'.repeat(400), { properties });
    const replies = it.publishedTo('a');
    expect(replies.map((one) => one.properties)).toEqual([
      { correlationData: '01' },
      { correlationData: '01' },
    ]);
    expect(replies.map(({ payload }) => JSON.parse(payload.toString()).error.code)).toEqual([
      'ERR_UNKNOWN_COMMAND',
      'ERR_TOO_LARGE',
    ]);
  });

  it('Correlation Data alone comes back on the reply topic', () => {
    const it = lamp();
    it.message(`${COMMAND}echo`, {}, { properties: { correlationData: '2a' } });
    expect(it.published('reply/echo')).toMatchObject([{ properties: { correlationData: '2a' } }]);
  });

  it('the reply has no more QoS than the server', () => {
    const it = lamp();
    it.connack = { sessionPresent: true, properties: { maximumQos: 0 } };
    it.cut().restore().advance(5000);
    it.message(`${COMMAND}echo`, {}, { qos: 1, packetId: 5 });
    expect(it.published('reply/echo')).toMatchObject([{ qos: 0 }]);
  });

  it('a reply that the server would not take is replaced, or told as an error', () => {
    const it = lamp();
    it.connack = { sessionPresent: true, properties: { maximumPacketSize: 120 } };
    it.cut().restore().advance(5000);
    it.message(`${COMMAND}echo`, { text: 'x'.repeat(150) });
    expect(it.json('reply/echo')).toMatchObject([{ ok: false, error: { code: 'ERR_TOO_LARGE' } }]);
    it.toldOf('error');
    it.message(`${COMMAND}echo`, {}, { properties: { responseTopic: 'r'.repeat(110) } });
    expect(it.toldOf('error')).toEqual([['ERR_SEND', 'the reply to echo: PACKET_TOO_LARGE']]);
  });
});

it('a device without commands asks for none', () => {
  const bench = new DeviceBench(
    defineDevice({ id: 'lamp', metrics: { t: { everyMs: 1000, read: () => 1 } } }),
    {},
  );
  bench.start().message(`${COMMAND}led`, {});
  expect(bench.json('reply/led')).toMatchObject([{ ok: false, error: { code: 'ERR_UNKNOWN_COMMAND' } }]);
});
