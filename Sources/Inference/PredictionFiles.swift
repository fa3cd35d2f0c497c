import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

/// Writes what a network found in photographs into a folder.
public struct PredictionFiles: Sendable {
  /// The bits of a confidence.
  public enum ConfidenceDepth: Int, Sendable, CaseIterable {
    /// 255 for 1.
    case eight = 8
    /// 65535 for 1.
    case sixteen = 16
  }

  /// A form of files with the probability of each class.
  public enum ProbabilityForm: String, Sendable, CaseIterable {
    /// A GeoTIFF of 8 bits with a band for each class, 255 for 1.
    case tiff
    /// The same of 16 bits, 65535 for 1.
    case tiff16
    /// An array of NumPy, float16, (classes, H, W).
    case npy
    /// A grey PNG of 16 bits for each class, 65535 for 1.
    case png
  }

  /// How much the overlay's colours cover, 0 to 1.
  public var opacity = 0.5
  /// Whether image, truth, prediction and overlay go side by side into one picture, too.
  public var panel = false

  /// The bits of the picture of each pixel's confidence; nil for none.
  public var confidence: ConfidenceDepth?
  /// How the probabilities of classes are written; nil for not.
  public var probabilities: ProbabilityForm?
  /// Whether heat maps of how unsure the network is are drawn.
  public var uncertainty = false
  /// Whether pixels of no class are left clear in overlays, as they are of classes that nobody asked for.
  public var clearsOthers = false

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

  /// What has to be computed beside the classes.
  var wanted: InferenceSession.Wanted {
    var wanted: InferenceSession.Wanted = []
    if confidence != nil { wanted.insert(.confidence) }
    if uncertainty { wanted.formUnion([.probabilities, .disagreement]) }
    if probabilities != nil { wanted.insert(.probabilities) }
    return wanted
  }

  /// What is written, in words that differ for different settings.
  var description: String {
    "opacity \(opacity) panel \(panel) confidence \(confidence?.rawValue ?? 0) probabilities"
      + " \(probabilities?.rawValue ?? "none") uncertainty \(uncertainty) clear \(clearsOthers)"
      + " outlines \(polygons?.description ?? "none")"
  }

  /// The folder.
  var path: String { folder }

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
  /// - Parameters:
  ///   - prediction: What was found.
  ///   - file: The image's file, after which files are named.
  ///   - image: The image, which the overlay shows.
  ///   - truth: The classes of its pixels, for the panel.
  ///   - place: Where the image lies on earth: labels are a GeoTIFF `NAME_labels.tif` then.
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
      classes: mask.classes, palette: clearsOthers ? map.colors : colors, opacity: opacity,
      clear: map.background)
    try overlay.withLegend(legend).write(to: written[1], isOutput: true)
    if panel {
      var parts = [("image", image)]
      if let truth { parts.append(("truth", truth.picture(colors))) }
      parts += [("prediction", mask.picture(colors)), ("overlay", overlay)]
      written.append("\(stem)_panel.png")
      let shown = ShownClasses([mask] + [truth].compactMap { $0 })
      try Image.panel(parts, legend: map.legend(of: shown)).write(to: written[2], isOutput: true)
    }
    if let polygons {
      written += try polygons.add(
        mask, of: file, place: place, confidence: prediction.confidence)
    }
    return written + (try writeSureness(prediction, stem, image, place))
  }

  /// Writes what is asked for of how sure the network is.
  private func writeSureness(
    _ prediction: Prediction, _ stem: String, _ image: Image, _ place: GeoReference?
  ) throws -> [String] {
    var written: [String] = []
    if let confidence, let values = prediction.confidence {
      if let place {
        let path = "\(stem)_confidence.tif"
        try write([values[...]], image.size, bits: confidence.rawValue, to: path, place)
        written.append(path)
      } else {
        let path = "\(stem)_confidence.png"
        switch confidence {
        case .eight:
          try Image.writeGray(Self.bytes(values), image.size, to: path)
        case .sixteen:
          try Image.writeGray(Self.words(values), image.size, to: path)
        }
        written.append(path)
      }
    }
    guard let found = prediction.probabilities else { return written }
    switch probabilities {
    case .npy:
      let path = "\(stem)_probabilities.npy"
      try found.writeNumPy(to: path)
      written.append(path)
    case .png:
      for (index, path) in Self.classPictures(stem, map).enumerated() {
        try Image.writeGray(Self.words(found.plane(index)), image.size, to: path)
        written.append(path)
      }
    case .tiff, .tiff16:
      let path = "\(stem)_probabilities.tif"
      try write(
        (0..<found.classes).map(found.plane), image.size, bits: probabilities == .tiff ? 8 : 16,
        to: path, place)
      written.append(path)
    case nil: break
    }
    if uncertainty {
      let most = logf(Float(max(2, found.classes)))
      written.append(
        try Self.heatMap(
          found.entropy.map { $0 / most }, "\(stem)_uncertainty.png", image,
          "Uncertainty", "entropy / ln \(found.classes)"))
      if let disagreement = prediction.disagreement {
        written.append(
          try Self.heatMap(
            disagreement.map { $0 / most }, "\(stem)_disagreement.png", image,
            "Disagreement of the networks", "mutual information / ln \(found.classes)"))
      }
    }
    return written
  }

  /// Probabilities in steps of 255.
  private static func bytes(_ values: some Collection<Float>) -> [UInt8] {
    values.map { UInt8(min(max($0, 0), 1) * 255 + 0.5) }
  }

  /// Probabilities in steps of 65,535.
  private static func words(_ values: some Collection<Float>) -> [UInt16] {
    values.map { UInt16(min(max($0, 0), 1) * 65_535 + 0.5) }
  }

  /// The pictures with the probability of each class.
  static func classPictures(_ stem: String, _ map: LabelMap) -> [String] {
    map.classes.enumerated().map { "\(stem)_probability_\($0)-\($1.name.asFileName).png" }
  }

  /// Samples of planes of one size, pixel by pixel.
  static func interleaved<Sample: FixedWidthInteger>(
    _ planes: [some Collection<Sample>]
  ) -> [Sample] {
    let pixels = planes.first?.count ?? 0
    return [Sample](unsafeUninitializedCapacity: pixels * planes.count) { out, count in
      for (band, plane) in planes.enumerated() {
        for (i, value) in plane.enumerated() { out[i * planes.count + band] = value }
      }
      count = pixels * planes.count
    }
  }

  /// Draws numbers from 0 to 1 over a photograph.
  static func heatMap(
    _ values: [Float], _ path: String, _ image: Image, _ title: String, _ quantity: String
  ) throws -> String {
    var heat = HeatMap(values, width: image.width, height: image.height)
    (heat.title, heat.quantity, heat.range) = (title, quantity, 0...1)
    (heat.photograph, heat.fades, heat.opacity) = (image, true, 0.8)
    // Most pixels are near 0, and differ there.
    heat.power = 0.5
    try heat.image(side: min(max(image.width, image.height, 320), 2048))
      .write(to: path, isOutput: true)
    return path
  }

  /// Writes a mask as a GeoTIFF.
  private func write(_ mask: ClassMask, to path: String, _ place: GeoReference) throws {
    try write(
      mask.classes, mask.size, .labels(palette: map.palette, missing: LabelMap.ignored), to: path,
      place)
  }

  /// Writes planes of probabilities, (H, W) each, as the bands of a GeoTIFF of 8 or 16 bits.
  private func write(
    _ planes: [ArraySlice<Float>], _ size: Size, bits: Int, to path: String, _ place: GeoReference?
  ) throws {
    let result = try TiledResult(
      path, size: size, content: .shares(bands: planes.count, bits: bits), place: place,
      subject: "", isResumed: false)
    for first in stride(from: 0, to: size.height, by: TiledResult.side) {
      let rows = first..<min(first + TiledResult.side, size.height)
      let parts = planes.map { plane in
        plane[
          plane.startIndex + rows.lowerBound * size.width..<plane.startIndex + rows.upperBound
            * size.width]
      }
      if bits == 8 {
        try result.append(Self.interleaved(parts.map(Self.bytes)))
      } else {
        try result.append(Self.interleaved(parts.map(Self.words)))
      }
    }
    try result.finish()
  }

  /// Writes bytes as a GeoTIFF.
  private func write(
    _ values: [UInt8], _ size: Size, _ content: TiledResult.Content, to path: String,
    _ place: GeoReference
  ) throws {
    let result = try TiledResult(
      path, size: size, content: content, place: place, subject: "", isResumed: false)
    let tile = TiledResult.side * size.width
    for start in stride(from: 0, to: values.count, by: tile) {
      try result.append(Array(values[start..<min(start + tile, values.count)]))
    }
    try result.finish()
  }
}

/// What cannot be made of an image.
public struct UnsupportedPrediction: Error, Sendable, Equatable, CustomStringConvertible {
  /// The image's file.
  public let file: String
  /// What was asked for.
  public let what: String
  /// Why that is not possible, and what is.
  public let reason: String

  /// The message for a person.
  public var description: String { "\(file): has no \(what): \(reason)" }
}

extension ClassProbabilities {
  /// The probabilities of a class, (H, W).
  fileprivate func plane(_ index: Int) -> ArraySlice<Float> {
    values[index * pixels..<(index + 1) * pixels]
  }

  /// Writes an array of NumPy, float16, (classes, H, W), a class at a time.
  ///
  /// - Throws: `WriteError`.
  package func writeNumPy(to path: String) throws {
    try AtomicFile.write(path) { file in
      try file.append(NumPyPlanes.header(planes: classes, size))
      var bytes = [UInt8](repeating: 0, count: 2 * pixels)
      for index in 0..<classes {
        try attempt {
          let half = Tensor(Array(plane(index)), [pixels]).to(.float16)
          bytes.withUnsafeMutableBytes { half.read(into: $0) }
        }
        try file.append(bytes)
      }
    }
  }
}

extension String {
  /// The text with nothing in it that a file's name should not have.
  fileprivate var asFileName: String {
    String(map { $0.isLetter || $0.isNumber ? $0 : "-" })
  }
}
