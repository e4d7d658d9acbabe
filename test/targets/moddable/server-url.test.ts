/**
 * URLs of servers, as Node reads them, on engines without the class URL.
 */
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../../src/client/errors.ts';
import { parseServerUrl } from '../../../targets/moddable/server-url.ts';

describe('a URL', () => {
  it.each([
    ['mqtt://broker', { isSecure: false, host: 'broker', port: 1883 }],
    ['tcp://broker:1884/', { isSecure: false, host: 'broker', port: 1884 }],
    ['MQTTS://broker.example.com', { isSecure: true, host: 'broker.example.com', port: 8883 }],
    ['tls://broker:1', { isSecure: true, host: 'broker', port: 1 }],
    ['ssl://broker:65535', { isSecure: true, host: 'broker', port: 65535 }],
    ['mqtt://10.0.0.1:1883?a=b', { host: '10.0.0.1', port: 1883 }],
    ['mqtt://[fe80::1]:1884#x', { host: 'fe80::1', port: 1884 }],
    ['mqtt://[::1]', { host: '::1', port: 1883 }],
    ['mqtt://me@broker', { host: 'broker', userName: 'me', password: undefined }],
    ['mqtt://me:s%3Acr%C3%A9t%40@broker:1884', { port: 1884, userName: 'me', password: 's:crét@' }],
    ['mqtt://me:s@crét@broker', { host: 'broker', userName: 'me', password: 's@crét' }],
    ['mqtt://a:b:c@broker', { userName: 'a', password: 'b:c' }],
    ['mqtt://@broker', { userName: undefined, password: undefined }],
  ])('%s is read', (url, expected) => {
    expect(parseServerUrl(url)).toMatchObject(expected);
  });

  it.each([
    ['broker', /URL such as/],
    ['http://broker', /mqtt: or mqtts:, not http:/],
    ['mqtt://', /no host/],
    ['mqtt://:1883', /no host/],
    ['mqtt:///x', /no host/],
    ['mqtt://[]', /no host/],
    ['mqtt://[::1', /closing bracket/],
    ['mqtt://broker:0', /port.*0/],
    ['mqtt://broker:65536', /port/],
    ['mqtt://broker:1e3', /port must be a number/],
    ['mqtt://broker: 1', /port must be a number/],
    ['mqtt://me:%E0%A4%A@broker', /percent-encoded/],
  ])('%s is refused', (url, message) => {
    expect(() => parseServerUrl(url)).toThrow(ArgumentError);
    expect(() => parseServerUrl(url)).toThrow(message);
  });

  it('that is refused does not show its password', () => {
    for (const url of ['mqtt://me:secret%@broker', 'http://me:secret@broker', 'mqtt://me:secret@broker:x']) {
      expect(() => parseServerUrl(url)).toThrow(
        expect.not.objectContaining({ message: expect.stringMatching(/secret/) as string }),
      );
    }
  });
});
