import Annotations
import Datasets
import Imaging
import Synchronization

/// Writes what a network found as outlines for annotation tools and maps, beside the label files.
public final class PolygonFiles: Sendable {
  private let writers: Mutex<[OutlineWriter]>

  /// Writers of these forms into a folder that is there, for predictions of these classes.
  public init(
    _ forms: [OutlineForm], in folder: String, _ map: LabelMap, options: WritingOptions = .init()
  ) {
    let classes = zip(map.classes, map.palette).map { (name: $0.name, color: $1) }
    writers = Mutex(
      forms.map { OutlineWriter($0, in: folder, classes: classes, options: options) })
  }

  /// Writes the outlines of a mask.
  ///
  /// - Parameter place: Where the image lies on earth.
  /// - Returns: The files that were written now.
  /// - Throws: `WriteError`, `ImageError`, `GeographicError` for a place in a system that is not known.
  func add(_ mask: ClassMask, of file: String, place: GeoReference?) throws -> [String] {
    let labels = LabelImage(
      width: mask.width, height: mask.height,
      values: mask.classes.map { $0 == LabelMap.ignored ? AnnotationSet.ignoredValue : UInt16($0) })
    return try writers.withLock { writers in
      var written: [String] = []
      for i in writers.indices {
        if let path = try writers[i].add(labels, of: file, place: place) { written.append(path) }
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
