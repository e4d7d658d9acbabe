/**
 * The TLS options of mosquitto_pub and mosquitto_sub, and the node:tls options they mean.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates, type ConnectionOptions, type SecureVersion } from 'node:tls';
import { Option, type Command } from 'commander';
import { CommandError, UsageError } from './exit-status.ts';

/** As commander gives them. */
export interface TlsFlags {
  cafile?: string;
  capath?: string;
  cert?: string;
  key?: string;
  keyform?: 'pem' | 'engine';
  ciphers?: string;
  tlsVersion?: string;
  tlsAlpn?: string;
  tlsUseOsCerts?: true;
  insecure?: true;
}

const VERSIONS: Record<string, SecureVersion> = {
  'tlsv1.3': 'TLSv1.3',
  'tlsv1.2': 'TLSv1.2',
  'tlsv1.1': 'TLSv1.1',
};

/** Where systems keep their certificates in one file: Debian, Fedora, openSUSE, Alpine and macOS. */
const OS_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

export function addTlsOptions(command: Command): void {
  command
    .optionsGroup('TLS:')
    .option('--cafile <file>', 'trust the CA certificates in this file (PEM), and use TLS')
    .option('--capath <dir>', 'trust the CA certificates in this directory, and use TLS')
    .option('--tls-use-os-certs', "trust the operating system's CA certificates, and use TLS")
    .option('--cert <file>', "this client's certificate (PEM)")
    .option('--key <file>', "this client's private key (PEM)")
    .addOption(new Option('--keyform <form>', 'what the key is').choices(['pem', 'engine']).hideHelp())
    .option('--ciphers <list>', 'ciphers to allow, as OpenSSL writes them')
    .addOption(
      new Option('--tls-version <version>', 'the oldest version to allow').choices(Object.keys(VERSIONS)),
    )
    .option('--tls-alpn <protocol>', 'protocol to ask for, where a port has several')
    .option('--insecure', "do not check that the server's certificate is for its host name");
}

/** Whether these flags ask for TLS. */
export function wantsTls(flags: TlsFlags): boolean {
  const { cafile, capath, cert, tlsUseOsCerts } = flags;
  return cafile !== undefined || capath !== undefined || cert !== undefined || tlsUseOsCerts === true;
}

function readText(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw cannotRead(file, flag, error);
  }
}

function cannotRead(path: string, flag: string, error: unknown): CommandError {
  return new CommandError(`${flag}: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'why?'}`);
}

function readCertificates(file: string, flag: string): string {
  const text = readText(file, flag);
  if (text.includes('-----BEGIN ')) return text;
  throw new CommandError(`${flag}: there is no certificate in ${file}`);
}

/** Every certificate in the directory, whether `openssl rehash` has been there or not. */
function readDirectory(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => readText(join(directory, entry.name), '--capath'))
      .filter((text) => text.includes('-----BEGIN '));
  } catch (error) {
    throw error instanceof CommandError ? error : cannotRead(directory, '--capath', error);
  }
}

/** Node has a list of its own, which does not know what was added to this machine's. */
function readOsCertificates(): string[] {
  for (const file of OS_BUNDLES) {
    try {
      return [...rootCertificates, readFileSync(file, 'utf8')];
    } catch {
      // Another system, then.
    }
  }
  return [...rootCertificates];
}

/** What the flags mean to node:tls. Reads the files; throws CommandError for one that cannot be. */
export function tlsOptions(flags: TlsFlags): ConnectionOptions {
  const { cafile, capath, cert, key, keyform, ciphers, tlsVersion, tlsAlpn } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('--cert and --key must be given together');
  }
  if (keyform === 'engine') throw new UsageError('--keyform engine is not supported: keys are PEM files');
  const ca: string[] = [];
  if (cafile !== undefined) ca.push(readCertificates(cafile, '--cafile'));
  if (capath !== undefined) ca.push(...readDirectory(capath));
  if (flags.tlsUseOsCerts || (cafile === undefined && capath === undefined)) ca.push(...readOsCertificates());
  return {
    ca,
    ...(cert !== undefined && { cert: readCertificates(cert, '--cert') }),
    ...(key !== undefined && { key: readText(key, '--key') }),
    ...(ciphers !== undefined && { ciphers }),
    ...(tlsVersion !== undefined && { minVersion: VERSIONS[tlsVersion] }),
    ...(tlsAlpn !== undefined && { ALPNProtocols: [tlsAlpn] }),
    // As in mosquitto the certificate itself is still checked.
    ...(flags.insecure && { checkServerIdentity: () => undefined }),
  };
}
