import Imaging

extension EvaluationResult {
  /// The score that a result is known by: the mean IoU, or of two classes the foreground's Dice.
  var mainScore: (name: String, value: Double?) {
    foreground.map { ("Dice of \($0.name)", scores.classes[$0.index].dice) }
      ?? ("mean IoU", scores.meanIoU)
  }

  /// The same of one image.
  func mainScore(of image: ImageCounts) -> Double? {
    guard let index = foreground?.index else { return image.meanIoU }
    return ratioOf(2 * image.correct[index], image.truth[index] + image.predicted[index])
  }
}

extension HTMLPage {
  /// What two classes have of their own: a table, curves, and what other thresholds give.
  func foregroundSection() throws -> String {
    guard let foreground = result.foreground else { return "" }
    let name = escaped(foreground.name)
    var parts = [
      "<section><h2>\(name)</h2>", "<p class=\"quiet\">\(escaped(foreground.roles)).</p>",
      Page.table(
        [EvaluationResult.foregroundHeader] + result.foregroundRows,
        label: "scores of \(foreground.name)"),
    ]
    if let curve = foreground.curve, curve.points.count > 1 {
      let charts = ReportPictures.charts(curve, foreground.name)
      parts.append("<div class=\"charts\">")
      parts += try charts.map {
        Page.image(png: try $0.image.png(), kind: "chart", alt: $0.text)
      }
      parts.append("</div>")
      if let best = curve.best {
        parts.append(
          "<p>Dice is best, \(percent(best.dice)) %, if pixels are \(name) from a probability of"
            + " \(fixed(best.threshold, 3)) on. That was chosen on the images that it is scored on: choose"
            + " it on others than those whose score you tell.</p>")
      }
      parts.append(
        Page.table(
          [["from probability", "Dice %", "precision %", "recall %", "false positive rate %"]]
            + stride(from: 0.1, through: 0.95, by: 0.1).compactMap { threshold in
              curve.at(threshold).map {
                [
                  fixed(threshold, 1), percent($0.dice), percent($0.precision), percent($0.recall),
                  percent($0.falsePositiveRate),
                ]
              }
            }, label: "scores by threshold", narrow: true))
    }
    return (parts + ["</section>"]).joined(separator: "\n")
  }
}

extension ReportPictures {
  /// Precision over recall, and what each threshold gives, with what they show in words.
  static func charts(_ curve: ForegroundCurve, _ name: String) -> [(text: String, image: Image)] {
    let size = Size(width: 640, height: 420)
    let area = "average precision \(percent(curve.averagePrecision)) %"
    var recall = LineChart()
    recall.title = "Precision over recall of \(name), \(area)"
    (recall.xLabel, recall.yLabel, recall.hasDots) = ("recall", "precision", false)
    recall.curves = [("precision", curve.points.map { .init($0.recall, $0.precision) })]
    var thresholds = LineChart()
    thresholds.title = "Scores of \(name) by threshold"
    (thresholds.xLabel, thresholds.yLabel, thresholds.hasDots) = (
      "foreground from this probability on", "score", false
    )
    thresholds.curves = [
      ("Dice", curve.points.map { .init($0.threshold, $0.dice) }),
      ("precision", curve.points.map { .init($0.threshold, $0.precision) }),
      ("recall", curve.points.map { .init($0.threshold, $0.recall) }),
    ]
    var best = ""
    if let point = curve.best {
      best =
        "; the best Dice, \(percent(point.dice)) %, is at recall \(percent(point.recall)) % and precision"
        + " \(percent(point.precision)) %, from probability \(fixed(point.threshold, 3)) on"
      recall.marks = [("best Dice \(percent(point.dice)) %", point.recall)]
      thresholds.marks = [("best Dice from \(fixed(point.threshold, 3)) on", point.threshold)]
    }
    return [
      (recall.title + best, recall.image(size)), (thresholds.title + best, thresholds.image(size)),
    ]
  }
}
