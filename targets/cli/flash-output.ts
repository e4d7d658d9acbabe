/**
 * Understands what mcconfig, make, ESP-IDF and esptool print: which phase a line belongs to and how far it is, which
 * lines say what went wrong, and what can be done about it. Text in, facts out; runs nothing.
 */

export type Phase = 'compile modules' | 'link' | 'build' | 'flash';

/** How far a phase is. */
export interface Progress {
  readonly phase: Phase;
  /** What is being done, in few words. */
  readonly what: string;
  /** Of this piece of work; undefined where nobody tells. */
  readonly percent: number | undefined;
}

/** What a line is for people who do not read every line. */
export type Reading =
  { readonly progress: Progress } | { readonly warning: string } | { readonly written: string } | undefined;

/** mcconfig's own lines: `# xsc main.xsb`. */
const TOOL_PHASES: Record<string, Phase> = {
  xsc: 'compile modules',
  tsc: 'compile modules',
  xsid: 'compile modules',
  xsl: 'link',
  mcrez: 'link',
  cc: 'build',
  ar: 'build',
  ld: 'build',
  Reconfiguring: 'build',
  Configure: 'build',
  uploading: 'flash',
};

function progress(phase: Phase, what: string, percent?: number): Reading {
  return { progress: { phase, what, percent } };
}

/** What a line says. */
export function readLine(line: string): Reading {
  const warning = /^#\s*warning:\s*(.+?)!?$/i.exec(line)?.[1];
  if (warning !== undefined) return { warning };

  const [, tool, rest] = /^# (\S+) ?(.*)$/.exec(line) ?? [];
  if (tool !== undefined) {
    const phase = TOOL_PHASES[tool];
    // A tool for pictures, fonts, strings or something that comes later makes something to be linked.
    if (phase === undefined)
      return /^[a-z]\w*$/.test(tool) && rest ? progress('link', line.slice(2)) : undefined;
    return progress(phase, /^[a-z]/.test(tool) && tool !== 'uploading' ? rest : line.slice(2));
  }

  // ninja, which ESP-IDF builds with.
  const [, done, all, step] = /^\[(\d+)\/(\d+)\]\s*(.*)$/.exec(line) ?? [];
  if (done !== undefined) return progress('build', nameIn(step), percentOf(Number(done), Number(all)));

  return readEsptool(line);
}

/** Of ninja's words the file that is made, without its folders. */
function nameIn(step: string): string {
  const path = step.split(' ').findLast((word) => word.includes('/'));
  return path === undefined ? step : (path.split('/').at(-1) ?? step);
}

function percentOf(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.floor((part * 100) / whole)) : 0;
}

/** esptool 4 writes `Writing at 0x00010000... (45 %)`, esptool 5 `Writing at 0x00010000 [==>  ]  45.0% 1/2 bytes...`. */
function readEsptool(line: string): Reading {
  const [, address, percent] = /^Writing at (0x[0-9a-f]+)\b.*?(\d+)(?:\.\d+)?\s?%/i.exec(line) ?? [];
  if (address !== undefined) return progress('flash', address, Math.min(100, Number(percent)));
  const [, byteLength] = /^Wrote (\d+) bytes/.exec(line) ?? [];
  if (byteLength !== undefined) return { written: byteLength };
  const chip = /^(?:Chip type:|Chip is|Detecting chip type\.+)\s*(ESP\S+)/.exec(line)?.[1];
  if (chip !== undefined) return progress('flash', chip);
  if (/^Connecting\.|^Connected to /.test(line)) return progress('flash', 'connecting');
  if (/^Erasing flash|^Flash will be erased/.test(line)) return progress('flash', 'erasing');
  return undefined;
}

/** A line that says what went wrong. */
const COMPLAINT =
  /\berror\b|^### |\bfatal\b|undefined reference|not found|No such file|cannot (find|open|access)|Permission denied|Traceback|^\*\*\*|Failed to|typescript compile failure/i;
/** What only repeats that something went wrong. */
const ECHO =
  /^make(\[\d+\])?: \*\*\*|^### \d+ error\(s\)|^ninja: build stopped|\b0 errors?\b|^# typescript compile|-Werror|Error 1$/;
const EXCERPT_LINES_MAX = 14;
const CONTEXT_LINES = 2;

/** Of all that was printed the lines that say why it failed; the last ones when none looks like it. */
export function relevantLines(lines: readonly string[]): string[] {
  const isComplaint = (line: string): boolean => COMPLAINT.test(line) && !ECHO.test(line);
  const kept = new Set<number>();
  lines.forEach((line, index) => {
    if (!isComplaint(line)) return;
    // A compiler shows the place below its complaint.
    for (let at = index; at <= index + CONTEXT_LINES && at < lines.length; at++) {
      const isOther = at > index && (readLine(lines[at]) !== undefined || ECHO.test(lines[at]));
      if (isOther) break;
      kept.add(at);
    }
  });
  const told = [...kept].sort((a, b) => a - b).map((index) => lines[index]);
  if (told.length > 0) return told.slice(0, EXCERPT_LINES_MAX);
  return lines.filter((line) => readLine(line) === undefined || ECHO.test(line)).slice(-EXCERPT_LINES_MAX);
}

/** What is known of failures: what they look like, and what to do. */
const REMEDIES: [pattern: RegExp, advice: string][] = [
  [
    /Permission denied:? '?\/dev\/|could not open port.*Permission denied|Errno 13/i,
    'the serial port may not be used: motemq doctor --for flash says what to do',
  ],
  [
    /port is busy|Device or resource busy|exclusively lock port|Errno 16/i,
    'another program has the serial port open: a monitor, a debugger (serial2xsbug), or a modem manager',
  ],
  [
    /Failed to connect to ESP|No serial data received|Wrong boot mode detected|Timed out waiting for packet header/i,
    'hold the board’s BOOT button while it says "Connecting", press and release RESET; use a cable that carries data',
  ],
  [
    /This chip is (ESP\S+),? not|chip.*(?:doesn.t|does not) match|Wrong --?chip argument/i,
    'the board has another chip: name the board, --target esp32/BOARD (esp32/esp32s3, esp32/esp32c3 …)',
  ],
  [
    /could not open port|No such file or directory:? '?\/dev\/tty|Failed to find a suitable device/i,
    'the port is not there: motemq flash --list-ports shows those that are',
  ],
  [
    /Update required to ESP-IDF|Expected ESP.IDF/i,
    'ESP-IDF is of another version than the Moddable SDK wants: motemq doctor --for flash',
  ],
  [/IDF_PATH not set|export\.sh: No such file/i, 'ESP-IDF is missing: motemq doctor --for flash'],
  [
    /tools mismatch between binary/i,
    'the SDK was updated and its tools were not: run make in $MODDABLE/build/makefiles/lin (or mac)',
  ],
  [/\btsc: (command )?not found/i, 'the app is in TypeScript: npm install --global typescript@6'],
  [
    /lib' option must be|Argument for '--(lib|target)'/i,
    'this TypeScript is too old for the SDK: npm install --global typescript@6',
  ],
  [
    /no modules match|Cannot find module|module .* not found/i,
    'a module that the manifest names is not there: see "modules" in it, and what it includes',
  ],
  [
    /gio\/gio\.h|gio-2\.0|-lgio/i,
    'GLib’s headers are missing; Debian: apt-get install pkg-config libglib2.0-dev',
  ],
  [
    /region .*overflowed|app partition is too small|too small for binary/i,
    'the app is too large for the board’s app partition: a release build is smaller, another partition table larger',
  ],
  [/No space left on device|ENOSPC/i, 'the disk is full'],
];

/** What can be done, the likeliest first; empty when it is not known. */
export function remediesFor(lines: readonly string[]): string[] {
  return REMEDIES.filter(([pattern]) => lines.some((line) => pattern.test(line)))
    .map(([, advice]) => advice)
    .slice(0, 2);
}
