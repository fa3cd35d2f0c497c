import Files
import Imaging

/// Mapillary Vistas, with its classes in a `config_v….json`.
///
/// Read are `labels`, or else the 16-bit `instances` (class · 256 + instance). Classes that are not evaluated count nowhere.
enum MapillaryFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let config = (FileSystem.names(in: source) ?? []).last {
      $0.hasPrefix("config") && $0.fileSuffix == "json"
    }
    guard let config else {
      throw AnnotationError(
        source, found: "has no config_v….json", expected: "the classes of Mapillary Vistas")
    }
    let file = "\(source)/\(config)"
    var numbers = ClassNumbers(options)
    var values: [UInt16: Int] = [:]
    let tree = try JSONTree(contentsOf: file)
    for (index, entry) in try tree.required("labels", "classes").list("a list of classes")
      .enumerated()
    {
      guard index < 256 else {
        throw entry.error(found: "is the class \(index)", expected: "at most 255")
      }
      let name = try (entry["readable"] ?? entry.required("name", "a name")).text()
      var isEvaluated = true
      if let given = entry["evaluate"], case .bool(let value) = given.value { isEvaluated = value }
      let levels = try entry["color"]?.numbers("three levels from 0 to 255", in: 0...255)
      let color = levels.flatMap {
        $0.count == 3 ? Color(UInt8($0[0]), UInt8($0[1]), UInt8($0[2])) : nil
      }
      values[UInt16(index)] =
        isEvaluated
        ? try numbers.add(name, id: index, color: color, file: file, entry: entry.place)
        : Shape.ignored
    }
    var images: [AnnotationSet.Image] = []
    let version = config.withoutEnding.split(separator: "_").last.map(String.init) ?? ""
    for split in FileSystem.names(in: source) ?? []
    where FileSystem.isFolder("\(source)/\(split)/images") {
      let folder = "\(source)/\(split)"
      for name in ImageFinder.pictures(in: "\(folder)/images") {
        let stem = name.withoutEnding
        func file(_ kind: String) -> String? {
          ["\(folder)/\(version)/\(kind)", "\(folder)/\(kind)"].map { "\($0)/\(stem).png" }
            .first(where: FileSystem.exists)
        }
        let content: AnnotationSet.Content =
          if let labels = file("labels") {
            .pictures(LabelPictures(files: [(labels, .values(values, colors: [:]))]))
          } else if let instances = file("instances") {
            .pictures(LabelPictures(files: [(instances, .shifted(8, values))]))
          } else {
            .nothing
          }
        images.append(
          .init(
            name: stem, path: "\(folder)/images/\(name)", part: part(of: split),
            file: "\(source)/\(config)",
            content: content))
      }
    }
    return AnnotationSet(.mapillary, classes: numbers.classes, images: images, rule: .coco)
  }
}
