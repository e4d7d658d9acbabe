/**
 * `npm run build:wasm`: compiles assembly/ and writes the binary into the module that stands for it in dist, after the
 * compiler has made the rest of dist.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileAssembly } from './compile.ts';

const here = dirname(fileURLToPath(import.meta.url));
let root = here;
while (!existsSync(join(root, 'package.json'))) root = dirname(root);
const binary = await compileAssembly(join(root, 'targets/wasm/assembly'));
const text = Buffer.from(binary).toString('base64');
writeFileSync(
  join(here, '../binary.js'),
  `// Written by targets/wasm/build/main.ts from targets/wasm/assembly.\nexport const CODEC_BINARY_BASE64 = '${text}';\n`,
);
