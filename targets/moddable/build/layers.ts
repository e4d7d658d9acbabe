/**
 * What the modules that ship for Moddable are made of: layers of the library, so that an app carries what it uses once
 * and nothing else.
 */

/** A module that ships. */
export interface Layer {
  /** It is dist/moddable/`name`.js, and other layers import it as motemq/`name`. */
  name: string;
  /** The file whose exports are the layer's own; undefined when it only holds what the layers above it share. */
  entry?: string;
  /** Whether there is a default export among them. */
  hasDefault?: boolean;
  /**
   * Files and directories, without ending: what is imported from here comes from this layer. A name that
   * ends with a hyphen is the beginning of several. The longest wins.
   */
  owns: string[];
}

/** From the bottom up: a layer imports from those before it only. */
export const LAYERS: Layer[] = [
  {
    name: 'session',
    owns: [
      'src/assert',
      'src/limits',
      'src/packets',
      'src/pump',
      'src/session',
      'src/status',
      'src/topic',
      'src/wire',
    ],
  },
  {
    name: 'line',
    owns: [
      'src/line',
      'targets/moddable/board',
      'targets/moddable/socket-transport',
      'targets/moddable/tls-guard',
      'targets/moddable/views',
    ],
  },
  {
    name: 'core',
    entry: 'targets/moddable/core.ts',
    owns: ['src/callbacks', 'targets/moddable/core'],
  },
  {
    name: 'client',
    entry: 'targets/moddable/client.ts',
    owns: [
      'src/client',
      'src/packets/texts',
      'targets/moddable/client',
      'targets/moddable/platform',
      'targets/moddable/server-url',
    ],
  },
  {
    name: 'mqtt-client',
    entry: 'targets/moddable/mqtt-client.ts',
    hasDefault: true,
    owns: ['targets/moddable/mqtt-'],
  },
  { name: 'device', entry: 'targets/moddable/device.ts', owns: ['src/device', 'targets/moddable/device'] },
  {
    name: 'scram',
    entry: 'targets/moddable/scram.ts',
    owns: ['src/client/scram', 'src/scram', 'targets/moddable/digest-crypto', 'targets/moddable/scram'],
  },
  {
    name: 'flash-store',
    entry: 'targets/moddable/flash-store.ts',
    owns: ['targets/moddable/flash-store'],
  },
  { name: 'wifi', entry: 'targets/moddable/wifi.ts', owns: ['targets/moddable/wifi'] },
];
