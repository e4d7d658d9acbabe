/**
 * Tries a broker for `motemq doctor`: the name, TCP, TLS and an MQTT CONNECT, through our own client, and explains what
 * fails. Publishes and subscribes nothing.
 */
import { lookup } from 'node:dns/promises';
import { connect as connectSocket } from 'node:net';
import { UNSUPPORTED_PROTOCOL_VERSION } from '../../src/packets/reason-codes.ts';
import {
  ConnectionError,
  ConnectionRefusedError,
  ProtocolError,
  TimeoutError,
  connect,
  type Client,
} from '../node/index.ts';
import { planConnection, type ConnectionFlags, type ConnectionPlan } from './connection-flags.ts';
import { describeFailure } from './exit-status.ts';
import { findingsOf, type Finding } from './findings.ts';

/** 3.1.1's return code for what is 0x84 in 5.0. */
const UNACCEPTABLE_VERSION = 0x01;
const CONNECT_MS_MAX = 5000;
const PROBE_MS_MAX = 2000;
/** Name and connection together: some resolvers take their time, and nobody should wait for them. */
const ALL_MS_MAX = 12_000;

/** What an error code of Node, OpenSSL or the operating system means, and what to do. */
const EXPLANATIONS: [code: RegExp, meaning: string, fix: string][] = [
  [/^ECONNREFUSED$/, 'nothing listens on that port', 'is the broker running, and is the port right?'],
  [/^(ENOTFOUND|EAI_NODATA|EAI_NONAME)$/, 'there is no such host', 'is the name spelt right?'],
  [/^EAI_AGAIN$/, 'the name could not be looked up', 'is this computer connected to a network?'],
  [/^(ETIMEDOUT|TIMEOUT)$/, 'nobody answers', 'a firewall on the way, or another computer at that address'],
  [/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/, 'there is no way to that address', 'are both in one network?'],
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    'its certificate comes from an authority that this computer does not trust',
    'give that authority’s certificate with --cafile',
  ],
  [
    /^DEPTH_ZERO_SELF_SIGNED_CERT$/,
    'its certificate is signed by itself',
    'give that very certificate with --cafile',
  ],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired', 'renew it; or is this computer’s clock wrong?'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet', 'is this computer’s clock wrong?'],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'its certificate is for another name',
    'use a name that stands in the certificate; --insecure does not check it',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_UNEXPECTED/,
    'that port does not speak TLS',
    'mqtt:// instead of mqtts://, or the port for TLS, usually 8883',
  ],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE/,
    'it does not take the handshake',
    'it may want a certificate of the client: --cert and --key',
  ],
  [
    /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/,
    'no TLS version is common to both',
    'the broker’s TLS is too old; update it',
  ],
];

/** What the operating system or the TLS library called it. */
function codeOf(error: unknown): string | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const { code, errors } = one as { code?: unknown; errors?: unknown };
    if (typeof code === 'string' && !code.startsWith('ERR_CONNECTION')) return code;
    // A socket that tried several addresses.
    const [first] = Array.isArray(errors) ? (errors as unknown[]) : [];
    if (first !== undefined) return codeOf(first);
  }
  return undefined;
}

const FINDINGS = findingsOf('broker', 'broker');

/** Pure: the finding for a connection that was not made. */
export function explainFailure(error: unknown, plan: ConnectionPlan): Finding {
  const { where, isTls } = plan;
  const code = codeOf(error);
  const [, meaning, fix] = EXPLANATIONS.find(([pattern]) => code !== undefined && pattern.test(code)) ?? [];
  if (code !== undefined && meaning !== undefined && fix !== undefined) {
    return FINDINGS.wrong(`${where}: ${meaning} (${code})`, fix);
  }
  if (error instanceof TimeoutError) {
    return FINDINGS.wrong(
      `${where} takes the connection, but does not answer a CONNECT`,
      isTls
        ? 'is it a broker?'
        : 'is it a broker, and does the port not want TLS (mqtts://) or WebSocket (ws://)?',
    );
  }
  if (error instanceof ProtocolError) {
    return FINDINGS.wrong(
      `${where} answers, but not as a broker does: ${error.message}`,
      'is it the port of a broker?',
    );
  }
  // The words of the library that opens WebSockets.
  if (error instanceof Error && error.message.startsWith('Unexpected server response')) {
    return FINDINGS.wrong(
      `${where} opens no WebSocket: ${error.message}`,
      'is the path right? it is /mqtt unless the URL says otherwise',
    );
  }
  const { text } = describeFailure(error, { ...plan, wasConnected: false });
  const detail = text.includes(where) ? text : `${where}: ${text}`;
  if (error instanceof ConnectionRefusedError) return FINDINGS.wrong(detail, ...refusalFix(error));
  if (!(error instanceof ConnectionError)) return FINDINGS.wrong(detail);
  return FINDINGS.wrong(
    detail,
    isTls
      ? 'if not: mqtt:// or ws://, and the port for that'
      : 'if so: mqtts:// or wss://, and the port for that',
  );
}

function refusalFix({ reasonCode }: ConnectionRefusedError): string[] {
  // Bad user name or password, not authorized, bad authentication method; 3.1.1's and 5.0's.
  if ([0x04, 0x05, 0x86, 0x87, 0x8c].includes(reasonCode)) {
    return ['user name and password: -u and -P, or in the URL'];
  }
  if ([0x02, 0x85].includes(reasonCode)) return ['another client identifier: -i'];
  if ([0x03, 0x88, 0x89, 0x97, 0x9f].includes(reasonCode)) return ['the broker is busy or full: try later'];
  return [];
}

async function connectWith(plan: ConnectionPlan): Promise<Client> {
  return connect(plan.url, { ...plan.options, reconnect: false, connectTimeoutMs: CONNECT_MS_MAX });
}

/** Connects with 5.0, or what the flags say, and with 3.1.1 where 5.0 is not spoken and nobody asked for it. */
async function tryBroker(plan: ConnectionPlan, isVersionAsked: boolean): Promise<Finding> {
  const startedAtMs = performance.now();
  let protocol = plan.options.protocol ?? '5.0';
  let client: Client;
  try {
    client = await connectWith(plan);
  } catch (error) {
    const refusedVersion =
      error instanceof ConnectionRefusedError &&
      [UNSUPPORTED_PROTOCOL_VERSION, UNACCEPTABLE_VERSION].includes(error.reasonCode);
    // Some 3.1.1 brokers just close.
    const isClosed =
      error instanceof ConnectionError && error.cause === undefined && codeOf(error) === undefined;
    if (isVersionAsked || !(refusedVersion || isClosed)) throw error;
    protocol = '3.1.1';
    const { cleanStart, keepAliveSeconds, userName, password, clientId, tls } = plan.options;
    const options = { protocol, cleanStart, keepAliveSeconds, userName, password, clientId, tls } as const;
    try {
      client = await connectWith({ ...plan, options });
    } catch {
      throw error;
    }
  }
  const tookMs = performance.now() - startedAtMs;
  await client.disconnect({ timeoutMs: 0 });
  const security = plan.isTls ? ', TLS' : '';
  return FINDINGS.ok(`${plan.where} accepts MQTT ${protocol}${security} (${tookMs.toFixed(0)} ms)`);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a plan leads, as sockets and resolvers want it. */
function addressOf({ url, where }: ConnectionPlan): Address {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(/:(\d+)$/.exec(where)?.[1]) };
}

/** Whether somebody takes a connection, MQTT or not. */
function isListening(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(address);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(PROBE_MS_MAX, () => end(false));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

/** As {@link explainFailure}; a connection that took too long is looked at again, for there are two reasons. */
async function explain(error: unknown, plan: ConnectionPlan): Promise<Finding> {
  if (!(error instanceof TimeoutError) || (await isListening(addressOf(plan)))) {
    return explainFailure(error, plan);
  }
  return explainFailure(Object.assign(new Error(), { code: 'TIMEOUT' }), plan);
}

/**
 * Whether the broker can be reached and takes a client; ends within a few seconds in any case. Throws UsageError for
 * flags that make no sense, and CommandError for certificates that cannot be read.
 */
export async function checkBroker(flags: ConnectionFlags): Promise<Finding> {
  const plan = planConnection(flags);
  const attempt = (async () => {
    // A resolver's own error says more than that of a socket which tried each address.
    await lookup(addressOf(plan).host);
    return tryBroker(plan, flags.protocolVersion !== undefined);
  })().catch((error: unknown) => explain(error, plan));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve(explainFailure(Object.assign(new Error(), { code: 'TIMEOUT' }), plan)),
      ALL_MS_MAX,
    );
  });
  return Promise.race([attempt, late]).finally(() => clearTimeout(timer));
}
