/**
 * What `motemq flash` makes of the output of mcconfig, make, ESP-IDF and esptool: progress, complaints, advice, and
 * nothing secret. Text in, text out; the lines are those that the programs print.
 */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { readLine, relevantLines, remediesFor, type Progress } from '../../targets/cli/flash-output.ts';
import { FlashView, renderProgress } from '../../targets/cli/flash-view.ts';
import { LineReader, REDACTED, Redactor } from '../../targets/cli/redactor.ts';
import { runs } from '../seed.ts';

describe('a line of output', () => {
  it.each<[string, Progress]>([
    ['# xsc main.xsb', { phase: 'compile modules', what: 'main.xsb', percent: undefined }],
    ['# tsc main.ts', { phase: 'compile modules', what: 'main.ts', percent: undefined }],
    ['# xsid modTimer.c.xsi', { phase: 'compile modules', what: 'modTimer.c.xsi', percent: undefined }],
    ['# xsl modules', { phase: 'link', what: 'modules', percent: undefined }],
    ['# mcrez resources', { phase: 'link', what: 'resources', percent: undefined }],
    ['# png2bmp logo-color.bmp', { phase: 'link', what: 'png2bmp logo-color.bmp', percent: undefined }],
    [
      '# cc xsAll.c (strings in flash)',
      { phase: 'build', what: 'xsAll.c (strings in flash)', percent: undefined },
    ],
    ['# ld mc.so', { phase: 'build', what: 'mc.so', percent: undefined }],
    ['# ar xs_esp32.a', { phase: 'build', what: 'xs_esp32.a', percent: undefined }],
    ['# Reconfiguring ESP-IDF...', { phase: 'build', what: 'Reconfiguring ESP-IDF...', percent: undefined }],
    [
      '[1023/1046] Building C object esp-idf/main/CMakeFiles/__idf_main.dir/main.c.obj',
      { phase: 'build', what: 'main.c.obj', percent: 97 },
    ],
    ['[3/3] Completed', { phase: 'build', what: 'Completed', percent: 100 }],
    ['# uploading to esp32', { phase: 'flash', what: 'uploading to esp32', percent: undefined }],
    ['Connecting.....', { phase: 'flash', what: 'connecting', percent: undefined }],
    ['Chip is ESP32-D0WD-V3 (revision v3.1)', { phase: 'flash', what: 'ESP32-D0WD-V3', percent: undefined }],
    ['Chip type:          ESP32-S3 (QFN56)', { phase: 'flash', what: 'ESP32-S3', percent: undefined }],
    ['Writing at 0x00010000... (8 %)', { phase: 'flash', what: '0x00010000', percent: 8 }],
    ['Writing at 0x0005a9ff... (100 %)', { phase: 'flash', what: '0x0005a9ff', percent: 100 }],
    [
      'Writing at 0x00010000 [=============>                ]  45.3% 245760/542464 bytes... ',
      { phase: 'flash', what: '0x00010000', percent: 45 },
    ],
  ])('%s', (line, progress) => expect(readLine(line)).toEqual({ progress }));

  it.each(['', '#', '# ', 'Using recommended ESP-IDF 6.0.0', '/usr/bin/idf.py', '### 2 error(s)', '[x/y] z'])(
    'is not progress: "%s"',
    (line) => expect(readLine(line)).toBeUndefined(),
  );

  it('is a warning where mcconfig says so', () => {
    expect(readLine('# warning: no modules match: /a/b!')).toEqual({ warning: 'no modules match: /a/b' });
  });
});

describe('why it failed', () => {
  it('is what the XS compiler says', () => {
    const lines = [
      '# xsc Resource.xsb',
      '# xsc main.xsb',
      '/a/main.js:1: error: missing expression!',
      '/a/main.js:3: error: missing )!',
      '### 2 error(s)',
      'make: *** [/a/makefile:322: /a/main.xsb] Error 22',
      'make: *** Waiting for unfinished jobs....',
    ];
    expect(relevantLines(lines)).toEqual(lines.slice(2, 4));
  });

  it('is what a C compiler says, with the place below', () => {
    const lines = [
      '[7/9] Building C object a.c.obj',
      'FAILED: a.c.obj',
      "/a/a.c:7:3: error: 'x' undeclared (first use in this function)",
      '    7 |   x = 1;',
      '      |   ^',
      '[8/9] Building C object b.c.obj',
      'ninja: build stopped: subcommand failed.',
    ];
    expect(relevantLines(lines)).toEqual(lines.slice(2, 5));
  });

  it('is what mcconfig says', () => {
    const lines = ["### Error: '/a/nothing/manifest.json': manifest not found!"];
    expect(relevantLines(lines)).toEqual(lines);
  });

  it('is what TypeScript says', () => {
    const complaint = "main.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.";
    const lines = [
      '# tsc main.ts',
      complaint,
      '# typescript compile failure',
      'make: *** [m:330: x] Error 1',
    ];
    expect(relevantLines(lines)).toEqual([complaint]);
  });

  it('is what was said last, when nothing looks like a complaint', () => {
    const lines = ['# cc a.c', ...Array.from({ length: 40 }, (_, index) => `line ${index}`)];
    expect(relevantLines(lines)).toEqual(lines.slice(-14));
    expect(relevantLines([])).toEqual([]);
  });

  it('is not longer than a screen', () => {
    const lines = Array.from({ length: 500 }, (_, index) => `a.c:${index}: error: no`);
    expect(relevantLines(lines)).toEqual(lines.slice(0, 14));
  });

  it.each([
    ["[Errno 13] could not open port /dev/ttyUSB0: [Errno 13] Permission denied: '/dev/ttyUSB0'", 'doctor'],
    ['A fatal error occurred: Could not exclusively lock port /dev/ttyUSB0: [Errno 11]', 'another program'],
    ['A fatal error occurred: Failed to connect to ESP32: No serial data received.', 'BOOT'],
    ['A fatal error occurred: This chip is ESP32-S3, not ESP32. Wrong chip argument?', 'another chip'],
    ["could not open port '/dev/ttyUSB9'", '--list-ports'],
    ['*** Update required to ESP-IDF 6.0 (found 5.5.1)', 'another version'],
    ['### Error: $IDF_PATH not set. See set-up instructions', 'ESP-IDF is missing'],
    ['Moddable SDK tools mismatch between binary (8.2.2) and source (8.2.3)!', 'make'],
    ['/bin/sh: 1: tsc: not found', 'npm install'],
    ["error TS6046: Argument for '--lib' option must be: 'es5'", 'too old'],
    ['fatal error: gio/gio.h: No such file or directory', 'libglib2.0-dev'],
    ["region `iram0_0_seg' overflowed by 128 bytes", 'too large'],
    ['cc: error: write: No space left on device', 'disk is full'],
  ])('%s has advice', (line, advice) => expect(remediesFor(['x', line]).join()).toContain(advice));

  it('has no advice where nobody has any', () => {
    expect(remediesFor(['/a/main.js:1: error: missing expression!'])).toEqual([]);
  });
});

/** All lines that a reader makes of pieces. */
function linesOf(secrets: string[], pieces: string[]): string[] {
  const lines: string[] = [];
  const reader = new LineReader(new Redactor(secrets), (line) => lines.push(line));
  for (const piece of pieces) reader.push(piece);
  reader.finish();
  return lines;
}

describe('secrets', () => {
  it.each([
    ['as it is', 'pass: a "b" $c\'d'],
    ['in JSON', JSON.stringify({ pass: 'a "b" $c\'d' })],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ pass: 'a "b" $c\'d' }))],
    ['in a shell’s quotes', "'a \"b\" $c'\\''d'"],
    ['escaped for a shell', 'a\\ \\"b\\"\\ \\$c\\\'d'],
    ['for make', 'a "b" $$c\'d'],
    ['in a URL', `x://${encodeURIComponent('a "b" $c\'d')}`],
  ])('are hidden %s', (_how, text) => {
    const clean = new Redactor(['a "b" $c\'d']).redact(text);
    expect(clean).toContain(REDACTED);
    expect(clean).not.toMatch(/b.{0,8}c/);
  });

  it('are hidden wherever the pieces are cut', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 20, unit: fc.constantFrom('x', 'y', ' ', '"', '$', '\\', "'") }),
        fc.array(fc.constantFrom('one\n', 'two ', '\r', '\u001b[0m', 'SECRET', '\r\n'), { maxLength: 12 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        (secret, words, cuts) => {
          fc.pre(secret.trim() === secret);
          const text = words.join('').replaceAll('SECRET', secret);
          const at = [...new Set(cuts)].sort((a, b) => a - b);
          const pieces = [0, ...at].map((from, index) => text.slice(from, at[index]));
          const lines = linesOf([secret], pieces);
          expect(lines).toEqual(linesOf([secret], [text]));
          for (const line of lines) expect(line).not.toContain(secret);
        },
      ),
      runs(1000),
    );
  });

  it('are hidden in lines that do not end', () => {
    const secret = 'correct horse';
    const text = 'x'.repeat(8190) + secret + 'y'.repeat(9000) + secret;
    for (const size of [1, 7, 4096, 100_000]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
        text.slice(index * size, (index + 1) * size),
      );
      const all = linesOf([secret], pieces).join('');
      expect(all).toBe('x'.repeat(8190) + REDACTED + 'y'.repeat(9000) + REDACTED);
    }
  });

  it('that are empty hide nothing', () => {
    expect(new Redactor(['', '']).redact('abc')).toBe('abc');
    expect(new Redactor([]).lengthMax).toBe(0);
  });
});

describe('lines', () => {
  it('end at carriage returns, and are free of colours', () => {
    const pieces = [
      '\u001b[1;31mred',
      '\u001b[0m\r\nWriting (1 %)\r',
      'Writing (2 %)\n',
      '\r\u001b[KWriting (3 %)\u001b[F',
    ];
    expect(linesOf([], pieces)).toEqual(['red', 'Writing (1 %)', 'Writing (2 %)', 'Writing (3 %)']);
  });
});

/** A stream that keeps what is written, and a view on it. */
function viewOn(stream: { isTTY?: boolean; columns?: number }, isPlain = false) {
  let text = '';
  let nowMs = 0;
  const target = { ...stream, write: (piece: string) => ((text += piece), true) };
  const view = new FlashView(target as never, { TERM: 'xterm', NO_COLOR: '1' }, isPlain, () => nowMs);
  return { view, text: () => text, pass: (ms: number) => (nowMs += ms) };
}

const BUILD: Progress = { phase: 'build', what: 'a.c', percent: undefined };

describe('progress in a log', () => {
  it('is a line a phase, and one a quarter', () => {
    const { view, text } = viewOn({});
    for (const what of ['a.c', 'b.c', 'c.c']) view.update({ ...BUILD, what });
    view.update({ phase: 'compile modules', what: 'main', percent: undefined });
    view.update({ ...BUILD, what: 'd.c' });
    for (let percent = 0; percent <= 100; percent++) view.update({ ...BUILD, percent });
    view.clear();
    expect(text()).toBe('build\ncompile modules\nbuild 25 %\nbuild 50 %\nbuild 75 %\nbuild 100 %\n');
  });

  it('tells each file that is flashed', () => {
    const { view, text } = viewOn({});
    for (const [what, percent] of [
      ['0x1000', 60],
      ['0x1000', 100],
      ['0x8000', 100],
      ['0x10000', 10],
      ['0x10000', 30],
    ] as const) {
      view.update({ phase: 'flash', what, percent });
    }
    expect(text()).toBe(
      'flash 60 % at 0x1000\nflash 100 % at 0x1000\nflash 100 % at 0x8000\nflash 30 % at 0x10000\n',
    );
  });
});

describe('progress on a terminal', () => {
  it('is one line, written over itself, and gone in the end', () => {
    const { view, text, pass } = viewOn({ isTTY: true, columns: 60 });
    view.update(BUILD);
    view.update({ ...BUILD, what: 'too soon' });
    pass(50);
    view.update({ ...BUILD, what: 'b.c', percent: 50 });
    view.note('  warning');
    view.clear();
    expect(text()).toBe(
      `\r\u001b[2K${renderProgress(BUILD, 1)}` +
        `\r\u001b[2K${renderProgress({ ...BUILD, what: 'b.c', percent: 50 }, 3)}` +
        '\r\u001b[2K  warning\n',
    );
  });

  it('is never wider than the terminal', () => {
    for (const columns of [0, 1, 2, 20, 40, 79, 200]) {
      const { view, text } = viewOn({ isTTY: true, columns });
      view.update({ ...BUILD, what: 'x'.repeat(300) });
      const line = text().replace('\r\u001b[2K', '');
      expect(line.length).toBeLessThan(columns || 80);
    }
  });

  it('is a log where everything is printed anyway', () => {
    const { view, text } = viewOn({ isTTY: true, columns: 60 }, true);
    view.update(BUILD);
    expect(text()).toBe('build\n');
  });

  it('shows a bar where the percentage is known', () => {
    expect(renderProgress({ phase: 'flash', what: '0x1000', percent: 25 }, 1)).toBe(
      'flash            ━━━━━───────────────  25 %  0x1000',
    );
  });
});
