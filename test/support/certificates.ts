/**
 * Certificates made for the occasion with OpenSSL's program: a CA, and from it a server's, for `localhost` and 127.0.0.1,
 * and a client's.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly caFile: string;
  /** The server's. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Its common name is `motemq test client`. */
  readonly clientCertificateFile: string;
  readonly clientKeyFile: string;
}

/** Sections for what differs between certificates; of its own, since systems' openssl.cnf differ. */
const OPENSSL_CONFIG = `
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
`;

/** Makes, in `folder`, a CA and from it the certificates of the server (server.crt, server.key) and of a client. */
export async function makeCertificates(folder: string): Promise<CertificateFiles> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: folder });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const newKey = [...curve, '-nodes', '-sha256', '-config', 'openssl.cnf'];
  const byCa = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-sha256'];
  const sign = async (name: string, commonName: string) => {
    const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.crt`];
    await openssl('req', '-new', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`);
    const extensions = ['-extfile', 'openssl.cnf', '-extensions', name];
    await openssl('x509', '-req', '-in', request, '-out', certificate, ...byCa, ...extensions);
  };
  await writeFile(join(folder, 'openssl.cnf'), OPENSSL_CONFIG);
  const ownCa = ['-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=motemq test CA', '-extensions', 'ca'];
  await openssl('req', '-x509', '-new', ...newKey, ...ownCa, '-days', '30');
  await sign('server', 'localhost');
  await sign('client', 'motemq test client');
  return {
    caFile: join(folder, 'ca.crt'),
    certificateFile: join(folder, 'server.crt'),
    keyFile: join(folder, 'server.key'),
    clientCertificateFile: join(folder, 'client.crt'),
    clientKeyFile: join(folder, 'client.key'),
  };
}
