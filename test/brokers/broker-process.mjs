/**
 * A broker with its state in a directory, to be killed: `node broker-process.mjs BUNDLE PORT DIRECTORY [MOMENT COMMIT]`.
 * Says `ready` when it listens, and whatever its log says is wrong. With a moment it kills itself: `during` that commit,
 * or `after` it, when everything is on the disk and nobody has been told. On SIGTERM it waits until nothing is on its way,
 * and stops.
 */
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const [bundle, port, persist, moment, commit] = process.argv.slice(2);
const { Broker, LmdbWriter } = await import(bundle);

function die() {
  process.kill(process.pid, 'SIGKILL');
}

if (moment !== undefined) {
  const { write } = LmdbWriter.prototype;
  let count = 0;
  LmdbWriter.prototype.write = async function (changes) {
    const written = write.call(this, changes);
    count++;
    if (count === Number(commit)) {
      if (moment === 'after') await written;
      die();
    }
    return written;
  };
}

const broker = await Broker.start({
  port: Number(port),
  persist,
  limits: { queuedMessagesMax: 1_000_000, queuedBytesMax: 256 * 1024 * 1024 },
  log: (level, line) => level === 'error' && writeSync(2, `${line}\n`),
});

process.once('SIGTERM', async () => {
  const isIdle = ({ inflight, queuedMessages }) => inflight === 0 && queuedMessages === 0;
  while (!isIdle(broker.gauges())) await setTimeout(5);
  await broker.stop();
  process.exit();
});

writeSync(1, 'ready\n');
