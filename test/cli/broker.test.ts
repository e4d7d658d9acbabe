/**
 * `motemq broker` as a person runs it: what it prints, how it ends, what it says of flags that make no sense.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS, LIMIT_NAMES } from '../../sim/broker/limits.ts';
import { nearestName } from '../../targets/cli/nearest.ts';
import { brokerOptions, isOpenToAll, type BrokerFlags } from '../../targets/cli/broker-options.ts';
import { connect } from '../../targets/node/index.ts';
import { makeCertificates, type CertificateFiles } from '../support/certificates.ts';
import { eventually, freePort, withDeadline } from '../support/wait.ts';

const BIN = fileURLToPath(new URL('../../bin/motemq.js', import.meta.url));

let folder = '';
let files: CertificateFiles;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-broker-command-'));
  files = await makeCertificates(folder);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The command, running. */
class Running {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly status: Promise<number | null>;

  constructor(...words: string[]) {
    const child = spawn(process.execPath, [BIN, 'broker', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    children.push(child);
    child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.status = once(child, 'close').then(([status]) => status as number | null);
  }

  /** Waits for a line that matches, and returns what its group did. */
  async printed(pattern: RegExp): Promise<string> {
    const match = await eventually(() => pattern.exec(this.stdout + this.stderr), {
      what: `${String(pattern)} in what is printed: ${this.stderr}`,
      withinMs: 10_000,
    });
    return match[1] ?? match[0];
  }
}

async function refused(...words: string[]): Promise<string> {
  const running = new Running(...words);
  expect(await withDeadline(running.status, 10_000, 'it to end')).toBe(1);
  expect(running.stdout).toBe('');
  expect(running.stderr).not.toContain('    at ');
  return running.stderr;
}

function config(name: string, options: object | string): string {
  const path = join(folder, name);
  writeFileSync(path, typeof options === 'string' ? options : JSON.stringify(options));
  return path;
}

describe('motemq broker', () => {
  it('says what it listens on, and ends politely on SIGTERM', async () => {
    const running = new Running(...['--port', '0', '--ws-port', '0', '--metrics-port', '0', '-v']);
    const url = await running.printed(/^listening on (mqtt:\/\/127\.0\.0\.1:\d+)$/m);
    await running.printed(/^listening on ws:\/\/127\.0\.0\.1:\d+$/m);
    const metricsUrl = await running.printed(/^metrics at (http:\/\/127\.0\.0\.1:\d+\/metrics)$/m);
    await running.printed(/^only this machine can reach it: --host 0\.0\.0\.0 opens it to the network$/m);
    expect(await (await fetch(metricsUrl)).text()).toContain('motemq_connections 0');

    const client = await connect(url, { clientId: 'porch', reconnect: false });
    await running.printed(/^\S+Z connected: "porch" from 127\.0\.0\.1 \(tcp\), MQTT 5\.0$/m);
    const ended = new Promise((resolve) => client.once('disconnect', ({ error }) => resolve(error)));
    running.child.kill('SIGTERM');
    expect(await ended).toMatchObject({ reasonCode: 0x8b });
    expect(await running.status).toBe(0);
    expect(running.stderr).toMatch(/disconnected: "porch"/);
  });

  it('ends on SIGINT, and says nothing of clients unless asked to', async () => {
    const running = new Running('-p', '0');
    const client = await connect(await running.printed(/^listening on (.*)$/m));
    await client.disconnect();
    running.child.kill('SIGINT');
    expect(await running.status).toBe(0);
    expect(running.stderr).toBe('');
  });

  it('keeps sessions in a directory over its end', async () => {
    const words = ['-p', '0', '--persist', join(folder, 'store')];
    for (const isSessionPresent of [false, true]) {
      const running = new Running(...words);
      const url = await running.printed(/^listening on (.*)$/m);
      const options = { clientId: 'kept', cleanStart: false, sessionExpirySeconds: 600 };
      const client = await connect(url, { ...options, reconnect: false });
      expect(client.connack?.sessionPresent).toBe(isSessionPresent);
      running.child.kill('SIGTERM');
      expect(await running.status).toBe(0);
    }
  });

  it('reads users, rights and certificates again on SIGHUP', async () => {
    const acl = config('rights', 'topic read a\n');
    const running = new Running('-p', '0', '--acl', acl);
    const client = await connect(await running.printed(/^listening on (.*)$/m));
    await expect(client.subscribe('b')).rejects.toThrow('Not authorized');
    writeFileSync(acl, 'topic read b\n');
    running.child.kill('SIGHUP');
    await running.printed(/^motemq broker: users, rights and certificates were read again$/m);
    await client.subscribe('b', {}, () => {});
    writeFileSync(acl, 'what?\n');
    running.child.kill('SIGHUP');
    await running.printed(/^motemq broker: all stays as it was: .*rights:1: /m);
    client.destroy();
  });

  it('warns when everybody may use it', async () => {
    const running = new Running('-p', '0', '--host', '0.0.0.0');
    expect(await running.printed(/^listening on (.*):\d+$/m)).toBe('mqtt://0.0.0.0');
    await running.printed(/^whoever can reach it may use it: --users FILE asks who they are$/m);
  });

  it('lists the limits', async () => {
    const running = new Running('--help-limits');
    expect(await running.status).toBe(0);
    for (const name of LIMIT_NAMES) {
      const { default: usual, min, max, text } = LIMITS[name];
      expect(running.stdout).toContain(`${name} = ${usual}   (${min} to ${max})\n    ${text}\n`);
    }
  });

  it('says in one line what it cannot do', async () => {
    const port = await freePort();
    const first = new Running('-p', String(port));
    await first.printed(/^listening/m);
    expect(await refused('-p', String(port))).toBe(
      `motemq broker: cannot listen on mqtt://127.0.0.1:${port}: the port is in use (EADDRINUSE)\n`,
    );
    const missing = join(folder, 'none');
    const tls = ['-p', '0', '--tls-port', '0', '--cert'];
    expect(await refused(...tls, missing, '--key', files.keyFile)).toBe(
      `motemq broker: --cert: cannot read ${missing}: ENOENT\n`,
    );
    expect(await refused(...tls, files.certificateFile, '--key', files.clientKeyFile)).toMatch(
      /^motemq broker: tls: the certificate and its key cannot be used: .*\n$/,
    );
    expect(await refused('-p', '0', '--users', missing)).toMatch(/^motemq broker: .*none: /);
    expect(await refused('--no-anonymous')).toMatch(/^motemq broker: anonymous: false lets nobody in/);
    expect(await refused('-p', '0', '--set', 'conectionsMax=1')).toBe(
      'motemq broker: --set: there is no limit conectionsMax, but connectionsMax; --help-limits lists them all\n' +
        '(motemq broker --help says more)\n',
    );
    expect(await refused('-p', 'many')).toContain('It must be a port from 0 to 65535, or none.');
    expect(await refused('--share-strategy', 'best')).toContain('Allowed choices are round-robin');
  });
});

describe('options', () => {
  const of = (flags: Partial<BrokerFlags>) => brokerOptions({ anonymous: true, ...flags });

  it('without flags are those of a broker on port 1883', () => {
    expect(of({})).toEqual({ port: 1883, limits: {} });
    expect(of({ port: null })).toMatchObject({ port: null });
    expect(of({ anonymous: false })).toMatchObject({ anonymous: false });
  });

  it('come from a file, and flags go before it', () => {
    const path = config('options.json', {
      host: '::',
      port: 0,
      tlsPort: 8883,
      tls: { cert: 'server.crt', key: '/etc/key.pem', ca: '-----BEGIN CERTIFICATE-----' },
      users: 'users',
      persist: 'store',
      limits: { connectionsMax: 5, receiveMaximum: 6 },
      maximumQos: 1,
    });
    expect(of({ config: path, port: 1884, key: 'mine.pem', set: ['receiveMaximum=7'] })).toEqual({
      host: '::',
      port: 1884,
      tlsPort: 8883,
      tls: {
        cert: join(folder, 'server.crt'),
        key: 'mine.pem',
        ca: '-----BEGIN CERTIFICATE-----',
        requireClientCertificate: undefined,
      },
      users: join(folder, 'users'),
      persist: join(folder, 'store'),
      limits: { connectionsMax: 5, receiveMaximum: 7 },
      maximumQos: 1,
    });
    expect(of({ config: path }).port).toBe(0);
  });

  it.each<[Partial<BrokerFlags>, string]>([
    [{ tlsPort: 1 }, '--tls-port needs --cert and --key'],
    [{ wssPort: 1 }, '--wss-port needs --cert and --key'],
    [{ cert: 'a' }, '--cert and --key go together'],
    [{ ca: 'a' }, '--ca and --require-client-certificate need --tls-port or --wss-port'],
    [
      { tlsPort: 1, cert: 'a', key: 'b', requireClientCertificate: true },
      '--require-client-certificate needs --ca',
    ],
    [{ set: ['connectionsMax'] }, '--set connectionsMax: it must be a whole number from 1 to 1000000000'],
    [{ set: ['connectionsMax=-1'] }, '--set connectionsMax: it must be'],
    [{ set: ['connectionsMax=1=2'] }, '--set connectionsMax: it must be'],
    [{ set: ['xyzzy=1'] }, 'there is no limit xyzzy; --help-limits lists them all'],
    [{ set: ['toString=1'] }, 'there is no limit toString'],
  ])('%j make no sense', (flags, message) => {
    expect(() => of(flags)).toThrow(message);
  });

  it.each<[string, object | string, string]>([
    ['no JSON', '{', 'JSON'],
    ['no object', [], 'it must be an object of options'],
    ['another name', { prot: 1 }, 'there is no option prot, but port'],
    ['what only a program can give', { hooks: {} }, 'there is no option hooks'],
    ['another limit', { limits: { queuedBytes: 1 } }, 'there is no limit queuedBytes, but queuedBytesMax'],
    ['another name in tls', { tls: { certificate: 'a' } }, 'there is no option tls.certificate'],
  ])('in a file with %s are told', (_what, options, message) => {
    const path = config('wrong.json', options);
    expect(() => of({ config: path })).toThrow(`--config: ${path}: `);
    expect(() => of({ config: path })).toThrow(message);
  });

  it('name a file that is not there', () => {
    expect(() => of({ config: join(folder, 'none.json') })).toThrow(/^--config: cannot read .*: ENOENT$/);
  });

  it('tell when everybody may use the broker', () => {
    expect(isOpenToAll({})).toBe(false);
    expect(isOpenToAll({ host: 'localhost' })).toBe(false);
    expect(isOpenToAll({ host: '0.0.0.0' })).toBe(true);
    expect(isOpenToAll({ host: '::', users: 'a' })).toBe(false);
    expect(isOpenToAll({ host: '::', users: 'a', anonymous: true })).toBe(true);
    expect(isOpenToAll({ host: '::', anonymous: false })).toBe(false);
    expect(isOpenToAll({ host: '::', acl: 'a' })).toBe(false);
  });

  it('are found by the name that was meant', () => {
    expect(nearestName('reciveMaximun', LIMIT_NAMES)).toBe('receiveMaximum');
    expect(nearestName('QUEUEDBYTESMAX', LIMIT_NAMES)).toBe('queuedBytesMax');
    expect(nearestName('xyzzy', LIMIT_NAMES)).toBeUndefined();
    expect(nearestName('a', [])).toBeUndefined();
  });
});
