import Datasets
import Files
import Foundation
import Imaging

/// Predictions as the Cityscapes server takes them: label ids in 8-bit PNG files, one an image, whose
/// names begin with `<city>_<sequence>_<frame>`.
package enum CityscapesSubmission {
  /// The name of an image's prediction.
  package static func fileName(_ name: String) -> String { "\(name)_pred_labelIds.png" }

  /// Writes a prediction into a folder; ignored pixels become 0, unlabeled.
  ///
  /// - Throws: `ImageError` if it cannot be written, `DatasetError` for classes without an id.
  package static func write(_ prediction: ClassMask, name: String, map: LabelMap, to folder: String)
    throws
  {
    try map.labels(of: prediction).writePNG(to: "\(folder)/\(fileName(name))")
  }

  /// What is wrong with a submission, and how many files were looked at.
  package struct Report: Sendable {
    /// The images of the split.
    package var images = 0
    /// What would be refused or scored as wrong, one line each.
    package var errors: [String] = []
    /// What may be meant otherwise.
    package var warnings: [String] = []
  }

  /// Looks at every image of a split and at every prediction.
  ///
  /// - Parameters:
  ///   - folder: The predictions.
  ///   - root: The folder that holds `leftImg8bit`.
  ///   - split: The split's folder.
  /// - Throws: `DatasetError` if a folder is missing or empty.
  package static func verify(_ folder: String, root: String, split: String = "test") throws
    -> Report
  {
    let found = try predictions(in: folder)
    let images = "\(root)/leftImg8bit/\(split)"
    var files: [(name: String, file: String)] = []
    for city in try cities(images) {
      files += try FileSelection("\(images)/\(city)", suffix: "_leftImg8bit", extensions: ["png"])
        .files().map { ($0.key, $0.value) }
    }
    files.sort { $0.name < $1.name }
    let sorted = files
    var report = try reduceInParallel(count: sorted.count, threads: 0, initial: Report()) {
      report, index in
      let (name, file) = sorted[index]
      report.images += 1
      let answers = found[frame(name) ?? name] ?? []
      guard let prediction = answers.first else {
        report.errors.append("\(name): has no prediction; expected \(folder)/\(fileName(name))")
        return
      }
      if answers.count > 1 {
        report.errors.append(
          "\(name): \(answers.count) predictions answer to it"
            + " (\(answers.joined(separator: ", "))); expected one")
      }
      check(prediction, image: file, &report)
    } merge: { all, part in
      all.images += part.images
      all.errors += part.errors
      all.warnings += part.warnings
    }
    let known = Set(files.map { frame($0.name) ?? $0.name })
    for (frame, answers) in found where !known.contains(frame) {
      report.warnings += answers.map { "\($0): belongs to no image of \(images)" }
    }
    report.errors.sort()
    report.warnings.sort()
    return report
  }

  private static func check(_ prediction: String, image: String, _ report: inout Report) {
    do {
      let labels = try LabelImage(contentsOf: prediction)
      let size = try ImageInfo(contentsOf: image).size
      if labels.size != size {
        report.errors.append(
          "\(prediction): is \(labels.width)×\(labels.height), expected the image's size"
            + " \(size.width)×\(size.height)")
      }
      let used = Set(labels.values)
      let allowed = Set(Cityscapes.labels.filter { $0.id >= 0 }.map(\.fileValue))
      if let value = used.subtracting(allowed).min() {
        let at = labels.values.firstIndex(of: value) ?? 0
        report.errors.append(
          "\(prediction): pixel (x \(at % labels.width), y \(at / labels.width)) has the value"
            + " \(value), expected a label id from 0 to 33")
      }
      let counted = Set(Cityscapes.evaluated.map(\.fileValue))
      if used.subtracting([255]).allSatisfy({ $0 < 19 }), used.contains(where: { $0 < 7 }) {
        report.warnings.append(
          "\(prediction): all values are below 19, as training ids are; expected label ids, 7 (road)"
            + " to 33 (bicycle)")
      } else if used.isDisjoint(with: counted) {
        report.warnings.append("\(prediction): holds none of the 19 classes that count")
      }
    } catch {
      report.errors.append("\(error)")
    }
  }

  /// The PNG files below a folder by the frame that their names begin with.
  static func predictions(in folder: String) throws -> [String: [String]] {
    guard FileSystem.isFolder(folder) else {
      throw DatasetError.missingFolder(path: folder, expected: "a folder of predictions")
    }
    var found: [String: [String]] = [:]
    func walk(_ folder: String) {
      for name in FileSystem.names(in: folder) ?? [] {
        let path = "\(folder)/\(name)"
        if FileSystem.isFolder(path) {
          if !FileSystem.isLink(path) { walk(path) }
        } else if name.lowercased().hasSuffix(".png"), let frame = frame(name) {
          found[frame, default: []].append(path)
        }
      }
    }
    walk(folder)
    guard !found.isEmpty else {
      throw DatasetError.emptyFolder(
        path: folder, expected: "files named <city>_<sequence>_<frame>*.png")
    }
    return found.mapValues { $0.sorted() }
  }

  /// `<city>_<sequence>_<frame>`, which a file's name begins with; nil for other names.
  static func frame(_ name: String) -> String? {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count >= 3 else { return nil }
    let number = parts[2].prefix { $0.isNumber }
    return number.isEmpty || !parts[1].allSatisfy(\.isNumber)
      ? nil : "\(parts[0])_\(parts[1])_\(number)"
  }

  /// The folders of a split.
  static func cities(_ folder: String) throws -> [String] {
    let names = FileSystem.names(in: folder) ?? []
    let cities = names.filter { FileSystem.isFolder("\(folder)/\($0)") }
    guard !cities.isEmpty else {
      throw DatasetError.missingFolder(path: folder, expected: "one folder a city")
    }
    return cities
  }
}
