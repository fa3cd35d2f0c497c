/// What all pages look like, on paper of either colour and on narrow screens.
enum PageStyle {
  static let base = """
    :root{color-scheme:light dark;--ink:#1a1c1f;--quiet:#667;--line:#d9dce1;--paper:#fff;--soft:#f4f5f7;
    --mark:#1b5fb4}
    @media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--quiet:#9aa3ad;--line:#3a3f46;--paper:#17191c;
    --soft:#22262b;--mark:#7db3f2}}
    *{box-sizing:border-box}
    body{margin:0;font:15px/1.45 system-ui,-apple-system,"DejaVu Sans",sans-serif;color:var(--ink);
    background:var(--paper)}
    header,main{max-width:1280px;margin:0 auto;padding:16px 20px}
    h1{font-size:24px;margin:8px 0 0}h2{font-size:19px;margin:28px 0 4px}h3{font-size:16px}
    p{margin:6px 0;overflow-wrap:anywhere}.quiet{color:var(--quiet)}
    .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:14px 0}
    .card{background:var(--soft);border-radius:8px;padding:10px 14px}
    .card b{display:block;font-size:26px}.card small{font-size:15px;font-weight:400}
    .card span{color:var(--quiet)}
    .scroll{overflow-x:auto}.tall{max-height:420px;overflow-y:auto}
    table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
    th,td{padding:5px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
    th:first-child,td:first-child,td.text,th.text{text-align:left}td.text{min-width:9em}
    tbody th{font-weight:400}th{white-space:normal;vertical-align:bottom}
    thead th{position:sticky;top:0;background:var(--paper)}
    th button{all:unset;cursor:pointer;font-weight:600}
    th button:focus-visible{outline:2px solid var(--mark)}
    tbody tr.pick{cursor:pointer}tbody tr.pick:hover,tbody tr.on{background:var(--soft)}
    i.dot{display:inline-block;width:13px;height:13px;border-radius:3px;margin-right:7px;
    border:1px solid var(--quiet);vertical-align:-1px}
    .bar{display:inline-block;width:110px;height:10px;background:var(--line);border-radius:3px;
    margin-right:8px;overflow:hidden}
    .bar u{display:block;height:100%;background:var(--mark)}
    .bar.low u{background:#d23c3c}.figure{display:inline-block;min-width:3.3em}
    a{color:inherit}table.narrow{width:auto}
    .tools{display:flex;flex-wrap:wrap;gap:14px;align-items:center;margin:8px 0}
    select{font:inherit;padding:4px 6px;max-width:60vw}
    .legend{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13px;margin:8px 0}
    figure{margin:0 0 18px;border:1px solid var(--line);border-radius:8px;padding:10px}
    figcaption{display:flex;flex-wrap:wrap;gap:4px 16px;margin-bottom:8px}
    .views{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:8px}
    .views div{font-size:13px;color:var(--quiet)}
    .views img{width:100%;display:block;image-rendering:auto;border-radius:4px}
    img.wide{max-width:none;background:#fff}img.fill{width:100%;display:block}
    .charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:12px}
    img.chart{width:100%;height:auto;background:#fff;border-radius:6px}pre{font-size:13px}
    summary{cursor:pointer}
    .note{border-left:4px solid #d08a00;background:var(--soft);padding:8px 12px;border-radius:4px}
    td.win{font-weight:600;box-shadow:inset 0 -3px var(--mark)}
    td.up{background:rgba(0,114,178,.16)}td.down{background:rgba(213,94,0,.18)}
    svg.interval{vertical-align:middle}svg.interval line{stroke:var(--quiet)}
    svg.interval .reach{stroke:var(--mark);stroke-width:3}svg.interval circle{fill:var(--ink)}
    @media(max-width:720px){.cards,.views{grid-template-columns:repeat(2,minmax(0,1fr))}
    header,main{padding:10px 12px}.bar{width:56px}th,td{padding:5px 6px}img.wide{width:640px}}
    """
}
