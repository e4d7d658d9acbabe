/**
 * Serial ports that a board may be on, and whether this process may use them. From names in /dev alone: no driver is
 * asked, nothing is opened, so a port that another program holds stays undisturbed.
 */
import { readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findingsOf, type Finding } from './findings.ts';
import { namesIn, readText, statOf, type Machine } from './machine.ts';

export interface SerialPort {
  /** `/dev/ttyUSB0`. */
  readonly path: string;
  /** What the adapter calls itself; undefined where the system does not tell. */
  readonly description: string | undefined;
  readonly isUsable: boolean;
  /** The group that may use it; undefined where the system does not tell. */
  readonly group: string | undefined;
  readonly groupId: number | undefined;
}

const PORT_NAMES: Partial<Record<NodeJS.Platform, RegExp>> = {
  linux: /^tty(USB|ACM)\d+$/,
  darwin: /^cu\.(usbserial|usbmodem|SLAB_USBtoUART|wchusbserial)/,
};

interface Group {
  readonly id: number;
  readonly members: readonly string[];
}

/** /etc/group by name. */
function readGroups(machine: Machine): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const line of (readText(join(machine.root, '/etc/group')) ?? '').split('\n')) {
    const [name, , id, members] = line.split(':') as (string | undefined)[];
    if (name && id) groups.set(name, { id: Number(id), members: members ? members.split(',') : [] });
  }
  return groups;
}

/** What udev has made of the adapter's own words, by the name of the port. */
function readDescriptions(machine: Machine): Map<string, string> {
  const folder = join(machine.root, '/dev/serial/by-id');
  const descriptions = new Map<string, string>();
  for (const name of namesIn(folder)) {
    try {
      const words = name.replace(/^usb-/, '').replace(/-if\d+(-port\d+)?$/, '');
      descriptions.set(basename(readlinkSync(join(folder, name))), words.replaceAll('_', ' '));
    } catch {
      // It was pulled out this moment.
    }
  }
  return descriptions;
}

/** The ports there are, by name. */
export function listSerialPorts(machine: Machine): SerialPort[] {
  const pattern = PORT_NAMES[machine.platform];
  if (pattern === undefined) return [];
  const descriptions = readDescriptions(machine);
  return namesIn(join(machine.root, '/dev'))
    .filter((name) => pattern.test(name))
    .map((name) => describePort(machine, `/dev/${name}`, descriptions.get(name)));
}

/** The port of that path, whether it looks like one or not; undefined when there is no such file. */
export function findSerialPort(machine: Machine, path: string): SerialPort | undefined {
  if (statOf(join(machine.root, path)) === undefined) return undefined;
  return describePort(machine, path, readDescriptions(machine).get(basename(path)));
}

function describePort(machine: Machine, path: string, description: string | undefined): SerialPort {
  const real = join(machine.root, path);
  const groupId = statOf(real)?.gid;
  const group = [...readGroups(machine)].find(([, { id }]) => id === groupId)?.[0];
  return { path, description, isUsable: machine.mayUse(real), group, groupId };
}

/** What to do so that this process may use the port. */
function rightsFix(machine: Machine, { path, group, groupId }: SerialPort): string[] {
  // Root's own group would give away far more than a port.
  if (group === undefined || groupId === undefined || groupId === 0) {
    return [`ls -l ${path} shows who may use it; a udev rule can give it to the group dialout`];
  }
  const isListed = readGroups(machine).get(group)?.members.includes(machine.userName) ?? false;
  const isInForce = machine.groups.includes(groupId);
  if (isInForce) return [`sudo chmod g+rw ${path}`];
  if (isListed) return [`you are in the group ${group} from your next login on; or now: newgrp ${group}`];
  return [`sudo usermod -aG ${group} ${machine.userName}   then log in again`];
}

const NO_PORT_FIX = 'connect the board with a cable that carries data, not only power';
const NO_DRIVER_FIX = 'a board with a CP210x or CH340 chip needs its driver';

/** One finding for each port, or one that there is none. */
export function checkSerialPorts(machine: Machine, ports: readonly SerialPort[]): Finding[] {
  const { ok, missing, wrong } = findingsOf('serial-port', 'serial port');
  if (PORT_NAMES[machine.platform] === undefined) return [missing(`not looked for on ${machine.platform}`)];
  if (ports.length === 0) {
    const driver = machine.platform === 'darwin' ? [NO_DRIVER_FIX] : [];
    return [missing('none that a board may be on', NO_PORT_FIX, ...driver)];
  }
  return ports.map((port) => {
    const what = port.description === undefined ? port.path : `${port.path} (${port.description})`;
    if (port.isUsable) return ok(what);
    return wrong(`${what}: no right to read and write`, ...rightsFix(machine, port));
  });
}
