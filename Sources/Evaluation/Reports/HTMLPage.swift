import Datasets
import Foundation
import Imaging

/// One page with everything an evaluation found, which needs no other file and no network.
struct HTMLPage {
  let result: EvaluationResult
  let images: [ImageCounts]
  let style: PictureStyle
  /// The confusion matrix as a PNG.
  var confusion: [UInt8] = []
  private var shown: [Shown] = []

  init(result: EvaluationResult, images: [ImageCounts], style: PictureStyle) {
    self.result = result
    self.images = images
    self.style = style
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
      /// Of the foreground, where there are two classes.
      let dice, precision, recall: Double?
    }
    let classes: [Class]
    let images: [Entry]
    let shown: [Shown]
    /// The name of the foreground, where there are two classes.
    let foreground: String?
  }

  /// Takes in the pictures of image `index`.
  mutating func add(_ index: Int, _ parts: ResultFolder.Shown, _ errors: Image) throws {
    let small = Page.size(parts.truth.size)
    func png(_ mask: ClassMask) throws -> String {
      "data:image/png;base64,"
        + Data(try mask.resized(to: small).png(style.palette)).base64EncodedString()
    }
    var pictures: [Picture] = []
    if let image = parts.image {
      pictures.append(Picture(caption: "image", source: try Page.jpeg(image, small)))
    }
    pictures.append(Picture(caption: "truth", source: try png(parts.truth)))
    pictures.append(Picture(caption: "prediction", source: try png(parts.prediction)))
    pictures.append(Picture(caption: "errors", source: try Page.jpeg(errors, small)))
    shown.append(Shown(index: index, pictures: pictures))
  }

  /// The page.
  func text() throws -> String {
    let score = result.mainScore
    return try Page(
      title: "\(result.dataset): \(percent(score.value)) % \(score.name)",
      header: """
        <h1>\(escaped(result.dataset))</h1>
        <p class="quiet">\(escaped(result.model)), \(result.images) images</p>
        <div class="cards">\(cards)</div>
        \(summary)
        """,
      main: """
        \(try foregroundSection())
        <section>
        <h2>Classes</h2>
        <p class="quiet">A class chosen here filters the images below. Headings sort.</p>
        <div class="scroll"><table id="classes" aria-label="scores of classes"></table></div>
        </section>
        <section>
        <h2>Images</h2>
        <div class="tools">
        <label>Class <select id="class"></select></label>
        <label>Order <select id="order"><option value="worst">worst first</option>
        <option value="best">best first</option></select></label>
        <span id="count" class="quiet"></span>
        </div>
        \(Page.legend(style.legend + style.errorLegend))
        <div id="gallery"></div>
        <h3>All images</h3>
        <div class="scroll tall"><table id="images" aria-label="scores of images"></table></div>
        </section>
        <section>
        <h2>Confusion matrix</h2>
        <div class="scroll">\(Page.image(
          png: confusion, kind: "wide",
          alt: "confusion matrix: the share of each true class that was predicted as each class"))</div>
        </section>
        \(cityscapesSection)
        \(try reliabilitySection())
        <section>
        <h2>Protocol</h2>
        <p>\(escaped(result.protocolLine)).</p>
        \(Page.table([EvaluationResult.summaryHeader] + result.summaryRows, label: "all scores"))
        </section>
        """, script: Self.script
    ).text(contents)
  }

  private var cards: String {
    let scores = result.scores
    var cards = [
      ("mean IoU", scores.meanIoU), ("mean IoU per image", scores.meanIoUPerImage),
      ("pixel accuracy", scores.pixelAccuracy), ("mean accuracy", scores.meanAccuracy),
    ]
    if let foreground = result.foreground {
      let own = scores.classes[foreground.index]
      cards = [
        ("Dice of \(foreground.name)", own.dice), ("precision", own.precision),
        ("recall", own.recall),
      ]
      if let curve = foreground.curve {
        cards += [("area under ROC", curve.rocAUC), ("average precision", curve.averagePrecision)]
      } else {
        cards.append(("IoU of \(foreground.name)", own.iou))
      }
    }
    return cards.map(Page.card).joined()
  }

  /// What fails, in words.
  private var summary: String {
    if let foreground = result.foreground { return summary(of: foreground) }
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
    var lines = [
      "Fails most on the classes \(worst.joined(separator: ", ")).",
      "Worst images: \(worstImages).",
    ]
    if let absent = result.warning { lines.append(escaped(absent)) }
    return lines.map { "<p>\($0)</p>" }.joined()
  }

  private func summary(of foreground: ForegroundScores) -> String {
    let own = result.scores.classes[foreground.index]
    let name = escaped(foreground.name)
    var lines = [
      "Of <b>\(name)</b> \(percent(own.recall.map { 1 - $0 })) % are missed (false negatives); of what is"
        + " called so \(percent(own.precision.map { 1 - $0 })) % are not (false positives).",
      "Worst images by Dice: \(worstImages).",
    ]
    if let absent = result.warning { lines.append(escaped(absent)) }
    return lines.map { "<p>\($0)</p>" }.joined()
  }

  private var worstImages: String {
    let scores = images.map { result.mainScore(of: $0) }
    return images.indices.filter { scores[$0] != nil }
      .sorted { (scores[$0] ?? 0) < (scores[$1] ?? 0) }.prefix(3)
      .map {
        "<a href=\"#image-\($0)\"><b>\(escaped(images[$0].name))</b></a> \(percent(scores[$0])) %"
      }.joined(separator: ", ")
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
    let own = result.foreground?.index
    let classes = result.scores.classes.enumerated().map { index, entry in
      Contents.Class(
        name: entry.name, color: Page.hex(style.palette[index]),
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
          share: image.truth.map { Double($0) / pixels },
          dice: own.flatMap {
            ratioOf(2 * image.correct[$0], image.truth[$0] + image.predicted[$0])
          },
          precision: own.flatMap { ratioOf(image.correct[$0], image.predicted[$0]) },
          recall: own.flatMap { ratioOf(image.correct[$0], image.truth[$0]) })
      }, shown: shown, foreground: result.foreground?.name)
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
}
