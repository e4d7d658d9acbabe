/**
 * Which test files run in an XS machine as well, and which do not, with the reason. Every test file is in one list or the
 * other: core-files.test.ts sees to it.
 */

/** Run there, in groups that take about as long as one another. */
export const IN_XS = {
  packets: [
    'test/packets/encode-decode.test.ts',
    'test/packets/fuzz.test.ts',
    'test/packets/limits.test.ts',
    'test/packets/properties.test.ts',
    'test/packets/reason-codes.test.ts',
    'test/packets/record.test.ts',
    'test/packets/vectors.test.ts',
  ],
  session: [
    'test/session/aliases.test.ts',
    'test/session/answers.test.ts',
    'test/session/auth.test.ts',
    'test/session/connack.test.ts',
    'test/session/connect.test.ts',
    'test/session/disconnect.test.ts',
    'test/session/inflight.test.ts',
    'test/session/keep-alive.test.ts',
    'test/session/outbox.test.ts',
    'test/session/publish.test.ts',
    'test/session/random.test.ts',
    'test/session/receive.test.ts',
    'test/session/reconnect.test.ts',
    'test/session/records.test.ts',
    'test/session/resume.test.ts',
    'test/session/store.test.ts',
    'test/session/streaming-outbox.test.ts',
    'test/session/streaming-random.test.ts',
    'test/session/streaming.test.ts',
    'test/session/subscribe.test.ts',
  ],
  device: [
    'test/device/commands.test.ts',
    'test/device/configuration.test.ts',
    'test/device/decimal.test.ts',
    'test/device/definition.test.ts',
    'test/device/life.test.ts',
    'test/device/sample-buffer.test.ts',
    'test/device/schedule.test.ts',
    'test/device/telemetry.test.ts',
    'test/device/writers.test.ts',
  ],
  rest: [
    'test/wire/bytes.test.ts',
    'test/wire/ring.test.ts',
    'test/wire/utf8.test.ts',
    'test/wire/varint.test.ts',
    'test/topic.test.ts',
    'test/pump.test.ts',
    'test/line.test.ts',
    'test/callbacks/callback-client.test.ts',
    'test/callbacks/receiving.test.ts',
    'test/scram/client.test.ts',
    'test/scram/crypto.test.ts',
    'test/scram/server.test.ts',
    'test/scram/session.test.ts',
    'test/scram/text.test.ts',
    'test/targets/moddable/flash-store.test.ts',
    'test/targets/moddable/platform.test.ts',
    'test/targets/moddable/server-url.test.ts',
    'test/targets/moddable/socket-closing.test.ts',
    'test/targets/moddable/socket-transport.test.ts',
    'test/targets/moddable/wifi.test.ts',
  ],
} as const;

/** Not run there: files, and folders with all that is in them. */
export const NOT_IN_XS: Readonly<Record<string, string>> = {
  'test/packets/garbage.test.ts': 'watches the garbage collector of V8 in processes of its own',
  'test/device/allocations.test.ts': 'watches the garbage collector of V8 in processes of its own',
  'test/device/firmware.test.ts': 'finds the firmware files by their paths',
  'test/session/allocations.test.ts': 'watches the garbage collector of V8 in processes of its own',
  'test/scram/moddable.test.ts': 'vitest plays the modules timer and crypt',
  'test/scram/node.test.ts': 'the Node target',
  'test/targets/moddable/board.test.ts': 'vitest plays the modules timer and time',
  'test/targets/moddable/client.test.ts':
    'vitest plays timers; promise-client.test.ts has them from the machine',
  'test/targets/moddable/manifests.test.ts': 'reads the repository',
  'test/targets/moddable/mqtt-client.test.ts': 'the same scenarios are in test/xs/mqtt-client.test.ts',
  'test/wire/text.test.ts':
    'is about engines that have nothing of their own; XS’s functions are played there',
  'test/conformance-script.test.ts': 'reads the repository',
  'test/lint-subset.test.ts': 'runs ESLint',
  'test/tidy.test.ts': 'reads the repository',
  'test/broker/': 'the broker, which runs in Node',
  'test/conformance/': 'the broker, over real sockets',
  'test/world/': 'worlds are run there by test/xs/world.test.ts',
  'test/brokers/': 'the Node target against real brokers; test/xs has tests of its own against them',
  'test/cli/': 'the command line, which runs in Node',
  'test/client/': 'times of the promise client are played by vitest, its surroundings are those of Node',
  'test/sim/': 'the simulator, which runs in Node',
  'test/support-tests/': 'tests of the tests’ own tools, which run in Node',
  'test/targets/node/': 'the Node target',
  'test/targets/wasm/': 'XS has no WebAssembly',
  'test/bench/': 'the benchmarks, which run in Node',
  'test/xs/': 'they run the machines',
};

/** Tests of files that do run there which are left out, by their names. */
export const TESTS_LEFT_OUT: Readonly<Record<string, string>> = {
  'encodeObject > refuses more properties than any packet can hold':
    'makes 275 MB of text; on a board no text gets near that',
  'the property writer > refuses texts that are none, or too long [MQTT-1.5.4-1] [MQTT-1.5.4-2]':
    'texts of 64 KiB: XS finds a unit of a text by counting from its start, which is quadratic',
  'UTF-8 > is judged right for every two bytes and every lead with edge continuations':
    '400,000 strings, each through a decoder that is written in JavaScript',
  'version 5 > goes round all 65,535 identifiers and uses each once [MQTT-2.2.1-3]':
    'a loop of 65,535 packets through inspecting helpers says nothing about an engine and takes it long',
  'version 4 > goes round all 65,535 identifiers and uses each once [MQTT-2.2.1-3]': 'as for version 5',
};

/** The share of random cases that runs there: an interpreter takes ten to a hundred times as long. */
export const SHARE = 0.05;
