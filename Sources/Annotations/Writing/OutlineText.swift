import Imaging

extension OutlineWriter {
  /// The regions of a mask as GeoJSON in pixels, whose ignored pixels are ``AnnotationSet/ignoredValue``.
  ///
  /// - Parameters:
  ///   - mask: The classes of pixels.
  ///   - classes: The classes of masks.
  ///   - options: How exactly outlines are written.
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
