/**
 * What a broker must keep of retained messages: the last one of each topic that it acknowledged (3.3.1.3). Compares that with
 * what a new subscription is sent.
 */

interface State {
  /** Name of the last message that was accepted; undefined before the first. */
  name: string | undefined;
  /** Those that were offered behind it when the power went: nobody knows whether they were accepted. */
  offered: string[];
  /** The broker lost what it kept since: it may have it or not. */
  isUncertain: boolean;
}

export class RetainedChecker {
  private readonly report: (rule: string, text: string) => void;
  private readonly states = new Map<string, State>();
  /** What came because of a subscription, by topic. */
  private readonly found = new Map<string, string>();

  constructor(report: (rule: string, text: string) => void) {
    this.report = report;
  }

  handleOffered(topicName: string, name: string): void {
    const state = this.states.get(topicName);
    if (state !== undefined) state.offered.push(name);
    else this.states.set(topicName, { name: undefined, offered: [name], isUncertain: false });
  }

  /** What was offered last was accepted, or refused. */
  handleAnswered(topicName: string, isAccepted: boolean): void {
    const state = this.states.get(topicName);
    const name = state?.offered.pop();
    if (state === undefined || !isAccepted) return;
    state.name = name;
    state.offered = [];
    state.isUncertain = false;
  }

  /** The broker lost its state. */
  handleForgotten(): void {
    for (const state of this.states.values()) state.isUncertain = true;
  }

  handleRetained(topicName: string, name: string): void {
    this.found.set(topicName, name);
  }

  /** Somebody subscribes anew: what comes from now on is to be all there is. */
  begin(): void {
    this.found.clear();
  }

  /** Everything has come. */
  check(): void {
    for (const [topicName, { name, offered, isUncertain }] of this.states) {
      const found = this.found.get(topicName);
      if (found === name || (isUncertain && found === undefined)) continue;
      if (found !== undefined && offered.includes(found)) continue;
      this.report(
        'retained',
        `${found ?? 'nothing'} is retained for ${topicName}, not ${name ?? 'nothing'} [MQTT-3.3.1-5]`,
      );
    }
  }
}
