import Imaging

extension EvaluationResult {
  static let reliabilityHeader = [
    "probabilities", "calibration error %", "largest %", "mean probability %", "right %", "Brier",
    "negative log likelihood",
  ]

  /// How well probabilities fit, of all pixels and of those near borders; nothing where it was not counted.
  var reliabilityRows: [[String]] {
    guard let reliability else { return [] }
    let near = "within \(number(reliability.ratio * 100)) % of the diagonal of another class"
    func row(_ name: String, _ scores: Reliability) -> [String] {
      [
        name, percent(scores.expectedError), percent(scores.maximumError),
        percent(scores.confidence), percent(scores.accuracy),
        scores.brier.map { fixed($0, 4) } ?? "n/a",
        scores.negativeLogLikelihood.map { fixed($0, 4) } ?? "n/a",
      ]
    }
    var rows = [row("of all pixels", reliability.all), row(near, reliability.borders)]
    if let calibrated = reliability.calibrated {
      let title = calibrated.temperature?.text ?? "each network's temperature"
      rows += [
        row("with \(title), of all pixels", calibrated.all),
        row("with it, \(near)", calibrated.borders),
      ]
    }
    return rows
  }
}

extension HTMLPage {
  /// How well probabilities fit what is found: a table and reliability diagrams.
  func reliabilitySection() throws -> String {
    guard let reliability = result.reliability else { return "" }
    let charts = ReportPictures.charts(reliability)
    return """
      <section>
      <h2>Probabilities</h2>
      <p class="quiet">Of pixels whose class has a probability of 80 %, 80 % should be right.</p>
      \(Page.table(
        [EvaluationResult.reliabilityHeader] + result.reliabilityRows,
        label: "how well probabilities fit"))
      <div class="charts">
      \(try charts.map {
        Page.image(png: try $0.image.png(), kind: "chart", alt: $0.text)
      }.joined(separator: "\n"))
      </div>
      </section>
      """
  }
}

extension ReportPictures {
  /// Reliability diagrams, with what they show in words: as the network gives probabilities, and with its temperature.
  static func charts(_ scores: ReliabilityScores) -> [(text: String, image: Image)] {
    func chart(_ title: String, _ all: Reliability, _ borders: Reliability) -> (String, Image) {
      var chart = LineChart()
      chart.title = title
      chart.xLabel = "probability of the class that is found"
      chart.yLabel = "share that is right"
      func points(_ scores: Reliability) -> [LineChart.Point] {
        scores.bins.compactMap { bin in
          bin.confidence.flatMap { own in bin.accuracy.map { .init(own, $0) } }
        }
      }
      let ends = [0.0, 1.0].map { LineChart.Point($0, $0) }
      chart.curves = [
        ("all pixels", points(all)), ("near borders", points(borders)), ("as it should be", ends),
      ]
      let text =
        "\(title): expected calibration error \(percent(all.expectedError)) % of all pixels,"
        + " \(percent(borders.expectedError)) % near borders"
      return (text, chart.image(Size(width: 640, height: 420)))
    }
    var charts = [chart("Probabilities as the network gives them", scores.all, scores.borders)]
    if let calibrated = scores.calibrated {
      charts.append(
        chart("Probabilities with its temperature", calibrated.all, calibrated.borders))
    }
    return charts
  }
}
