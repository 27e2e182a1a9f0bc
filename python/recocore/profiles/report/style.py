"""The page's one style sheet: light and dark, from a phone's width up."""

CSS = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #ffffff; --line: #e1e4ea; --ink: #1b2330; --soft: #5d6878;
  --accent: #2459c4; --good: #1a7f45; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161d; --card: #1a2029; --line: #2c3441; --ink: #e6eaf1;
  --soft: #97a3b5; --accent: #7aa5ff; --good: #5fcf8e; --bad: #ff8f8a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 48px; }
h1, h2, h3, li, figure b { overflow-wrap: anywhere; }
h1 { font-size: 24px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 0 0 2px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 0 0 10px; }
.soft, th, figcaption, .foot { color: var(--soft); }
.soft, figcaption, .foot { font-size: 13.5px; }
header { margin-bottom: 18px; }
section { margin-top: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tile .label { color: var(--soft); font-size: 13px; }
.tile .value { font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; letter-spacing: -0.02em; }
.tile .foot { min-height: 20px; }
.pair, .small { display: grid; gap: 14px; }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 230px), 1fr)); margin-top: 10px; gap: 18px 22px; }
.pair > .card { margin: 0; }
figure { margin: 0; min-width: 0; }
figure b { font-weight: 600; font-size: 14px; }
figure svg { display: block; width: 100%; height: 74px; margin: 4px 0 2px; }
svg rect { fill: var(--accent); opacity: 0.75; }
svg line { stroke: var(--line); }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: 12.5px;
  font-variant-numeric: tabular-nums; }
.bars { display: grid; grid-template-columns: fit-content(45%) 1fr max-content; gap: 5px 10px; align-items: center;
  font-variant-numeric: tabular-nums; }
.bars .name { overflow-wrap: anywhere; }
.bars .track { height: 14px; border-radius: 3px; background: var(--ground); overflow: hidden; }
.bars .track i { display: block; height: 100%; background: var(--accent); opacity: 0.75; min-width: 1px; }
.bars .n { text-align: right; color: var(--soft); font-size: 13.5px; white-space: nowrap; }
.scroll { overflow-x: auto; }
main, section, .pair, .small, figure { min-width: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th { font-weight: 500; font-size: 13px; text-align: left; white-space: nowrap; }
.list { width: 100%; }
.list th, .list td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.list tr:last-child td { border-bottom: 0; }
.list .n { text-align: right; white-space: nowrap; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.9em; overflow-wrap: anywhere; }
.heat { border-collapse: separate; border-spacing: 2px; }
.heat th { padding: 0 8px 0 0; }
.heat thead th { padding: 0 2px 2px; text-align: center; }
.heat td { position: relative; min-width: 38px; height: 28px; padding: 0 5px; text-align: center; border-radius: 4px;
  z-index: 0; white-space: nowrap; }
.heat td::before { content: ""; position: absolute; inset: 0; z-index: -1; border-radius: 4px; background: var(--accent);
  opacity: var(--o, 0); }
.heat td.part { outline: 1px dashed var(--soft); outline-offset: -1px; }
.heat td small { display: block; font-size: 11.5px; line-height: 1.2; }
.grid td { min-width: 74px; height: 46px; line-height: 1.25; }
.grid { width: 100%; }
.week td { min-width: 15px; height: 20px; padding: 0; }
.week { width: 100%; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 12px; margin-top: 10px; }
.cards .card { background: var(--ground); }
.cards ul { list-style: none; margin: 8px 0 0; padding: 0; }
.cards li { padding: 5px 0; border-top: 1px solid var(--line); }
.up { color: var(--good); } .down { color: var(--bad); }
.up, .down { font-weight: 600; white-space: nowrap; }
.share { height: 6px; border-radius: 3px; background: var(--line); margin-top: 6px; overflow: hidden; }
.share i { display: block; height: 100%; background: var(--accent); }
footer { color: var(--soft); font-size: 13px; margin-top: 20px; }
@media (max-width: 560px) {
  main { padding: 16px 12px 32px; }
  .card { padding: 12px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
  .tile .value { font-size: 20px; }
  .grid td { min-width: 44px; padding: 0 2px; }
  .heat th { padding: 0 4px 0 0; }
}
@media print { body { background: #fff; } .card { break-inside: avoid; } }
"""
