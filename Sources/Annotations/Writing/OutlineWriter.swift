import Files
import Foundation
import Imaging

/// A form in which what a network found is given to a tool.
public enum OutlineForm: String, Sendable, CaseIterable {
  /// A GeoJSON file for each image: in longitude and latitude where the image has a place on earth, else in
  /// pixels.
  case geojson
  /// The same in the coordinates of the image's own system.
  case projected = "geojson-projected"
  /// One JSON of COCO's for all images.
  case coco
  /// A JSON of labelme's for each image.
  case labelme
  /// One JSON of Label Studio's predictions for all images, with the labelling configuration.
  case labelStudio = "label-studio"
}

/// Writes masks as outlines, one image after the other.
public struct OutlineWriter: Sendable {
  private let form: OutlineForm
  private let folder: String
  private var writer: AnnotationWriter
  /// The entries of a file for all images.
  private var images: [String] = [], entries: [String] = []
  private var names: [String] = []

  /// A writer into a folder that is there.
  ///
  /// - Parameters:
  ///   - form: The form of the files.
  ///   - folder: Where they go.
  ///   - classes: The classes of masks, with the colours that tools show.
  ///   - options: How exactly outlines are written.
  public init(
    _ form: OutlineForm, in folder: String, classes: [(name: String, color: Color)],
    options: WritingOptions = .init()
  ) {
    (self.form, self.folder) = (form, folder)
    let set = AnnotationSet(
      .voc, classes: classes.map { .init($0.name, $0.color) }, images: [], rule: .coco)
    writer = AnnotationWriter(set, folder, options) { _ in }
  }

  /// Writes the regions of a mask, whose ignored pixels are ``AnnotationSet/ignoredValue``.
  ///
  /// - Parameters:
  ///   - mask: The classes of pixels.
  ///   - file: The image's file.
  ///   - skipping: A class that is not outlined, such as a background.
  ///   - place: Where the image lies on earth, for GeoJSON.
  ///   - score: How sure the network is of a class at a pixel, 0 to 1; nil where that is not known.
  /// - Returns: The file that was written now, if there was one.
  /// - Throws: `WriteError`, `ImageError`, `GeographicError` for a place in a system that is not known.
  public mutating func add(
    _ mask: LabelImage, of file: String, skipping: Int? = nil, place: GeoReference? = nil,
    score: ((Int, Int) -> Double)? = nil
  ) throws -> String? {
    var outlines = AnnotationSet.outlines(of: mask).filter { $0.label != skipping }
    outlines = writer.large(outlines)
    if let score {
      for i in outlines.indices { outlines[i].score = Self.mean(score, over: outlines[i]) }
    }
    let name = file.fileName
    switch form {
    case .geojson, .projected:
      let suffix = form == .projected ? "_projected" : ""
      let path = "\(folder)/\(file.fileStem)\(suffix).geojson"
      let map = try place.map { try OutlineMap($0, isProjected: form == .projected) }
      try writer.write(writer.geoJSON(outlines, on: map), to: path.fileName)
      return path
    case .labelme:
      let path = "\(folder)/\(file.fileStem).json"
      let place = Self.place(of: file, from: folder)
      try writer.write(writer.labelmeText(outlines, place, mask.size), to: path.fileName)
      return path
    case .coco:
      let id = images.count + 1
      images.append(AnnotationWriter.cocoImage(id, name, mask.size))
      for outline in outlines {
        entries.append(writer.cocoAnnotation(outline, id: entries.count + 1, image: id))
      }
      return nil
    case .labelStudio:
      entries.append(
        writer.labelStudioTask(outlines, name, mask.size, id: entries.count + 1, isPrediction: true)
      )
      return nil
    }
  }

  /// Writes the file for all images, where the form has one.
  ///
  /// - Returns: The files.
  public func finish() throws -> [String] {
    switch form {
    case .geojson, .projected: return []
    case .labelme:
      try writer.writeLabels()
      return ["\(folder)/labels.txt"]
    case .coco:
      try writer.write(writer.cocoText(images, entries), to: "coco.json")
      return ["\(folder)/coco.json"]
    case .labelStudio:
      try writer.write("[\n\(entries.joined(separator: ",\n"))\n]\n", to: "label-studio.json")
      try writer.write(writer.labelStudioConfiguration(), to: "label_config.xml")
      return ["\(folder)/label-studio.json", "\(folder)/label_config.xml"]
    }
  }

  /// The mean over the pixels of an object.
  private static func mean(_ score: (Int, Int) -> Double, over outline: Outline) -> Double {
    var (sum, count) = (0.0, 0)
    for region in outline.regions {
      for (x, y) in region.pixels {
        sum += score(x, y)
        count += 1
      }
    }
    return count == 0 ? 0 : sum / Double(count)
  }

  /// The path of a file as seen from a folder.
  static func place(of file: String, from folder: String) -> String {
    let (path, start) = (
      URL(fileURLWithPath: file).standardizedFileURL.pathComponents,
      URL(fileURLWithPath: folder).standardizedFileURL.pathComponents
    )
    let shared = zip(path, start).prefix { $0 == $1 }.count
    return (Array(repeating: "..", count: start.count - shared) + path[shared...]).joined(
      separator: "/")
  }
}

extension AnnotationWriter {
  /// The objects without regions that are too small.
  func large(_ all: [Outline]) -> [Outline] {
    guard options.minimumArea > 0 else { return all }
    return all.compactMap { outline in
      var outline = outline
      outline.regions.removeAll { $0.area < options.minimumArea }
      return outline.regions.isEmpty ? nil : outline
    }
  }
}

extension Region {
  /// The pixels of the region, row by row.
  var pixels: [(x: Int, y: Int)] {
    // The sides that cross each row's middle, between which every second stretch belongs.
    var crossings: [Int: [Int]] = [:]
    for ring in [outline] + inner {
      for i in ring.indices {
        let (a, b) = (ring[i], ring[(i + 1) % ring.count])
        guard a.x == b.x else { continue }
        for y in min(a.y, b.y)..<max(a.y, b.y) { crossings[y, default: []].append(a.x) }
      }
    }
    return crossings.sorted { $0.key < $1.key }.flatMap { y, xs in
      let xs = xs.sorted()
      return stride(from: 0, to: xs.count - 1, by: 2).flatMap { i in
        (xs[i]..<xs[i + 1]).map { ($0, y) }
      }
    }
  }
}
