import Datasets
import Foundation
import Imaging

extension Comparison {
  /// What a result gains over the first on an image, by the score that counts; nil where one of them has
  /// none.
  func gain(_ index: Int, of entry: Entry) -> Double? {
    let first = entries[0]
    guard let a = first.result.mainScore(of: first.images[index]),
      let b = first.result.mainScore(of: entry.images[index])
    else { return nil }
    return b - a
  }

  /// The true classes of an image.
  ///
  /// - Throws: `ImageError`, `DatasetError` for a label file that is gone or has changed.
  func truth(of image: ImageCounts) throws -> ClassMask {
    try map.classes(
      of: LabelImage(contentsOf: image.label, colors: labelColors), file: image.label)
  }

  /// Rows of image, truth and predictions; nil without images whose predictions were kept.
  ///
  /// Those where the last result gains most over the first stand first, then those where it loses.
  func picture(rows: Int = 6) throws -> Image? {
    let (first, last) = (entries[0], entries[entries.count - 1])
    let order = first.images.indices.sorted {
      (gain($0, of: last) ?? 0, $0) < (gain($1, of: last) ?? 0, $1)
    }
    let (colors, name) = (map.palette, first.result.mainScore.name)
    var chosen: [Int] = []
    for index in order.suffix(rows / 2).reversed() + order.prefix(rows / 2)
    where !chosen.contains(index) { chosen.append(index) }
    var parts: [(caption: String, image: Image)] = []
    var columns = 1
    for index in chosen {
      let counts = first.images[index]
      let masks = try entries.map { try ResultFolder.kept($0.folder, counts.name) }
      guard let size = masks[0]?.size, masks.allSatisfy({ $0?.size == size }),
        !counts.label.isEmpty
      else { continue }
      // Labels that only a table of colours reads, which earlier results do not keep, are left out.
      guard let truth = try? truth(of: counts) else { continue }
      let small = Size(
        width: min(size.width, 480), height: max(1, size.height * min(size.width, 480) / size.width)
      )
      func colored(_ mask: ClassMask) -> Image {
        mask.picture(colors)
          .resized(to: small, filter: .nearest)
      }
      // Images of bands that are no picture are left out.
      let picture = try? Image(contentsOf: counts.image)
      let hasImage = picture != nil && chosen.allSatisfy { !first.images[$0].image.isEmpty }
      if hasImage, let picture { parts.append((counts.name, picture.resized(to: small))) }
      parts.append((hasImage ? "truth" : "truth of \(counts.name)", colored(truth)))
      columns = entries.count + (hasImage ? 2 : 1)
      for (entry, mask) in zip(entries, masks) {
        guard let mask else { continue }
        parts.append(
          (
            "\(entry.name), \(name) \(percent(first.result.mainScore(of: entry.images[index]))) %",
            colored(mask)
          ))
      }
    }
    return parts.isEmpty
      ? nil
      : Image.panel(
        parts, columns: columns,
        legend: legend)
  }

  /// The classes with their colours, and ignored pixels if there are any.
  var legend: [LegendEntry] { map.legend(hasIgnored: entries[0].result.ignoredPixels > 0) }

  /// The pixels where one of two predictions is right and the other wrong, over the photograph in grey:
  /// right in the first, and right in the second, with their shares of what counts.
  static func contrasts(
    _ image: Image?, _ truth: ClassMask, _ first: ClassMask, _ second: ClassMask, _ ignored: Color
  ) -> [(share: Double, image: Image)] {
    let counted = truth.classes.count { $0 != LabelMap.ignored }
    return [(first, second, firstColor), (second, first, secondColor)].map { right, wrong, color in
      var count = 0
      let picture = ReportPictures.painted(image, truth.size) { i in
        let own = truth.classes[i]
        if own == LabelMap.ignored { return ignored }
        guard right.classes[i] == own, wrong.classes[i] != own else { return nil }
        count += 1
        return color
      }
      return (counted == 0 ? 0 : Double(count) / Double(counted), picture)
    }
  }

  /// The colours of what only the first, and only the second result has right.
  static let firstColor = Color(213, 94, 0), secondColor = Color(0, 114, 178)
}
