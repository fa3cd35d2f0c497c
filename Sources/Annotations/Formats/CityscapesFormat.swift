import Files
import Imaging

/// datumaro's Cityscapes: `gtFine/PART/NAME_gtFine_labelIds.png`, whose ids are the places in
/// `label_colors.txt` from 1 on; 0 is unlabelled where the table has no background.
enum CityscapesFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let table = "\(source)/label_colors.txt"
    guard FileSystem.exists(table) else {
      throw AnnotationError(
        source, found: "has no label_colors.txt",
        expected:
          "one, as datumaro writes it; the set of the benchmark itself is read as 'cityscapes'")
    }
    let (classes, colors, values, background) = try ColorTable(contentsOf: table).meanings(
      black: .unlabelled)
    let coding = LabelPictures.Coding.values(values, colors: colors)
    let root = "\(source)/leftImg8bit"
    var images: [AnnotationSet.Image] = []
    for path in ImageFinder.pictures(below: options.images ?? root) {
      let place = relative(path, to: options.images ?? root).withoutEnding
      let name =
        place.hasSuffix("_leftImg8bit") ? String(place.dropLast("_leftImg8bit".count)) : place
      let part = part(of: name.withoutLastPart)
      let mask = ["labelIds", "color"].map { "\(source)/gtFine/\(name)_gtFine_\($0).png" }
        .first(where: FileSystem.exists)
      images.append(
        .init(
          name: name.lastPart, path: path, part: part, file: mask ?? table,
          content: mask.map { .pictures(LabelPictures(files: [($0, coding)])) } ?? .nothing))
    }
    return AnnotationSet(
      .datumaroCityscapes, classes: classes, images: images, rule: .coco, background: background)
  }
}
