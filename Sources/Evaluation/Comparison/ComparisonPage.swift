import Datasets
import Files
import Foundation
import Imaging

/// Results side by side on one page that needs no other file: scores, paired differences, a matrix of
/// images, and where one result is right and another wrong.
struct ComparisonPage {
  private let comparison: Comparison
  private let folder: String
  private var entries: [Comparison.Entry] { comparison.entries }
  private var first: Comparison.Entry { comparison.entries[0] }
  /// What images are compared by.
  private var score: String { first.result.mainScore.name }

  /// The page of a comparison that is written into `folder`.
  init(_ comparison: Comparison, in folder: String) {
    self.comparison = comparison
    self.folder = folder
  }

  /// What the script works on; shares are from 0 to 1, null where there is nothing to score.
  private struct Contents: Encodable {
    struct Entry: Encodable {
      let name: String
      let scores: [Double?]
      let isShown: Bool
    }
    let names: [String]
    let score: String
    let images: [Entry]
  }

  /// The page.
  ///
  /// - Throws: `ImageError`, `DatasetError` for a picture that has changed.
  func text() throws -> String {
    let figures = try figures()
    let shown = Set(figures.map(\.index))
    let contents = Contents(
      names: entries.map(\.name), score: score,
      images: first.images.indices.map { index in
        Contents.Entry(
          name: first.images[index].name,
          scores: entries.map { first.result.mainScore(of: $0.images[index]) },
          isShown: shown.contains(index))
      })
    let names = entries.map { escaped($0.name) }
    return try Page(
      title: "\(entries.map(\.name).joined(separator: ", ")) on \(first.result.dataset)",
      header: """
        <h1>\(names.joined(separator: ", "))</h1>
        <p class="quiet">\(escaped(first.result.dataset)), \(first.images.count) images</p>
        <div class="cards">\(entries.map {
          Page.card("\($0.name): \($0.result.mainScore.name)", $0.result.mainScore.value)
        }.joined())</div>
        \(comparison.notes.map { "<p class=\"note\" role=\"note\">\(escaped($0))</p>" }.joined())
        \(comparison.differences.indices.map { "<p>\(verdict($0))</p>" }.joined())
        """,
      main: """
        <section><h2>Scores</h2>
        \(tables)
        </section>
        \(comparison.differences.indices.map(differences).joined())
        <section><h2>Images</h2>
        <p class="quiet">\(escaped(score)) of each image; the best is underlined. Headings sort, names of \
        images with pictures lead there.</p>
        <div class="scroll tall"><table id="images" aria-label="scores of images"></table></div>
        </section>
        <section><h2>Where they differ</h2>
        \(figures.isEmpty
          ? "<p>No pictures: predictions, labels or images are not there any more.</p>"
          : Page.legend(comparison.legend))
        \(figures.map(\.html).joined())
        </section>
        <section><h2>Protocol</h2>
        \(entries.map {
          "<p><b>\(escaped($0.name))</b>: \(escaped($0.result.protocolLine)). \(link($0))</p>"
        }.joined())
        </section>
        """, script: Self.script
    ).text(contents)
  }

  private var tables: String {
    let all = [
      (comparison.foregroundTable, "scores of the foreground"),
      (comparison.classTable, "IoU of classes"), (comparison.summaryTable, "scores of all classes"),
    ]
    return all.filter { !$0.0.isEmpty }.map { Page.table($0.0, label: $0.1, narrow: true) }
      .joined(separator: "<br>")
  }

  /// The page of a result that lies below this one.
  private func link(_ entry: Comparison.Entry) -> String {
    guard entry.folder.hasPrefix("\(folder)/") else { return "" }
    let path = escaped("\(entry.folder.dropFirst(folder.count + 1))/index.html")
    return "<a href=\"\(path)\">Its own page</a>"
  }

  /// Who is better on how many images.
  private func verdict(_ index: Int) -> String {
    let other = entries[index + 1]
    let gains = first.images.indices.compactMap { comparison.gain($0, of: other) }
    let (up, down) = (gains.count { $0 > 0 }, gains.count { $0 < 0 })
    return "By \(escaped(score)) <b>\(escaped(other.name))</b> is better on \(up) of"
      + " \(gains.count) images, <b>\(escaped(first.name))</b> on \(down), and \(gains.count - up - down) are equal."
  }

  // MARK: Differences

  private func differences(_ index: Int) -> String {
    let rows = comparison.leading(comparison.differences[index])
    let reach = rows.flatMap { [$0.low, $0.high, $0.difference] }.compactMap { $0.map(abs) }.max()
    let cells = rows.map { row in
      "<tr><th scope=\"row\">\(escaped(row.score))</th><td>\(signed(row.difference))</td>"
        + "<td>\(signed(row.low))</td><td>\(signed(row.high))</td>"
        + "<td>\(interval(row, reach: reach ?? 1))</td>"
        + "<td class=\"text\">\(row.isClear ? "clear" : "")</td></tr>"
    }
    let head = ["points", "difference", "from", "to", "95 % interval", ""].map {
      "<th scope=\"col\">\($0)</th>"
    }
    let title = "\(escaped(entries[index + 1].name)) minus \(escaped(first.name))"
    return """
      <section><h2>\(title)</h2>
      <p class="quiet">Paired differences in percentage points, with the 95 % intervals of a bootstrap \
      over images. Clear is what leaves out 0. A class's name alone stands for its IoU.</p>
      <div class="scroll"><table class="narrow" aria-label="\(title)"><thead><tr>\(head.joined())</tr>\
      </thead><tbody>\(cells.joined())</tbody></table></div>
      </section>
      """
  }

  private func signed(_ value: Double?) -> String {
    value.map { String(format: "%+.2f", $0 * 100) } ?? "n/a"
  }

  private func interval(_ row: PairedDifference, reach: Double) -> String {
    guard let low = row.low, let high = row.high, let middle = row.difference else { return "" }
    func x(_ value: Double) -> String { fixed(100 + value / max(reach, 1e-9) * 94, 1) }
    return "<svg class=\"interval\" width=\"200\" height=\"16\" role=\"img\" aria-label=\"from"
      + " \(signed(low)) to \(signed(high)) points\"><line x1=\"100\" y1=\"0\" x2=\"100\" y2=\"16\"/>"
      + "<line class=\"reach\" x1=\"\(x(low))\" y1=\"8\" x2=\"\(x(high))\" y2=\"8\"/>"
      + "<circle cx=\"\(x(middle))\" cy=\"8\" r=\"4\"/></svg>"
  }

  // MARK: Pictures

  /// The images where each result gains and loses most over the first.
  private func figures() throws -> [(index: Int, html: String)] {
    let each = max(1, 4 / comparison.differences.count)
    var figures: [(index: Int, html: String)] = []
    var seen: Set<Int> = []
    for other in entries.dropFirst() {
      let order = first.images.indices.compactMap { index in
        comparison.gain(index, of: other).map { (gain: $0, index: index) }
      }.sorted { ($0.gain, $0.index) < ($1.gain, $1.index) }
      let gains = order.suffix(each).reversed().filter { $0.gain > 0 }
      let losses = order.prefix(each).filter { $0.gain < 0 }
      for (_, index) in gains + losses {
        guard
          let html = try figure(index, other, isFirst: seen.insert(index).inserted)
        else { continue }
        figures.append((index, html))
      }
    }
    return figures
  }

  private func figure(_ index: Int, _ other: Comparison.Entry, isFirst: Bool) throws -> String? {
    let counts = first.images[index]
    guard FileSystem.exists(counts.label),
      let a = try ResultFolder.kept(first.folder, counts.name),
      let b = try ResultFolder.kept(other.folder, counts.name), a.size == b.size,
      let found = try? comparison.truth(of: counts)
    else { return nil }
    let (size, small) = (a.size, Page.size(a.size))
    let truth = found.size == size ? found : found.resized(to: size)
    // Images of bands that are no picture are left out.
    let photograph = (try? Image(contentsOf: counts.image))?.resized(to: size)
    var views: [(caption: String, source: String)] = []
    if let photograph { views.append(("image", try Page.jpeg(photograph, small))) }
    let masks = [("truth", truth), (first.name, a), (other.name, b)]
    for (name, mask) in masks {
      let colored = mask.picture(comparison.map.palette)
      views.append((name, try Page.jpeg(colored, small)))
    }
    let contrasts = Comparison.contrasts(photograph, truth, a, b, comparison.map.ignoredColor)
    for (names, contrast) in zip([(first.name, other.name), (other.name, first.name)], contrasts) {
      views.append(
        (
          "\(names.0) right, \(names.1) wrong: \(percent(contrast.share)) %",
          try Page.jpeg(contrast.image, small)
        ))
    }
    func value(_ entry: Comparison.Entry) -> String {
      percent(first.result.mainScore(of: entry.images[index]))
    }
    return """
      <figure\(isFirst ? " id=\"image-\(index)\"" : "")><figcaption><b>\(escaped(counts.name))</b>\
      <span>\(escaped(score)): \(escaped(first.name)) \(value(first)) %, \(escaped(other.name)) \
      \(value(other)) %, difference \(signed(comparison.gain(index, of: other))) points</span>\
      </figcaption><div class="views">\(views.map {
        "<div>\(escaped($0.caption))<img loading=\"lazy\" alt=\"\(escaped($0.caption)), of"
          + " \(escaped(counts.name))\" src=\"\($0.source)\"></div>"
      }.joined())</div></figure>
      """
  }

  private static let script = """
    const images = data.images.map((image, index) => ({...image, index}));
    const best = image => Math.max(...image.scores.filter(s => s !== null));
    const winner = image => {
      const all = data.names.filter((_, i) => image.scores[i] !== null && image.scores[i] === best(image));
      return all.length === 1 ? all[0] : all.length ? 'equal' : 'n/a';
    };
    const gain = (image, i) => image.scores[i] === null || image.scores[0] === null
      ? null : image.scores[i] - image.scores[0];
    const named = image => {
      const cell = make('th');
      cell.scope = 'row';
      if (!image.isShown) { cell.textContent = image.name; return cell; }
      const link = make('a', image.name);
      link.href = '#image-' + image.index;
      cell.append(link);
      return cell;
    };
    const scored = (image, i) => make('td', pc(image.scores[i]),
      winner(image) === data.names[i] ? 'win' : '');
    const gained = (image, i) => {
      const value = gain(image, i);
      return make('td', value === null ? 'n/a' : (value > 0 ? '+' : '') + pc(value),
        value > 0 ? 'up' : value < 0 ? 'down' : '');
    };
    const columns = () => [
      {name: 'image', value: i => i.name, cell: named},
      ...data.names.map((name, k) => ({name: name + ' %', value: i => i.scores[k], cell: i => scored(i, k)})),
      ...data.names.slice(1).map((name, k) => ({name: name + ' minus ' + data.names[0],
        value: i => gain(i, k + 1), cell: i => gained(i, k + 1)})),
      {name: 'better', value: winner, text: true, cell: i => make('td', winner(i), 'text')},
    ];
    table('images', columns, images, data.names.length + 1);
    """
}
