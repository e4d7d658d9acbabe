/**
 * The HTML report's style sheet: light and dark, wide and narrow, screen and paper. System fonts only, as the report
 * must open without a network. Constant text; nothing is ever inserted into it.
 */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#12161d;--soft:#5a6473;--line:#e2e5ea;--grid:#edf0f3;--base:#c3c9d2;
--sent:#6d5ae6;--delivered:#0d9488;--connected:#2563eb;--p99:#d9730d;--ghost:#b9c0cb;--bad:#c62828;--badbg:#fdecec;--ok:#11734b;--okbg:#e4f5ec;
--shadow:0 1px 2px rgb(16 24 40/.05),0 4px 16px rgb(16 24 40/.04)}
@media (prefers-color-scheme:dark){:root{--bg:#0d1014;--card:#151a21;--ink:#e8ebf0;--soft:#98a3b3;--line:#262d37;--grid:#20262f;--base:#3d4653;
--sent:#a99dff;--delivered:#2ccbb8;--connected:#6ea8fe;--p99:#ffac4d;--ghost:#4b5563;--bad:#ff8a80;--badbg:#3a1a1b;--ok:#5ddba3;--okbg:#10301f;--shadow:none}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Inter,Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;-webkit-font-smoothing:antialiased}
main{max-width:1160px;margin:0 auto;padding:40px 24px 56px}
h1,h2,h3,p,figure,ul,dl,dd{margin:0;padding:0}
h1{font-size:29px;line-height:1.2;letter-spacing:-.022em;font-weight:680}
h2{font-size:19px;letter-spacing:-.012em;font-weight:650;margin:44px 0 16px}
h3{font-size:14.5px;font-weight:620;letter-spacing:-.003em}
code{font:.92em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.brand{display:flex;align-items:center;gap:9px;font-weight:650;font-size:15px;letter-spacing:-.01em;margin-bottom:24px}
.brand svg{width:26px;height:26px;color:var(--delivered)}
.brand span{color:var(--soft);font-weight:450}
.lead{color:var(--soft);margin-top:8px;display:flex;flex-wrap:wrap;gap:2px 18px}
.lead>span{white-space:nowrap}.lead code{white-space:normal}
.verdict{display:flex;gap:16px;margin:26px 0 22px;padding:18px 22px;border-radius:14px;border:1px solid}
.verdict svg{flex:none;width:30px;height:30px;margin-top:1px}
.verdict strong{display:block;font-size:17.5px;font-weight:650;letter-spacing:-.012em}
.verdict ul{list-style:none;margin-top:5px;color:var(--ink)}
.verdict li+li{margin-top:2px}.verdict .remark{color:var(--soft)}
.pass{color:var(--ok);background:var(--okbg);border-color:color-mix(in srgb,var(--ok) 26%,transparent)}
.fail{color:var(--bad);background:var(--badbg);border-color:color-mix(in srgb,var(--bad) 30%,transparent)}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:14px}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shadow)}
.tile{padding:16px 18px 15px;min-width:0}
.tile dt{color:var(--soft);font-size:13px}
.tile dd{font-size:25px;line-height:1.25;letter-spacing:-.025em;font-weight:640;margin-top:5px;white-space:nowrap}
.tile dd small{font-size:14px;font-weight:500;letter-spacing:0;color:var(--soft);margin-left:3px}
.tile p{color:var(--soft);font-size:12.5px;margin-top:3px}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px}
.wide{grid-column:1/-1}
.chart{padding:18px 24px 10px;container-type:inline-size}
.chart figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:center;gap:4px 18px;margin-bottom:32px}
.chart .note{color:var(--soft);font-size:13px}
.plot{display:block;overflow:visible;margin-left:48px;width:calc(100% - 56px)}
.bytes figcaption{margin-bottom:20px}.bytes svg{display:block}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;color:var(--soft);font-size:13px}
.legend li{display:flex;align-items:center;gap:7px}
.legend li::before{content:"";width:15px;border-top:2.5px solid var(--c)}
.legend .dashed::before{border-top-style:dotted;border-top-width:3px}
.legend .area::before{height:10px;width:10px;border:0;border-radius:3px;background:var(--c)}
.c-sent{--c:var(--sent)}.c-delivered{--c:var(--delivered)}.c-connected{--c:var(--connected)}.c-p99{--c:var(--p99)}.c-ghost{--c:var(--ghost)}
svg text{font-size:12px;fill:var(--soft)}
.axis line{stroke:var(--grid)}.axis.across line{stroke:var(--base)}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.line.dashed{stroke-dasharray:1 4.5;stroke-width:2.4}
path.fill{fill:var(--c);opacity:.14;stroke:none}
.bar{fill:var(--c)}.bar:hover{filter:brightness(1.12)}
.track{fill:var(--grid)}
svg .bar-name{font-size:13px}svg .bar-value{fill:var(--ink);font-size:13px;font-weight:600}svg .soft{fill:var(--soft);font-weight:400}
.marks line{stroke:var(--bad);stroke-dasharray:2 4;opacity:.75}.marks circle{fill:var(--bad);stroke:var(--card);stroke-width:2;paint-order:stroke}
.percentiles line{stroke:var(--ink);stroke-dasharray:3 4;opacity:.5}.percentiles text{fill:var(--ink);font-weight:600}
.hot rect{fill:transparent}.hot .on{opacity:0;pointer-events:none}.hot:hover .on{opacity:1}
.hot .on line{stroke:var(--soft)}.hot .on text{fill:var(--ink);font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:6px}
.dot{fill:var(--c);stroke:var(--card);stroke-width:2}
.empty{color:var(--soft);padding:8px 0 28px}
.panel{padding:18px 22px 14px;min-width:0}
.panel h3{margin-bottom:8px}
.scroll{overflow-x:auto;margin:0 -22px;padding:0 22px}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--connected);outline-offset:2px;border-radius:6px}
table{border-collapse:collapse;width:100%}
caption{text-align:left;font-size:14.5px;font-weight:620;padding-bottom:8px}
th,td{padding:7px 0 7px 20px;text-align:right;border-top:1px solid var(--grid);font-size:14px;vertical-align:top}
th:first-child,td:first-child{padding-left:0;text-align:left}
thead th{color:var(--soft);font-size:12.5px;font-weight:500;white-space:nowrap;border-top:0}
tbody th{font-weight:400;color:var(--soft)}
tbody tr:first-child>*{border-top-color:var(--line)}
.words th,.words td{text-align:left}
.figures td{white-space:nowrap}
td small{color:var(--soft);font-size:13px;margin-left:8px}
.wrong{color:var(--bad);font-weight:650}
.kind{display:inline-block;padding:0 8px;border-radius:99px;font-size:12.5px;line-height:20px;background:var(--grid);color:var(--soft)}
.kind.warn{background:color-mix(in srgb,var(--p99) 16%,transparent);color:color-mix(in srgb,var(--p99) 76%,var(--ink))}.kind.bad{background:var(--badbg);color:var(--bad)}
details{margin-top:16px}summary{cursor:pointer;padding:14px 22px;font-weight:600;font-size:14.5px}
details .scroll{margin:0;padding:0 22px 14px;max-height:420px;overflow:auto}
details thead th{position:sticky;top:0;background:var(--card)}
footer{color:var(--soft);font-size:13px;margin-top:40px}
@media (max-width:1000px){.tiles{grid-template-columns:repeat(3,1fr)}}
@media (max-width:760px){.grid{grid-template-columns:minmax(0,1fr)}}
@media (max-width:560px){main{padding:24px 14px 40px}h1{font-size:24px}.tiles{grid-template-columns:repeat(2,1fr);gap:10px}.tile{padding:13px 14px 12px}.tile dd{font-size:21px}
.lead>span{white-space:normal}.verdict{padding:15px 16px;gap:12px}.chart{padding:15px 14px 8px}.plot{margin-left:44px;width:calc(100% - 54px)}
.panel{padding:15px 16px 10px}.scroll{margin:0 -16px;padding:0 16px}th,td{padding-left:14px}}
@container (max-width:500px){.minor text{display:none}}
@media print{:root{--bg:#fff;--shadow:none}main{padding:0;max-width:none}.card,.verdict{break-inside:avoid}details{display:none}*{print-color-adjust:exact}}
`;
