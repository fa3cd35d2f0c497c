import Files
import Foundation
import Imaging

/// datumaro's CamVid: `label_colors.txt`, and for each part a list of images and coloured pictures.
///
/// Where the table has no line for black, black is unlabelled, and line k is class k.
enum CamVidFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let (classes, colors, values, background) = try ColorTable(
      contentsOf: "\(source)/label_colors.txt"
    ).meanings(black: .unlabelled)
    let coding = LabelPictures.Coding.values(values, colors: colors)
    var images: [AnnotationSet.Image] = []
    for list in (FileSystem.names(in: source) ?? []) where list.fileSuffix == "txt" {
      guard list != "label_colors.txt",
        FileSystem.isFolder("\(source)/\(list.fileStem)annot")
          || FileSystem.isFolder("\(source)/\(list.fileStem)")
      else { continue }
      let file = "\(source)/\(list)"
      guard let text = FileSystem.text(file) else {
        throw AnnotationError(file, found: "cannot be read", expected: "two paths a line")
      }
      for (number, line) in text.split(
        omittingEmptySubsequences: false, whereSeparator: \.isNewline
      )
      .enumerated() where !String(line).trimmingSpaces.isEmpty {
        images.append(
          try image(String(line), number + 1, file, source, list.fileStem, coding))
      }
    }
    return AnnotationSet(
      .datumaroCamVid, classes: classes, images: images, rule: .coco, background: background)
  }

  private static func image(
    _ line: String, _ number: Int, _ file: String, _ source: String, _ list: String,
    _ coding: LabelPictures.Coding
  ) throws -> AnnotationSet.Image {
    // Names may hold spaces: what separates the two is the space before the folder of labels.
    let folder = "\(list)annot/"
    let (first, second): (String, String)
    if let place = line.range(of: " \(folder)") ?? line.range(of: " /\(folder)") {
      (first, second) = (
        String(line[..<place.lowerBound]), String(line[place.lowerBound...]).trimmingSpaces
      )
    } else {
      (first, second) = (line.trimmingSpaces, "")
    }
    func inside(_ path: String) throws -> String {
      let plain = path.split(separator: "/").joined(separator: "/")
      guard !plain.isEmpty, !plain.split(separator: "/").contains("..") else {
        throw AnnotationError(
          file, "line \(number)", found: "names \(quoted(path))",
          expected: "paths within the folder")
      }
      return "\(source)/\(plain)"
    }
    let path = try inside(first)
    let content: AnnotationSet.Content
    if second.isEmpty {
      content = .nothing
    } else {
      let mask = try inside(second)
      guard FileSystem.exists(mask) else {
        throw AnnotationError(
          file, "line \(number)", found: "names \(mask), which is not there", expected: "a PNG")
      }
      content = .pictures(LabelPictures(files: [(mask, coding)]))
    }
    return .init(
      name: path.lastPart.withoutEnding, path: path, part: part(of: list), file: file,
      content: content)
  }
}
