import Datasets
import Foundation
import Imaging

/// One page with everything an evaluation found, which needs no other file and no network.
struct HTMLPage {
  let result: EvaluationResult
  let images: [ImageCounts]
  let colors: [Color]
  /// The confusion matrix as a PNG.
  var confusion: [UInt8] = []
  private var shown: [Shown] = []

  /// The width of pictures in the page.
  private static let width = 400

  init(result: EvaluationResult, images: [ImageCounts], colors: [Color]) {
    self.result = result
    self.images = images
    self.colors = colors
  }

  /// An image's pictures as they stand in the page.
  private struct Shown: Encodable {
    let index: Int
    let pictures: [Picture]
  }

  private struct Picture: Encodable {
    let caption: String
    let source: String
  }

  /// What the script works on; shares are from 0 to 1, null where there is nothing to score.
  private struct Contents: Encodable {
    struct Class: Encodable {
      let name, color: String
      let iou, dice, precision, recall, share, boundary: Double?
      /// The class that most of its pixels go to, and the one that most of its false pixels are of.
      let taken, claimed: String?
    }
    struct Entry: Encodable {
      let name: String
      let meanIoU, accuracy: Double?
      let iou: [Double?]
      let share: [Double]
    }
    let classes: [Class]
    let images: [Entry]
    let shown: [Shown]
  }

  /// Takes in the pictures of image `index`.
  mutating func add(_ index: Int, _ parts: ResultFolder.Shown, _ errors: Image) throws {
    let size = parts.truth.size
    let small =
      size.width <= Self.width
      ? size
      : Size(
        width: Self.width,
        height: max(1, Int(Double(size.height * Self.width) / Double(size.width))))
    func jpeg(_ image: Image) throws -> String {
      let bytes = try image.resized(to: small).jpeg(quality: 80)
      return "data:image/jpeg;base64," + Data(bytes).base64EncodedString()
    }
    func png(_ mask: ClassMask) throws -> String {
      var palette = colors
      while palette.count < 256 { palette.append(Color(0, 0, 0)) }
      let bytes = try LabelImage(
        width: mask.width, height: mask.height, values: mask.classes.map(UInt16.init)
      ).resized(to: small).png(palette: palette)
      return "data:image/png;base64," + Data(bytes).base64EncodedString()
    }
    var pictures: [Picture] = []
    if let image = parts.image {
      pictures.append(Picture(caption: "image", source: try jpeg(image)))
    }
    pictures.append(Picture(caption: "truth", source: try png(parts.truth)))
    pictures.append(Picture(caption: "prediction", source: try png(parts.prediction)))
    pictures.append(Picture(caption: "errors", source: try jpeg(errors)))
    shown.append(Shown(index: index, pictures: pictures))
  }

  /// The page.
  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // A name must not end the element that the text stands in.
    let data = String(decoding: try encoder.encode(contents), as: UTF8.self)
      .replacingOccurrences(of: "<", with: "\\u003c")
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(result.dataset)): \(percent(result.scores.meanIoU)) % mean IoU</title>
      <style>\(PageStyle.base)</style>
      </head>
      <body>
      <header>
      <h1>\(escaped(result.dataset))</h1>
      <p class="quiet">\(escaped(result.model)), \(result.images) images</p>
      <div class="cards">\(cards)</div>
      \(summary)
      </header>
      <main>
      <section>
      <h2>Classes</h2>
      <p class="quiet">A class chosen here filters the images below. Headings sort.</p>
      <div class="scroll"><table id="classes"></table></div>
      </section>
      <section>
      <h2>Images</h2>
      <div class="tools">
      <label>Class <select id="class"></select></label>
      <label>Order <select id="order"><option value="worst">worst first</option>
      <option value="best">best first</option></select></label>
      <span id="count" class="quiet"></span>
      </div>
      <div id="legend"></div>
      <div id="gallery"></div>
      <h3>All images</h3>
      <div class="scroll tall"><table id="images"></table></div>
      </section>
      <section>
      <h2>Confusion matrix</h2>
      <div class="scroll"><img class="wide" alt="confusion matrix" src="data:image/png;base64,\
      \(Data(confusion).base64EncodedString())"></div>
      </section>
      \(cityscapesSection)
      <section>
      <h2>Protocol</h2>
      <p>\(escaped(result.scoring.summary)).</p>
      <div class="scroll"><table>\(summaryTable)</table></div>
      </section>
      </main>
      <script type="application/json" id="data">\(data)</script>
      <script>\(Self.script)</script>
      </body>
      </html>

      """
  }

  private var cards: String {
    let scores = result.scores
    let cards = [
      ("mean IoU", scores.meanIoU), ("mean IoU per image", scores.meanIoUPerImage),
      ("pixel accuracy", scores.pixelAccuracy), ("mean accuracy", scores.meanAccuracy),
    ]
    return cards.map {
      "<div class=\"card\"><b>\(percent($0.1))<small> %</small></b><span>\($0.0)</span></div>"
    }.joined()
  }

  /// What fails, in words.
  private var summary: String {
    let classes = result.scores.classes
    let worst = classes.indices.filter { classes[$0].iou != nil && classes[$0].truth > 0 }
      .sorted { (classes[$0].iou ?? 0) < (classes[$1].iou ?? 0) }.prefix(3)
      .map { index in
        let entry = classes[index]
        // What it suffers from more: pixels that are not found, or that are claimed.
        let isMissed = (entry.recall ?? 0) < (entry.precision ?? 1)
        let reason =
          isMissed
          ? taken(index).map { "\(percent($0.share)) % of it taken for \(escaped($0.name))" }
          : claimed(index).map {
            "\(percent($0.share)) % of what is called so is \(escaped($0.name))"
          }
        return "<b>\(escaped(entry.name))</b> \(percent(entry.iou)) %"
          + (reason.map { " (\($0))" } ?? "")
      }
    let order = images.indices.filter { images[$0].meanIoU != nil }
      .sorted { (images[$0].meanIoU ?? 0) < (images[$1].meanIoU ?? 0) }.prefix(3)
      .map {
        "<a href=\"#image-\($0)\"><b>\(escaped(images[$0].name))</b></a> \(percent(images[$0].meanIoU)) %"
      }
    var lines = [
      "Fails most on the classes \(worst.joined(separator: ", ")).",
      "Worst images: \(order.joined(separator: ", ")).",
    ]
    if let absent = result.warning { lines.append(escaped(absent)) }
    return lines.map { "<p>\($0)</p>" }.joined()
  }

  private var summaryTable: String {
    ([EvaluationResult.summaryHeader] + result.summaryRows).map { row in
      "<tr>"
        + row.enumerated().map { column, cell in
          "<td\(column == 3 ? " class=\"text\"" : "")>\(escaped(cell))</td>"
        }.joined() + "</tr>"
    }.joined()
  }

  private var cityscapesSection: String {
    let rows = result.cityscapesRows
    guard !rows.isEmpty else { return "" }
    let cells = rows.map { row in
      // A title stands above its own rows.
      let kind = row.last == "%" ? "th" : "td"
      return "<tr>" + row.map { "<\(kind)>\(escaped($0))</\(kind)>" }.joined() + "</tr>"
    }
    return """
      <section>
      <h2>Categories and instances</h2>
      <div class="scroll"><table class="narrow">\(cells.joined())</table></div>
      </section>
      """
  }

  private var contents: Contents {
    let total = Double(max(result.pixels, 1))
    let classes = result.scores.classes.enumerated().map { index, entry in
      Contents.Class(
        name: entry.name, color: colors.indices.contains(index) ? hex(colors[index]) : "#888",
        iou: entry.iou, dice: entry.dice, precision: entry.precision, recall: entry.recall,
        share: Double(entry.truth) / total, boundary: result.boundary?.classes[index],
        taken: taken(index).map { "\($0.name) \(percent($0.share))" },
        claimed: claimed(index).map { "\($0.name) \(percent($0.share))" })
    }
    return Contents(
      classes: classes,
      images: images.map { image in
        let pixels = Double(max(image.truth.reduce(0, +), 1))
        return Contents.Entry(
          name: image.name, meanIoU: image.meanIoU, accuracy: image.pixelAccuracy, iou: image.iou,
          share: image.truth.map { Double($0) / pixels })
      }, shown: shown)
  }

  /// The class that a class is taken for most often, and the share of its pixels.
  private func taken(_ index: Int) -> (name: String, share: Double)? {
    let row = result.confusion[index]
    let classes = result.scores.classes
    let other = classes.indices.filter { $0 != index }.max { row[$0] < row[$1] }
    guard let other, row[other] > 0 else { return nil }
    return (classes[other].name, Double(row[other]) / Double(classes[index].truth))
  }

  /// The class that most false pixels of a class belong to, and their share of what is predicted.
  private func claimed(_ index: Int) -> (name: String, share: Double)? {
    let classes = result.scores.classes
    let other = classes.indices.filter { $0 != index }
      .max { result.confusion[$0][index] < result.confusion[$1][index] }
    guard let other, result.confusion[other][index] > 0 else { return nil }
    let share = Double(result.confusion[other][index]) / Double(classes[index].predicted)
    return (classes[other].name, share)
  }

  private func hex(_ color: Color) -> String {
    String(format: "#%02x%02x%02x", color.red, color.green, color.blue)
  }
}

extension HTMLPage {
  fileprivate static let script = """
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

    const classes = data.classes.map((c, index) => ({...c, index}));
    const images = data.images.map((c, index) => ({...c, index}));
    const pictures = new Map(data.shown.map(s => [s.index, s.pictures]));
    const named = c => { const td = make('td'); td.append(dot(c.color), c.name); return td; };
    const classColumns = () => [
      {name: 'class', value: c => c.name, cell: named},
      {name: 'IoU %', value: c => c.iou, cell: c => barCell(c.iou)},
      {name: 'Dice %', value: c => c.dice},
      {name: 'precision %', value: c => c.precision},
      {name: 'recall %', value: c => c.recall},
      ...(classes.some(c => c.boundary !== null && c.boundary !== undefined)
        ? [{name: 'boundary IoU %', value: c => c.boundary}] : []),
      {name: 'share of truth %', value: c => c.share},
      {name: 'mostly taken for, %', value: c => c.taken, text: true,
        cell: c => make('td', c.taken || '', 'text')},
      {name: 'mostly taken from, %', value: c => c.claimed, text: true,
        cell: c => make('td', c.claimed || '', 'text')},
    ];
    const drawClasses = table('classes', classColumns, classes, 1,
      c => choose(chosen === c.index ? -1 : c.index), c => c.index === chosen);

    const score = image => chosen < 0 ? image.meanIoU : image.iou[chosen];
    const imageColumns = () => [
      {name: 'image', value: i => i.name, cell: i => make('td', i.name)},
      {name: 'mean IoU %', value: i => i.meanIoU, cell: i => barCell(i.meanIoU)},
      {name: 'pixel accuracy %', value: i => i.accuracy},
      ...(chosen < 0 ? [] : [
        {name: data.classes[chosen].name + ' IoU %', value: i => i.iou[chosen]},
        {name: 'share %', value: i => i.share[chosen]}]),
    ];
    const drawImages = table('images', imageColumns, images, 1, i => {
      if (!pictures.has(i.index)) return;
      const at = document.getElementById('image-' + i.index);
      if (at) at.scrollIntoView({behavior: 'smooth', block: 'center'});
    }, i => pictures.has(i.index));

    function gallery() {
      const best = document.getElementById('order').value === 'best';
      const rows = images.filter(i => pictures.has(i.index) && (chosen < 0 || i.share[chosen] > 0))
        .sort((a, b) => last(score(a), score(b), !best)).slice(0, 12);
      const all = images.filter(i => chosen < 0 || i.share[chosen] > 0).length;
      document.getElementById('count').textContent = rows.length + ' of ' + all + ' images shown'
        + (chosen < 0 ? '' : ', by the IoU of ' + data.classes[chosen].name);
      document.getElementById('gallery').replaceChildren(...rows.map(i => {
        const figure = make('figure'), caption = make('figcaption'), views = make('div', undefined, 'views');
        figure.id = 'image-' + i.index;
        caption.append(make('b', i.name), make('span', 'mean IoU ' + pc(i.meanIoU) + ' %'),
          make('span', 'pixel accuracy ' + pc(i.accuracy) + ' %'));
        if (chosen >= 0) caption.append(make('span', data.classes[chosen].name + ' ' + pc(i.iou[chosen]) + ' %'));
        const low = classes.filter(c => i.share[c.index] > 0.002 && i.iou[c.index] !== null)
          .sort((a, b) => i.iou[a.index] - i.iou[b.index]).slice(0, 3);
        caption.append(make('span', 'weakest: ' + low.map(c => c.name + ' ' + pc(i.iou[c.index])).join(', '), 'quiet'));
        for (const p of pictures.get(i.index)) {
          const box = make('div', p.caption), img = make('img');
          img.src = p.source; img.alt = p.caption + ' of ' + i.name; img.loading = 'lazy';
          box.append(img); views.append(box);
        }
        figure.append(caption, views);
        return figure;
      }));
    }

    const select = document.getElementById('class');
    select.append(new Option('all classes', -1), ...classes.map(c => new Option(c.name, c.index)));
    select.onchange = () => choose(Number(select.value));
    document.getElementById('order').onchange = gallery;
    const legend = (name, color) => { const s = make('span'); s.append(dot(color), name); return s; };
    document.getElementById('legend').append(...classes.map(c => legend(c.name, c.color)),
      legend('wrong', '#e12828'), legend('ignored', '#141414'));
    function choose(index) {
      chosen = index; select.value = index; drawClasses(); drawImages.by(index < 0 ? 1 : 3); gallery();
    }
    // A link such as index.html#pole shows a class.
    const wanted = (() => {
      try { return decodeURIComponent(location.hash.slice(1)); } catch { return ''; }
    })();
    choose(classes.findIndex(c => c.name === wanted));
    """
}
