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

  /// Writes `NAME_labels.png`, `NAME_overlay.png` and, if asked for, `NAME_panel.png` and outlines.
  ///
  /// - Returns: The files.
  /// - Throws: `ImageError` for a file that cannot be written.
  public func write(
    _ prediction: Prediction, of file: String, _ image: Image, truth: ClassMask?
  ) throws -> [String] {
    let mask = prediction.mask
    let stem = "\(folder)/\(file.fileStem)"
    let colors = map.palette
    var written = ["\(stem)_labels.png", "\(stem)_overlay.png"]
    try mask.writePNG(to: written[0], palette: colors)
    let legend = prediction.shares.compactMap { share -> LegendEntry? in
      guard let index = map.classes.firstIndex(where: { $0.name == share.name }) else {
        return nil
      }
      return index == map.background
        ? LegendEntry("\(share.name), left clear", Color(255, 255, 255))
        : LegendEntry(share.name, colors[index])
    }
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
    if let polygons { written += try polygons.add(mask, of: file) }
    return written
  }
}
