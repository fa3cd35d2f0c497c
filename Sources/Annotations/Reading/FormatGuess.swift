import Files

extension AnnotationFormat {
  /// The format of what lies in a folder, or of a file, by names and the beginnings of files.
  ///
  /// - Throws: ``AnnotationError`` where nothing is known.
  public init(guessing source: String) throws {
    guard let found = Self.guess(source) else {
      throw AnnotationError(
        source,
        found: FileSystem.exists(source) ? "has no annotations that are known" : "is not there",
        expected: "one of \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    self = found
  }

  /// As ``init(guessing:)``; nil where nothing is known.
  package static func guess(_ source: String) -> AnnotationFormat? {
    func has(_ name: String) -> Bool { FileSystem.exists("\(source)/\(name)") }
    guard FileSystem.isFolder(source) else { return file(source) }
    let names = FileSystem.names(in: source) ?? []
    if has("SegmentationClass") { return .voc }
    if has("label_colors.txt") {
      if has("gtFine") { return .datumaroCityscapes }
      return names.contains { $0.hasSuffix("annot") } ? .datumaroCamVid : nil
    }
    if has("meta.json") { return .supervisely }
    if names.contains(where: { $0.hasPrefix("config") && $0.fileSuffix == "json" }) {
      return .mapillary
    }
    if names.contains(where: {
      ["yaml", "yml"].contains($0.fileSuffix)
        && String(decoding: FileSystem.beginning("\(source)/\($0)", 1 << 16), as: UTF8.self)
          .contains("names:")
    }),
      has("labels") || names.contains(where: { FileSystem.isFolder("\(source)/\($0)/labels") })
    {
      return .yolo
    }
    if !ImageFinder.files(below: source, where: { $0 == "_classes.csv" }).isEmpty {
      return .roboflow
    }
    if !ImageFinder.files(below: source, where: { $0.hasSuffix("_seg.png") }).isEmpty {
      return .ade20kFull
    }
    if !ImageFinder.files(below: source, where: LabelStudioPNGFormat.isStroke).isEmpty {
      return .labelStudioPNG
    }
    let files = ImageFinder.files(below: source) { ["json", "xml"].contains($0.fileSuffix) }
    return files.lazy.compactMap(file).first
  }

  private static func file(_ path: String) -> AnnotationFormat? {
    switch path.fileSuffix {
    case "xml": return CVATFormat.isCVAT(path) ? .cvat : nil
    case "yaml", "yml": return .yolo
    case "json":
      if PanopticFormat.isPanoptic(path) { return .cocoPanoptic }
      if LabelStudioFormat.isLabelStudio(path) { return .labelStudio }
      if LabelmeFormat.isLabelme(path) { return .labelme }
      if COCOFormat.isCOCO(path) { return .coco }
      return VIAFormat.isVIA(path) ? .via : nil
    default: return nil
    }
  }
}
