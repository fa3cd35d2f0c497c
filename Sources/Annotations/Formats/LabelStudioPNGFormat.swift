import Files
import Foundation
import Imaging

/// Label Studio's PNG files of brushes, `task-T-annotation-A-by-U-FROM-LABEL-N.png`, with the JSON of the same export,
/// which says which image a task is.
enum LabelStudioPNGFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let strokes = ImageFinder.files(below: source) { isStroke($0) }
    guard !strokes.isEmpty else {
      throw AnnotationError(
        source, found: "has no task-….png", expected: "Label Studio's brushes as PNG")
    }
    let jsons = ImageFinder.files(below: source) { $0.fileSuffix == "json" }.filter(
      LabelStudioFormat.isLabelStudio)
    guard let file = jsons.first else {
      throw AnnotationError(
        source, found: "has no JSON of the export",
        expected: "one beside the PNG files, which says the image of each task")
    }
    let tree = try JSONTree(contentsOf: file)
    var numbers = try LabelStudioFormat.configured(source, file, options)
    var controls: Set<String> = []
    let tasks = try tree.list("a list of tasks")
    for task in tasks {
      for annotation in try task["annotations"]?.list("annotations") ?? [] {
        for result in try annotation["result"]?.list("results") ?? [] {
          if let name = result["from_name"]?.string { controls.insert(name) }
        }
      }
    }
    var byTask: [Int: [(path: String, name: String)]] = [:]
    for path in strokes {
      let (task, rest) = try parsed(path)
      let control = controls.filter { rest.hasPrefix("\($0)-") }.max { $0.count < $1.count }
      guard let control else {
        throw AnnotationError(
          path, found: "names no control of the export",
          expected: "one of \(controls.sorted().joined(separator: ", "))")
      }
      var label = String(rest.dropFirst(control.count + 1))
      if let dash = label.lastIndex(of: "-"), Int(label[label.index(after: dash)...]) != nil {
        label = String(label[..<dash])
      }
      byTask[task, default: []].append((path, label))
    }
    for name in Set(byTask.values.flatMap { $0.map(\.name) }).sorted() where numbers[name] == nil {
      // A class whose name the file system could not hold was written with dashes.
      if !numbers.classes.contains(where: { sanitized($0.name) == name }) { _ = numbers.add(name) }
    }
    let finder = ImageFinder(
      below: source, first: ["\(source)/images", "\(file.folder)/images"], options)
    let images = try tasks.map { task in
      let name = try LabelStudioFormat.image(of: task)
      let id = try task.required("id", "a number").int("a number")
      let files = (byTask.removeValue(forKey: id) ?? []).map { stroke in
        let label =
          numbers[stroke.name] ?? numbers.classes.firstIndex { sanitized($0.name) == stroke.name }
        return (path: stroke.path, coding: LabelPictures.Coding.stroke(label ?? Shape.ignored))
      }
      return AnnotationSet.Image(
        name: name.withoutEnding, path: finder.path(name), file: file,
        content: files.isEmpty ? .nothing : .pictures(LabelPictures(files: files)))
    }
    if let (id, files) = byTask.min(by: { $0.key < $1.key }) {
      throw AnnotationError(
        files[0].path, found: "is of the task \(id)", expected: "a task of \(file)")
    }
    return AnnotationSet(.labelStudioPNG, classes: numbers.classes, images: images, rule: .coco)
  }

  static func isStroke(_ name: String) -> Bool {
    name.hasPrefix("task-") && name.hasSuffix(".png") && name.contains("-annotation-")
  }

  private static func sanitized(_ name: String) -> String {
    name.replacing("/", with: "-").replacing("\\", with: "-")
  }

  /// The task's number, and what follows the annotator.
  private static func parsed(_ path: String) throws -> (Int, String) {
    let fields = path.lastPart.withoutEnding.split(
      separator: "-", maxSplits: 6, omittingEmptySubsequences: false)
    guard fields.count == 7, fields[0] == "task", let task = Int(fields[1]),
      fields[2] == "annotation",
      fields[4] == "by"
    else {
      throw AnnotationError(
        path, found: "is named otherwise",
        expected: "task-T-annotation-A-by-USER-CONTROL-LABEL-N.png")
    }
    return (task, String(fields[6]))
  }
}
