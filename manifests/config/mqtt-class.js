/**
 * Names the MQTT client class of ECMA-419 where apps look for it: `device.network.mqtt.io`, and `device.network.mqtts.io`
 * where there is TLS.
 */
import MQTTClient from 'embedded:network/mqtt/client';
import 'motemq/config/mqtt';

const { mqtt, mqtts } = globalThis.device.network;

globalThis.device = Object.freeze(
  {
    ...globalThis.device,
    network: {
      ...globalThis.device.network,
      mqtt: { ...mqtt, io: MQTTClient },
      ...(mqtts && { mqtts: { ...mqtts, io: MQTTClient } }),
    },
  },
  true, // XS's own: freezes what is inside, too
);
