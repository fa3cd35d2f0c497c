extension Page {
  /// What the scripts of pages share: elements, numbers in percent and tables that sort.
  static let tools = """
    'use strict';
    const data = JSON.parse(document.getElementById('data').textContent);
    const make = (name, text, kind) => {
      const e = document.createElement(name);
      if (text !== undefined) e.textContent = text;
      if (kind) e.className = kind;
      return e;
    };
    const pc = v => v === null || v === undefined ? 'n/a' : (100 * v).toFixed(2);
    const dot = color => { const e = make('i', undefined, 'dot'); e.style.background = color; return e; };
    const barCell = v => {
      const cell = make('td');
      if (v !== null && v !== undefined) {
        const bar = make('span', undefined, v < 0.4 ? 'bar low' : 'bar'), fill = make('u');
        fill.style.width = 100 * v + '%'; bar.append(fill); cell.append(bar);
      }
      cell.append(make('span', pc(v), 'figure'));
      return cell;
    };
    const last = (a, b, up) => {
      const none = v => v === null || v === undefined;
      if (none(a) || none(b)) return none(a) - none(b);
      const order = typeof a === 'string' ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
      return up ? order : -order;
    };
    let chosen = -1;

    function table(id, columns, rows, start, pick, isOn) {
      const state = {key: start, up: true};
      const draw = () => {
        const cols = columns(), head = make('tr'), body = make('tbody');
        for (const [i, c] of cols.entries()) {
          const th = make('th', undefined, c.text ? 'text' : ''), b = make('button', c.name.replace(' %', String.fromCharCode(160) + '%'));
          if (state.key === i) b.textContent += state.up ? ' ▲' : ' ▼';
          th.scope = 'col';
          th.setAttribute('aria-sort', state.key === i ? (state.up ? 'ascending' : 'descending') : 'none');
          b.onclick = () => { state.up = state.key === i ? !state.up : true; state.key = i; draw(); };
          th.append(b); head.append(th);
        }
        const key = cols[Math.min(state.key, cols.length - 1)].value;
        for (const row of [...rows].sort((a, b) => last(key(a), key(b), state.up))) {
          const tr = make('tr', undefined, pick ? 'pick' : '');
          if (isOn && isOn(row)) tr.classList.add('on');
          for (const c of cols) tr.append(c.cell ? c.cell(row) : make('td', pc(c.value(row)), c.text && 'text'));
          if (pick) tr.onclick = () => pick(row);
          body.append(tr);
        }
        const t = document.getElementById(id), h = make('thead');
        h.append(head); t.replaceChildren(h, body);
      };
      draw();
      draw.by = key => { state.key = key; state.up = true; draw(); };
      return draw;
    }
    """
}
