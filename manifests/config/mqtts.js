/**
 * What this device connects with to an MQTT server by TLS: `device.network.mqtts`.
 */
import 'system'; // it makes `device`
import TCP from 'embedded:io/socket/tcp';
import TLSSocket from 'embedded:io/socket/tcp/tls';
import SystemResolver from 'motemq/system-resolver';

const io = globalThis.device?.network?.mqtt?.io;

globalThis.device = Object.freeze(
  {
    ...globalThis.device,
    network: {
      ...globalThis.device?.network,
      mqtts: {
        // The class, where there is one: see mqtt-class.js, which may come before or after this.
        ...(io && { io }),
        dns: { io: SystemResolver },
        socket: { io: TLSSocket, TCP: { io: TCP } },
      },
    },
  },
  true, // XS's own: freezes what is inside, too
);
