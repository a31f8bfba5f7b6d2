"""The page as a Jinja template. Whatever is put in is escaped, except the charts, which dltk draws itself."""

from __future__ import annotations

__all__ = ["PAGE", "STYLE"]

STYLE = """
:root { color-scheme: light dark; --ink: #24292f; --soft: #57606a; --line: #d8dee4; --blue: #1f6feb; --pale: #b6d4fe; }
:root { --orange: #d9730d; --ground: #f6f8fa; --card: #fff; --warn: #fff8c5; --edge: #d4a72c; --track: #eef1f4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d; --blue: #58a6ff; --pale: #1f4a80; --orange: #f0883e; }
  :root { --ground: #0d1117; --card: #161b22; --warn: #3a2f0b; --edge: #9e7a1d; --track: #21262d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 10px; font-size: 17px; overflow-wrap: anywhere; }
.lead { margin: 4px 0 20px; color: var(--soft); overflow-wrap: anywhere; }
.warn { margin: 0 0 16px; padding: 8px 12px; border: 1px solid var(--edge); border-radius: 8px; }
.warn { background: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-bottom: 16px; }
.tile, section, figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px; min-width: 0; }
.tile b { display: block; font-size: 22px; line-height: 1.3; overflow-wrap: anywhere; }
.tile span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 16px; }
.charts { margin-bottom: 16px; }
figure { margin: 0; padding: 14px; min-width: 0; }
figure svg { display: block; width: 100%; max-width: 440px; height: auto; margin: 0 auto; }
figure svg text { font-family: inherit !important; }
figcaption { margin-top: 8px; color: var(--soft); font-size: 13px; }
section { padding: 16px; margin-bottom: 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th, td { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
th.w, td.w { text-align: left; }
td.long { white-space: normal; min-width: 220px; overflow-wrap: anywhere; }
th:first-child, td:first-child { padding-left: 0; position: sticky; left: 0; background: var(--card); }
pre { margin: 8px 0 0; padding: 8px 10px; border-radius: 6px; background: var(--track); white-space: pre-wrap; }
pre { overflow-wrap: anywhere; font: 13px/1.6 ui-monospace, Menlo, Consolas, monospace; }
.note { margin: 8px 0 0; color: var(--soft); font-size: 13px; }
.size { display: grid; grid-template-columns: 1fr auto; gap: 2px 12px; padding: 8px 0; }
.size span { overflow-wrap: anywhere; }
.size span + span { color: var(--soft); font-variant-numeric: tabular-nums; text-align: right; }
.size div { grid-column: 1 / -1; height: 9px; border-radius: 5px; background: var(--track); position: relative; }
.size i { position: absolute; left: 0; top: 0; bottom: 0; border-radius: 5px; background: var(--pale); }
.size i + i { background: var(--blue); }
@media (max-width: 480px) {
  main { padding: 16px 10px 32px; }
  section, figure { padding: 12px; }
  table { font-size: 12.5px; }
  th, td { padding: 5px; }
  .size { grid-template-columns: 1fr; }
  .size span + span { text-align: left; font-size: 13px; }
}
@media print { body { background: none; } section, figure, .tile { break-inside: avoid; } }
"""

PAGE = """\
{% macro show(table) %}<section>
<h2>{{ table.title }}</h2>
<div class="scroll"><table>
<thead><tr>{% for head in table.heads %}<th{% if loop.index0 in table.words %} class="w"{% endif %}>{{ head }}</th>\
{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}<tr>{% for cell in row %}<td\
{% if loop.index0 in table.words %} class="w{% if cell | length > 36 %} long{% endif %}"{% endif %}>{{ cell }}</td>\
{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
{% if table.note %}<p class="note">{{ table.note }}</p>{% endif %}
</section>
{% endmacro %}\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ name }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>{{ name }}</h1>
<p class="lead">{{ lead }}</p>
{% if smoke %}<p class="warn">A smoke run: its figures only show that everything works.</p>{% endif %}
{% if tiles %}<div class="tiles">
{% for label, value in tiles %}<div class="tile"><b>{{ value }}</b><span>{{ label }}</span></div>
{% endfor %}</div>{% endif %}
{% if bars %}<section>
<h2>Size</h2>
{% for bar in bars %}<div class="size"><span>{{ bar.file }}</span><span>{{ bar.words }}</span>
<div><i style="width:{{ bar.raw }}%"></i><i style="width:{{ bar.download }}%"></i></div></div>
{% endfor %}<p class="note">The whole bar is the file, its bright part the download (gzip -9).</p>
</section>{% endif %}
{% for table in first %}{{ show(table) }}{% endfor %}
{% for group in charts %}<div class="charts">
{% for chart in group %}<figure><h2>{{ chart.title }}</h2>
<div role="img" aria-label="{{ chart.title }}">{{ chart.svg }}</div>
{% if chart.note %}<figcaption>{{ chart.note }}</figcaption>{% endif %}</figure>
{% endfor %}</div>
{% endfor %}
{% for table in tables %}{{ show(table) }}{% endfor %}
{% if commands %}<section>
<h2>To reproduce it</h2>
{% for command in commands %}<pre>{{ command }}</pre>
{% endfor %}</section>{% endif %}
</main>
</body>
</html>
"""
