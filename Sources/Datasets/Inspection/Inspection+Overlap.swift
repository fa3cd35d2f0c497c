import Foundation

extension Inspection {
  /// The images of a part, as those of other parts are compared with them.
  struct Seen {
    /// What the part is called.
    let name: String
    /// The image files that could be read, with digests of their pixels.
    let images: [(path: String, digest: [UInt64])]

    /// The part `name` with these files.
    init(_ name: String, _ images: [(path: String, digest: [UInt64])]) {
      self.name = name
      // One file under two names is the same file.
      self.images = images.map {
        (URL(fileURLWithPath: $0.path).resolvingSymlinksInPath().path, $0.digest)
      }
    }
  }

  /// A sentence for each two parts that have images in common, by file or by pixels.
  static func overlaps(_ parts: [Seen]) -> [String] {
    parts.indices.flatMap { second in
      parts[..<second].compactMap { first -> String? in
        let part = parts[second]
        let (paths, digests) = (
          Set(first.images.map(\.path)), Set(first.images.map(\.digest))
        )
        let files = part.images.count { paths.contains($0.path) }
        let equal = part.images.count { !paths.contains($0.path) && digests.contains($0.digest) }
        guard files + equal > 0 else { return nil }
        let kinds = [
          files > 0 ? "\(files) the same files" : nil,
          equal > 0 ? "\(equal) other files of equal pixels" : nil,
        ].compactMap { $0 }.joined(separator: ", ")
        let share =
          files + equal == part.images.count
          ? part.images.count == 1
            ? "the only image of \(part.name) is in \(first.name), too"
            : "all \(part.images.count) images of \(part.name) are in \(first.name), too"
          : "\(files + equal) of the \(part.images.count) images of \(part.name) are in"
            + " \(first.name), too"
        return "\(share) (\(kinds)): scores on them say nothing of new images"
      }
    }
  }
}
