import Foundation
import Imaging
import Testing

@testable import Annotations

/// Damaged files of every format: an error, or annotations; never the end of the process.
@Suite("Hostile annotations")
struct HostileTests {
  /// The mutations of each export; `Benchmarks/fuzz/annotations.sh` asks for more.
  static let count = ProcessInfo.processInfo.environment["ATROUS_FUZZ"].flatMap { Int($0) } ?? 40

  @Test(
    "Mutations of each format end in an error that names its file, or in masks",
    .enabled(if: exports != nil, "shared/annotations is not there"),
    arguments: ExportTests.folders)
  func mutations(_ name: String) throws {
    let source = "\(try #require(exports))/\(name)"
    let root = NSTemporaryDirectory() + "hostile-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    try FileManager.default.copyItem(atPath: source, toPath: root)
    try mutate(root, name)
  }

  @Test(
    "Mutations of formats without an export, too", arguments: ["via3", "cvat-video"])
  func samples(_ name: String) throws {
    let root = NSTemporaryDirectory() + "hostile-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    try FileManager.default.createDirectory(
      atPath: "\(root)/images", withIntermediateDirectories: true)
    for (file, text) in name == "via3" ? Samples.via3 : Samples.video {
      try text.write(toFile: "\(root)/\(file)", atomically: true, encoding: .utf8)
    }
    for picture in name == "via3" ? ["a", "b"] : (0...8).map({ "frame_00000\($0)" }) {
      try LabelImage(width: 30, height: 20, values: Array(repeating: 0, count: 600)).writePNG(
        to: "\(root)/images/\(picture).png")
    }
    try mutate(root, name)
  }

  /// Changes files of text in a folder, one at a time, and reads the folder.
  private func mutate(_ root: String, _ name: String) throws {
    let format = try AnnotationFormat(guessing: root)
    let texts = ["json", "xml", "txt", "csv", "yaml"]
    let files = try FileManager.default.subpathsOfDirectory(atPath: root).sorted().filter { path in
      texts.contains { path.hasSuffix(".\($0)") } && !path.hasSuffix("README.dataset.txt")
    }
    var draws = Draws(name.count)
    var (refused, read) = (0, 0)
    for _ in 0..<Self.count {
      let path = "\(root)/\(files[Int.random(in: 0..<files.count, using: &draws)])"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try mutated(whole, &draws).write(to: URL(fileURLWithPath: path))
      do {
        let set = try AnnotationSet(contentsOf: root, format: format)
        for image in set.images { _ = try set.mask(of: image) }
        read += 1
      } catch {
        refused += 1
        let text = "\(error)"
        #expect(text.contains(root), "\(text)")
        #expect(!text.contains("Swift.") && !text.contains("NSCocoa"), "\(text)")
      }
      try whole.write(to: URL(fileURLWithPath: path))
    }
    #expect(refused + read == Self.count)
  }

  /// Bytes with one thing changed.
  private func mutated(_ data: Data, _ draws: inout Draws) -> Data {
    var bytes = [UInt8](data)
    guard !bytes.isEmpty else { return data }
    let place = Int.random(in: 0..<bytes.count, using: &draws)
    switch Int.random(in: 0..<7, using: &draws) {
    case 0: bytes[place] = UInt8.random(in: 0...255, using: &draws)
    case 1: bytes.removeSubrange(place...)
    case 2:
      bytes.removeSubrange(place..<min(place + Int.random(in: 1...20, using: &draws), bytes.count))
    case 3: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
    default:
      // A number becomes another.
      guard let digit = bytes[place...].firstIndex(where: { (48...57).contains($0) }) else { break }
      let end = bytes[digit...].firstIndex { !(48...57).contains($0) } ?? bytes.count
      let others = [
        "-1", "0", "1e9", "99999999999999999999", "1.5", "4294967296", "-0.5", "1e400", "NaN",
        "65536", "\"\"", "null",
      ]
      bytes.replaceSubrange(
        digit..<end, with: Array(others[Int.random(in: 0..<others.count, using: &draws)].utf8))
    }
    return Data(bytes)
  }
}
