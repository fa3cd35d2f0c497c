import Datasets
import Evaluation
import Foundation
import Imaging

extension RunPage {
  /// The page as text.
  ///
  /// - Throws: `ImageError` if a chart cannot be packed.
  func html(
    _ status: Status, step: Int, of steps: Int, best: Standing.Best?, _ yaml: String
  ) throws -> String {
    let isTraining = if case .training = status { true } else { false }
    return try Page(
      title: "\(title): \(step) of \(steps)",
      header: """
        <h1>\(escaped(title))</h1>
        <p class="quiet">\(escaped(summary(status, step, steps)))</p>
        <div class="cards">\(cards(best))</div>
        """,
      main: """
        <section>
        <h2>Curves</h2>
        \(curves())
        </section>
        \(classTable(best))
        \(gallery)
        <section>
        <h2>Configuration</h2>
        <details><summary>As the run reads it, overrides included</summary>
        <pre class="scroll">\(escaped(yaml))</pre></details>
        </section>
        """, refresh: isTraining ? Self.pause : nil
    ).text
  }

  private func summary(_ status: Status, _ step: Int, _ steps: Int) -> String {
    let state =
      switch status {
      case .training(let left):
        "about \(ConsoleMonitor.duration(left)) left, scoring not counted; this page loads itself anew"
      case .interrupted: "interrupted; `--resume` goes on from here"
      case .finished: "finished"
      case .stoppedEarly: "ended by early stopping"
      }
    return "Iteration \(step) of \(steps): \(state)."
  }

  private func cards(_ best: Standing.Best?) -> String {
    let scored = lines.last { $0.kind == "evaluate" }
    let loss = lines.last { $0.kind == "train" }?.loss
    var cards: [String] = []
    if let loss { cards.append(Page.card("training loss", number: String(format: "%.4f", loss))) }
    if let scored {
      if let foreground { cards.append(Page.card("\(diceName(foreground)), last", dice(scored))) }
      cards.append(Page.card("mean IoU, last", scored.meanIoU))
      cards.append(Page.card("pixel accuracy, last", scored.pixelAccuracy))
    }
    if let best {
      let name = "best \(best.metric), iteration \(best.step)"
      cards.append(
        best.metric == Metric.loss.description
          ? Page.card(name, number: String(format: "%.4f", best.value))
          : Page.card(name, best.value))
    }
    return cards.joined()
  }

  /// Of two classes the name of the one to be found, whose Dice comes first, as in the page of an evaluation.
  private var foreground: String? { map.foreground.map { map.classes[$0].name } }

  private func diceName(_ foreground: String) -> String { "Dice of \(foreground)" }

  /// The foreground's Dice in a line of the log, which follows from its IoU.
  private func dice(_ line: LogLine) -> Double? {
    foreground.flatMap { line.classes?[$0] }.map { 2 * $0 / (1 + $0) }
  }

  // MARK: Curves

  private func curves() throws -> String {
    func points(_ kind: String, _ value: (LogLine) -> Double?) -> [LineChart.Point] {
      let all = lines.filter { $0.kind == kind }.compactMap { line in
        value(line).map { LineChart.Point(Double(line.step), $0) }
      }
      return Self.thinned(all.filter { $0.y.isFinite })
    }
    func shares(_ value: (LogLine) -> Double?) -> [LineChart.Point] {
      points("evaluate") { value($0).map { 100 * $0 } }
    }
    var scores = [("mean IoU", shares(\.meanIoU)), ("pixel accuracy", shares(\.pixelAccuracy))]
    if let foreground { scores.insert((diceName(foreground), shares(dice)), at: 0) }
    let charts: [(title: String, curves: [(String, [LineChart.Point])])] = [
      (
        "Loss",
        [("training", points("train", \.loss)), ("validation", points("evaluate", \.loss))]
      ),
      ("Scores in %", scores),
      ("Learning rate", [("learning rate", points("train", \.learningRate))]),
      ("Images per second", [("images per second", points("train", \.imagesPerSecond))]),
    ]
    let pictures = try charts.compactMap { title, curves -> String? in
      let curves = curves.filter { !$0.1.isEmpty }
      guard !curves.isEmpty else { return nil }
      var chart = LineChart()
      chart.title = title
      chart.xLabel = "iteration"
      chart.curves = curves.map { (name: $0.0, points: $0.1) }
      chart.hasDots = curves.allSatisfy { $0.1.count <= 40 }
      let png = try chart.image(Size(width: 620, height: 360)).png()
      let ends = curves.compactMap { name, points in
        points.last.map { String(format: "\(name) %.4g at iteration %.0f", $0.y, $0.x) }
      }
      return Page.image(
        png: png, kind: "chart", alt: "\(title): \(ends.joined(separator: ", "))")
    }
    guard !pictures.isEmpty else { return "<p class=\"quiet\">Nothing is logged yet.</p>" }
    return "<div class=\"charts\">\(pictures.joined())</div>"
  }

  /// At most 400 points: means of neighbours, as a picture has no place for more.
  static func thinned(_ points: [LineChart.Point]) -> [LineChart.Point] {
    let most = 400
    guard points.count > most else { return points }
    return (0..<most).map { index in
      let part = points[index * points.count / most..<(index + 1) * points.count / most]
      let count = Double(part.count)
      return LineChart.Point(
        part.map(\.x).reduce(0, +) / count, part.map(\.y).reduce(0, +) / count)
    }
  }

  // MARK: Classes and pictures

  private func classTable(_ best: Standing.Best?) -> String {
    guard let last = lines.last(where: { $0.kind == "evaluate" }), let now = last.classes else {
      return ""
    }
    let then = lines.last { $0.kind == "evaluate" && $0.step == best?.step }
    let rows = map.classes.map { entry in
      let cells = [now[entry.name], then?.classes?[entry.name]].map { "<td>\(percent($0))</td>" }
      let color = Page.hex(entry.color)
      return "<tr><td><i class=\"dot\" style=\"background:\(color)\"></i>"
        + "\(escaped(entry.name))</td>" + cells.joined() + "</tr>"
    }
    let bestTitle = then.map { "best, iteration \($0.step)" } ?? "best"
    return """
      <section>
      <h2>IoU of classes in %</h2>
      <div class="scroll"><table class="narrow"><thead><tr><th>class</th>\
      <th>last, iteration \(last.step)</th><th>\(bestTitle)</th></tr></thead>
      <tbody>\(rows.joined())</tbody></table></div>
      </section>
      """
  }

  private var gallery: String {
    guard !pictures.isEmpty else { return "" }
    let figures = pictures.map { caption, jpeg in
      "<figure><figcaption>\(escaped(caption))</figcaption><img class=\"fill\""
        + " alt=\"image, truth and prediction of \(escaped(caption))\""
        + " src=\"data:image/jpeg;base64,\(Data(jpeg).base64EncodedString())\"></figure>"
    }
    return "<section>\n<h2>Image, truth, prediction</h2>\n\(figures.joined())\n</section>"
  }
}
