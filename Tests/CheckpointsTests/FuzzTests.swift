import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

/// How many mutations of each file are tried; `ATROUS_FUZZ=10000` for a long run.
private let mutationCount =
  ProcessInfo.processInfo.environment["ATROUS_FUZZ"].flatMap { Int($0) } ?? 150

private func mutated(_ original: [UInt8], _ random: inout SeededNumbers) -> [UInt8] {
  var bytes = original
  // Where formats say what is where: the beginning and the end.
  func place() -> Int {
    let window = Bool.random(using: &random) ? bytes.count : min(bytes.count, 512)
    let at = Int.random(in: 0..<max(1, window), using: &random)
    return Bool.random(using: &random) ? at : bytes.count - 1 - at
  }
  for _ in 0..<Int.random(in: 1...4, using: &random) where bytes.count > 16 {
    let at = place()
    switch Int.random(in: 0..<7, using: &random) {
    case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[at] = .random(in: 0...255, using: &random)
    case 2:
      // A length, offset or count at one of the limits.
      let limits: [UInt64] = [0, 1, 0x7f, 0xffff, 0x7fff_ffff, 0xffff_ffff, .max >> 1, .max]
      let limit = limits.randomElement(using: &random) ?? 0
      let width = [2, 4, 8].randomElement(using: &random) ?? 4
      for byte in 0..<min(width, bytes.count - at) {
        bytes[at + byte] = UInt8(truncatingIfNeeded: limit >> (8 * UInt64(byte)))
      }
    case 3: bytes.removeLast(min(bytes.count - 1, Int.random(in: 1...64, using: &random)))
    case 4:
      let end = min(bytes.count, at + Int.random(in: 1...32, using: &random))
      bytes.removeSubrange(at..<end)
    case 5:
      let end = min(bytes.count, at + Int.random(in: 1...32, using: &random))
      bytes.insert(contentsOf: bytes[at..<end], at: place())
    default:
      // An opcode or a digit for another.
      let codes =
        Array("().0123}]atusbRcQKXqh\u{5d}\u{7d}oiVSFpgPIL".utf8) + [
          0x80, 0x81, 0x82, 0x85, 0x86, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x97,
        ]
      bytes[at] = codes.randomElement(using: &random) ?? 0
    }
  }
  return bytes
}

@Suite("Files with errors")
struct FuzzTests {
  @Test(
    "load or are refused with a message, whatever is wrong with them",
    arguments: [
      "types.safetensors", "types.pth", "types-old.pth", "strides.pth", "strides-old.pth",
      "training.pth", "training-old.pth", "unsigned.pth", "parameters-old.pth", "protocol4.pth",
      "protocol4-old.pth", "mmengine.pth", "mmengine-old.pth", "deflated.pth", "module.pth",
      "module-old.pth", "script.pt", "trace.pt", "exported.pt2", "arrays0.pkl", "arrays2.pkl",
      "arrays4.pkl", "arrays5.pkl",
      "arrays.npz", "packed.npz", "columns.npy", "tensors.tflite", "float8.safetensors",
      "float8.pth", "objects2.pth", "objects4.pth", "objects-old.pth",
    ])
  func mutations(_ name: String) throws {
    try withTemporaryFolder { folder in
      try mutate(fixture(name), in: folder, opening: (name as NSString).lastPathComponent)
    }
  }

  @Test(
    "load or are refused as an index and the files that it names",
    arguments: ["model.safetensors.index.json", "model-00001-of-00002.safetensors"])
  func shards(_ name: String) throws {
    try withTemporaryFolder { folder in
      let source = fixture("sharded-safetensors")
      for file in try FileManager.default.contentsOfDirectory(atPath: source) {
        try FileManager.default.copyItem(atPath: "\(source)/\(file)", toPath: "\(folder)/\(file)")
      }
      try mutate("\(source)/\(name)", in: folder, opening: "model.safetensors.index.json")
    }
  }

  /// Writes mutations of a file into a folder, opens a file there each time, and reads all of it.
  private func mutate(_ source: String, in folder: String, opening target: String) throws {
    let original = [UInt8](try #require(FileManager.default.contents(atPath: source)))
    let name = (source as NSString).lastPathComponent
    let isPacked = ["deflated.pth", "packed.npz"].contains(name)
    let limit = isPacked ? original.count * 64 + 16 << 20 : original.count * 4 + 4096
    var random = SeededNumbers(7)
    var (opened, refused) = (0, 0)
    for _ in 0..<mutationCount {
      try Data(mutated(original, &random)).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      do {
        let file = try WeightFile.open("\(folder)/\(target)")
        for entry in file.entries {
          #expect(entry.bytes.upperBound <= limit)
          let tensor = try file.tensor(entry.name)
          #expect(tensor.shape == entry.shape)
          // Every byte is there.
          if entry.count < 1 << 20 { _ = try file.sum(entry) }
        }
        opened += 1
      } catch let error as WeightFileError {
        #expect(error.description.hasPrefix(folder))
        refused += 1
      }
    }
    #expect(opened + refused == mutationCount)
    #expect(opened > 0 && refused > 0)
    if mutationCount > 1000 {
      print("\(name): \(opened) opened, \(refused) refused; peak \(peakMemory ?? "unknown")")
    }
  }
}
