import Files
import Foundation
import Imaging

/// ADE20K's full encoding, of 2017 and of 2021: `NAME_seg.png`, in which (R // 10) · 256 + G is the class, counted
/// from 1, and 0 is unlabelled.
///
/// The names are those of a `name_index.txt` (`number name` a line), of the JSON files of 2021, or of the
/// `_atr.txt` of 2017, whose instances are numbered by the rank of B.
enum ADE20KFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let ending = "_seg.png"
    let masks = ImageFinder.files(below: source) { $0.hasSuffix(ending) }
    guard !masks.isEmpty else {
      throw AnnotationError(source, found: "has no NAME_seg.png", expected: "ADE20K's full set")
    }
    let stems = masks.map { String($0.dropLast(ending.count)) }
    let names = try names(source, stems)
    var (classes, indices): ([AnnotationSet.Class], [Int: Int]) = ([], [0: Shape.ignored])
    var numbers: [String: Int] = [:]
    for (index, name) in names {
      // Several indices may have one name.
      let number = numbers[name] ?? classes.count
      if number == classes.count { classes.append(.init(name)) }
      (numbers[name], indices[index]) = (number, number)
    }
    let images = zip(stems, masks).map { stem, mask in
      AnnotationSet.Image(
        name: relative(stem, to: source),
        path: ["jpg", "JPG", "png"].map { "\(stem).\($0)" }.first(where: FileSystem.exists)
          ?? "\(stem).jpg",
        part: part(of: relative(stem, to: source).withoutLastPart), file: mask,
        content: .pictures(LabelPictures(files: [(mask, .ade(indices))])))
    }
    return AnnotationSet(.ade20kFull, classes: classes, images: images, rule: .coco)
  }

  /// The indices with their names in the order of the classes.
  private static func names(_ source: String, _ stems: [String]) throws -> [(Int, String)] {
    let list = "\(source)/name_index.txt"
    if FileSystem.exists(list) { return try listed(list) }
    var names: [Int: (name: String, file: String)] = [:]
    func add(_ index: Int, _ name: String, _ file: String, _ entry: String) throws {
      if let other = names[index], other.name != name {
        throw AnnotationError(
          file, entry,
          found:
            "the index \(index) is \(quoted(name)), in \(other.file) it is \(quoted(other.name))",
          expected: "one name in all files")
      }
      names[index] = names[index] ?? (name, file)
    }
    for stem in stems {
      let (json, text) = ("\(stem).json", "\(stem)_atr.txt")
      if FileSystem.exists(json) {
        let tree = try JSONTree(contentsOf: json, isLatin: true)
        let objects = try tree.required("annotation", "an image").required("object", "objects")
        for entry in objects.isList ? try objects.list("objects") : [objects] {
          let index = try entry.required("name_ndx", "a number").int(
            "a number from 0 to 6655", in: 0...6655)
          if index > 0 {
            try add(index, entry.required("name", "a name").text(), json, entry.place)
          }
        }
      } else if FileSystem.exists(text) {
        for (index, name) in try ranked(text, "\(stem)_seg.png") {
          try add(index, name, text, name)
        }
      }
    }
    guard !names.isEmpty else {
      throw AnnotationError(
        source, found: "names no class",
        expected: "name_index.txt, or a JSON or _atr.txt by each image")
    }
    return names.sorted { $0.key < $1.key }.map { ($0.key, $0.value.name) }
  }

  private static func listed(_ file: String) throws -> [(Int, String)] {
    guard let text = FileSystem.text(file) else {
      throw AnnotationError(file, found: "cannot be read", expected: "`number name` a line")
    }
    return try text.split(whereSeparator: \.isNewline).enumerated().map { number, line in
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let index = Int(words[0]), (1...6655).contains(index) else {
        throw AnnotationError(
          file, "line \(number + 1)", found: "is \(quoted(line))",
          expected: "a number from 1 to 6655 and a name")
      }
      return (index, String(words[1]).trimmingSpaces)
    }
  }

  /// The index of each name of the whole objects, by the rank of B in the picture.
  private static func ranked(_ text: String, _ mask: String) throws -> [(Int, String)] {
    guard let bytes = FileSystem.contents(text) else {
      throw AnnotationError(text, found: "cannot be read", expected: "a line for each object")
    }
    let content =
      String(validating: bytes, as: UTF8.self)
      ?? String(String.UnicodeScalarView(bytes.map { UnicodeScalar($0) }))
    var names: [Int: String] = [:]
    for line in content.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: "#", omittingEmptySubsequences: false).map {
        String($0).trimmingSpaces
      }
      guard fields.count >= 5, let number = Int(fields[0]), Int(fields[1]) == 0 else { continue }
      names[number] = fields[4]
    }
    let picture = try Image(contentsOf: mask, orientation: .stored)
    var indices: [UInt8: Int] = [:]
    for i in stride(from: 0, to: picture.pixels.count, by: 3) {
      let blue = picture.pixels[i + 2]
      if indices[blue] == nil {
        indices[blue] = Int(picture.pixels[i]) / 10 * 256 + Int(picture.pixels[i + 1])
      }
    }
    let ranks = indices.keys.filter { $0 > 0 }.sorted()
    return ranks.enumerated().compactMap { rank, blue in
      names[rank + 1].flatMap { name in indices[blue].map { ($0, name) } }
    }
  }
}
