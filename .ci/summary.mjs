/**
 * Prints "N passed, N failed" as the last line, from the results that `npm test` leaves, and fails when one failed.
 * Arguments: the results as vitest's JSON reporter writes them, and the exit status of what should have written them.
 * What stopped before a test could say so counts as one failure: a file that does not load, a failed build or check.
 */
import { existsSync, readFileSync } from 'node:fs';

const [resultsPath, exitStatus] = process.argv.slice(2);

let passed = 0;
let failed = 0;
let skipped = 0;

if (existsSync(resultsPath)) {
  for (const file of JSON.parse(readFileSync(resultsPath, 'utf8')).testResults) {
    let failedHere = 0;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed++;
      else if (test.status === 'failed') failedHere++;
      else skipped++;
    }
    if (file.status === 'failed' && failedHere === 0) failedHere = 1;
    failed += failedHere;
  }
} else {
  console.log('No test ran: the installation, the build or a check failed before, see above.');
}
if (exitStatus !== '0' && failed === 0) failed = 1;

if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
