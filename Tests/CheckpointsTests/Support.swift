import Checkpoints
import Foundation
import Testing
import Torch

/// A file that `Fixtures/make.py` wrote.
func fixture(_ name: String) -> String {
  Bundle.module.bundleURL.appending(path: "Fixtures").appending(path: name).path
}

/// A folder that is there while `body` runs.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "atrous-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

/// What opening a file with this content says; nil if it opens.
func refusal(_ bytes: [UInt8], as name: String = "file") throws -> WeightFileError? {
  try withTemporaryFolder { folder in
    let path = "\(folder)/\(name)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    do {
      _ = try WeightFile.open(path)
      return nil
    } catch let error as WeightFileError {
      #expect(error.description.contains(path))
      return error
    }
  }
}

extension WeightFile {
  /// The elements of a tensor, whatever its type.
  func values(_ name: String) throws -> [Double] {
    try tensor(name).to(.float64).values(Double.self)
  }
}

/// 0, 1, 2, … as the fixtures count.
func counting(_ count: Int) -> [Double] { (0..<count).map(Double.init) }

/// The most memory that the process has had so far, as Linux says it.
var peakMemory: String? {
  // Only Linux has the file.
  (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?  // may fail: so
    .split(separator: "\n").first { $0.hasPrefix("VmHWM") }
    .map { $0.dropFirst("VmHWM:".count).trimmingCharacters(in: .whitespaces) }
}
