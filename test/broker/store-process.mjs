/**
 * A process with a broker's store in a directory, to be killed: `node store-process.mjs BUNDLE MODE DIRECTORY…`.
 *
 * - `write`: numbered records, one a commit, several commits under way; prints a number once its commit is done.
 * - `fill`: likewise, with large messages, until a commit fails; then prints the error's code.
 * - `hold`: prints `open` and waits, or prints the error's code.
 * - `load`: prints for every directory how many messages are there, or the error's code.
 */
import { writeSync } from 'node:fs';

const [bundle, mode, ...directories] = process.argv.slice(2);
const { openLmdbStore, Message } = await import(bundle);

/** How many of the newest records are there. */
const WINDOW = 100;
const UNDER_WAY = 4;

function say(text) {
  writeSync(1, `${text}\n`); // at once, so that what was printed was committed, whenever the end comes
}

function messageOf(number, byteLength) {
  const bytes = Buffer.alloc(byteLength);
  bytes.write(`message ${number}`);
  return new Message(bytes, 0, 0, 0, 0, 0, byteLength, 1, false, Infinity, '', '', false);
}

function put(store, number, byteLength) {
  store.putMessage(number, messageOf(number, byteLength));
  store.putDelivery('writer', {
    sequence: number,
    messageId: number,
    packetId: 0,
    isReleased: false,
    qos: 1,
    isRetain: false,
    identifiers: [],
  });
  store.putRetained('newest', number);
}

async function write(directory) {
  const store = await openLmdbStore(directory);
  const { sessions, retained } = await store.load();
  if (sessions.length === 0) {
    store.putSession({
      clientId: 'writer',
      userName: null,
      expirySeconds: 1,
      endedAtMs: Infinity,
      willMessageId: 0,
      willDelaySeconds: 0,
      willExpirySeconds: -1,
    });
  }
  const commits = [];
  const isFilling = mode === 'fill';
  for (let number = (retained.get('newest') ?? 0) + 1; ; number++) {
    put(store, number, isFilling ? 50_000 : 100 + (number % 7) * 500);
    if (!isFilling && number > WINDOW) {
      store.removeMessage(number - WINDOW);
      store.removeDelivery('writer', number - WINDOW);
    }
    commits.push(store.commit().then(() => say(number)));
    if (commits.length === UNDER_WAY) await commits.shift();
  }
}

async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    return error.code ?? error.message;
  }
}

switch (mode) {
  case 'write':
  case 'fill':
    say(await attempt(() => write(directories[0])));
    process.exit();
    break;
  case 'hold':
    say(
      await attempt(async () => {
        await openLmdbStore(directories[0]);
        return 'open';
      }),
    );
    setInterval(() => {}, 1000);
    break;
  case 'load':
    for (const directory of directories) {
      say(
        await attempt(async () => {
          const store = await openLmdbStore(directory);
          try {
            return (await store.load()).messages.size;
          } finally {
            await store.close();
          }
        }),
      );
    }
}
