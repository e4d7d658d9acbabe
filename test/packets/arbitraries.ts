/**
 * Random packets that the standard allows, as plain objects in the very shape that inspectPacket gives them.
 */
import fc, { type Arbitrary } from 'fast-check';
import type { PacketObject, PropertiesObject } from '../../src/packets/inspect.ts';
import { V5 } from '../../src/packets/types.ts';
import { NEVER_ZERO, PROPERTIES, codesOf, type ValueType } from './standard.ts';

const flag = fc.boolean();
const qos = fc.integer({ min: 0, max: 2 });
const packetId = fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constantFrom(1, 255, 256, 65_535));
const twoBytes = fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom(0, 1, 65_535));
const text = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 200 }))
  .map((value) => value.replaceAll('\0', '?'));
const hex = fc
  .oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 300 }))
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const topicName = text.map((value) => value.replaceAll(/[+#]/g, '/') || 'a');
const level = fc.oneof(
  fc.constant('+'),
  text.map((value) => value.replaceAll(/[+#/]/g, '').replace(/^\$share/, '$other')),
);
const plainFilter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => (isOpen ? [...levels, '#'] : levels).join('/') || '/');
const shareName = text.map((value) => value.replaceAll(/[+#/]/g, '') || 'g');
const sharedFilter = fc.tuple(shareName, plainFilter).map(([name, filter]) => `$share/${name}/${filter}`);

const VALUES: Record<ValueType, Arbitrary<unknown>> = {
  byte: fc.integer({ min: 0, max: 1 }),
  'two bytes': twoBytes,
  'four bytes': fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffffffff)),
  varint: fc.oneof(fc.integer({ min: 1, max: 268_435_455 }), fc.integer({ min: 1, max: 300 })),
  string: text,
  binary: hex,
  pair: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 }),
};

function valueOf(key: string, type: ValueType, place: string): Arbitrary<unknown> {
  if (key === 'responseTopic') return topicName;
  if (key === 'subscriptionIdentifiers') {
    const maxLength = place === 'PUBLISH' ? 4 : 1;
    return fc.array(VALUES[type], { minLength: 1, maxLength });
  }
  return NEVER_ZERO.includes(key) ? VALUES[type].map((value) => value || 1) : VALUES[type];
}

/** `{ [name]: properties }`, or nothing when there are none. */
function properties(place: string, name = 'properties'): Arbitrary<Record<string, PropertiesObject>> {
  const known = PROPERTIES.filter(([, , , places]) => places.split(' ').includes(place));
  const keys = fc.subarray(known.map(([, key]) => key));
  const values = fc.record(
    Object.fromEntries(known.map(([, key, type]) => [key, valueOf(key, type, place)])),
  );
  return fc.tuple(fc.constantFrom(0, 1, 1), keys, values).map(([isThere, chosen, all]) => {
    const picked = Object.fromEntries(
      isThere ? chosen.map((key) => [key, all[key]]) : [],
    ) as PropertiesObject;
    if (picked.authenticationMethod === undefined) delete picked.authenticationData;
    return Object.keys(picked).length > 0 ? { [name]: picked } : {};
  });
}

const code = (packet: string): Arbitrary<number> => fc.constantFrom(...codesOf(packet));

/** What a reason code and properties at a packet's end can look like: properties do not come alone. */
function ending(packet: string): Arbitrary<object> {
  return fc.oneof(
    fc.constant({}),
    fc.tuple(code(packet), properties(packet)).map(([reasonCode, rest]) => ({ reasonCode, ...rest })),
  );
}

/** One object made of several, in order. */
function merged(...parts: Arbitrary<object>[]): Arbitrary<PacketObject> {
  return fc.tuple(...parts).map((all) => Object.assign({}, ...all) as PacketObject);
}

const only = (arbitraries: Record<string, Arbitrary<unknown>>): Arbitrary<object> =>
  fc.record(arbitraries, { noNullPrototype: true });
const nothing = fc.constant({});
const maybe = (part: Arbitrary<object>): Arbitrary<object> => fc.oneof(nothing, part);

/** Packets of one protocol version, from either side. */
export function packets(protocolVersion: number): Arbitrary<PacketObject> {
  const isV5 = protocolVersion === V5;
  const props = (place: string, name?: string): Arbitrary<object> =>
    isV5 ? properties(place, name) : nothing;
  const type = (name: string): Arbitrary<object> => fc.constant({ type: name });

  const user = only({ userName: text });
  const password = only({ password: hex });
  const connect = merged(
    type('CONNECT'),
    fc.constant({ protocolName: 'MQTT', protocolVersion }),
    only({ cleanStart: flag, keepAlive: twoBytes, clientId: text }),
    props('CONNECT'),
    maybe(
      merged(
        only({ willQos: qos, willRetain: flag, willTopic: topicName, willPayload: hex }),
        props('WILL', 'willProperties'),
      ),
    ),
    // [v3.1.1 MQTT-3.1.2-22]: a password needs a user name there.
    fc.oneof(nothing, user, merged(user, password), isV5 ? password : user),
  );

  const connack = merged(
    type('CONNACK'),
    fc.oneof(
      only({ sessionPresent: flag, reasonCode: fc.constant(0) }),
      only({
        sessionPresent: fc.constant(false),
        reasonCode: isV5 ? code('CONNACK') : fc.integer({ min: 0, max: 5 }),
      }),
    ),
    props('CONNACK'),
  );

  const publish = fc
    .tuple(
      only({ dup: flag, qos, retain: flag, topicName, packetId, payload: hex }),
      props('PUBLISH'),
      fc.boolean(),
    )
    .map(([fields, more, isAliased]) => {
      const object = { type: 'PUBLISH', ...fields, ...more } as Extract<PacketObject, { type: 'PUBLISH' }>;
      if (object.qos === 0) {
        object.dup = false;
        delete object.packetId;
      }
      if (isAliased && object.properties?.topicAlias !== undefined) object.topicName = '';
      return object;
    });

  const acks = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'].map((name) =>
    merged(type(name), only({ packetId }), isV5 ? ending(name) : nothing),
  );

  const retainHandling = qos;
  const plainOptions = {
    topicFilter: plainFilter,
    qos,
    noLocal: flag,
    retainAsPublished: flag,
    retainHandling,
  };
  const sharedOptions = { ...plainOptions, topicFilter: sharedFilter, noLocal: fc.constant(false) };
  const subscription = isV5
    ? fc.oneof(only(plainOptions), only(sharedOptions))
    : only({ topicFilter: fc.oneof(plainFilter, sharedFilter), qos });
  const filter = fc.oneof(plainFilter, sharedFilter);
  const list = { minLength: 1, maxLength: 5 };
  const subscribe = merged(
    type('SUBSCRIBE'),
    only({ packetId, subscriptions: fc.array<unknown>(subscription, list) }),
    props('SUBSCRIBE'),
  );
  const unsubscribe = merged(
    type('UNSUBSCRIBE'),
    only({ packetId, topicFilters: fc.array(filter, list) }),
    props('UNSUBSCRIBE'),
  );
  const granted = isV5 ? code('SUBACK') : fc.constantFrom(0, 1, 2, 0x80);
  const suback = merged(
    type('SUBACK'),
    only({ packetId, reasonCodes: fc.array(granted, list) }),
    props('SUBACK'),
  );
  const unsuback = merged(
    type('UNSUBACK'),
    isV5 ? only({ packetId, reasonCodes: fc.array(code('UNSUBACK'), list) }) : only({ packetId }),
    props('UNSUBACK'),
  );
  const pings = fc.constantFrom<PacketObject>({ type: 'PINGREQ' }, { type: 'PINGRESP' });
  const disconnect = merged(type('DISCONNECT'), isV5 ? ending('DISCONNECT') : nothing);
  // An AUTH names its method, or says nothing but success.
  const auth = fc.oneof(
    fc.constantFrom<PacketObject>({ type: 'AUTH' }, { type: 'AUTH', reasonCode: 0 }),
    fc.tuple(code('AUTH'), properties('AUTH'), text).map(([reasonCode, more, authenticationMethod]) => ({
      type: 'AUTH' as const,
      reasonCode,
      properties: { ...more['properties'], authenticationMethod },
    })),
  );
  return fc.oneof(
    { weight: 3, arbitrary: connect },
    { weight: 2, arbitrary: connack },
    { weight: 4, arbitrary: publish },
    ...acks,
    { weight: 2, arbitrary: subscribe },
    suback,
    unsubscribe,
    unsuback,
    pings,
    disconnect,
    ...(isV5 ? [auth] : []),
  );
}
