import Checkpoints
import Datasets
import Files
import Foundation
@testable import Inference
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Checkpoints")
struct CheckpointTests {
  @Test("a file cut off anywhere is refused by name", arguments: [0, 4, 20, 100, -1])
  func cutOff(length: Int) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    try WeightFile.write([("a", Tensor(filledWith: 1, [100]))], to: file)
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    try data.prefix(length < 0 ? data.count + length : length)
      .write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: WeightFileError.self) { try Checkpoint(file) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("\(file): "))
  }

  @Test(
    "a header that makes no sense is refused by name",
    arguments: [
      "[]", "{", "{\"a\": 1}",
      #"{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}}"#,
      #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#,
      #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
      #"{"a": {"dtype": "F32", "shape": [0], "data_offsets": [9223372036854775807, 9223372036854775807]}}"#,
    ])
  func senseless(header: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    data.append(contentsOf: header.utf8)
    data.append(contentsOf: [0, 0, 0, 0])
    try data.write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: WeightFileError.self) { try Checkpoint(file) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("\(file): "))
  }

  @Test("a write that fails leaves the file that stood there, and nothing else")
  func failedWrite() throws {
    struct Full: Error {}
    let folder = try TemporaryFolder()
    let file = folder.path + "/a"
    try AtomicFile.write(file, Data("old".utf8))
    #expect(throws: Full.self) {
      try AtomicFile.write(file) { appender in
        try Array("half of the n".utf8).withUnsafeBytes { try appender.append($0) }
        throw Full()
      }
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "old")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a"])
  }

  @Test("a full disk leaves the checkpoint that stood there")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let file = folder.path + "/a.safetensors"
      try WeightFile.write([("a", Tensor(filledWith: 1, [10]))], to: file)
      let before = try Data(contentsOf: URL(fileURLWithPath: file))
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      #if os(Linux)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #else
        setrlimit(RLIMIT_FSIZE, &limit)
      #endif
      #expect(throws: WriteError.self) {
        try WeightFile.write([("a", Tensor(filledWith: 2, [10_000]))], to: file)
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
    }
  }

  @Test("a kill in the middle of a write leaves the checkpoint that stood there")
  func killedWrite() async throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    try WeightFile.write([("a", Tensor(filledWith: 1, [10]))], to: file)
    let before = try Data(contentsOf: URL(fileURLWithPath: file))
    await #expect(processExitsWith: .signal(SIGKILL)) { [file = file as String] in
      try AtomicFile.write(file) { appender in
        try Array("half of the n".utf8).withUnsafeBytes { try appender.append($0) }
        kill(getpid(), SIGKILL)
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
    #expect(try WeightFile.open(file).tensor("a").floats == [Float](repeating: 1, count: 10))
  }

  @Test("weights of another network are refused with the names and shapes that differ")
  func anotherNetwork() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 4)
      let trainer = try Trainer(
        TrainingConfiguration(yaml: tinyYAML(folder.path, iterations: 1), named: "test"))
      _ = try trainer.fit()
      let checkpoint = try Checkpoint(folder.path + "/run")
      let error = #expect(throws: CheckpointError.self) {
        try TrainedNetwork(
          checkpoint: checkpoint.file,
          overrides: ["model.head.dilations=[1, 2, 3]", "model.head.growth=4"])
      }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("classifier.levels.2"))
      #expect(text.contains("missing in the file"))
      #expect(text.contains("of another shape"))
      let map = try checkpoint.record.map(background: nil)
      #expect(map.classes.map(\.name) == ["ground", "thing"])
      #expect(map.index(of: 255) == 255)
      #expect(checkpoint.record.step == 1)
      #expect(checkpoint.record.scores != nil)
    }
  }
}
