/**
 * Where the server is that the app's configuration names as `broker`: mqtt://host or mqtt://host:port.
 */
const SCHEME = 'mqtt://';

export default function addressOf(broker) {
  if (!broker.startsWith(SCHEME)) throw new Error(`broker must be ${SCHEME}…, not ${broker}`);
  const [host, port = '1883'] = broker.slice(SCHEME.length).split('/')[0].split(':');
  return { host, port: Number(port) };
}
