import Datasets
import Files
import Imaging

/// Writes what a network found in photographs into a folder.
public struct PredictionFiles: Sendable {
  /// How much the overlay's colours cover, 0 to 1.
  public var opacity = 0.5
  /// Whether image, truth, prediction and overlay go side by side into one picture, too.
  public var panel = false

  /// Writers of outlines; nil for none.
  public var polygons: PolygonFiles?

  private let folder: String
  private let map: LabelMap

  /// A writer into `folder`, which is made, of predictions of these classes.
  ///
  /// - Throws: `FolderError` for a folder that cannot be written to.
  public init(in folder: String, _ map: LabelMap) throws {
    (self.folder, self.map) = (folder, map)
    try FileSystem.makeOutputFolder(folder)
  }

  /// What the files of an image are called before `_labels` and the like.
  func stem(of file: String) -> String { "\(folder)/\(file.fileStem)" }

  /// The legend of classes that occur, by their names, and of pixels where nothing was measured.
  static func legend(_ names: [String], _ map: LabelMap, hasMissing: Bool) -> [LegendEntry] {
    let missing = hasMissing ? [LegendEntry("not measured", map.palette[255])] : []
    return names.compactMap { name in
      guard let index = map.classes.firstIndex(where: { $0.name == name }) else { return nil }
      return index == map.background
        ? LegendEntry("\(name), left clear", Color(255, 255, 255))
        : LegendEntry(name, map.palette[index])
    } + missing
  }

  /// Writes `NAME_labels.png`, `NAME_overlay.png` and, if asked for, `NAME_panel.png` and outlines.
  ///
  /// - Parameter place: Where the image lies on earth: labels are a GeoTIFF `NAME_labels.tif` then.
  /// - Returns: The files.
  /// - Throws: `ImageError` or `WriteError` for a file that cannot be written.
  public func write(
    _ prediction: Prediction, of file: String, _ image: Image, truth: ClassMask?,
    place: GeoReference? = nil
  ) throws -> [String] {
    let mask = prediction.mask
    let stem = stem(of: file)
    let colors = map.palette
    var written = ["\(stem)_labels.png", "\(stem)_overlay.png"]
    if let place {
      written[0] = "\(stem)_labels.tif"
      try write(mask, to: written[0], place)
    } else {
      try mask.writePNG(to: written[0], palette: colors)
    }
    let legend = Self.legend(
      prediction.shares.map(\.name), map, hasMissing: image.missing != nil)
    let overlay = image.overlaid(
      classes: mask.classes, palette: colors, opacity: opacity, clear: map.background)
    try overlay.withLegend(legend).write(to: written[1], isOutput: true)
    if panel {
      var parts = [("image", image)]
      if let truth { parts.append(("truth", truth.picture(colors))) }
      parts += [("prediction", mask.picture(colors)), ("overlay", overlay)]
      written.append("\(stem)_panel.png")
      let shown = ShownClasses([mask] + [truth].compactMap { $0 })
      try Image.panel(parts, legend: map.legend(of: shown)).write(to: written[2], isOutput: true)
    }
    if let polygons { written += try polygons.add(mask, of: file, place: place) }
    return written
  }

  /// Writes a mask as a GeoTIFF.
  private func write(_ mask: ClassMask, to path: String, _ place: GeoReference) throws {
    let result = try TiledResult(
      path, size: mask.size,
      content: .labels(palette: map.palette, missing: LabelMap.ignored), place: place,
      subject: "", isResumed: false)
    let tile = TiledResult.side * mask.width
    for start in stride(from: 0, to: mask.classes.count, by: tile) {
      try result.append(Array(mask.classes[start..<min(start + tile, mask.classes.count)]))
    }
    try result.finish()
  }
}
