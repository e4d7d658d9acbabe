/**
 * What of a run is wanted: `--only codec` is all of a bench, `--only codec.publish` one case.
 */
export class Selection {
  private readonly only: readonly string[] | undefined;

  /** Throws for a bench that there is not. */
  constructor(only: readonly string[] | undefined, benches: readonly string[]) {
    for (const name of only ?? []) {
      if (!benches.includes(name.split('.')[0])) {
        throw new Error(`there is no bench ${name}; there are ${benches.join(', ')}`);
      }
    }
    this.only = only;
  }

  hasBench(bench: string): boolean {
    return this.only?.some((name) => name === bench || name.startsWith(`${bench}.`)) ?? true;
  }

  hasCase(bench: string, name: string): boolean {
    return this.only?.some((one) => one === bench || one === `${bench}.${name}`) ?? true;
  }
}
