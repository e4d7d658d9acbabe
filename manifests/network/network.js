/**
 * Who wants to be told when this device's network goes and comes back: anything with `drop(error)` and `retry()`, such as
 * a line, a callback client, the promise client's `driver`. Where the network is not ours to keep, nobody ever calls.
 */

/** The list is the global object's: what a preloaded module holds is frozen. */
function users() {
  return (globalThis.motemqNetworkUsers ??= []);
}

const network = {
  add(user) {
    users().push(user);
  },

  remove(user) {
    const index = users().indexOf(user);
    if (index >= 0) users().splice(index, 1);
  },

  drop(error) {
    for (const user of [...users()]) user.drop(error);
  },

  retry() {
    for (const user of [...users()]) user.retry();
  },
};

export default Object.freeze(network, true);
