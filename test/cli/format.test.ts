/**
 * `motemq sub`'s output: -F's sequences as mosquitto_sub's man page and program have them, strftime's conversions, and
 * JSON. What real mosquitto_sub prints is compared in test/brokers/cli-pub-sub.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { FormatError, MessageFormat } from '../../targets/cli/format.ts';
import {
  jsonLine,
  mosquittoJson,
  now,
  prettify,
  type Moment,
  type PrintableMessage,
} from '../../targets/cli/message-json.ts';
import { makePrinter, type PrintFlags } from '../../targets/cli/message-printer.ts';
import { strftime } from '../../targets/cli/strftime.ts';

/** In whatever time zone this machine is: a Wednesday, 10 August 2016, 09:47:38 there. */
const MOMENT: Moment = { date: new Date(2016, 7, 10, 9, 47, 38), nanoseconds: 5_368_637 };

const PLAIN: PrintableMessage = {
  topicName: 'kitchen/é',
  payload: new TextEncoder().encode('hello'),
  qos: 1,
  retain: true,
  dup: false,
  packetId: 7,
  properties: {},
};

const FULL: PrintableMessage = {
  ...PLAIN,
  properties: {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 4_000_000_000,
    contentType: 'text/plain',
    responseTopic: 'reply/é',
    correlationData: new Uint8Array([0xff, 0x00]),
    subscriptionIdentifiers: [3, 4],
    topicAlias: 12,
    userProperties: [
      ['k', 'v'],
      ['k', 'w'],
    ],
  },
};

const BINARY: PrintableMessage = { ...PLAIN, payload: new Uint8Array([0x00, 0xab, 0xff]) };
const EMPTY: PrintableMessage = { ...PLAIN, payload: new Uint8Array(0) };

/** Prints by a format; bytes as latin1 so that each is a character. */
function print(format: string, message: PrintableMessage, warnings: string[] = []): string {
  const parsed = new MessageFormat(format, { warn: (line) => warnings.push(line) });
  return parsed.print(message, MOMENT).toString('latin1');
}

/** What UTF-8 text looks like there. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}

describe('a format', () => {
  it.each([
    ['', ''],
    ['ünï', utf8('ünï')],
    ['%%', '%'],
    ['%p|%l|%m|%q|%r|%t', utf8('hello|5|7|1|1|kitchen/é')],
    ['%x %X', '68656c6c6f 68656C6C6F'],
    ['%A,%C,%E,%F,%R,%S', utf8('12,text/plain,4000000000,1,reply/é,3')],
    ['%D', '\xff\0'],
    ['%P', 'k:v k:w'],
    ['\\\\ \\a\\e\\n\\r\\t\\v\\0', '\\ \x07\x1b\n\r\t\v\0'],
    ['@@@Y', '@2016'],
    ['@N', '005368637'],
  ])('%j prints %j', (format, expected) => expect(print(format, FULL)).toBe(expected));

  it.each([
    ['[%8l]', '[       5]'],
    ['[%08l]', '[00000005]'],
    ['[%-8l]', '[5       ]'],
    ['[%-08l]', '[5       ]'],
    ['[%1l]', '[5]'],
    ['[%12t]', utf8('[  kitchen/é]')],
    ['[%-12t]', utf8('[kitchen/é  ]')],
    ['[%012t]', utf8('[  kitchen/é]')],
    ['[%.3t]', '[kit]'],
    ['[%.t]', '[]'],
    ['[%6.3t]', '[   kit]'],
    ['[%-6.3t]', '[kit   ]'],
    ['[%10.9t]', '[  kitchen/]'], // no half of the é
    ['[%8p]', '[   hello]'],
    ['[%08p]', '[000hello]'],
    ['[%-8p]', '[hello   ]'],
    ['[%3p]', '[hel]'],
    ['[%4x]', '[6865]'],
    ['[%5X]', '[ 6865]'],
    ['[%12x]', '[  68656c6c6f]'],
    ['[%-12x]', '[68656c6c6f  ]'],
    ['[%9q%9r%9%]', '[11%]'],
    ['[%12m]', '[           7]'],
  ])('%j has widths: %j', (format, expected) => expect(print(format, PLAIN)).toBe(expected));

  it.each([
    ['[%A%C%D%E%F%P%R%S]', '[]'],
    ['[%3A%3C%3E%3F%3S]', `[${' '.repeat(15)}]`],
    ['[%03A]', '[000]'],
    ['[%03C%3R]', '[   ]'],
  ])('%j prints what is absent as %j', (format, expected) => expect(print(format, PLAIN)).toBe(expected));

  it('prints any bytes', () => {
    expect(print('%p %x %l', BINARY)).toBe('\0\xab\xff 00abff 3');
    expect(print('%p%x', EMPTY)).toBe('');
  });

  it('prints times', () => {
    const zone = strftime('z', MOMENT.date);
    expect(print('%I', PLAIN)).toBe(`2016-08-10T09:47:38${zone}`);
    expect(print('[%30I]', PLAIN)).toBe(`[      2016-08-10T09:47:38${zone}]`);
    expect(print('[%.10I]', PLAIN)).toBe('[2016-08-10]');
    expect(print('%U', PLAIN)).toBe(`${MOMENT.date.getTime() / 1000}.005368637`);
  });

  it.each([
    ['%', 'incomplete format specifier'],
    ['%0', 'incomplete format specifier'],
    ['%-05', 'incomplete format specifier'],
    ['%5.', 'incomplete format specifier'],
    ['@', 'incomplete format specifier'],
    ['\\', 'incomplete escape specifier'],
    ['%z', "invalid format specifier 'z'"],
    ['%--5l', "invalid format specifier '-'"],
    ['%0-5l', "invalid format specifier '-'"],
    ['%5é', "invalid format specifier 'é'"],
    ['%constructor', undefined],
    ['\\q', "invalid escape specifier 'q'"],
    ['%999999p', 'a field width of more than 65535'],
  ])('%j is refused', (format, message) => {
    expect(() => print(format, PLAIN)).toThrow(FormatError);
    if (message !== undefined) expect(() => print(format, PLAIN)).toThrow(message);
  });
});

describe('strftime', () => {
  it.each(
    Object.entries({
      a: 'Wed',
      A: 'Wednesday',
      b: 'Aug',
      B: 'August',
      c: 'Wed Aug 10 09:47:38 2016',
      C: '20',
      d: '10',
      D: '08/10/16',
      e: '10',
      F: '2016-08-10',
      g: '16',
      G: '2016',
      H: '09',
      I: '09',
      j: '223',
      k: ' 9',
      l: ' 9',
      m: '08',
      M: '47',
      n: '\n',
      p: 'AM',
      P: 'am',
      r: '09:47:38 AM',
      R: '09:47',
      S: '38',
      t: '\t',
      T: '09:47:38',
      u: '3',
      U: '32',
      V: '32',
      w: '3',
      W: '32',
      x: '08/10/16',
      X: '09:47:38',
      y: '16',
      Y: '2016',
      '%': '%',
      // No conversions: as glibc leaves them.
      q: '%q',
      E: '%E',
      '€': '%€',
    }),
  )('%%%s is %j', (conversion, expected) => expect(strftime(conversion, MOMENT.date)).toBe(expected));

  it.each([
    // [date, %a %G-W%V %U %W %j], from `date -d`
    ['2021-01-01', 'Fri 2020-W53 00 00 001'],
    ['2018-12-31', 'Mon 2019-W01 52 53 365'],
    ['2017-01-01', 'Sun 2016-W52 01 00 001'],
    ['2020-12-31', 'Thu 2020-W53 52 52 366'],
    ['2024-02-29', 'Thu 2024-W09 08 09 060'],
  ])('knows the weeks of %s', (day, expected) => {
    const date = new Date(`${day}T12:00:00`);
    const [a, G, V, U, W, j] = ['a', 'G', 'V', 'U', 'W', 'j'].map((one) => strftime(one, date));
    expect(`${a} ${G}-W${V} ${U} ${W} ${j}`).toBe(expected);
  });

  it.each([
    [0, '12', 'AM'],
    [11, '11', 'AM'],
    [12, '12', 'PM'],
    [23, '11', 'PM'],
  ])('at %i it is %s %s', (hour, clock, half) => {
    const date = new Date(2020, 0, 1, hour);
    expect([strftime('I', date), strftime('p', date)]).toEqual([clock, half]);
  });
});

describe('%j', () => {
  const json = (message: PrintableMessage) =>
    mosquittoJson(message, MOMENT, { isPayloadJson: false, pretty: false });

  it("has mosquitto's keys in mosquitto's order", () => {
    const zone = strftime('z', MOMENT.date);
    expect(json(PLAIN)).toBe(
      `{"tst":"2016-08-10T09:47:38.005368${zone}","topic":"kitchen/é","qos":1,"retain":1,"payloadlen":5,` +
        '"mid":7,"payload":"hello"}',
    );
    expect(json({ ...EMPTY, qos: 0, retain: false })).toContain(
      '"qos":0,"retain":0,"payloadlen":0,"payload":null}',
    );
    expect(json(FULL)).toContain(
      '"properties":{"payload-format-indicator":1,"message-expiry-interval":4000000000,' +
        '"content-type":"text/plain","response-topic":"reply/é","correlation-data":"\uFFFD\\u0000",' +
        '"subscription-identifier":3,"subscription-identifier":4,"topic-alias":12,' +
        '"user-properties":{"k":"v","k":"w"}}',
    );
  });

  it('escapes what JSON wants escaped', () => {
    const payload = new TextEncoder().encode('"\\\n\t\u0001ü/');
    expect(json({ ...PLAIN, payload })).toContain('"payload":"\\"\\\\\\n\\t\\u0001ü/"');
  });
});

describe('%J', () => {
  const withPayload = (text: string) => ({ ...PLAIN, payload: new TextEncoder().encode(text) });

  it('puts the payload in as it is, without white space', () => {
    const text = '{ "b" : [ 1.0, 2 ], "2": {}, "1": "\\u00e9 \\" x" }\n';
    expect(print('%J', withPayload(text))).toMatch(
      new RegExp(`"payload":${utf8('\\{"b":\\[1\\.0,2\\],"2":\\{\\},"1":"é \\\\" x"\\}\\}')}$`),
    );
    expect(print('%J', withPayload('null'))).toContain('"payload":null}');
    expect(print('%J', EMPTY)).toContain('"payload":null}');
  });

  it.each(['hello', '{', '1 2', '"\xff'])('says when %j is no JSON', (text) => {
    const warnings: string[] = [];
    expect(print('<%J>', withPayload(text), warnings)).toBe('<>');
    expect(warnings).toEqual(['the payload on topic kitchen/é is not valid JSON']);
  });

  it('says so of what is no text', () => {
    const warnings: string[] = [];
    expect(print('%J', BINARY, warnings)).toBe('');
    expect(warnings).toHaveLength(1);
  });
});

describe('--pretty', () => {
  it('lays JSON out as mosquitto_sub does', () => {
    expect(prettify('{"a":1,"b":{"c":"x,{:y","d":{}},"e":[1,[],{"f":true}]}')).toBe(
      [
        '{',
        '\t"a":\t1,',
        '\t"b":\t{',
        '\t\t"c":\t"x,{:y",',
        '\t\t"d":\t{',
        '\t\t}',
        '\t},',
        '\t"e":\t[1, [], {',
        '\t\t\t"f":\ttrue',
        '\t\t}]',
        '}',
      ].join('\n'),
    );
  });
});

describe('--json', () => {
  it('is a line of valid JSON whatever the payload is', () => {
    expect(JSON.parse(jsonLine(PLAIN, MOMENT))).toEqual({
      topic: 'kitchen/é',
      payload: 'hello',
      qos: 1,
      retain: true,
      dup: false,
      properties: {},
      tst: `${MOMENT.date.toISOString().slice(0, 19)}.005368Z`,
    });
    expect(JSON.parse(jsonLine(EMPTY, MOMENT))).toMatchObject({ payload: '' });
    const binary = JSON.parse(jsonLine(BINARY, MOMENT)) as object;
    expect(binary).toMatchObject({ payloadHex: '00abff' });
    expect(binary).not.toHaveProperty('payload');
  });

  it("has properties under decode's names", () => {
    expect(JSON.parse(jsonLine(FULL, MOMENT))).toMatchObject({
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 4_000_000_000,
        contentType: 'text/plain',
        responseTopic: 'reply/é',
        correlationData: 'ff00',
        subscriptionIdentifiers: [3, 4],
        topicAlias: 12,
        userProperties: [
          ['k', 'v'],
          ['k', 'w'],
        ],
      },
    });
  });
});

describe('what is printed', () => {
  const printed = (flags: PrintFlags, message: PrintableMessage) =>
    Buffer.from(makePrinter(flags, () => {})(message, MOMENT)).toString('latin1');

  it.each<[PrintFlags, PrintableMessage, string]>([
    [{}, PLAIN, 'hello\n'],
    [{}, BINARY, '\0\xab\xff\n'],
    [{}, EMPTY, ''],
    [{ N: true }, PLAIN, 'hello'],
    [{ verbose: true }, PLAIN, utf8('kitchen/é hello\n')],
    [{ verbose: true }, EMPTY, utf8('kitchen/é (null)\n')],
    [{ verbose: true, N: true }, PLAIN, utf8('kitchen/é hello')],
    [{ verbose: true, N: true }, EMPTY, ''],
    [{ F: '%q' }, EMPTY, '1\n'],
    [{ F: '%q', verbose: true, N: true }, EMPTY, '1'],
  ])('%j', (flags, message, expected) => expect(printed(flags, message)).toBe(expected));

  it('is one thing at a time', () => {
    expect(() => printed({ json: true, verbose: true }, PLAIN)).toThrow('--json cannot be used');
    expect(() => printed({ F: '%' }, PLAIN)).toThrow('-F: incomplete format specifier');
  });
});

describe('now', () => {
  it('has the nanoseconds of its own second', () => {
    const before = Date.now();
    const { date, nanoseconds } = now();
    expect(Math.abs(date.getTime() - before)).toBeLessThan(1000);
    expect(Math.abs(date.getMilliseconds() - nanoseconds / 1e6)).toBeLessThanOrEqual(1);
  });
});
