import Annotations
import Datasets
import Imaging
import Synchronization

/// Writes what a network found as outlines for annotation tools and maps, beside the label files.
public final class PolygonFiles: Sendable {
  private let writers: Mutex<[OutlineWriter]>
  /// The forms and settings, in words that differ for different ones.
  let description: String
  /// Whether a file is for all images, which parts of a folder would write each.
  package let hasFileForAll: Bool

  /// Writers of these forms into a folder that is there, for predictions of these classes.
  public init(
    _ forms: [OutlineForm], in folder: String, _ map: LabelMap, options: WritingOptions = .init()
  ) {
    let classes = zip(map.classes, map.palette).map { (name: $0.name, color: $1) }
    description = "\(forms.map(\.rawValue)) \(options.simplify) \(options.minimumArea)"
    hasFileForAll = forms.contains(.coco) || forms.contains(.labelStudio)
    writers = Mutex(
      forms.map { OutlineWriter($0, in: folder, classes: classes, options: options) })
  }

  /// Writes the outlines of a mask.
  ///
  /// - Parameters:
  ///   - place: Where the image lies on earth.
  ///   - confidence: The probability of each pixel's class, of which objects get the mean as their score.
  /// - Returns: The files that were written now.
  /// - Throws: `WriteError`, `ImageError`, `GeographicError` for a place in a system that is not known.
  func add(
    _ mask: ClassMask, of file: String, place: GeoReference?, confidence: [Float]? = nil
  ) throws -> [String] {
    let labels = LabelImage(
      width: mask.width, height: mask.height,
      values: mask.classes.map { $0 == LabelMap.ignored ? AnnotationSet.ignoredValue : UInt16($0) })
    return try writers.withLock { writers in
      var written: [String] = []
      for i in writers.indices {
        let score = confidence.map { values in
          { (x: Int, y: Int) in Double(values[y * mask.width + x]) }
        }
        if let path = try writers[i].add(labels, of: file, place: place, score: score) {
          written.append(path)
        }
      }
      return written
    }
  }

  /// Writes the files that are for all images.
  ///
  /// - Returns: The files.
  /// - Throws: `WriteError`.
  public func finish() throws -> [String] {
    try writers.withLock { try $0.flatMap { try $0.finish() } }
  }
}
