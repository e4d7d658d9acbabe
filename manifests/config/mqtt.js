/**
 * What this device connects with to an MQTT server, as ECMA-419 has it: `device.network.mqtt`. An app that wants other
 * sockets or another resolver says so in its options, or sets `device` itself.
 */
import 'system'; // it makes `device`
import TCP from 'embedded:io/socket/tcp';
import SystemResolver from 'motemq/system-resolver';

globalThis.device = Object.freeze(
  {
    ...globalThis.device,
    network: {
      ...globalThis.device?.network,
      mqtt: { ...globalThis.device?.network?.mqtt, dns: { io: SystemResolver }, socket: { io: TCP } },
    },
  },
  true, // XS's own: freezes what is inside, too
);
