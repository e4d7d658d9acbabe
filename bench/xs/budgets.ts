/**
 * What each layer that ships for a board may take, in bytes of XS byte code: a little more than it does, so that nobody
 * adds much without saying so here.
 */
export const BUDGETS: Record<string, number | undefined> = {
  session: 56_000,
  line: 8_200,
  core: 4_900,
  client: 48_000,
  device: 28_000,
  'mqtt-client': 16_300,
  scram: 11_100,
  'flash-store': 2_650,
  wifi: 1_000,
};
