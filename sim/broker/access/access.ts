/**
 * Who may connect and what clients may do, from a file of users and a file of rights: hooks for a broker. Puts together
 * what the other files of this folder know; reads the files when it begins and when it is told to.
 */
import type {
  AuthenticationExchange,
  AuthenticationMethod,
  ConnectAttempt,
  Hooks,
  Verdict,
} from '../hooks.ts';
import type { Limits } from '../limits.ts';
import { BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED, SERVER_BUSY } from '../reasons.ts';
import { AclDecisions } from './acl-decisions.ts';
import { loadAcl } from './acl-file.ts';
import { CONNECTION_RATE_EXCEEDED } from '../reasons.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { PasswordCheck } from './password-check.ts';
import { scramSha256Method } from './scram-method.ts';
import { Users, loadUsers } from './users-file.ts';

export interface AccessOptions {
  /** Path of the file of users. Without it no user name can be shown to be somebody's, except by a certificate. */
  users?: string | undefined;
  /** Path of the file of rights. Without it everybody may do everything. */
  acl?: string | undefined;
  /** Whether clients without a user name are let in. Default: true without `users`, false with it. */
  anonymous?: boolean | undefined;
  limits: Pick<Limits, 'authenticationFailuresMax'>;
}

/** Hooks that go by files. */
export type AccessHooks = Hooks & {
  /**
   * Reads the files again; what they say counts from then on for all that is asked, while clients stay connected and
   * subscriptions stay. Rejects with an AccessFileError when one of them cannot be used: all stays as it was.
   */
  reload(): Promise<void>;
};

/**
 * Reads the files. Rejects with an AccessFileError that names file and line. The hooks `authenticate`, `authenticated`
 * and `methods` are there if `users` or `anonymous` is given, `authorise` if `acl` is: with `acl` alone somebody else has
 * to say who a client is.
 */
export async function loadAccess(options: AccessOptions): Promise<AccessHooks> {
  const { users: usersFile, acl: aclFile } = options;
  const read = () =>
    Promise.all([
      usersFile === undefined ? new Users([]) : loadUsers(usersFile),
      aclFile === undefined ? null : loadAcl(aclFile),
    ]);
  const [users, acl] = await read();
  const gate = new Gate(users, usersFile !== undefined, options);
  const decisions = acl === null ? null : new AclDecisions(acl);

  let newest = 0;
  const hooks: AccessHooks = {
    async reload() {
      const turn = ++newest;
      const [usersNow, aclNow] = await read();
      // What was read later counts, whichever was ready first.
      if (turn !== newest) return;
      gate.users = usersNow;
      if (aclNow !== null) decisions?.replace(aclNow);
    },
  };
  if (usersFile !== undefined || options.anonymous !== undefined) {
    hooks.authenticate = (attempt) => gate.authenticate(attempt);
    hooks.authenticated = (attempt, isSuccess) => gate.handleAuthenticated(attempt, isSuccess);
  }
  if (usersFile !== undefined) {
    hooks.methods = [gate.limited(scramSha256Method({ scramOf: (name) => gate.users.scramOf(name) }))];
  }
  if (decisions !== null) {
    hooks.authorise = (client, access, topic) => decisions.isAllowed(client, access, topic);
  }
  return hooks;
}

const REFUSED_ADDRESS = {
  reasonCode: CONNECTION_RATE_EXCEEDED,
  reasonString: 'too many wrong credentials from this address',
};
const WRONG = { reasonCode: BAD_USER_NAME_OR_PASSWORD, reasonString: 'wrong user name or password' };

/** Decides who is let in. */
class Gate {
  users: Users;
  private readonly hasUsers: boolean;
  private readonly isAnonymousAllowed: boolean;
  private readonly limiter: AttemptLimiter;
  private readonly passwords = new PasswordCheck();
  /** Attempts that were counted here, or that were refused, but not for wrong credentials. */
  private readonly settled = new WeakSet<ConnectAttempt>();

  constructor(users: Users, hasUsers: boolean, { anonymous, limits }: AccessOptions) {
    this.users = users;
    this.hasUsers = hasUsers;
    this.isAnonymousAllowed = anonymous ?? !hasUsers;
    this.limiter = new AttemptLimiter(limits.authenticationFailuresMax);
  }

  authenticate(attempt: ConnectAttempt): Verdict | Promise<Verdict> {
    const { userName, password, origin } = attempt;
    if (this.isRefused(attempt)) return this.excuse(attempt, REFUSED_ADDRESS);
    const { certificateName } = origin;
    // A certificate was checked before there was a CONNECT; a password beside it has to be right all the same.
    if (
      certificateName !== null &&
      password === null &&
      (userName === null || userName === certificateName)
    ) {
      return { reasonCode: 0, userName: certificateName };
    }
    if (userName === null && password === null) {
      if (this.isAnonymousAllowed) return { reasonCode: 0, userName: null };
      return this.excuse(attempt, {
        reasonCode: NOT_AUTHORIZED,
        reasonString: 'clients have to authenticate here',
      });
    }
    if (!this.hasUsers) {
      // To let it in as somebody whom nobody has checked would give it that user's rights.
      return this.excuse(attempt, {
        reasonCode: BAD_USER_NAME_OR_PASSWORD,
        reasonString: 'there are no users here: connect without a user name',
      });
    }
    if (userName === null || password === null) return this.refuseWrong(attempt);
    return this.checkPassword(attempt, userName, password);
  }

  private async checkPassword(
    attempt: ConnectAttempt,
    userName: string,
    password: Uint8Array,
  ): Promise<Verdict> {
    const isWanted = (): boolean => !this.isRefused(attempt);
    switch (await this.passwords.check(this.users, userName, password, isWanted)) {
      case 'right':
        return { reasonCode: 0, userName };
      case 'wrong':
        return this.refuseWrong(attempt);
      case 'dropped':
        return this.excuse(attempt, REFUSED_ADDRESS);
      case 'busy':
        return this.excuse(attempt, {
          reasonCode: SERVER_BUSY,
          reasonString: 'too many passwords are waiting to be checked',
        });
    }
  }

  /** The core's word that an authentication is over, by password or by a method. */
  handleAuthenticated(attempt: ConnectAttempt, isSuccess: boolean): void {
    if (!isSuccess && !this.settled.has(attempt)) this.count(attempt);
  }

  /** `method`, but for addresses that are refused. */
  limited(method: AuthenticationMethod): AuthenticationMethod {
    const refusal: AuthenticationExchange = { step: () => ({ kind: 'failure', ...REFUSED_ADDRESS }) };
    return {
      name: method.name,
      begin: (attempt) => {
        if (!this.isRefused(attempt)) return method.begin(attempt);
        this.settled.add(attempt);
        return refusal;
      },
    };
  }

  /** Counted at once: whoever hung up meanwhile, the core tells nothing of, and the next one may be waiting. */
  private refuseWrong(attempt: ConnectAttempt): Verdict {
    this.count(attempt);
    return this.excuse(attempt, WRONG);
  }

  private count({ origin, nowMs }: ConnectAttempt): void {
    this.limiter.handleFailure(origin.remoteAddress, nowMs);
  }

  private isRefused({ origin, nowMs }: ConnectAttempt): boolean {
    return this.limiter.isRefused(origin.remoteAddress, nowMs);
  }

  /** The refusal, which then does not count, or not again. */
  private excuse(attempt: ConnectAttempt, refusal: Verdict): Verdict {
    this.settled.add(attempt);
    return refusal;
  }
}
