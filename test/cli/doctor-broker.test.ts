/**
 * What `motemq doctor` says of a broker that cannot be used, by the errors that Node, OpenSSL and our own client have for
 * it. Nothing is connected.
 */
import { describe, expect, it } from 'vitest';
import { planConnection } from '../../targets/cli/connection-flags.ts';
import { explainFailure } from '../../targets/cli/doctor-broker.ts';
import {
  ConnectionError,
  ConnectionRefusedError,
  ProtocolError,
  TimeoutError,
} from '../../targets/node/index.ts';

describe('a broker that cannot be used', () => {
  const plan = (url: string) => planConnection({ url, keepalive: 60, qos: 0 });
  const withCode = (code: string, message = ''): ConnectionError => {
    const cause = Object.assign(new Error(message), { code });
    return new ConnectionError('ERR_CONNECTION', message, undefined, { cause });
  };

  it.each<[string, Error, string]>([
    ['mqtt://b', withCode('ECONNREFUSED'), 'b:1883: nothing listens on that port (ECONNREFUSED)'],
    ['mqtt://b', withCode('ETIMEDOUT'), 'b:1883: nobody answers (ETIMEDOUT)'],
    ['mqtt://b', withCode('EHOSTUNREACH'), 'no way to that address'],
    ['mqtt://b', Object.assign(new Error(), { code: 'ENOTFOUND' }), 'b:1883: there is no such host'],
    ['mqtts://b', withCode('SELF_SIGNED_CERT_IN_CHAIN'), 'an authority that this computer does not trust'],
    ['mqtts://b', withCode('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'), 'does not trust'],
    ['mqtts://b', withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), 'signed by itself'],
    ['mqtts://b', withCode('CERT_HAS_EXPIRED'), 'has expired'],
    ['mqtts://b', withCode('CERT_NOT_YET_VALID'), 'not valid yet'],
    ['mqtts://b', withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'for another name'],
    ['mqtts://b', withCode('ERR_SSL_WRONG_VERSION_NUMBER'), 'does not speak TLS'],
    ['mqtts://b', withCode('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'does not take the handshake'],
    ['mqtts://b', withCode('ERR_SSL_UNSUPPORTED_PROTOCOL'), 'no TLS version'],
    ['mqtt://b', new TimeoutError('ERR_TIMEOUT', 'late'), 'does not answer a CONNECT'],
    ['mqtt://b', new ProtocolError(1, 0x81, 0), 'answers, but not as a broker does'],
    [
      'ws://b',
      new ConnectionError('ERR_CONNECTION', 'Unexpected server response: 404'),
      'opens no WebSocket',
    ],
    ['mqtt://b', new ConnectionError('ERR_CONNECTION', 'closed'), 'does it want TLS?'],
    ['mqtts://b', new ConnectionError('ERR_CONNECTION', 'closed'), 'does it speak TLS?'],
    ['mqtt://b', new ConnectionRefusedError(0x87, 'Not authorized'), 'refused: Not authorized (0x87)'],
    ['mqtt://b', new ConnectionRefusedError(0x85, 'Client Identifier not valid'), '(0x85)'],
    ['mqtt://b', new ConnectionRefusedError(0x89, 'Server busy'), '(0x89)'],
  ])('%s, %s', (url, error, detail) => {
    const finding = explainFailure(error, plan(url));
    expect(finding).toMatchObject({ id: 'broker', state: 'wrong' });
    expect(finding.detail).toContain(detail);
    expect(finding.fix.join('').length).toBeGreaterThan(0);
  });

  it('has several addresses', () => {
    const first = Object.assign(new Error(), { code: 'ECONNREFUSED' });
    const error = new ConnectionError('ERR_CONNECTION', '', undefined, {
      cause: new AggregateError([first]),
    });
    expect(explainFailure(error, plan('mqtt://b')).detail).toContain('nothing listens');
  });
});
