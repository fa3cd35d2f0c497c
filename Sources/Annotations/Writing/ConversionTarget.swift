import Files
import Foundation
import Imaging

/// What annotations can be written as.
public enum ConversionTarget: String, Sendable, CaseIterable {
  /// Images and indexed PNG files of the same names, with the section of a configuration.
  case folders
  /// COCO's JSON of polygons.
  case coco
  /// COCO's panoptic form.
  case cocoPanoptic = "coco-panoptic"
  /// labelme's JSON files.
  case labelme
  /// datumaro's Cityscapes.
  case cityscapes
  /// Ultralytics' text files.
  case yolo
  /// Pascal VOC's folders with a `labelmap.txt`, as CVAT's "Segmentation mask".
  case voc
  /// datumaro's CamVid.
  case camvid
  /// CVAT's XML "for images 1.1".
  case cvat
  /// Label Studio's JSON of polygons.
  case labelStudio = "label-studio"
  /// A project of Supervisely.
  case supervisely
  /// VGG Image Annotator's JSON.
  case via
  /// GeoJSON, a file for each image, in pixels.
  case geojson
}

/// What becomes of image files.
public enum ImageTransfer: String, Sendable, CaseIterable {
  /// They are copied.
  case copy
  /// They are linked to.
  case link
  /// They stay where they are.
  case none
}

/// How annotations are written.
public struct WritingOptions: Sendable {
  /// What becomes of image files.
  public var images = ImageTransfer.copy
  /// How far corners may be left out, in pixels; 0 gives back every pixel.
  public var simplify = 0.0
  /// The pixels that an object has at least.
  public var minimumArea = 0

  /// The usual ones: images are copied, nothing is left out.
  public init() {}
}

extension AnnotationSet {
  /// Writes the annotations for another tool.
  ///
  /// - Parameters:
  ///   - target: The form.
  ///   - folder: Where files go; it is made.
  ///   - options: How outlines and images are written.
  ///   - progress: Is told of each image that is done.
  /// - Returns: What could not be kept, in sentences.
  /// - Throws: ``AnnotationError`` and `ImageError` for what cannot be read; `WriteError` and `FolderError` for
  ///   what cannot be written.
  public func write(
    as target: ConversionTarget, to folder: String, options: WritingOptions = .init(),
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws -> [String] {
    try FileSystem.makeOutputFolder(folder)
    var writer = AnnotationWriter(self, folder, options, progress)
    try writer.write(target)
    return writer.notes
  }
}

/// Writes a set into a folder.
struct AnnotationWriter: Sendable {
  let set: AnnotationSet
  let folder: String
  let options: WritingOptions
  let progress: @Sendable (Int) -> Void
  /// What could not be kept.
  var notes: [String] = []
  /// The name of each image's file among all of them.
  let names: [String]

  init(
    _ set: AnnotationSet, _ folder: String, _ options: WritingOptions,
    _ progress: @escaping @Sendable (Int) -> Void
  ) {
    (self.set, self.folder, self.options, self.progress) = (set, folder, options, progress)
    var counts: [String: Int] = [:]
    for image in set.images { counts[image.name, default: 0] += 1 }
    names = set.images.map {
      counts[$0.name] == 1 || $0.part.isEmpty ? $0.name : "\($0.part)_\($0.name)"
    }
  }

  mutating func write(_ target: ConversionTarget) throws {
    switch target {
    case .folders: try writeFolders()
    case .coco: try writeCOCO()
    case .cocoPanoptic: try writePanoptic()
    case .labelme: try writeLabelme()
    case .cityscapes: try writeCityscapes()
    case .yolo: try writeYOLO()
    case .voc: try writeVOC()
    case .camvid: try writeCamVid()
    case .cvat: try writeCVAT()
    case .labelStudio: try writeLabelStudio()
    case .supervisely: try writeSupervisely()
    case .via: try writeVIA()
    case .geojson: try writeGeoJSON()
    }
  }

  // MARK: What all need

  /// The name of an image's file.
  func file(_ index: Int) -> String {
    let suffix = set.images[index].path.fileSuffix
    return "\(names[index]).\(suffix.isEmpty ? "png" : suffix)"
  }

  /// Brings an image to its place in the output.
  func transfer(_ index: Int, to place: String) throws {
    let source = set.images[index].path
    let path = "\(folder)/\(place)"
    try make(path.folder)
    guard options.images != .none else { return }
    guard let status = FileSystem.status(source) else {
      throw AnnotationError(
        set.images[index].file, set.images[index].name, found: "its image \(source) is not there",
        expected: "the image, or --images none")
    }
    if let other = FileSystem.status(path), other.st_ino == status.st_ino,
      other.st_dev == status.st_dev
    {
      return
    }
    if options.images == .link {
      FileSystem.remove(path)
      if FileSystem.link(source, to: path) == 0 { return }
    }
    guard let bytes = FileSystem.contents(source) else {
      throw AnnotationError(source, found: "cannot be read", expected: "an image")
    }
    try AtomicFile.write(path, bytes)
  }

  /// Makes a folder.
  func make(_ path: String) throws {
    let code = FileSystem.makeFolder(path)
    guard code == 0 else { throw FolderError(path, reason: FileSystem.reason(code)) }
  }

  /// Writes a text file.
  func write(_ text: String, to place: String) throws {
    let path = "\(folder)/\(place)"
    try make(path.folder)
    try AtomicFile.write(path, Array(text.utf8))
  }

  /// The objects of an image that are large enough.
  func outlines(_ index: Int) throws -> (size: Size, outlines: [Outline]) {
    let (size, all) = try set.outlines(of: set.images[index])
    return (size, large(all))
  }

  /// A ring with fewer corners, where that is asked for.
  func ring(_ cells: [Cell], shift: Double = 0) -> [Point] {
    Rings.simplified(
      cells.map { Point(Double($0.x) + shift, Double($0.y) + shift) }, options.simplify)
  }

  /// One ring along the sides of a region's pixels.
  func slit(_ region: Region) -> [Point] {
    guard options.simplify > 0 else { return ring(Rings.slit(region)) }
    // Simplified before they are joined, so that slits stay what they are.
    let (outer, holes) = simplified(region)
    var ring = outer
    for hole in holes {
      guard let start = hole.first, let end = ring.first else { continue }
      ring.insert(contentsOf: hole + [start, end], at: 1)
    }
    return ring
  }

  /// The rings of a region with fewer corners; holes that have no area left are closed.
  func simplified(_ region: Region) -> (outer: [Point], holes: [[Point]]) {
    let (outer, holes) = region.rings
    return (ring(outer), holes.map { ring($0) })
  }

  /// The colour of each class: its own, or that of its place in Pascal VOC's map which no other has.
  func colors(avoiding used: [Color] = []) -> [Color] {
    var taken = Set(set.classes.compactMap(\.color) + used)
    var seen: Set<Color> = Set(used)
    return set.classes.map { entry in
      if let color = entry.color, seen.insert(color).inserted { return color }
      var index = 1
      while taken.contains(ColorTable.palette(index % 256)), index < 256 { index += 1 }
      var color = ColorTable.palette(index % 256)
      // More than 256 are never asked for; a free colour is found among all of them.
      var number = 0
      while taken.contains(color), number < 1 << 12 {
        number += 1
        color = Color(
          UInt8(number & 15) * 16, UInt8(number >> 4 & 15) * 16, UInt8(number >> 8) * 16)
      }
      taken.insert(color)
      seen.insert(color)
      return color
    }
  }

  /// The images of each part, with the part's name; that of images without one is `unnamed`.
  func parts(unnamed: String) -> [(name: String, images: [Int])] {
    set.parts.map { part in
      (part.isEmpty ? unnamed : part, set.images.indices.filter { set.images[$0].part == part })
    }
  }
}
