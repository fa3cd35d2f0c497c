import Foundation
import Imaging

/// What can be wrong with a data set, a label map or a loader's settings.
///
/// Every message says where, what was found and what was expected.
public enum DatasetError: Error, Sendable, Equatable {
  /// A folder that should be there is not.
  case missingFolder(path: String, expected: String)
  /// A file or folder that should be there is not.
  case missingFile(path: String, expected: String)
  /// A folder is there but holds none of the files looked for.
  case emptyFolder(path: String, expected: String)
  /// An image has no label file, or a label file has no image.
  case missingPartner(file: String, expected: String)
  /// Two files answer to one name, so that it is not clear which is meant.
  case ambiguousPartner(name: String, files: [String])
  /// An image and its label differ in size; `reason` says why, where that is known.
  case sizeMismatch(
    image: String, imageSize: Size, label: String, labelSize: Size, reason: String? = nil)
  /// A pixel of a label file holds a value that the label map does not list; `mend` is what a person
  /// can write to make it one.
  case valueOutsideMap(
    file: String, x: Int, y: Int, value: Int, map: String, allowed: [Int], mend: String? = nil)
  /// A pixel of a label file has a colour that the table of colours does not list.
  case colorOutsideTable(file: String, x: Int, y: Int, color: Color, mend: String)
  /// A label file is a coloured picture, and there is no table of colours.
  case coloredLabel(file: String, found: String, mend: String)
  /// A file of class names and colours cannot be used.
  case invalidColorFile(file: String, line: Int?, reason: String)
  /// A label map cannot be what it was described as.
  case invalidLabelMap(name: String, reason: String)
  /// A setting of a transform, a loader or a subset is impossible.
  case invalidSetting(name: String, value: String, expected: String)
  /// Fewer samples than one batch, where short batches are dropped.
  case tooFewSamples(dataset: String, count: Int, batchSize: Int)
  /// Two samples of one batch differ in size after their transforms.
  case unevenBatch(file: String, size: Size, other: String, otherSize: Size)
  /// An image has another number of bands than the normalization and the network.
  case otherBands(file: String, count: Int, expected: Int)
  /// A sample is asked for that the data set does not have.
  case indexOutOfRange(dataset: String, index: Int, count: Int)
}

extension DatasetError: CustomStringConvertible, LocalizedError {
  /// The failure in one sentence, as `description`.
  public var errorDescription: String? { description }

  /// The failure in one sentence: where, what was found, what was expected.
  public var description: String {
    switch self {
    case .missingFolder(let path, let expected):
      "\(path): no such folder; expected \(expected)"
    case .missingFile(let path, let expected):
      "\(path): is not there; expected \(expected)"
    case .emptyFolder(let path, let expected):
      "\(path): found no files to use; expected \(expected)"
    case .missingPartner(let file, let expected):
      "\(file): its partner is missing; expected \(expected)"
    case .ambiguousPartner(let name, let files):
      "\(name): \(files.count) files have this name (\(files.joined(separator: ", "))); expected one"
    case .sizeMismatch(let image, let imageSize, let label, let labelSize, let reason):
      "\(image) is \(imageSize.text) but its label \(label) is \(labelSize.text);"
        + " expected equal sizes" + (reason.map { ". \($0)" } ?? "")
    case .valueOutsideMap(let file, let x, let y, let value, let map, let allowed, let mend):
      "\(file): pixel (x \(x), y \(y)) has the value \(value), which the label map \"\(map)\""
        + " does not list; allowed are \(ranges(of: allowed))" + (mend.map { ". \($0)" } ?? "")
    case .colorOutsideTable(let file, let x, let y, let color, let mend):
      "\(file): pixel (x \(x), y \(y)) has the colour \(color.text), which the table of colours does"
        + " not list. \(mend)"
    case .coloredLabel(let file, let found, let mend):
      "\(file): is \(found), expected labels: an indexed or grey image, or a table of colours."
        + " \(mend)"
    case .invalidColorFile(let file, let line, let reason):
      "\(file)\(line.map { ", line \($0)" } ?? ""): \(reason)"
    case .invalidLabelMap(let name, let reason):
      "label map \"\(name)\": \(reason)"
    case .invalidSetting(let name, let value, let expected):
      "\(name) is \(value); expected \(expected)"
    case .tooFewSamples(let dataset, let count, let batchSize):
      "\(dataset) has \(count) samples, fewer than one batch of \(batchSize), and short batches are"
        + " dropped; expected batches of at most \(count) (`train.batchSize`)"
    case .unevenBatch(let file, let size, let other, let otherSize):
      "\(file) is \(size.text) after its transforms but \(other), in the same batch, is"
        + " \(otherSize.text); expected one size: end the transforms with a crop and a pad, or a"
        + " resize to a fixed size, or use batches of one"
    case .otherBands(let file, let count, let expected):
      "\(file) has \(count) bands; expected \(expected), those of the normalization: `data.bands` says"
        + " which a network sees"
    case .indexOutOfRange(let dataset, let index, let count):
      "\(dataset) has no sample \(index); expected one of its \(count), counted from 0"
    }
  }
}

extension Size {
  /// The size as people write it: 480×360.
  var text: String { "\(width)×\(height)" }
}

extension Color {
  /// The colour as configurations have it: [128, 64, 0].
  var text: String { "[\(red), \(green), \(blue)]" }
}

/// Sorted integers with runs drawn together: "0–11, 255".
func ranges(of values: [Int]) -> String {
  var parts: [String] = []
  var start: Int?
  var previous = 0
  func close() {
    guard let start else { return }
    parts.append(start == previous ? "\(start)" : "\(start)–\(previous)")
  }
  for value in values.sorted() {
    if start == nil {
      start = value
    } else if value != previous + 1 {
      close()
      start = value
    }
    previous = value
  }
  close()
  return parts.isEmpty ? "none" : parts.joined(separator: ", ")
}
