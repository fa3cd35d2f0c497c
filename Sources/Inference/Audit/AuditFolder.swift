import Annotations
import Datasets
import Evaluation
import Files
import Imaging

/// The folder that an audit leaves.
struct AuditFolder {
  let path: String

  /// The folder at `path`, which is made with what is above it.
  ///
  /// - Throws: `FolderError`.
  init(_ path: String) throws {
    self.path = path
    try FileSystem.makeOutputFolder("\(path)/predictions")
  }

  private func prediction(_ name: String) -> String { "\(path)/predictions/\(name).png" }

  /// Keeps the classes that the network finds in an image.
  ///
  /// - Throws: `ImageError`.
  func keep(_ prediction: ClassMask, name: String, _ map: LabelMap) throws {
    try prediction.writePNG(to: self.prediction(name), palette: map.palette)
  }

  /// Writes the page and the JSON.
  ///
  /// - Throws: `ImageError`, `WriteError`, and what `load` throws.
  func write(
    _ audit: LabelAudit, _ map: LabelMap, shown: Int, load: (_ index: Int) throws -> Sample
  ) throws {
    var page = AuditPage(audit, map)
    let chosen = audit.regions.prefix(shown)
    // Image by image, so that each is decoded once.
    for (index, regions) in Dictionary(grouping: chosen.indices, by: { chosen[$0].index })
      .sorted(by: { $0.key < $1.key })
    {
      let sample = try load(index)
      let found = try ClassMask(contentsOf: prediction(sample.name))
      for place in regions { try page.add(place, sample, found) }
    }
    try AtomicFile.write("\(path)/audit.json", audit.json())
    try AtomicFile.write("\(path)/index.html", Array(page.text.utf8))
  }

  /// Writes the labels of images with regions that are marked, for a tool: as they are, but for those regions, which
  /// have the class that the network finds with a question mark, `car?`.
  ///
  /// - Throws: `AnnotationError`, `ImageError`, `WriteError`.
  func writeAnnotations(
    _ audit: LabelAudit, _ map: LabelMap, _ target: ConversionTarget, marked: Int,
    _ sources: [(dataset: any Dataset, index: Int)]
  ) throws {
    let byImage = Dictionary(grouping: audit.regions.prefix(marked), by: \.index)
    let asked = Set(byImage.values.joined().map(\.found)).sorted()
    let classes =
      map.classes.map { AnnotationSet.Class($0.name, $0.color) }
      + asked.map { AnnotationSet.Class("\(map.classes[$0].name)?", nil) }
    let images = byImage.sorted { $0.key < $1.key }.map { index, regions in
      let (dataset, place) = sources[index]
      let item = dataset.item(place)
      return AnnotationSet.Image(
        name: item.name, path: item.imagePath, file: item.labelPath ?? item.imagePath,
        content: .mask {
          guard let mask = try dataset.loadMask(place) else { return nil }
          var values = mask.classes.map {
            $0 == LabelMap.ignored ? AnnotationSet.ignoredValue : UInt16($0)
          }
          for region in regions {
            let value = UInt16(map.count + (asked.firstIndex(of: region.found) ?? 0))
            for run in region.runs {
              let start = run.y * mask.width + run.x
              values.replaceSubrange(
                start..<start + run.count, with: repeatElement(value, count: run.count))
            }
          }
          return LabelImage(width: mask.width, height: mask.height, values: values)
        })
    }
    let set = AnnotationSet(.voc, classes: classes, images: images, rule: .coco)
    _ = try set.write(as: target, to: "\(path)/annotations")
  }
}
