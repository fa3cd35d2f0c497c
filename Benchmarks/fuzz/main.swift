// Decodes files and prints what came out of each, for fuzz.py to compare with other readers.

import CDeflate
import Foundation
import Imaging

/// The check sum that zlib calls `crc32`.
func checksum<Element>(_ elements: [Element]) -> String {
  let sum = elements.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
  return String(sum)
}

/// Reads the file as a picture and as labels; a line for each, with tabs between its parts.
func report(_ path: String) {
  let name = (path as NSString).lastPathComponent
  let budget = 1 << 26
  func line(_ kind: String, _ body: () throws -> (Size, String)) {
    do {
      let (size, sum) = try body()
      print(name, kind, "\(size.width)x\(size.height)", sum, separator: "\t")
    } catch {
      let text = "\(error)".replacingOccurrences(of: path, with: "FILE")
      print(name, kind, "error", text, separator: "\t")
    }
  }
  print(name, "begin", separator: "\t")
  fflush(nil)
  line("image") {
    let image = try Image(contentsOf: path, budget: budget, orientation: .stored)
    return (image.size, checksum(image.pixels))
  }
  line("labels") {
    let labels = try LabelImage(contentsOf: path, budget: budget)
    return (labels.size, checksum(labels.values))
  }
  line("info") {
    let info = try ImageInfo(contentsOf: path)
    return (info.storedSize, "\(info.orientation)")
  }
}

let list = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
for path in list.split(separator: "\n") { report(String(path)) }
