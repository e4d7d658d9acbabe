/**
 * Several hooks as one: an application's own, those that files of users and rights stand for, those that write the log.
 */
import type { Hooks } from './hooks.ts';

/**
 * What is told is told to all of them, in this order. `authorise`: all have to allow. `published`: the first refusal
 * counts. `authenticate`: the one that has it; throws a TypeError when several do. Methods of all, the first of a name.
 */
export function combineHooks(all: readonly Hooks[]): Hooks {
  if (all.length === 1) return all[0];
  const having = <Name extends keyof Hooks>(name: Name): (Hooks & Required<Pick<Hooks, Name>>)[] =>
    all.filter((hooks): hooks is Hooks & Required<Pick<Hooks, Name>> => hooks[name] !== undefined);

  const combined: Hooks = {};
  const authenticating = having('authenticate');
  if (authenticating.length > 1) {
    throw new TypeError('hooks.authenticate, and users or anonymous: only one of them can say who is let in');
  }
  if (authenticating.length > 0) {
    combined.authenticate = (attempt) => authenticating[0].authenticate(attempt);
  }

  const methods = having('methods').flatMap((hooks) => hooks.methods);
  if (methods.length > 0) combined.methods = methods;

  const authorising = having('authorise');
  if (authorising.length > 0) {
    combined.authorise = (client, access, topic) =>
      authorising.every((hooks) => hooks.authorise(client, access, topic));
  }

  const watching = having('published');
  if (watching.length > 0) {
    combined.published = (message, client) => {
      for (const hooks of watching) {
        const reasonCode = hooks.published(message, client);
        if (reasonCode !== undefined) return reasonCode;
      }
      return undefined;
    };
  }

  const tell = <Name extends 'authenticated' | 'delivered' | 'connected' | 'disconnected' | 'refused'>(
    name: Name,
  ): void => {
    const told = having(name);
    if (told.length === 0) return;
    type Told = (...words: Parameters<Required<Hooks>[Name]>) => void;
    (combined as Record<Name, Told>)[name] = (...words) => {
      for (const hooks of told) (hooks as Record<Name, Told>)[name](...words);
    };
  };
  tell('authenticated');
  tell('delivered');
  tell('connected');
  tell('disconnected');
  tell('refused');
  return combined;
}
