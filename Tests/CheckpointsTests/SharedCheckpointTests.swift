import Checkpoints
import Foundation
import TestSupport
import Testing

/// The folder of files as training scripts write them, if it is there.
private let folder: String? = {
  let folder = "\(shared)/checkpoints"
  if FileManager.default.fileExists(atPath: folder) { return folder }
  print("\(folder) is not there: tests of others' checkpoints are skipped")
  return nil
}()

@Suite("Files that libraries wrote, beside the package", .enabled(if: folder != nil))
struct SharedCheckpointTests {
  private struct Expected: Decodable {
    struct Tensor: Decodable { let shape: [Int], dtype: String, sum: Double }
    let tensors: [String: Tensor]
    let ema: [String: Tensor]?
  }

  private static func names() -> [String] {
    guard let folder else { return [] }
    // Nothing is there without the shared files.
    let found = try? FileManager.default.contentsOfDirectory(atPath: folder)  // may fail: so
    let files = found ?? []
    return files.filter { $0.hasSuffix(".json") && !$0.hasSuffix(".tflite.json") }
      .map { String($0.dropLast(".json".count)) }.sorted()
  }

  private func expect(_ file: WeightFile, _ tensors: [String: Expected.Tensor]) throws {
    let listing = try WeightListing(file)
    #expect(Set(listing.tensors.keys) == Set(tensors.keys))
    for (name, tensor) in tensors {
      let found = try #require(listing.tensors[name])
      #expect(found.shape == tensor.shape && found.dtype == tensor.dtype, "\(name)")
      #expect(abs(found.sum - tensor.sum) <= 1e-6 * max(abs(tensor.sum), 1e-6), "\(name)")
    }
  }

  @Test("list the same names, shapes, types and sums", arguments: names())
  func listing(_ name: String) throws {
    let path = "\(try #require(folder))/\(name)"
    let data = try #require(FileManager.default.contents(atPath: path + ".json"))
    let expected = try JSONDecoder().decode(Expected.self, from: data)
    try expect(try WeightFile.open(path, unwrapping: false), expected.tensors)
    if let ema = expected.ema {
      try expect(try WeightFile.open(path, part: "state_dict_ema", unwrapping: false), ema)
    }
  }

  @Test("the network of TensorFlow Lite has the names and shapes of its table")
  func lite() throws {
    let name = "deeplabv3_257_mv_gpu.tflite"
    let file = try WeightFile.open("\(try #require(folder))/\(name)")
    let table = "\(shared)/names/tflite-deeplabv3_257_mv_gpu.tsv"
    let lines = try String(contentsOfFile: table, encoding: .utf8).split(separator: "\n")
    let expected = Dictionary(
      lines.map { $0.split(separator: "\t") }.filter { $0.count == 2 }
        .map { (String($0[0]), $0[1].split(separator: "x").compactMap { Int($0) }) },
      uniquingKeysWith: { first, _ in first })
    #expect(expected.count > 50)
    for (name, shape) in expected {
      #expect(file.entry(name)?.shape == shape, "\(name)")
    }
  }
}
