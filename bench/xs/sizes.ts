/**
 * `npm run sizes`: writes docs/sizes.md, which says how many bytes of XS byte code each layer takes that ships for a board,
 * and each module in it. That no layer is over its budget is a test's to see.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUDGETS } from './budgets.ts';
import { ROOT, measureLayers, type Layer } from './layers.ts';

const format = (value: number): string => value.toLocaleString('en');

function render(layers: Layer[]): string {
  const lines = [
    '# Sizes',
    '',
    '<!-- Made by `npm run sizes`. -->',
    '',
    'Bytes of XS byte code (release, without debugging information) of what ships for a board in `dist/moddable`, as the',
    'compiler of the XS engine that the tests run on makes them. Preloaded, they lie in flash and take no RAM. An app',
    'carries the layers that it imports and those below; `session` is the core, `line` adds a board’s buffers, pump and',
    'timer. A module compiled by itself is a little smaller or larger than its share of the layer.',
    '',
    '| layer | bytes | budget |',
    '|---|---:|---:|',
    ...layers.map(({ name, codeBytes }) => {
      const budget = BUDGETS[name];
      return `| ${name} | ${format(codeBytes)} | ${budget === undefined ? '' : format(budget)} |`;
    }),
    '',
  ];
  for (const { name, modules } of layers) {
    if (modules.length < 2) continue;
    lines.push(`## ${name}`, '', '| module | bytes |', '|---|---:|');
    for (const module of modules.toSorted((a, b) => b.codeBytes - a.codeBytes)) {
      lines.push(`| ${module.name} | ${format(module.codeBytes)} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

const layers = await measureLayers();
for (const { name, codeBytes } of layers) {
  process.stdout.write(`${name.padEnd(14)} ${format(codeBytes).padStart(8)}\n`);
}
writeFileSync(join(ROOT, 'docs', 'sizes.md'), render(layers));
