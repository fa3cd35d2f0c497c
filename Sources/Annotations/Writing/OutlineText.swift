import Imaging

extension OutlineWriter {
  /// The regions of a mask as GeoJSON in pixels, whose ignored pixels are ``AnnotationSet/ignoredValue``.
  ///
  /// - Parameter classes: The classes of masks.
  /// - Throws: Nothing that can be met without a place on earth.
  public static func geoJSON(
    _ mask: LabelImage, classes: [(name: String, color: Color)], options: WritingOptions = .init()
  ) throws -> String {
    let set = AnnotationSet(
      .voc, classes: classes.map { .init($0.name, $0.color) }, images: [], rule: .coco)
    let writer = AnnotationWriter(set, "", options) { _ in }
    return try writer.geoJSON(writer.large(AnnotationSet.outlines(of: mask)))
  }
}
