import Imaging

extension Dataset {
  /// The image in a file as RGB, or the bands that the data set's plan names.
  func readImage(_ path: String) throws -> Image {
    guard let bandPlan else { return try Image(contentsOf: path, orientation: orientation) }
    return try Image(contentsOf: path, plan: bandPlan, orientation: orientation)
  }

  /// The values in a label file, or those of its colours, or what annotations draw.
  ///
  /// - Throws: `ImageError`; `DatasetError.colorOutsideTable` and `.coloredLabel`, which say what a person
  ///   can write, where the label map is one that a person has written.
  func readLabel(_ path: String) throws -> LabelImage {
    if let label = try drawn?.label(path) { return label }
    do {
      return try LabelImage(contentsOf: path, colors: labelColors)
    } catch ImageError.unknownColor(let file, let x, let y, let color)
      where labelMap.origin != .library
    {
      throw DatasetError.colorOutsideTable(
        file: file, x: x, y: y, color: color, mend: labelMap.mend(for: color))
    } catch ImageError.notLabels(let file, let found, let some)
      where !some.isEmpty && labelMap.origin != .library
    {
      let colors = Self.colors(of: file) ?? some
      throw DatasetError.coloredLabel(
        file: file, found: found, mend: labelMap.mend(forPictureOf: colors))
    }
  }

  /// The colours of a picture, the most frequent first; nil where they are too many for labels.
  private static func colors(of file: String) -> [Color]? {
    guard let picture = try? Image(contentsOf: file) else { return nil }
    var counts: [Color: Int] = [:]
    for i in stride(from: 0, to: picture.pixels.count, by: 3) {
      let color = Color(picture.pixels[i], picture.pixels[i + 1], picture.pixels[i + 2])
      counts[color, default: 0] += 1
      if counts.count > 256 { return nil }
    }
    func order(_ color: Color) -> (Int, UInt8, UInt8, UInt8) {
      (-counts[color, default: 0], color.red, color.green, color.blue)
    }
    return counts.keys.sorted { order($0) < order($1) }
  }
}

/// Refuses a label of another size than its photograph's, and says so where the orientation that a camera
/// noted is why: the one check of sizes for training, scoring, inspection and single photographs.
///
/// - Parameter origin: Where a person has said how labels are read, and so can say how photographs are.
/// - Throws: `DatasetError.sizeMismatch`.
package func checkSizes(
  image: String, _ imageSize: Size, label: String, _ labelSize: Size,
  orientation: ImageOrientation, origin: LabelMap.Origin = .configuration
) throws {
  guard imageSize != labelSize else { return }
  var reason: String?
  let other = Size(width: imageSize.height, height: imageSize.width)
  if other == labelSize, let info = try? ImageInfo(contentsOf: image), info.orientation > 4 {
    let note = "Orientation \(info.orientation) in the photograph's EXIF turns it"
    reason =
      orientation == .applied
      ? "\(note), and the label is of the stored \(other.text): \(origin.orientation(.stored)) reads"
        + " photographs as they are stored"
      : "\(note) to the label's \(other.text): \(origin.orientation(.applied)) reads it turned"
  }
  throw DatasetError.sizeMismatch(
    image: image, imageSize: imageSize, label: label, labelSize: labelSize, reason: reason)
}

extension LabelMap.Origin {
  /// What a person writes to have photographs read this way.
  func orientation(_ orientation: ImageOrientation) -> String {
    self == .commandLine
      ? "`--orientation \(orientation.rawValue)`" : "`data.orientation: \(orientation.rawValue)`"
  }
}
