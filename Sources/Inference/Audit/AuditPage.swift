import Datasets
import Evaluation
import Imaging

/// One page with the least believed labels, which needs no other file.
struct AuditPage {
  private let audit: LabelAudit
  private let map: LabelMap
  private let palette: [Color]
  /// The pictures of regions by their place in the ranking.
  private var figures: [Int: String] = [:]

  /// What is seen around a region: as much again, and at least so many pixels.
  private static let least = 160
  /// The colour of a region's rim.
  private static let rim = Color(255, 0, 255)

  init(_ audit: LabelAudit, _ map: LabelMap) {
    (self.audit, self.map, palette) = (audit, map, map.palette)
  }

  /// Takes in the pictures of the region of this place in the ranking.
  mutating func add(_ place: Int, _ sample: Sample, _ found: ClassMask) throws {
    let region = audit.regions[place]
    let window = Self.window(around: region.box, in: sample.mask.size)
    func cropped(_ image: Image) throws -> String {
      let part = Self.rimmed(
        image.cropped(x: window.x, y: window.y, size: window.size), region, window)
      return try Page.image(png: part.png(), kind: "fill", alt: "")
    }
    let image = sample.image.rgb
    let views = try [
      ("image", cropped(image)), ("labels", cropped(sample.mask.picture(palette))),
      ("network", cropped(found.picture(palette))),
    ]
    let names = (audit.names[region.label], audit.names[region.found])
    figures[place] = """
      <figure id="region-\(place + 1)"><figcaption><b>\(place + 1). \(escaped(sample.name))</b>
      <span>labelled <b>\(escaped(names.0))</b>, \(percent(region.labelProbability)) % probable</span>
      <span>found <b>\(escaped(names.1))</b>, \(percent(region.foundProbability)) %</span>
      <span class="quiet">\(region.pixels) pixels at \(region.box.x), \(region.box.y), score \
      \(fixed(region.score))</span></figcaption>
      <div class="views">\(views.map { "<div>\($1)\($0)</div>" }.joined())</div></figure>
      """
  }

  /// The part of an image that is shown.
  static func window(around box: PixelWindow, in size: Size) -> PixelWindow {
    func span(_ start: Int, _ length: Int, _ whole: Int) -> (Int, Int) {
      let wanted = min(whole, max(2 * length, least))
      let first = start + length / 2 - wanted / 2
      return (min(max(first, 0), whole - wanted), wanted)
    }
    let (x, width) = span(box.x, box.size.width, size.width)
    let (y, height) = span(box.y, box.size.height, size.height)
    return PixelWindow(x: x, y: y, size: Size(width: width, height: height))
  }

  /// A picture with the region's outermost pixels in a colour of their own.
  private static func rimmed(
    _ picture: Image, _ region: SuspectRegion, _ window: PixelWindow
  ) -> Image {
    let (width, height) = (window.size.width, window.size.height)
    var isOf = [Bool](repeating: false, count: width * height)
    for run in region.runs {
      let start = (run.y - window.y) * width + run.x - window.x
      for i in start..<start + run.count { isOf[i] = true }
    }
    var pixels = picture.rgb.pixels
    for y in 0..<height {
      for x in 0..<width where isOf[y * width + x] {
        let isInner =
          x > 0 && y > 0 && x + 1 < width && y + 1 < height && isOf[y * width + x - 1]
          && isOf[y * width + x + 1] && isOf[(y - 1) * width + x] && isOf[(y + 1) * width + x]
        guard !isInner else { continue }
        let at = 3 * (y * width + x)
        (pixels[at], pixels[at + 1], pixels[at + 2]) = (rim.red, rim.green, rim.blue)
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  /// The page.
  var text: String {
    let regions = audit.regions.count
    let suspect = audit.images.count { $0.regions > 0 }
    return Page(
      title: "Labels of \(audit.dataset)",
      header: """
        <h1>Labels of \(escaped(audit.dataset))</h1>
        <p class="quiet">Looked at by \(escaped(audit.model))</p>
        <div class="cards">\(Page.card("images", number: "\(audit.images.count)"))
        \(Page.card("images with regions that are not believed", number: "\(suspect)"))
        \(Page.card("such regions", number: "\(regions)"))</div>
        <p>Regions whose label a network, which was not trained on these images, holds for wrong: the surer it is, and
        the more seldom labels say so what it finds, the higher they stand. The network may be wrong, too.</p>
        """,
      main: """
        <section><h2>Classes</h2>
        \(Page.table(
          [["class", "not believed %", "mean probability of the labels %", "found in its place"]]
            + audit.classes.map { entry in
              [
                entry.name, percent(entry.share), percent(entry.labelProbability),
                entry.found.prefix(4).map { "\($0.name) \(percent($0.share)) %" }
                  .joined(separator: ", "),
              ]
            }, label: "classes by how little their labels are believed"))
        </section>
        <section><h2>Regions</h2>
        \(Page.legend(map.legend(hasIgnored: true)))
        \(figures.sorted { $0.key < $1.key }.map(\.value).joined(separator: "\n"))
        </section>
        <section><h2>Images</h2>
        \(Page.table(
          [["image", "highest score", "regions", "not believed %", "mean probability of the labels %"]]
            + audit.images.map { image in
              [
                image.name, fixed(image.score), "\(image.regions)", percent(image.share),
                percent(image.labelProbability),
              ]
            }, label: "images by how little their labels are believed"))
        </section>
        """
    ).text
  }
}
