/**
 * What each layer that ships for a board may take, in bytes of XS byte code: a little more than it does, so that nobody
 * adds much without saying so here.
 */
export const BUDGETS: Record<string, number | undefined> = {
  session: 57_500,
  line: 8_600,
  core: 5_000,
  client: 49_000,
  device: 28_500,
  'mqtt-client': 16_500,
  scram: 11_300,
  'flash-store': 2_700,
  wifi: 1_100,
};
