/**
 * The report as a page and as a table: contents, escaping, no loads from a network.
 */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { textWidth } from '../../../sim/fleet/format.ts';
import { escapeHtml, markup, raw } from '../../../sim/fleet/html.ts';
import { renderHtmlReport } from '../../../sim/fleet/report-html.ts';
import { ratesOf, redactUrl, TimelineRecorder, type FleetResult } from '../../../sim/fleet/report.ts';
import { renderSummary } from '../../../sim/fleet/summary.ts';
import { sampleResult, withFirmware } from './sample-result.ts';

const SAMPLE = sampleResult({ devices: 200, seconds: 60 });
const ON_NODE = withFirmware(SAMPLE, 'node');
const ON_XS = withFirmware(SAMPLE, 'xs');
const LOSSY = sampleResult({ devices: 200, seconds: 400, isLossy: true, qos: 2 });

/** Nothing connected, nothing sent: what every renderer must survive. */
function emptyResult(): FleetResult {
  return {
    ...sampleResult({ devices: 1, seconds: 0 }),
    timeline: new TimelineRecorder().timeline,
    events: [],
    outliers: { byLatency: [], byLost: [] },
    latency: null,
    latencyDistribution: [],
  };
}

/** The sample with markup and escape sequences in every text that can come from outside. */
function hostileResult(): FleetResult {
  const evil = `"><script>alert(1)</script><img src="http://evil.example/x">'&\u001b[2J\u0000`;
  return {
    ...SAMPLE,
    options: { ...SAMPLE.options, topic: `${evil}/%c` },
    broker: { url: `mqtt://${evil}`, embedded: false, name: evil },
    protocol: { ...SAMPLE.protocol, transport: evil },
    host: { ...SAMPLE.host, cpuModel: evil, platform: evil, nodeVersion: evil },
    events: SAMPLE.events.map((event) => ({ ...event, text: evil })),
    outliers: {
      byLatency: SAMPLE.outliers.byLatency.map((device) => ({ ...device, clientId: evil })),
      byLost: [],
    },
    verdict: { ok: false, reasons: [evil], remarks: [evil] },
    firmware: { ...ON_XS.firmware!, file: evil, id: evil },
  };
}

describe('FleetResult', () => {
  it('survives JSON', () => {
    expect(JSON.parse(JSON.stringify(SAMPLE))).toEqual(SAMPLE);
  });

  it('has a timeline that adds up', () => {
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    expect(sum(SAMPLE.timeline.sent)).toBe(SAMPLE.totals.sent);
    expect(sum(SAMPLE.timeline.delivered)).toBe(SAMPLE.totals.delivered);
  });

  it('computes rates over the time of sending', () => {
    const rates = ratesOf({ ...SAMPLE.totals, sent: 5000, delivered: 4000 }, SAMPLE.timeline, 10_000);
    expect(rates).toMatchObject({ sentPerSecondMean: 500, deliveredPerSecondMean: 400 });
    expect(rates.sentPerSecondMax).toBe(Math.max(...SAMPLE.timeline.sent));
  });

  it('shows no credentials', () => {
    expect(redactUrl('mqtts://user:p@ss@broker:8883/mqtt?token=x#y')).toBe('mqtts://broker:8883/mqtt');
    expect(redactUrl('mqtt://[::1]:1883')).toBe('mqtt://[::1]:1883');
    expect(redactUrl('localhost')).toBe('localhost');
  });
});

describe('renderSummary', () => {
  it('is never wider than asked, nor than 100 columns', () => {
    for (const result of [SAMPLE, LOSSY, ON_NODE, ON_XS, emptyResult(), hostileResult()]) {
      for (const columns of [60, 72, 87, 88, 100, 240]) {
        for (const colour of [false, true]) {
          for (const line of renderSummary(result, { columns, colour }).split('\n')) {
            const width = textWidth(stripVTControlCharacters(line));
            expect(width, `${columns} columns: ${line}`).toBeLessThanOrEqual(Math.min(columns, 100));
          }
        }
      }
    }
  });

  it('has the figures', () => {
    const text = renderSummary(SAMPLE);
    expect(text).toContain('PASS');
    expect(text).toContain(SAMPLE.totals.sent.toLocaleString('en-US'));
    for (const part of [
      'p99.9',
      'reconnects',
      'saved by aliases',
      'a device',
      'Over time',
      'Slowest devices',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain('the broker closed every connection');
    expect(text).not.toContain('\u001b');
    expect(renderSummary(SAMPLE, { colour: true })).toContain('\u001b[');
  });

  it('says what devices ran, and what their machines took', () => {
    expect(renderSummary(SAMPLE)).not.toContain('firmware');
    const onNode = renderSummary(ON_NODE);
    expect(onNode).toMatch(/200 devices · climate\.js on Node · 1 min · MQTT 5\.0/);
    expect(onNode).toMatch(/samples in them +123,456 +12 dropped/);
    expect(onNode).toContain('Memory of this process');
    const onXs = renderSummary(ON_XS);
    expect(onXs).toContain('climate.js in XS machines');
    expect(onXs).not.toContain('Memory of this process');
    expect(onXs).toMatch(/slots of 2,048 +760 {2}most 767/);
    expect(onXs).toMatch(/chunks of 32 KiB +8,592 B {2}most 8,599 B/);
    expect(onXs).toMatch(/computrons +33,602\/s {2}most 33,609\/s/);
  });

  it('says why a run failed, in full', () => {
    const text = renderSummary(LOSSY, { columns: 60 });
    expect(text).toContain('FAIL');
    expect(text.replace(/\s+/g, ' ')).toContain(LOSSY.verdict.reasons[0]);
    expect(text).toContain('Devices that lost most');
  });

  it('lets no escape sequence through from outside', () => {
    expect(renderSummary(hostileResult())).not.toContain('\u001b');
  });
});

describe('renderHtmlReport', () => {
  it('loads nothing and runs nothing', () => {
    for (const result of [SAMPLE, LOSSY, ON_NODE, ON_XS, emptyResult(), hostileResult()]) {
      const page = renderHtmlReport(result);
      expect(page).not.toMatch(/<script|<img|<iframe|<object|<embed|<base/i);
      for (const [tag] of page.matchAll(/<[a-z](?:"[^"]*"|[^">])*>/gi)) {
        const names = tag.replace(/"[^"]*"/g, '""');
        expect(names).not.toMatch(/\s(src|srcset|xlink:href|action|poster|background|on[a-z]+)\s*=/i);
        if (/\shref=/.test(names)) expect(tag).toBe('<link rel="icon" href="data:,">');
      }
      expect(page.replace(/&[a-z#0-9]+;/g, ' ')).not.toMatch(/@import|url\(/i);
      expect(page).toContain(`default-src 'none'`);
    }
  });

  it('escapes every text', () => {
    const page = renderHtmlReport(hostileResult());
    expect(page).toContain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).not.toContain('\u001b');
    expect(page).not.toContain('\u0000');
  });

  it('is well formed: every element closed in order, ids unique, labels pointing at ids', () => {
    for (const result of [SAMPLE, LOSSY, ON_NODE, ON_XS, emptyResult(), hostileResult()]) {
      const page = renderHtmlReport(result).replace(/<style>[^]*?<\/style>/, '');
      const open: string[] = [];
      for (const [, isClosing, name, isEmpty] of page.matchAll(
        /<(\/?)([a-z][a-z0-9]*)(?:"[^"]*"|[^">])*?(\/?)>/gi,
      )) {
        if (isEmpty === '/' || ['meta', 'link', 'br'].includes(name)) continue;
        if (isClosing === '') open.push(name);
        else expect(open.pop()).toBe(name);
      }
      expect(open).toEqual([]);
      const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g)) expect(ids).toContain(id);
      expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
    }
  });

  it('says what devices ran, and what their machines took', () => {
    expect(renderHtmlReport(SAMPLE)).not.toMatch(/Firmware|Samples/);
    const onNode = renderHtmlReport(ON_NODE);
    expect(onNode).toContain('<span>climate.js on Node</span>');
    expect(onNode).toContain('Resident memory a device');
    expect(onNode).toContain('123,456');
    expect(onNode).not.toContain('Interval');
    const onXs = renderHtmlReport(ON_XS);
    for (const part of [
      'climate.js in XS machines',
      'Slots of 2,048',
      '760<small>most 767',
      '767<small>slots',
      'cbor',
    ]) {
      expect(onXs).toContain(part);
    }
    expect(onXs).not.toContain('Resident memory a device');
  });

  it('is accessible and adapts', () => {
    const page = renderHtmlReport(SAMPLE);
    expect(page).toMatch(/<html lang="en">/);
    expect(page).toContain('prefers-color-scheme:dark');
    expect(page).toContain('width=device-width');
    const pictures = [...page.matchAll(/<svg[^>]*role="img"[^>]*>\s*(<title>)?/g)];
    expect(pictures.length).toBeGreaterThanOrEqual(5);
    for (const [picture] of pictures) expect(picture).toContain('aria-label="');
    expect([...page.matchAll(/<th>|<th class/g)]).toHaveLength(0);
    expect(page).toContain('<th scope="col">');
  });

  it('tells the outcome and stays small for a long run', () => {
    expect(renderHtmlReport(SAMPLE)).toContain('Passed');
    expect(renderHtmlReport(LOSSY)).toContain('Failed');
    expect(renderHtmlReport(sampleResult({ devices: 5, seconds: 5000 })).length).toBeLessThan(400_000);
  });
});

describe('markup', () => {
  it('escapes what is inserted, but not markup', () => {
    expect(markup`<p title="${'"\''}">${'<&>'}${raw('<b>')}${[markup`<i>${1}</i>`, '<']}</p>`.text).toBe(
      '<p title="&quot;&#39;">&lt;&amp;&gt;<b><i>1</i>&lt;</p>',
    );
    expect(escapeHtml('a\u0000b')).toBe('a b');
  });
});
