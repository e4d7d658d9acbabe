/**
 * Certificates and keys of a listener: PEM as it is, or from files.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext, type TlsOptions as NodeTlsOptions } from 'node:tls';
import type { TlsOptions } from './options.ts';

/** As node:tls takes it. */
export type Identity = Pick<
  NodeTlsOptions,
  'cert' | 'key' | 'passphrase' | 'ca' | 'requestCert' | 'rejectUnauthorized'
>;

/** Reads what is not PEM itself. Throws an error that names the option, with `code`. */
export function loadIdentity({ cert, key, passphrase, ca, requireClientCertificate }: TlsOptions): Identity {
  const identity: Identity = {
    cert: readPem('tls.cert', cert),
    key: readPem('tls.key', key),
    ...(passphrase !== undefined && { passphrase }),
    ...(ca !== undefined && {
      ca: readPem('tls.ca', ca),
      requestCert: true,
      rejectUnauthorized: requireClientCertificate === true,
    }),
  };
  try {
    createSecureContext(identity);
  } catch (error) {
    const { message, code = 'ERR_TLS' } = error as Error & { code?: string };
    const text = `tls: the certificate and its key cannot be used: ${message}`;
    throw Object.assign(new Error(text, { cause: error }), { code });
  }
  return identity;
}

function readPem(option: string, value: string): string {
  if (value.includes('-----BEGIN ')) return value;
  let text: string;
  try {
    text = readFileSync(value, 'utf8');
  } catch (error) {
    const { code = 'ERR_FILE' } = error as NodeJS.ErrnoException;
    throw Object.assign(new Error(`${option}: cannot read ${value}: ${code}`, { cause: error }), { code });
  }
  if (text.includes('-----BEGIN ')) return text;
  throw Object.assign(new Error(`${option}: there is no PEM in ${value}`), { code: 'ERR_FILE' });
}
